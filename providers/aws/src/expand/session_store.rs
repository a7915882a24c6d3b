//! A session store: a replication group of ElastiCache in the network's database subnets, encrypted on disk and on the
//! wire, with replicas that take over by themselves.

use standfast_contract::{
    OutputRef, Value,
    component::{SessionEngine, SessionStore},
};

use super::{
    Build,
    network::{self, Within},
    talk,
};
use crate::{
    health,
    kinds::wrong_token,
    names::{self, LONG_MAX, STORE_MAX},
};

#[cfg(test)]
pub(super) mod tests;

const SERVICE: &str = "elasticache";
const PORT: u16 = 6379;
/// Of one primary. <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Replication.html>
const REPLICAS_MAX: u32 = 5;

pub(super) fn expand(build: &mut Build<'_>, store: &SessionStore) {
    let Some(within) = network::within(build) else { return };
    check(build, store, &within);
    let Some(class) = class(build, store) else { return };
    let guard = talk::add_guard(build, &within, PORT);
    let stack = build.request.stack;
    let subnets = add_subnet_group(build, within);
    let address = build.address("replication_group", "main");
    let main = build.add(
        SERVICE,
        "replication_group",
        "main",
        [
            ("name", names::identifier(stack, &address, STORE_MAX).into()),
            (
                "engine",
                match store.engine {
                    SessionEngine::Redis => "redis",
                    SessionEngine::Valkey => "valkey",
                }
                .into(),
            ),
            ("version", crate::kinds::text(store.version.as_deref())),
            ("class", class.into()),
            ("replicas", store.replicas.into()),
            ("failover", (store.replicas > 0).into()),
            ("subnet_group", subnets),
            ("security_groups", vec![OutputRef::resource(&guard, "id")].into()),
            ("password", store.password.clone().map_or(Value::Null, Value::masked)),
            ("encrypted", true.into()),
            ("tls", true.into()),
        ],
    );
    let id = OutputRef::resource(&main, "id");
    build.probe("nodes", health::STORE, [("store", id), ("nodes", (store.replicas + 1).into())]);
    let endpoint = OutputRef::resource(&main, "endpoint");
    let url = vec!["rediss://".into(), endpoint.clone(), format!(":{PORT}").into()];
    build.output("url", Value::Join(url));
    build.output("address", endpoint);
    build.output("reader", OutputRef::resource(&main, "reader_endpoint"));
    build.output("port", PORT);
}

/// Its name; null where there are no subnets for one and the store keeps its own.
fn add_subnet_group(build: &mut Build<'_>, within: Within) -> Value {
    if within.database.is_empty() && build.keeps("subnet_group") {
        return Value::Null;
    }
    let address = build.address("cache_subnet_group", "main");
    let group = build.add(
        SERVICE,
        "cache_subnet_group",
        "main",
        [
            ("name", names::identifier(build.request.stack, &address, LONG_MAX).into()),
            ("vpc", within.vpc.clone()),
            ("subnets", within.database.into()),
        ],
    );
    OutputRef::resource(&group, "identifier")
}

fn check(build: &mut Build<'_>, store: &SessionStore, within: &Within) {
    if !store.hosts.is_empty() {
        build.problem("hosts", "a session store on AWS has no hosts of yours", "Say how many: `replicas`.");
    }
    if store.replicas > REPLICAS_MAX {
        build.problem(
            "replicas",
            format!("ElastiCache has {REPLICAS_MAX} replicas of a primary at most"),
            "Say `replicas: 5` or less.",
        );
    }
    let zones_needed = if store.replicas > 0 { 2 } else { 1 };
    if within.database.len() < zones_needed && !build.keeps("subnet_group") {
        build.problem(
            "region",
            "a session store that survives its zone needs subnets without a way out in two zones at least",
            "Use a network of two zones or more, with database subnets.",
        );
    }
    if let Some(version) = &store.version {
        let parts: Vec<&str> = version.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if parts.len() != 2 || !parts.iter().all(is_number) {
            let example = if store.engine == SessionEngine::Redis { "7.1" } else { "8.0" };
            build.problem(
                "version",
                format!("ElastiCache knows versions as `MAJOR.MINOR`, not `{version}`"),
                format!("For example `version: \"{example}\"`, or leave it out for the newest."),
            );
        }
    }
    let plain = store.password.as_ref().and_then(Value::as_str);
    if let Some(why) = plain.and_then(wrong_token) {
        build.problem("password", format!("the password {why}"), "");
    }
}

fn class(build: &mut Build<'_>, store: &SessionStore) -> Option<String> {
    let hint = "For example `instance_type: cache.t4g.small`.";
    match &store.instance_type {
        Some(class) if class.starts_with("cache.") => Some(class.clone()),
        Some(class) => {
            build.problem("instance_type", format!("`{class}` is no size of a session store"), hint);
            None
        }
        None => {
            build.problem("", "a session store on AWS needs an `instance_type`", hint);
            None
        }
    }
}
