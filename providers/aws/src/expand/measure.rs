//! What CloudWatch measures of each component: which series a neutral metric is, what a missing value means, what a bound
//! is in CloudWatch's unit, and which bounds every component has that nobody wrote down.
//!
//! A server that is down is not measured: where that is the only sign of it, a missing value counts as bad.

use std::time::Duration;

use standfast_contract::{
    Address, Component, ComponentId, Map, OutputRef, Value,
    alarm::{Amount, Bound, Metric},
    component::{Certificate, Database, DatabaseEngine, LoadBalancer, SessionStore},
};

use super::{Build, balancer, certificates, database};
use crate::kinds::{self, map};

/// What one alarm watches.
pub(super) struct Series {
    /// The group or server that it is of, where the component has several.
    pub part: Option<String>,
    /// Each `{id, namespace, metric, statistic, dimensions}`.
    pub metrics: Vec<Value>,
    pub expression: Option<&'static str>,
    /// Where there is a series for each of these: the list of their names. The largest counts.
    pub members: Value,
    pub period_s: u64,
    pub missing: &'static str,
    /// What must have been made before there is anything to measure.
    pub follows: Option<Address>,
}

const BAD: &str = "breaching";
const GOOD: &str = "notBreaching";
/// CloudWatch keeps minutes; EC2 reports each five without detailed monitoring, which costs.
const MINUTE_S: u64 = 60;
const EC2_PERIOD_S: u64 = 300;
const DAY_S: u64 = 24 * 60 * 60;
/// In the place of a name in the dimensions, where there are several.
const EACH: &str = "*";
/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/TroubleshootingConnections.html>
const STORE_CONNECTIONS: f64 = 65_000.0;

/// Why something cannot be watched, and what to do.
pub(super) type Cannot = (String, &'static str);

impl Series {
    fn of(metric: Value, missing: &'static str) -> Self {
        Series {
            part: None,
            metrics: vec![metric],
            expression: None,
            members: Value::Null,
            period_s: MINUTE_S,
            missing,
            follows: None,
        }
    }
}

fn metric(namespace: &str, name: &str, statistic: &str, dimensions: Map) -> Value {
    identified("value", namespace, name, statistic, dimensions)
}

fn identified(id: &str, namespace: &str, name: &str, statistic: &str, dimensions: Map) -> Value {
    let whole = map([
        ("id", id.into()),
        ("namespace", namespace.into()),
        ("metric", name.into()),
        ("statistic", statistic.into()),
        ("dimensions", dimensions.into()),
    ]);
    whole.into()
}

/// The series of a metric of a component of the region.
pub(super) fn series(build: &Build<'_>, of: &Component, metric: Metric) -> Result<Vec<Series>, Cannot> {
    match of {
        Component::LoadBalancer(it) => of_balancer(build, of, it, metric),
        Component::AutoscalingGroup(_) => of_group(build, of, metric),
        Component::Database(it) => of_database(build, of, it, metric),
        Component::SessionStore(_) => Ok(of_store(build, of, metric)),
        _ => Ok(Vec::new()),
    }
}

fn of_balancer(
    build: &Build<'_>,
    of: &Component,
    balancer: &LoadBalancer,
    wanted: Metric,
) -> Result<Vec<Series>, Cannot> {
    let id = of.id();
    let main = Address::new(&build.region.name, &id, "load_balancer", "main");
    let label = || OutputRef::resource(&main, "label");
    let whole = || map([("LoadBalancer", label())]);
    let is_http = balancer.layer == 7;
    let namespace = if is_http { "AWS/ApplicationELB" } else { "AWS/NetworkELB" };
    if wanted == Metric::HealthyMembers {
        let groups = balancer::served(build.request, balancer);
        let each = groups.into_iter().map(|group| {
            let target = balancer::target_group(&build.region.name, &id, &group.common.name);
            let dimensions =
                map([("LoadBalancer", label()), ("TargetGroup", OutputRef::resource(&target, "label"))]);
            let members = Component::AutoscalingGroup(group.clone()).id();
            Series {
                part: Some(group.common.name.clone()),
                follows: Some(Address::new(&build.region.name, &members, "autoscaling_group", "main")),
                ..Series::of(metric(namespace, "HealthyHostCount", "Minimum", dimensions), BAD)
            }
        });
        return Ok(each.collect());
    }
    if wanted == Metric::CertificateExpiry {
        return Ok(of_certificates(build, &id, balancer));
    }
    if !is_http {
        let what = wanted.as_str();
        return Err((
            format!("`{what}` is not measured of a load balancer of layer 4, which looks into no request"),
            "Watch its `healthy_members`, or say `layer: 7`.",
        ));
    }
    if wanted == Metric::Latency {
        return Ok(vec![Series::of(metric(namespace, "TargetResponseTime", "p95", whole()), GOOD)]);
    }
    // What the balancer itself refuses for want of members is in no count of requests.
    // <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
    let metrics = [
        ("requests", "RequestCount"),
        ("of_members", "HTTPCode_Target_5XX_Count"),
        ("of_balancer", "HTTPCode_ELB_5XX_Count"),
    ];
    let metrics = metrics.map(|(id, name)| identified(id, namespace, name, "Sum", whole()));
    let share =
        "100 * (FILL(of_members, 0) + FILL(of_balancer, 0)) / (FILL(requests, 0) + FILL(of_balancer, 0))";
    let mut series = Series::of(Value::Null, GOOD);
    series.metrics = metrics.into();
    series.expression = Some(share);
    Ok(vec![series])
}

/// ACM says it until the certificate has expired. <https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html>
fn of_certificates(build: &Build<'_>, id: &ComponentId, balancer: &LoadBalancer) -> Vec<Series> {
    let with_tls =
        balancer.listeners.iter().filter_map(|listener| Some((listener, listener.certificate.as_ref()?)));
    let each = with_tls.map(|(listener, certificate)| {
        let port = listener.port.to_string();
        let arn = match certificate {
            Certificate::Arn(arn) => arn.as_str().into(),
            Certificate::Requested { .. } => {
                OutputRef::resource(&certificates::address(&build.region.name, id, listener.port), "id")
            }
            Certificate::Pem(_) => {
                let imported = Address::new(&build.region.name, id, "certificate", &port);
                OutputRef::resource(&imported, "id")
            }
        };
        let days =
            metric("AWS/CertificateManager", "DaysToExpiry", "Minimum", map([("CertificateArn", arn)]));
        Series { part: Some(port), period_s: DAY_S, ..Series::of(days, GOOD) }
    });
    each.collect()
}

fn of_group(build: &Build<'_>, of: &Component, wanted: Metric) -> Result<Vec<Series>, Cannot> {
    let main = Address::new(&build.region.name, &of.id(), "autoscaling_group", "main");
    let dimensions = map([("AutoScalingGroupName", OutputRef::resource(&main, "id"))]);
    match wanted {
        Metric::Cpu => {
            let cpu = metric("AWS/EC2", "CPUUtilization", "Average", dimensions);
            Ok(vec![Series { period_s: EC2_PERIOD_S, ..Series::of(cpu, GOOD) }])
        }
        Metric::HealthyMembers => {
            let serving = metric("AWS/AutoScaling", kinds::IN_SERVICE, "Minimum", dimensions);
            Ok(vec![Series::of(serving, BAD)])
        }
        _ => Err((
            "EC2 does not measure memory by itself".into(),
            "Watch `cpu`, or the `latency` of its load balancer.",
        )),
    }
}

fn of_database(
    build: &Build<'_>,
    of: &Component,
    database: &Database,
    wanted: Metric,
) -> Result<Vec<Series>, Cannot> {
    let is_aurora = is_aurora(database);
    let (name, statistic, missing) = match wanted {
        Metric::Cpu => ("CPUUtilization", "Average", BAD),
        Metric::FreeStorage if is_aurora => {
            return Err(("the storage of Aurora grows by itself".into(), "Remove the alarm."));
        }
        Metric::FreeStorage => ("FreeStorageSpace", "Minimum", GOOD),
        Metric::Connections => ("DatabaseConnections", "Maximum", GOOD),
        Metric::ReplicaLag if is_aurora => return Ok(vec![aurora_lag(build, of)]),
        Metric::ReplicaLag => ("ReplicaLag", "Maximum", BAD),
        _ => {
            return Err((
                "RDS tells how much memory is free, and not what share that is".into(),
                "Watch `cpu` and `connections`.",
            ));
        }
    };
    let of_server = |kind: &str, name_of: &str| {
        let server = Address::new(&build.region.name, &of.id(), kind, name_of);
        let dimensions = map([("DBInstanceIdentifier", OutputRef::resource(&server, "identifier"))]);
        Series::of(metric("AWS/RDS", name, statistic, dimensions), missing)
    };
    if is_aurora {
        let servers = database::cluster_servers(build, database);
        let each = servers
            .iter()
            .map(|name| Series { part: Some(name.clone()), ..of_server("db_cluster_instance", name) });
        return Ok(each.collect());
    }
    let replicas = database::replicas(build, database);
    let replicas =
        replicas.iter().map(|name| Series { part: Some(name.clone()), ..of_server("db_replica", name) });
    if wanted != Metric::ReplicaLag {
        return Ok(std::iter::once(of_server("db_instance", "main")).chain(replicas).collect());
    }
    let all: Vec<Series> = replicas.collect();
    if all.is_empty() {
        return Err((
            format!("`{}` has no read replica, and its standby follows each commit", of.id()),
            "Remove the alarm, or say `replicas: 2`.",
        ));
    }
    Ok(all)
}

fn is_aurora(database: &Database) -> bool {
    matches!(database.engine, DatabaseEngine::AuroraPostgres | DatabaseEngine::AuroraMysql)
}

/// Of the reader that is furthest behind. Aurora tells it in milliseconds, and nothing where nobody reads.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html>
fn aurora_lag(build: &Build<'_>, of: &Component) -> Series {
    let cluster = Address::new(&build.region.name, &of.id(), "db_cluster", "main");
    let dimensions = map([("DBClusterIdentifier", OutputRef::resource(&cluster, "identifier"))]);
    let lag = identified("milliseconds", "AWS/RDS", "AuroraReplicaLagMaximum", "Maximum", dimensions);
    Series { expression: Some("milliseconds / 1000"), ..Series::of(lag, GOOD) }
}

/// Of each server, and the worst one counts. Who is primary moves.
fn of_store(build: &Build<'_>, of: &Component, wanted: Metric) -> Vec<Series> {
    let (name, statistic, missing) = match wanted {
        Metric::Cpu => ("EngineCPUUtilization", "Average", BAD),
        Metric::Memory => ("DatabaseMemoryUsagePercentage", "Average", GOOD),
        Metric::Connections => ("CurrConnections", "Maximum", GOOD),
        Metric::ReplicaLag => ("ReplicationLag", "Maximum", GOOD),
        _ => ("Evictions", "Sum", GOOD),
    };
    let main = Address::new(&build.region.name, &of.id(), "replication_group", "main");
    let each = metric("AWS/ElastiCache", name, statistic, map([("CacheClusterId", EACH.into())]));
    vec![Series { members: OutputRef::resource(&main, "members"), ..Series::of(each, missing) }]
}

/// A bound in CloudWatch's unit.
pub(super) fn threshold(of: &Component, metric: Metric, amount: Amount) -> Result<f64, Cannot> {
    match (metric, amount, of) {
        (Metric::FreeStorage, Amount::Share(percent), Component::Database(database)) => {
            Ok(database::storage_gib(database) as f64 * f64::from(1 << 30) * percent / 100.0)
        }
        (Metric::Connections, Amount::Share(percent), Component::Database(database)) => {
            let most = connections_max(database).ok_or_else(|| {
                let instance_type = database.instance_type.as_deref().unwrap_or_default();
                (
                    format!("how many connections a `{instance_type}` takes is not known"),
                    "Say a number, or set `parameters: { max_connections: ... }` of the database.",
                )
            })?;
            Ok((most * percent / 100.0).floor())
        }
        (Metric::Connections, Amount::Share(percent), _) => Ok(STORE_CONNECTIONS * percent / 100.0),
        (_, Amount::Share(number) | Amount::Number(number), _) => Ok(number),
        (Metric::CertificateExpiry, Amount::Duration(duration), _) => {
            Ok(duration.as_secs_f64() / DAY_S as f64)
        }
        (_, Amount::Duration(duration), _) => Ok(duration.as_secs_f64()),
        (_, Amount::Bytes(bytes), _) => Ok(bytes as f64),
    }
}

/// What every component is watched for: the bound, and for how long it must have been passed.
pub(super) fn defaults(build: &Build<'_>, of: &Component) -> Vec<(Metric, Bound, Duration)> {
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let share = |percent: f64| Bound::Above(Amount::Share(percent));
    let longer = |duration: Duration| Bound::Above(Amount::Duration(duration));
    let fewer = |count: u32| Bound::Below(Amount::Number(f64::from(count)));
    match of {
        Component::LoadBalancer(balancer) => {
            let mut all = vec![(Metric::HealthyMembers, fewer(1), minutes(1))];
            if balancer.layer == 7 {
                all.push((Metric::Errors, share(5.0), minutes(5)));
                all.push((Metric::Latency, longer(Duration::from_secs(2)), minutes(10)));
            }
            if balancer.listeners.iter().any(|listener| listener.certificate.is_some()) {
                let left = Amount::Duration(Duration::from_secs(14 * DAY_S));
                all.push((Metric::CertificateExpiry, Bound::Below(left), Duration::from_secs(DAY_S)));
            }
            all
        }
        Component::AutoscalingGroup(group) => {
            let mut all = vec![(Metric::Cpu, share(90.0), minutes(15))];
            // Longer than a member needs to be replaced.
            let least = group.schedule.iter().filter_map(|it| it.min).fold(group.capacity.min, u32::min);
            if least > 0 {
                all.push((Metric::HealthyMembers, fewer(least), minutes(15)));
            }
            all
        }
        Component::Database(database) => {
            let mut all = vec![(Metric::Cpu, share(90.0), minutes(10))];
            if !is_aurora(database) {
                all.push((Metric::FreeStorage, Bound::Below(Amount::Share(10.0)), minutes(5)));
            }
            if connections_max(database).is_some() {
                all.push((Metric::Connections, share(80.0), minutes(5)));
            }
            let followers = match is_aurora(database) {
                true => database::cluster_servers(build, database).len() - 1,
                false => database::replicas(build, database).len(),
            };
            if followers > 0 {
                all.push((Metric::ReplicaLag, longer(lag(database.engine)), minutes(5)));
            }
            all
        }
        Component::SessionStore(SessionStore { replicas, .. }) => {
            let mut all = vec![
                (Metric::Cpu, share(90.0), minutes(10)),
                (Metric::Memory, share(80.0), minutes(5)),
                (Metric::Evictions, Bound::Above(Amount::Number(0.0)), minutes(5)),
            ];
            if *replicas > 0 {
                all.push((Metric::ReplicaLag, longer(Duration::from_secs(30)), minutes(5)));
            }
            all
        }
        _ => Vec::new(),
    }
}

/// A replica of PostgreSQL that has nothing to do tells up to five minutes.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.Monitor.html>
fn lag(engine: DatabaseEngine) -> Duration {
    Duration::from_secs(match engine {
        DatabaseEngine::Postgres => 10 * 60,
        _ => 60,
    })
}

/// As the parameter says, else what RDS makes of the memory.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections>
fn connections_max(database: &Database) -> Option<f64> {
    if let Some(said) = database.parameters.get("max_connections") {
        return said.to_string().parse().ok();
    }
    // RDS keeps some of the memory for itself.
    let bytes = memory_gib(database.instance_type.as_deref()?)? * f64::from(1 << 30) * 0.9;
    Some(match database.engine {
        DatabaseEngine::Postgres | DatabaseEngine::AuroraPostgres => (bytes / 9_531_392.0).min(5_000.0),
        _ => bytes / 12_582_880.0,
    })
}

/// Of `db.t4g.medium`: by the letter of the family and the size.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html>
fn memory_gib(class: &str) -> Option<f64> {
    let (family, size) = class.strip_prefix("db.")?.split_once('.')?;
    let large = match family.chars().next()? {
        't' | 'm' => 8.0,
        'r' => 16.0,
        'c' => 4.0,
        _ => return None,
    };
    Some(match size {
        "micro" if family.starts_with('t') => 1.0,
        "small" if family.starts_with('t') => 2.0,
        "medium" if family.starts_with('t') => 4.0,
        "large" => large,
        "xlarge" => large * 2.0,
        _ => size.strip_suffix("xlarge")?.parse::<f64>().ok()? * large * 2.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_by_the_size() {
        let sizes = [
            ("db.t4g.micro", Some(1.0)),
            ("db.t4g.medium", Some(4.0)),
            ("db.m7g.large", Some(8.0)),
            ("db.r6g.xlarge", Some(32.0)),
            ("db.r6g.16xlarge", Some(512.0)),
            ("db.x2g.large", None),
            ("db.m7g.metal", None),
            ("t3.small", None),
        ];
        for (class, gib) in sizes {
            assert_eq!(memory_gib(class), gib, "{class}");
        }
    }
}
