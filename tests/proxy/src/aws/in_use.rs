//! What something else needs is not deleted. Asks moto who needs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{refusal, xml};
use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule, Verdict};

/// Networks, security groups, subnets, gateways, addresses and the groups of RDS and ElastiCache are refused while they are needed,
/// and what a load balancer used for a few tries more: its interfaces outlive it. One that is protected stays.
#[derive(Debug)]
pub struct InUse {
    upstream: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    lingering: u32,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// What interfaces without an owner still hold, and for how many tries.
    lingers: BTreeMap<String, u32>,
    /// What a load balancer uses that is about to be deleted, until it is.
    leaving: BTreeMap<String, Vec<String>>,
    /// What a replication group uses, which moto does not tell.
    caches: BTreeMap<String, Vec<String>>,
}

/// Versions of the query protocols' interfaces.
const EC2: (&str, &str) = ("ec2", "2016-11-15");
const ELB: (&str, &str) = ("elasticloadbalancing", "2015-12-01");
const RDS: (&str, &str) = ("rds", "2014-10-31");

impl InUse {
    /// Beside the service at `upstream`. What a load balancer used is refused `lingering` times more.
    pub fn new(upstream: SocketAddr, lingering: u32) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { upstream, client, lingering, held: Mutex::default() }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks moto as the caller would.
    async fn ask(&self, call: &Call, (service, version): (&str, &str), form: &str) -> String {
        let signed = call.header("authorization").unwrap_or_default();
        let signed =
            signed.replace(&format!("/{}/aws4_request", call.service), &format!("/{service}/aws4_request"));
        let request = Request::post(format!("http://{}/", self.upstream))
            .header("authorization", signed)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(format!("Version={version}&Action={form}")));
        let Ok(request) = request else { return String::new() };
        let Ok(response) = self.client.request(request).await else { return String::new() };
        let collected = response.into_body().collect().await;
        collected.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default()
    }

    /// The items of a list that say all of these.
    async fn any(&self, call: &Call, of: (&str, &str), form: &str, list: &str, say: &[&str]) -> bool {
        let answer = self.ask(call, of, form).await;
        let Some(inner) = xml::find(&answer, list) else { return false };
        let all = &answer[inner];
        xml::elements(all).iter().any(|item| {
            let item = &all[item.whole.clone()];
            say.iter().all(|text| item.contains(text)) && !item.contains("<state>deleted<")
        })
    }

    /// Machines that run.
    async fn machines(&self, call: &Call, filter: &str, id: &str) -> bool {
        let form = format!(
            "DescribeInstances&Filter.1.Name={filter}&Filter.1.Value.1={id}&Filter.2.Name=instance-state-name\
             &Filter.2.Value.1=running&Filter.2.Value.2=pending"
        );
        self.any(call, EC2, &form, "reservationSet", &[]).await
    }

    /// A try at deleting what a load balancer held: one less to go.
    fn lingers(&self, id: &str) -> bool {
        let mut held = self.held();
        let left = held.lingers.get_mut(id).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    async fn needs_group(&self, call: &Call, id: &str) -> bool {
        let by_rule = self.ask(call, EC2, "DescribeSecurityGroups").await;
        let list = xml::text(&by_rule, "securityGroupInfo").unwrap_or_default();
        let by_rule = xml::elements(list).into_iter().any(|item| {
            let item = &list[item.inner];
            xml::own(item, "groupId") != Some(id) && item.contains(&format!(">{id}<"))
        });
        let said = format!(">{id}<");
        by_rule
            || self.any(call, ELB, "DescribeLoadBalancers", "LoadBalancers", &[&said]).await
            || self.any(call, RDS, "DescribeDBInstances", "DBInstances", &[&said]).await
            || self.machines(call, "instance.group-id", id).await
            || self.held().caches.values().flatten().any(|held| held == id)
    }

    async fn needs_subnet(&self, call: &Call, id: &str) -> bool {
        let said = format!(">{id}<");
        self.any(call, EC2, "DescribeNatGateways", "natGatewaySet", &[&said]).await
            || self.any(call, ELB, "DescribeLoadBalancers", "LoadBalancers", &[&said]).await
            || self.any(call, RDS, "DescribeDBInstances", "DBInstances", &[&said]).await
            || self.machines(call, "subnet-id", id).await
    }

    /// The code and the words of a refusal, where the call is to delete what is needed.
    async fn refuses(&self, call: &Call) -> Option<(&'static str, String)> {
        const VIOLATION: &str = "DependencyViolation";
        let of = |name: &str| call.parameter(name).unwrap_or_default();
        let said = |id: &str| format!(">{id}<");
        let needed = |id: &str| format!("resource {id} has a dependent object");
        match call.action.as_str() {
            "DeleteSecurityGroup" => {
                let id = of("GroupId");
                let is = self.lingers(&id) || self.needs_group(call, &id).await;
                is.then(|| (VIOLATION, needed(&id)))
            }
            "DeleteSubnet" => {
                let id = of("SubnetId");
                let is = self.lingers(&id) || self.needs_subnet(call, &id).await;
                is.then(|| (VIOLATION, format!("The subnet '{id}' has dependencies and cannot be deleted.")))
            }
            "DetachInternetGateway" => {
                let vpc = of("VpcId");
                let (nats, balancers) = ("DescribeNatGateways", "DescribeLoadBalancers");
                let is = self.lingers(&vpc)
                    || self.any(call, EC2, nats, "natGatewaySet", &[&said(&vpc)]).await
                    || self
                        .any(call, ELB, balancers, "LoadBalancers", &[&said(&vpc), "internet-facing"])
                        .await;
                is.then(|| (VIOLATION, format!("Network {vpc} has some mapped public address(es).")))
            }
            "DeleteVpc" => {
                let id = of("VpcId");
                let said = said(&id);
                let (gateways, endpoints) = ("DescribeInternetGateways", "DescribeVpcEndpoints");
                let is = self.any(call, EC2, gateways, "internetGatewaySet", &[&said]).await
                    || self.any(call, EC2, "DescribeSubnets", "subnetSet", &[&said]).await
                    || self.any(call, EC2, endpoints, "vpcEndpointSet", &[&said]).await;
                is.then(|| (VIOLATION, format!("The vpc '{id}' has dependencies and cannot be deleted.")))
            }
            "ReleaseAddress" => {
                let id = of("AllocationId");
                let is = self.any(call, EC2, "DescribeNatGateways", "natGatewaySet", &[&said(&id)]).await;
                is.then(|| ("InvalidIPAddress.InUse", format!("Address {id} is in use.")))
            }
            "DeleteDBSubnetGroup" => {
                let said = said(&of("DBSubnetGroupName"));
                let is = self.any(call, RDS, "DescribeDBInstances", "DBInstances", &[&said]).await;
                is.then(|| ("InvalidDBSubnetGroupStateFault", "a database uses it".to_owned()))
            }
            "DeleteDBParameterGroup" => {
                let said = said(&of("DBParameterGroupName"));
                let is = self.any(call, RDS, "DescribeDBInstances", "DBInstances", &[&said]).await;
                is.then(|| ("InvalidDBParameterGroupState", "a database uses it".to_owned()))
            }
            "DeleteCacheSubnetGroup" => {
                let name = of("CacheSubnetGroupName");
                let is = self.held().caches.values().flatten().any(|held| *held == name);
                is.then(|| ("CacheSubnetGroupInUse", "a replication group uses it".to_owned()))
            }
            "DeleteLoadBalancer" => {
                let arn = of("LoadBalancerArn");
                let form = |action: &str, name: &str| {
                    format!(
                        "{action}&{name}={}",
                        percent_encoding::utf8_percent_encode(&arn, percent_encoding::NON_ALPHANUMERIC)
                    )
                };
                let settings =
                    self.ask(call, ELB, &form("DescribeLoadBalancerAttributes", "LoadBalancerArn")).await;
                let is = settings.contains("<Key>deletion_protection.enabled</Key><Value>true</Value>")
                    || settings.contains("<Value>true</Value><Key>deletion_protection.enabled</Key>");
                let seen =
                    self.ask(call, ELB, &form("DescribeLoadBalancers", "LoadBalancerArns.member.1")).await;
                let uses = seen
                    .split(['<', '>'])
                    .filter(|text| ["sg-", "subnet-", "vpc-"].iter().any(|start| text.starts_with(start)));
                self.held().leaving.insert(arn, uses.map(str::to_owned).collect());
                is.then(|| ("OperationNotPermitted", "deletion protection is enabled".to_owned()))
            }
            _ => None,
        }
    }
}

#[async_trait]
impl Rule for InUse {
    async fn before(&self, call: &mut Call) -> Verdict {
        match self.refuses(call).await {
            Some((code, message)) => Verdict::Answer(refusal(call, code, &message)),
            None => Verdict::Pass,
        }
    }

    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        let mut held = self.held();
        let name = || call.parameter("ReplicationGroupId").unwrap_or_default();
        match call.action.as_str() {
            _ if !answer.status.is_success() => {}
            "DeleteLoadBalancer" => {
                let arn = call.parameter("LoadBalancerArn").unwrap_or_default();
                for id in held.leaving.remove(&arn).unwrap_or_default() {
                    held.lingers.insert(id, self.lingering);
                }
            }
            "CreateReplicationGroup" => {
                let uses = call.parameters().into_iter().map(|(_, value)| value);
                held.caches.insert(name(), uses.collect());
            }
            "DeleteReplicationGroup" => {
                held.caches.remove(&name());
            }
            _ => {}
        }
        Fate::Deliver
    }
}
