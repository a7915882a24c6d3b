//! What is said of everything that serves, from answers in the shapes of AWS's API references.

use standfast_contract::{ComponentId, HealthState, Section};

use super::*;
use crate::{
    kinds::map,
    recorded::{Answer, Asked, place, site_that},
};

const ARN: &str = "arn:aws:rds:eu-west-1:123456789012:db:";
const CLUSTER_ARN: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:shop-users";
const STORE_ARN: &str = "arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:shop-sessions";

fn probe<const N: usize>(verb: &str, inputs: [(&str, Value); N]) -> Probe {
    Probe {
        component: ComponentId::new(Section::Databases, "orders"),
        subject: "it".into(),
        provider: "aws".into(),
        place: place().to_value(),
        verb: verb.into(),
        inputs: map(inputs),
    }
}

/// What is answered, as `status` shows it, and the names of the calls.
async fn told(
    probes: &[Probe],
    answers: impl FnMut(&Asked) -> Option<Answer> + Send + 'static,
) -> (Vec<String>, Vec<String>) {
    let (site, endpoint) = site_that(answers);
    let asked: Vec<&Probe> = probes.iter().collect();
    let told = ask(&site, &asked).await.into_iter().map(|answer| match answer {
        Ok(Health { state, detail }) => format!("{state:?}: {detail}"),
        Err(failure) => format!("{:?}: {}", HealthState::Unreachable, failure.message),
    });
    (told.collect(), endpoint.actions())
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html>
fn instance(name: &str, status: &str, more: &str) -> String {
    format!(
        "<DBInstance><DBInstanceIdentifier>{name}</DBInstanceIdentifier><DBInstanceArn>{ARN}{name}</DBInstanceArn>\
         <DBInstanceStatus>{status}</DBInstanceStatus><AvailabilityZone>eu-west-1a</AvailabilityZone>{more}</DBInstance>"
    )
}

fn instances(all: &str) -> Answer {
    Answer::ok(format!(
        "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances>{all}</DBInstances>\
         </DescribeDBInstancesResult></DescribeDBInstancesResponse>"
    ))
}

fn of_instance(verb: &str, name: &str) -> Probe {
    probe(verb, [("instance", format!("{ARN}{name}").into()), ("multi_az", true.into())])
}

#[tokio::test]
async fn databases_and_their_replicas_are_told_by_one_call() {
    let follows = "<ReadReplicaSourceDBInstanceIdentifier>main</ReadReplicaSourceDBInstanceIdentifier>";
    let ill = "<StatusInfos><DBInstanceStatusInfo><StatusType>read replication</StatusType><Normal>false</Normal>\
               <Status>error</Status><Message>wal is gone</Message></DBInstanceStatusInfo></StatusInfos>";
    let standby = "<MultiAZ>true</MultiAZ><SecondaryAvailabilityZone>eu-west-1b</SecondaryAvailabilityZone>";
    let all = [
        instance("main", "available", standby),
        instance("alone", "backing-up", "<MultiAZ>false</MultiAZ>"),
        instance("full", "storage-full", standby),
        instance("changing", "modifying", standby),
        instance("follows", "available", follows),
        instance("ill", "available", &format!("{follows}{ill}")),
        instance("promoted", "available", ""),
    ];
    let mut probes: Vec<Probe> =
        ["main", "alone", "full", "changing", "gone"].map(|name| of_instance(DATABASE, name)).into();
    probes.extend(["follows", "ill", "promoted"].map(|name| of_instance(REPLICA, name)));
    probes.push(probe(DATABASE, []));
    let (told, actions) = told(&probes, move |_| Some(instances(&all.concat()))).await;
    insta::assert_snapshot!(told.join("\n"), @r"
    Healthy: available, primary in eu-west-1a, standby in eu-west-1b
    Degraded: backing-up, primary in eu-west-1a; it has no standby
    Down: storage-full, primary in eu-west-1a, standby in eu-west-1b
    Degraded: modifying, primary in eu-west-1a, standby in eu-west-1b
    Down: is gone
    Healthy: available, replicating
    Degraded: available; its replication is error: wal is gone
    Degraded: available; it follows nobody: it was promoted
    Down: has not been made yet
    ");
    assert_eq!(actions, ["DescribeDBInstances"]);
}

#[tokio::test]
async fn the_servers_of_a_cluster_say_who_takes_writes() {
    let cluster = format!(
        "<DescribeDBClustersResponse><DescribeDBClustersResult><DBClusters><DBCluster><DBClusterArn>{CLUSTER_ARN}</DBClusterArn>\
         <Status>failing-over</Status><DBClusterMembers>\
         <DBClusterMember><DBInstanceIdentifier>a</DBInstanceIdentifier><IsClusterWriter>false</IsClusterWriter></DBClusterMember>\
         <DBClusterMember><DBInstanceIdentifier>b</DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter></DBClusterMember>\
         </DBClusterMembers></DBCluster></DBClusters></DescribeDBClustersResult></DescribeDBClustersResponse>"
    );
    let server = |name: &str| {
        probe(SERVER, [("cluster", CLUSTER_ARN.into()), ("instance", format!("{ARN}{name}").into())])
    };
    let probes = [probe(CLUSTER, [("cluster", CLUSTER_ARN.into())]), server("a"), server("b")];
    let (told, mut actions) = told(&probes, move |asked| match asked.action.as_str() {
        "DescribeDBClusters" => Some(Answer::ok(cluster.clone())),
        _ => Some(instances(&(instance("a", "rebooting", "") + &instance("b", "available", "")))),
    })
    .await;
    insta::assert_snapshot!(told.join("\n"), @r"
    Degraded: failing-over, 2 servers
    Down: rebooting, takes reads in eu-west-1a
    Healthy: available, takes writes in eu-west-1a
    ");
    actions.sort();
    assert_eq!(actions, ["DescribeDBClusters", "DescribeDBInstances"]);
}

#[tokio::test]
async fn a_session_store_lacks_nodes_or_a_failover() {
    let group = |status: &str, nodes: usize, failover: &str| {
        let members: String = (0..nodes).map(|at| format!("<ClusterId>n-{at}</ClusterId>")).collect();
        Answer::ok(format!(
            "<DescribeReplicationGroupsResponse><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup>\
             <ARN>{STORE_ARN}</ARN><Status>{status}</Status><MemberClusters>{members}</MemberClusters>\
             <AutomaticFailover>{failover}</AutomaticFailover><NodeGroups><NodeGroup><Status>{status}</Status></NodeGroup></NodeGroups>\
             </ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></DescribeReplicationGroupsResponse>"
        ))
    };
    let mut said = Vec::new();
    for (status, nodes, failover) in [
        ("available", 3, "enabled"),
        ("available", 2, "enabled"),
        ("available", 3, "disabled"),
        ("modifying", 3, "enabled"),
        ("create-failed", 0, "disabled"),
    ] {
        let probes = [probe(STORE, [("store", STORE_ARN.into()), ("nodes", Value::Int(3))])];
        let answer = group(status, nodes, failover);
        said.extend(told(&probes, move |_| Some(answer.clone())).await.0);
    }
    let gone = [probe(STORE, [("store", STORE_ARN.into()), ("nodes", Value::Int(3))])];
    let not_found = |_: &Asked| Some(Answer::error(404, "ReplicationGroupNotFoundFault", "no such group"));
    said.extend(told(&gone, not_found).await.0);
    insta::assert_snapshot!(said.join("\n"), @r"
    Healthy: available, 3 of 3 nodes
    Degraded: available, 2 of 3 nodes; 1 missing
    Degraded: available, 3 of 3 nodes; no replica takes over by itself
    Degraded: modifying, 3 of 3 nodes
    Down: create-failed, 0 of 3 nodes; 3 missing
    Down: is gone
    ");
}

fn balancers(state: &str) -> String {
    format!(
        "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers><member><LoadBalancerArn>lb</LoadBalancerArn>\
         <State>{state}</State><AvailabilityZones><member><ZoneName>eu-west-1a</ZoneName></member>\
         <member><ZoneName>eu-west-1b</ZoneName></member></AvailabilityZones></member></LoadBalancers>\
         </DescribeLoadBalancersResult></DescribeLoadBalancersResponse>"
    )
}

#[tokio::test]
async fn a_balancer_tells_its_state_and_how_many_members_are_up() {
    let target = |id: &str, state: &str, why: &str| {
        format!(
            "<member><Target><Id>{id}</Id></Target><TargetHealth><State>{state}</State><Description>{why}</Description>\
             </TargetHealth></member>"
        )
    };
    let healths = |members: String| {
        format!(
            "<DescribeTargetHealthResponse><DescribeTargetHealthResult><TargetHealthDescriptions>{members}\
             </TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
        )
    };
    let impaired = "<Code>active_impaired</Code><Reason>no addresses left</Reason>";
    let fine = target("i-1", "healthy", "");
    let ill = target("i-2", "unhealthy", "Health checks failed with these codes: [502]");
    let leaving = target("i-3", "draining", "Target deregistration is in progress");
    let mut said = Vec::new();
    for (state, members) in [
        ("<Code>active</Code>", format!("{fine}{leaving}")),
        (impaired, format!("{fine}{ill}")),
        ("<Code>provisioning</Code>", ill.clone()),
        ("<Code>active</Code>", String::new()),
    ] {
        let probes =
            [probe(BALANCER, [("balancer", "lb".into())]), probe(TARGETS, [("target_group", "tg".into())])];
        let (balancers, healths) = (balancers(state), healths(members));
        let (answers, _) = told(&probes, move |asked| {
            Some(Answer::ok(if asked.action == "DescribeLoadBalancers" { &balancers } else { &healths }))
        })
        .await;
        said.extend(answers);
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    Healthy: serving over 2 zones
    Healthy: 1 of 1 members up
    Degraded: serving over 2 zones, and cannot grow (active_impaired): no addresses left
    Degraded: 1 of 2 members up; i-2 is unhealthy (Health checks failed with these codes: [502])
    Down: is provisioning
    Down: 0 of 1 members up; i-2 is unhealthy (Health checks failed with these codes: [502])
    Healthy: serving over 2 zones
    Down: 0 of 0 members up
    ");
}

#[tokio::test]
async fn a_load_balancer_is_down_without_one_of_its_listeners() {
    let listeners = Map::from([("443".into(), "l-443".into()), ("80".into(), "l-80".into())]);
    let probes = [probe(BALANCER, [("balancer", "lb".into()), ("listeners", listeners.into())])];
    let there = |ids: &[&str]| {
        let members: String =
            ids.iter().map(|id| format!("<member><ListenerArn>{id}</ListenerArn></member>")).collect();
        format!(
            "<DescribeListenersResponse><DescribeListenersResult><Listeners>{members}</Listeners>\
             </DescribeListenersResult></DescribeListenersResponse>"
        )
    };
    for (ids, expected) in [
        (vec!["l-443", "l-80"], "Healthy: serving over 2 zones"),
        (vec!["l-443", "other"], "Down: listener 80 is gone"),
    ] {
        let (balancers, listeners) = (balancers("<Code>active</Code>"), there(&ids));
        let (told, _) = told(&probes, move |asked| {
            Some(Answer::ok(if asked.action == "DescribeLoadBalancers" { &balancers } else { &listeners }))
        })
        .await;
        assert_eq!(told, [expected]);
    }
}

#[tokio::test]
async fn what_somebody_has_removed_is_down() {
    let probes = [
        probe(MEMBERS, [("group", "web".into())]),
        probe(TARGETS, [("target_group", "tg".into())]),
        probe(BALANCER, [("balancer", "lb".into())]),
    ];
    let (told, _) = told(&probes, |asked| {
        Some(match asked.action.as_str() {
            "DescribeAutoScalingGroups" => Answer::Empty,
            "DescribeTargetHealth" => Answer::error(400, "TargetGroupNotFound", "not found"),
            _ => Answer::error(400, "LoadBalancerNotFound", "not found"),
        })
    })
    .await;
    assert_eq!(told, ["Down: is gone"; 3]);
}

#[tokio::test]
async fn what_may_not_be_looked_at_is_unreachable_and_hides_nothing_else() {
    let store = probe(STORE, [("store", STORE_ARN.into()), ("nodes", Value::Int(3))]);
    let server = probe(SERVER, [("cluster", CLUSTER_ARN.into()), ("instance", format!("{ARN}main").into())]);
    let probes = [store, of_instance(DATABASE, "main"), server];
    let (told, _) = told(&probes, |asked| match asked.action.as_str() {
        "DescribeReplicationGroups" | "DescribeDBClusters" => {
            Some(Answer::error(403, "AccessDenied", "not authorized"))
        }
        _ => Some(instances(&instance("main", "available", "<MultiAZ>true</MultiAZ>"))),
    })
    .await;
    insta::assert_snapshot!(told.join("\n"), @r"
    Unreachable: elasticache:DescribeReplicationGroups: not authorized (AccessDenied)
    Healthy: available, primary in eu-west-1a, Multi-AZ
    Healthy: available, eu-west-1a
    ");
}
