//! The kinds of resource, one a file, each with the same few verbs; and what the verbs speak of.
//!
//! A kind does no retrying, no looking for what a lost answer made and no waiting: [`crate::settle`] does that, alike for
//! all of them. But an instance refresh, a certificate that is being issued, read replicas that get a version before their
//! source and a session store's password have steps between which a kind itself waits, and whose a store is that is being
//! made ElastiCache tells only later.

pub(crate) mod base64;
mod ec2;
mod elasticache;
mod elb;
mod parameters;
mod rds;
mod route53;
#[cfg(test)]
mod shapes;

mod alarm;
mod autoscaling_group;
mod cache_subnet_group;
mod certificate;
mod dashboard;
mod db_backup_copy;
mod db_cluster;
mod db_cluster_instance;
mod db_cluster_parameter_group;
mod db_copy;
mod db_instance;
mod db_parameter_group;
mod db_replica;
mod db_subnet_group;
mod dns_record;
mod elastic_ip;
mod global_cluster;
mod health_check;
mod hosted_zone;
mod instance_profile;
mod internet_gateway;
mod launch_template;
mod listener;
mod load_balancer;
mod nat_gateway;
mod parameter;
mod replication_group;
mod requested_certificate;
mod route_table;
mod security_group;
mod subnet;
mod subscription;
mod target_group;
mod topic;
mod validation_record;
mod vpc;
mod vpc_endpoint;

pub(crate) use alarm::alarms;
pub(crate) use autoscaling_group::{IN_SERVICE, UTC, groups};
pub(crate) use db_cluster::clusters as database_clusters;
pub(crate) use db_instance::wrong_password;
pub(crate) use dns_record::{
    excludes as record_excludes, id_of as record_id, label as record_label, plain as record_name,
    records as records_of, routing, routing_of,
};
pub(crate) use elasticache::tags as store_tags;
pub(crate) use elb::{load_balancers, tags_of as balancer_tags};
pub(crate) use listener::rules as listener_rules;
pub(crate) use rds::{attributes as database_attributes, instances as database_instances};
pub(crate) use replication_group::{groups as replication_groups, wrong_token};
pub(crate) use route53::tags as route53_tags;
pub(crate) use subscription::subscribed;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use standfast_contract::{Attribute, Call, Context, Kind, Map, Stack, Value};

use crate::{
    clients::Site,
    failure::Failure,
    marks::{self, Tags},
};

/// Ids in one [`Select::Ids`]: what EC2 takes as values of one filter.
pub(crate) const IDS_MAX: usize = 200;

/// The attributes that somebody wants, or did.
pub(crate) type Wanted<'a> = BTreeSet<&'a str>;

/// Which things to look at.
#[derive(Clone, Copy)]
pub(crate) enum Select<'a> {
    /// Everything that carries the stack.
    Stack(&'a Stack),
    /// By id, at most [`IDS_MAX`]; what is not there is left out of the answer.
    Ids(&'a [&'a str]),
    /// The same, as a plan asks: what costs calls of its own only where it is wanted.
    Bare(&'a [&'a str], &'a Wanted<'a>),
    /// What a create with this token made.
    Token(&'a Stack, &'a str),
}

impl<'a> Select<'a> {
    pub fn ids(self) -> Option<&'a [&'a str]> {
        match self {
            Select::Ids(ids) | Select::Bare(ids, _) => Some(ids),
            Select::Stack(_) | Select::Token(..) => None,
        }
    }

    /// Whether an attribute is asked for that costs a call of its own.
    pub fn asks(self, attribute: &str) -> bool {
        match self {
            Select::Bare(_, wanted) => wanted.contains(attribute),
            Select::Ids(_) | Select::Stack(_) | Select::Token(..) => true,
        }
    }

    /// Whether something was asked for.
    pub fn takes(self, id: &str, tags: &Tags) -> bool {
        match self {
            Select::Ids(ids) | Select::Bare(ids, _) => ids.contains(&id),
            Select::Stack(stack) => marks::is_of(tags, stack),
            Select::Token(stack, token) => {
                marks::is_of(tags, stack) && tags.get(marks::TOKEN).is_some_and(|made_by| made_by == token)
            }
        }
    }
}

/// What was asked for and nothing else, however well the endpoint filters: taking another's thing for ours would be the
/// end of it.
pub(crate) async fn look(works: &dyn Works, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure> {
    let mut seen = works.look(site, select).await?;
    seen.retain(|seen| select.takes(&seen.id, &seen.tags));
    Ok(seen)
}

/// The same, with what the answer tells of others.
pub(crate) async fn look_around(
    works: &dyn Works,
    site: &Site,
    select: Select<'_>,
) -> Result<(Vec<Seen>, Vec<Told>), Failure> {
    let (mut seen, told) = works.look_around(site, select).await?;
    seen.retain(|seen| select.takes(&seen.id, &seen.tags));
    Ok((seen, told))
}

/// How far along it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Ready,
    /// On its way, in AWS's word.
    Pending(String),
    /// It will not come to be: why.
    Failed(String),
    /// Still listed, and as good as gone.
    Gone,
}

/// How AWS's words for a thing that it takes away begin.
const DELETING: &str = "deleting";

impl Phase {
    pub fn is_leaving(&self) -> bool {
        matches!(self, Phase::Pending(word) if word.starts_with(DELETING))
    }
}

/// Ids of parts by what they are of.
pub(crate) type Parts = BTreeMap<String, String>;

/// What was seen of one thing.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Seen {
    pub id: String,
    pub phase: Phase,
    pub tags: Tags,
    /// In the form that inputs have.
    pub attributes: Map,
    pub outputs: Map,
    /// Ids of its parts, which `fit` needs and nobody else.
    pub parts: Parts,
}

impl Seen {
    pub fn is_there(&self) -> bool {
        self.phase != Phase::Gone
    }
}

/// What an answer about one thing tells of another one, of another kind, that it uses.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Told {
    pub kind: &'static str,
    pub id: String,
    /// What may be other than it was, and outputs.
    pub attributes: Map,
}

/// One create or update.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub site: &'a Site,
    pub context: &'a Context,
    pub call: &'a Call,
}

impl<'a> Job<'a> {
    /// The tags of what this create makes.
    pub fn tags(&self) -> Tags {
        marks::of_new(&self.context.stack, &self.call.address, &self.call.token, &self.call.inputs)
    }

    pub fn find(&self, key: &str) -> Option<&'a Value> {
        self.call.inputs.get(key).filter(|value| **value != Value::Null)
    }

    pub fn maybe(&self, key: &str) -> Option<&'a str> {
        self.find(key).and_then(Value::as_str)
    }

    pub fn text(&self, key: &str) -> Result<&'a str, Failure> {
        self.maybe(key).ok_or_else(|| Failure::refused("", format!("`{key}` is missing or no text")))
    }

    pub fn texts(&self, key: &str) -> BTreeSet<&'a str> {
        texts(&self.call.inputs, key)
    }

    pub fn int(&self, key: &str) -> Result<i32, Failure> {
        self.find(key)
            .and_then(Value::as_int)
            .and_then(|int| i32::try_from(int).ok())
            .ok_or_else(|| Failure::refused("", format!("`{key}` is missing or no number")))
    }

    pub fn is(&self, key: &str) -> bool {
        self.find(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether an attribute is seen to be other than wanted.
    pub fn differs(&self, key: &str, seen: &Seen) -> bool {
        let wanted = self.call.inputs.get(key).unwrap_or(&Value::Null);
        as_asked(key, wanted, seen.attributes.get(key).unwrap_or(&Value::Null)) != *wanted
    }

    /// The same of what somebody wants at all: where the blueprint says nothing, AWS has something of its own.
    pub fn asks(&self, key: &str, seen: &Seen) -> bool {
        self.find(key).is_some() && self.differs(key, seen)
    }
}

/// The attribute in which others may have a say too.
const SETTINGS: &str = "settings";
/// The list whose order counts.
const RULES: &str = "rules";

/// What is seen of an attribute in the form in which it was asked for: a list in that order, and of settings only those.
pub(crate) fn as_asked(key: &str, wanted: &Value, is: &Value) -> Value {
    let is = match (is, wanted) {
        (Value::Text(is), Value::Text(wanted)) if key == VERSION && is_of_version(is, wanted) => {
            Value::Text(wanted.clone())
        }
        (Value::Map(is), Value::Map(wanted)) if key == SETTINGS => {
            let asked = is.iter().filter(|(name, _)| wanted.contains_key(*name));
            Value::Map(asked.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        // Names of hosts: Route 53 keeps them in lower case.
        (Value::Text(is), Value::Text(wanted)) if key == TARGET && is.eq_ignore_ascii_case(wanted) => {
            Value::Text(wanted.clone())
        }
        _ => is.clone(),
    };
    if key != RULES && same(&is, wanted) { wanted.clone() } else { is }
}

/// The name that a record leads to.
const TARGET: &str = "target";
/// The version of an engine, which may be less exact than AWS tells it.
const VERSION: &str = "version";

/// `15.4` is of `15`; `150` is not.
pub(crate) fn is_of_version(version: &str, wanted: &str) -> bool {
    version.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The texts of a list attribute.
pub(crate) fn texts<'a>(map: &'a Map, key: &str) -> BTreeSet<&'a str> {
    let list = map.get(key).and_then(Value::as_list);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Equal, lists in any order: AWS keeps none.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            let mut left: Vec<&Value> = other.iter().collect();
            one.len() == left.len()
                && one.iter().all(|value| {
                    let at = left.iter().position(|candidate| same(value, candidate));
                    at.map(|at| left.swap_remove(at)).is_some()
                })
        }
        (Value::Map(one), Value::Map(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|found| same(value, found)))
        }
        (Value::Int(int), Value::Float(float)) | (Value::Float(float), Value::Int(int)) => {
            *int as f64 == *float
        }
        _ => one == other,
    }
}

/// A map without what is null.
pub(crate) fn map<const N: usize>(pairs: [(&str, Value); N]) -> Map {
    let given = pairs.into_iter().filter(|(_, value)| *value != Value::Null);
    given.map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(crate) fn text(option: Option<&str>) -> Value {
    option.filter(|text| !text.is_empty()).map_or(Value::Null, Value::from)
}

/// A list in order; null where it is empty, as expansion leaves empty ones out.
pub(crate) fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
    let mut items: Vec<Value> = items.into_iter().map(Into::into).collect();
    items.sort_by_key(ToString::to_string);
    if items.is_empty() { Value::Null } else { Value::List(items) }
}

/// One kind.
#[async_trait]
pub(crate) trait Works: Send + Sync {
    fn kind(&self) -> &'static Kind;

    /// In as few calls as the pages allow; it may give more than was asked for. Called through [`look`].
    async fn look(&self, site: &Site, select: Select<'_>) -> Result<Vec<Seen>, Failure>;

    /// The same, with what the answer tells of others.
    async fn look_around(&self, site: &Site, select: Select<'_>) -> Result<(Vec<Seen>, Vec<Told>), Failure> {
        Ok((self.look(site, select).await?, Vec::new()))
    }

    /// The kind whose answers tell all of one of these that is in use but its tags: where that is as recorded, a plan need
    /// not ask for it.
    fn told_by(&self) -> Option<&'static str> {
        None
    }

    /// For a plan: what of these inputs a look has not told of it, because that costs calls of its own.
    async fn look_closer(&self, _: &Site, _: &mut Seen, _inputs: &Map) -> Result<(), Failure> {
        Ok(())
    }

    /// Makes it, with its tags in the same call, and gives its id. What that call cannot say is left to `fit`.
    async fn make(&self, job: &Job<'_>) -> Result<String, Failure>;

    /// Brings what may change in place to what is wanted, and calls nothing where it is so already. Tags are not its
    /// business.
    async fn fit(&self, job: &Job<'_>, seen: &Seen) -> Result<(), Failure>;

    /// What AWS has not begun yet, or not told yet, of what `fit` has just changed, though it calls the thing ready: in
    /// a word for whoever waits.
    fn unfinished(&self, _: &Job<'_>, _before: &Seen, _after: &Seen) -> Option<String> {
        None
    }

    async fn remove(&self, site: &Site, id: &str, recorded: &Map) -> Result<(), Failure>;

    /// Before the first change of all: what is known to be refused. Most kinds leave it to AWS to say.
    fn foresee(&self, _: &Call) -> Result<(), Failure> {
        Ok(())
    }

    /// Sets tags, then takes others away.
    async fn tag(&self, site: &Site, id: &str, set: &Tags, unset: &[String]) -> Result<(), Failure> {
        ec2::tag(site, id, set, unset).await
    }
}

/// Every kind, in the order in which a network comes to be.
static ALL: &[&dyn Works] = &[
    &vpc::Vpc,
    &subnet::Subnet,
    &internet_gateway::InternetGateway,
    &elastic_ip::ElasticIp,
    &nat_gateway::NatGateway,
    &route_table::RouteTable,
    &vpc_endpoint::VpcEndpoint,
    &security_group::SecurityGroup,
    &load_balancer::LoadBalancer,
    &target_group::TargetGroup,
    &certificate::Certificate,
    &requested_certificate::RequestedCertificate,
    &listener::Listener,
    &parameter::Parameter,
    &instance_profile::InstanceProfile,
    &launch_template::LaunchTemplate,
    &autoscaling_group::AutoscalingGroup,
    &db_subnet_group::DbSubnetGroup,
    &db_parameter_group::DbParameterGroup,
    &db_instance::DbInstance,
    &db_replica::DbReplica,
    &db_cluster_parameter_group::DbClusterParameterGroup,
    &db_cluster::DbCluster,
    &global_cluster::GlobalCluster,
    &db_cluster_instance::DbClusterInstance,
    &db_copy::DbCopy,
    &db_backup_copy::DbBackupCopy,
    &cache_subnet_group::CacheSubnetGroup,
    &replication_group::ReplicationGroup,
    &health_check::HealthCheck,
    &hosted_zone::HostedZone,
    &dns_record::DnsRecord,
    &validation_record::ValidationRecord,
    &topic::Topic,
    &subscription::Subscription,
    &alarm::Alarm,
    &dashboard::Dashboard,
];

pub(crate) fn all() -> impl Iterator<Item = &'static dyn Works> {
    ALL.iter().copied()
}

pub(crate) fn by_name(name: &str) -> Option<&'static dyn Works> {
    all().find(|works| works.kind().name == name)
}

// What every kind has.
const ID: Attribute = Attribute::new("id").stable();
const TAGS: Attribute = Attribute::new("tags");
/// Where tags cost a call each: see [`Select::asks`].
const UNSEEN_TAGS: Attribute = Attribute::new("tags").unobserved();

const fn may(name: &'static str) -> Attribute {
    Attribute::new(name)
}
const fn must(name: &'static str) -> Attribute {
    Attribute::new(name).required()
}
const fn fixed(name: &'static str) -> Attribute {
    Attribute::new(name).required().replaces()
}
const fn out(name: &'static str) -> Attribute {
    Attribute::new(name).stable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_the_same_in_any_order_and_as_often() {
        let list = |texts: &[&str]| texts.iter().copied().collect::<Value>();
        assert!(same(&list(&["a", "b"]), &list(&["b", "a"])));
        assert!(!same(&list(&["a", "a", "b"]), &list(&["a", "b", "b"])));
        assert!(same(&Value::Float(60.0), &Value::Int(60)));
    }

    #[test]
    fn a_version_is_as_exact_as_it_was_asked_for() {
        let seen = |is: &str, wanted: &str| as_asked(VERSION, &wanted.into(), &is.into()) == wanted.into();
        assert!(seen("15.4", "15") && seen("8.0.39", "8.0") && seen("16", "16"));
        assert!(!seen("15.4", "15.3") && !seen("150", "15") && !seen("15", "15.3"));
    }

    #[test]
    fn every_kind_is_known_by_its_own_name_and_has_an_id_and_tags() {
        for works in all() {
            let kind = works.kind();
            assert_eq!(by_name(kind.name).unwrap().kind().name, kind.name);
            assert!(kind.attribute("id").is_some() && kind.attribute("tags").is_some(), "{}", kind.name);
        }
    }
}
