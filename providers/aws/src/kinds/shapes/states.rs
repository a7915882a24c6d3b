//! What takes its time, in AWS's own words: on its way, there, or failed by itself.

use std::{sync::Mutex, time::Duration};

use standfast_contract::{Call, ErrorClass, Provider};
use tokio::time::{Instant, timeout};

use super::{World, call, shape};
use crate::{
    kinds,
    provider::AwsProvider,
    recorded::{Answer, context, site_that},
};

struct Story {
    kind: &'static str,
    pending: &'static [&'static str],
    /// As good as there: an update mends what is wrong with it.
    ready: &'static [&'static str],
    /// The word, and what is said of it.
    failed: &'static [(&'static str, &'static str)],
}

/// Of a test, which looks each millisecond of a clock that stands still meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// There as soon as the create is answered. How the machines of a group are is told by `health`, and an instance refresh
/// by its own tests.
const AT_ONCE: [&str; 19] = [
    "internet_gateway",
    "elastic_ip",
    "route_table",
    "security_group",
    "launch_template",
    "target_group",
    "listener",
    "parameter",
    "instance_profile",
    "autoscaling_group",
    "db_subnet_group",
    "db_parameter_group",
    "db_cluster_parameter_group",
    "cache_subnet_group",
    "health_check",
    "hosted_zone",
    "dns_record",
    "topic",
    "subscription",
];
/// The same: CloudWatch.
const AT_ONCE_TOO: [&str; 4] = ["alarm", "dashboard", "certificate", "validation_record"];

/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
const INSTANCE: Story = Story {
    kind: "db_instance",
    pending: &[
        "creating",
        "backing-up",
        "modifying",
        "configuring-enhanced-monitoring",
        "rebooting",
        "starting",
        "upgrading",
    ],
    ready: &["available", "storage-full", "storage-optimization", "storage-initialization"],
    failed: &[
        ("failed", "aws rds describe-events"),
        ("incompatible-network", "aws rds describe-events"),
        ("incompatible-option-group", "aws rds describe-events"),
        ("incompatible-parameters", "cannot start with its parameters"),
        ("incompatible-restore", "aws rds describe-events"),
        ("incompatible-create", "aws rds describe-events"),
        ("insufficient-capacity", "aws rds describe-events"),
        ("restore-error", "aws rds describe-events"),
        ("inaccessible-encryption-credentials", "the key that encrypts it cannot be used"),
        ("inaccessible-encryption-credentials-recoverable", "the key that encrypts it cannot be used"),
        ("stopped", "aws rds start-db-instance"),
    ],
};

const STORIES: [Story; 14] = [
    Story { kind: "vpc", pending: &["pending"], ready: &["available"], failed: &[] },
    Story {
        kind: "subnet",
        pending: &["pending"],
        ready: &["available"],
        failed: &[
            ("failed", "its state is `failed`"),
            ("failed-insufficient-capacity", "its state is `failed-insufficient-capacity`"),
        ],
    },
    Story {
        kind: "nat_gateway",
        pending: &["pending"],
        ready: &["available"],
        failed: &[("failed", "Elastic IP address eipalloc-1 is already associated")],
    },
    Story {
        kind: "vpc_endpoint",
        pending: &["pending", "pendingAcceptance"],
        ready: &["available"],
        failed: &[("failed", "`failed`"), ("rejected", "`rejected`"), ("expired", "`expired`")],
    },
    Story {
        kind: "load_balancer",
        pending: &["provisioning"],
        ready: &["active", "active_impaired"],
        failed: &[("failed", "because")],
    },
    INSTANCE,
    Story { kind: "db_replica", ..INSTANCE },
    Story { kind: "db_copy", ..INSTANCE },
    Story { kind: "db_cluster_instance", ..INSTANCE },
    // <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/accessing-monitoring.html>
    Story {
        kind: "db_cluster",
        pending: &[
            "creating",
            "failing-over",
            "maintenance",
            "migrating",
            "preparing-data-migration",
            "promoting",
        ],
        ready: &["available"],
        failed: &[
            ("inaccessible-encryption-credentials", "the key that encrypts it cannot be used"),
            ("cloning-failed", "aws rds describe-events"),
            ("migration-failed", "aws rds describe-events"),
            ("stopped", "`start-db-cluster` starts it"),
        ],
    },
    Story {
        kind: "global_cluster",
        pending: &["creating", "failing-over", "upgrading"],
        ready: &["available"],
        failed: &[],
    },
    Story {
        kind: "db_backup_copy",
        pending: &["pending", "creating"],
        ready: &["replicating", "active"],
        failed: &[("failed", "aws rds describe-events")],
    },
    // Whoever serves with it waits until it is issued.
    Story {
        kind: "requested_certificate",
        pending: &[],
        ready: &["ISSUED", "PENDING_VALIDATION"],
        failed: &[
            ("FAILED", "the certificate of shop.example.net cannot be used (FAILED)"),
            ("VALIDATION_TIMED_OUT", "delegate the domain to the name servers of its zone"),
        ],
    },
    // <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ReplicationGroup.html>
    Story {
        kind: "replication_group",
        pending: &["creating", "modifying", "snapshotting"],
        ready: &["available"],
        failed: &[("create-failed", "aws elasticache describe-events")],
    },
];

/// The word of one that is as it shall be.
pub(super) fn ready(kind: &str) -> &'static str {
    STORIES.iter().find(|story| story.kind == kind).map_or("", |story| story.ready[0])
}

#[test]
fn every_kind_is_there_at_once_or_has_a_story() {
    for works in kinds::all() {
        let kind = works.kind().name;
        let is_at_once = AT_ONCE.iter().chain(&AT_ONCE_TOO).any(|known| *known == kind);
        let has_story = STORIES.iter().any(|story| story.kind == kind);
        assert!(is_at_once != has_story, "{kind}");
        let shape = shape(kind);
        let mut told = shape.listed.iter().chain(&shape.by_id);
        assert_eq!(told.any(|(_, answer)| answer.contains("{state}")), has_story, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_is_waited_for_and_said() {
    for story in &STORIES {
        for ready in story.ready {
            let mut world = World::new(story.kind);
            world.states = story.pending.iter().chain([ready]).copied().collect();
            let (provider, ..) = world.open();
            let (context, told) = context();
            let waiting = timeout(PATIENCE, async { provider.create(&context, &call(story.kind)).await });
            let made = waiting.await.unwrap_or_else(|_| panic!("{} is never {ready}", story.kind));
            assert!(made.is_ok(), "{} {ready}: {made:?}", story.kind);
            let told = told.lock().unwrap().clone();
            let waited = told.iter().filter(|text| text.starts_with("AWS says: ")).count();
            assert_eq!(waited, story.pending.len(), "{} {ready}: {told:?}", story.kind);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_by_itself_says_why_and_leaves_nothing() {
    for story in &STORIES {
        for (word, said) in story.failed {
            let mut world = World::new(story.kind);
            world.states = story.pending.iter().take(1).chain([word]).copied().collect();
            let (provider, recorded, world) = world.open();
            let error = provider.create(&context().0, &call(story.kind)).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Permanent, "{error}");
            assert!(error.reason.contains(said), "{} {word}: {error}", story.kind);
            assert!(!world.lock().unwrap().is_there, "{} {word}", story.kind);
            let asked = recorded.asked();
            let delete = asked.iter().find(|line| line.contains("Action=DeleteDBInstance"));
            let takes_snapshot = delete.is_some_and(|line| line.contains("FinalDBSnapshotIdentifier"));
            // RDS takes none of these.
            if ["failed", "incompatible-network", "incompatible-restore"].contains(word) {
                assert!(!takes_snapshot, "{} {word}: {delete:?}", story.kind);
            }
        }
    }
}

/// Of a run that was cut off; somebody has stopped it since, and it may hold data.
#[tokio::test(start_paused = true)]
async fn a_database_that_an_earlier_try_made_is_not_removed_for_being_stopped() {
    let mut world = World::new("db_instance");
    world.states = ["stopped"].into();
    world.is_there = true;
    let (provider, _, world) = world.open();
    let error = provider.create(&context().0, &call("db_instance")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Uncertain, "the intent stays open: {error}");
    assert!(error.reason.contains("aws rds start-db-instance"), "{error}");
    assert!(world.lock().unwrap().is_there);
}

/// A backup, a failover or the first half of a change: the rest is done when that is over, within the same update.
#[tokio::test(start_paused = true)]
async fn what_aws_is_changing_is_changed_when_that_is_over() {
    let (provider, recorded, world, made) = World::with_one("replication_group").await;
    let busy = Answer::error(400, "InvalidReplicationGroupState", "it is snapshotting");
    {
        let mut world = world.lock().unwrap();
        world.next.extend([("ModifyReplicationGroup", busy.clone()), ("ModifyReplicationGroup", busy)]);
        world.states = ["available", "snapshotting", "available"].into();
    }
    let (mut inputs, prior) = (made.inputs.clone(), made.inputs.clone());
    inputs.insert("class".into(), "cache.r7g.large".into());
    let (context, told) = context();
    provider.update(&context, &Call { inputs, prior, ..made }).await.unwrap();
    let tries = recorded.actions().into_iter().filter(|action| action == "ModifyReplicationGroup").count();
    assert_eq!(tries, 3);
    let told = told.lock().unwrap().clone();
    assert!(
        told[0].starts_with("AWS is changing it: ") && told.contains(&"AWS says: snapshotting".into()),
        "{told:?}"
    );
}

/// The engine's tries would only wait as long again.
#[tokio::test(start_paused = true)]
async fn what_aws_never_lets_be_changed_is_given_up() {
    let mut world = World::new("replication_group");
    world.is_there = true;
    let busy = Answer::error(400, "InvalidReplicationGroupState", "it has no backups");
    world.next.extend((0..200).map(|_| ("ModifyReplicationGroup", busy.clone())));
    let world = Mutex::new(world);
    let (mut site, _) = site_that(move |asked| Some(world.lock().unwrap().answer(asked)));
    site.poll = Duration::from_secs(2);
    let began = Instant::now();
    let call = call("replication_group");
    let (mut inputs, prior) = (call.inputs.clone(), call.inputs.clone());
    inputs.insert("class".into(), "cache.r7g.large".into());
    let arn = format!("arn:aws:elasticache:eu-west-1:123456789012:replicationgroup:{}", inputs["name"]);
    let call = Call { id: Some(arn), inputs, prior, ..call };
    let refused = AwsProvider::with(site).update(&context().0, &call).await.unwrap_err();
    assert_eq!(refused.class, ErrorClass::Permanent, "{refused}");
    assert!(refused.reason.contains("it has no backups"), "{refused}");
    assert_eq!(began.elapsed().as_secs() / 60, 10);
}

#[tokio::test(start_paused = true)]
async fn what_is_never_ready_is_said_after_an_hour() {
    let mut world = World::new("db_instance");
    world.states = ["creating"].into();
    let world = Mutex::new(world);
    let (mut site, _) = site_that(move |asked| Some(world.lock().unwrap().answer(asked)));
    site.poll = Duration::from_secs(60);
    let began = Instant::now();
    let error = AwsProvider::with(site).create(&context().0, &call("db_instance")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Uncertain, "the intent stays open: {error}");
    assert!(error.reason.contains("goes on waiting"), "{error}");
    assert_eq!(began.elapsed().as_secs() / 60, 60);
}
