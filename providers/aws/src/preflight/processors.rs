//! Whether the account may run as many processors as the machines that a plan adds: EC2 counts vCPUs, those on demand and
//! those on spot apart. <https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html>
//!
//! Counted are the machines of new groups, and those by which a group's `desired` grows. Deliberately absent: machines that
//! another size replaces, a group of none whose template the plan leaves alone, families with quotas of their own.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, Instance, InstanceLifecycleType, Tenancy};
use standfast_contract::{Call, Map, Obstacle, ProviderError, Value};

use super::{
    Ahead,
    standing::{applied, more},
    text,
};
use crate::failure::{Failure, failed};

/// Families that share a quota, by the letters before their generation; `im` and `is` are of I.
const STANDARD: [&str; 11] = ["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"];
/// The group that a machine is of.
const GROUP: &str = "aws:autoscaling:groupName";
const SERVICE: &str = "ec2";

/// What is counted apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Market {
    OnDemand,
    Spot,
}

impl Market {
    /// Running On-Demand Standard instances, All Standard Spot Instance Requests.
    fn code(self) -> &'static str {
        match self {
            Market::OnDemand => "L-1216C47A",
            Market::Spot => "L-34B43A08",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Market::OnDemand => "On-Demand Standard",
            Market::Spot => "Standard Spot",
        }
    }

    fn of(machine: &Instance) -> Self {
        match machine.instance_lifecycle() {
            Some(InstanceLifecycleType::Spot) => Market::Spot,
            _ => Market::OnDemand,
        }
    }
}

/// A group that gets more machines.
struct Growth<'a> {
    at: usize,
    call: &'a Call,
    /// Any of them will do; empty where only its machines tell.
    sizes: Vec<&'a str>,
    on_demand: i64,
    spot: i64,
}

impl Growth<'_> {
    fn machines(&self, market: Market) -> i64 {
        match market {
            Market::OnDemand => self.on_demand,
            Market::Spot => self.spot,
        }
    }

    /// The sizes of a group whose template stays are those of its machines.
    fn sizes<'s>(&'s self, running: &'s [Instance]) -> BTreeSet<&'s str> {
        if !self.sizes.is_empty() {
            return self.sizes.iter().copied().collect();
        }
        let group = self.call.id.as_deref();
        let is_of = |machine: &&Instance| {
            machine.tags().iter().any(|tag| tag.key() == Some(GROUP) && tag.value() == group)
        };
        running.iter().filter(is_of).filter_map(size).collect()
    }
}

pub(super) async fn ask(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let growths = growths(ahead);
    match too_many(ahead, &growths).await {
        Ok(obstacles) => obstacles,
        Err(failure) => {
            ahead.unasked("the quota of processors", &failure);
            Vec::new()
        }
    }
}

fn growths<'a>(ahead: &Ahead<'a>) -> Vec<Growth<'a>> {
    let templates: BTreeMap<&str, &str> = ahead
        .of("launch_template")
        .filter_map(|(_, call)| Some((call.address.component(), text(call, "instance_type")?)))
        .collect();
    let growth = |(at, call): (usize, &'a Call)| {
        let (from, to) = match &call.id {
            None => (0, capacity(&call.inputs)?),
            Some(_) => (int(&call.prior, "desired")?, int(&call.inputs, "desired")?),
        };
        let mixed = call.inputs.get("mixed").and_then(Value::as_map);
        let sizes: Vec<&str> = match mixed.and_then(|mixed| mixed.get("types")).and_then(Value::as_str) {
            Some(types) => types.split(", ").collect(),
            None => templates.get(call.address.component()).copied().into_iter().collect(),
        };
        let on_demand = on_demand(mixed, to) - on_demand(mixed, from);
        let is_counted = sizes.is_empty() || sizes.iter().any(|size| is_standard(size));
        (to > from && is_counted).then_some(Growth {
            at,
            call,
            sizes,
            on_demand,
            spot: to - from - on_demand,
        })
    };
    ahead.of("autoscaling_group").filter_map(growth).collect()
}

fn int(inputs: &Map, key: &str) -> Option<i64> {
    inputs.get(key).and_then(Value::as_int)
}

/// What a group begins with.
fn capacity(inputs: &Map) -> Option<i64> {
    ["desired", "initial", "min", "initial_min"].into_iter().find_map(|key| int(inputs, key))
}

/// Of so many machines: a base, and of the others a share, rounded up.
fn on_demand(mixed: Option<&Map>, machines: i64) -> i64 {
    let Some(mixed) = mixed else { return machines };
    let base = int(mixed, "on_demand_base").unwrap_or(0).min(machines);
    let percent = int(mixed, "on_demand_percent").unwrap_or(100);
    base + ((machines - base) * percent + 99) / 100
}

/// `m` of `m7g.large`.
fn is_standard(size: &str) -> bool {
    let family = size.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
    STANDARD.contains(&family)
}

fn size(machine: &Instance) -> Option<&str> {
    machine.instance_type().map(|size| size.as_str())
}

/// The quotas first: without one nothing else need be known.
async fn too_many(ahead: &Ahead<'_>, growths: &[Growth<'_>]) -> Result<Vec<Obstacle>, Failure> {
    let mut quotas = Vec::new();
    for market in [Market::OnDemand, Market::Spot] {
        if growths.iter().any(|growth| growth.machines(market) > 0)
            && let Some(most) = applied(ahead, SERVICE, market.code()).await?
        {
            quotas.push((market, i64::try_from(most).unwrap_or(i64::MAX)));
        }
    }
    if quotas.is_empty() {
        return Ok(Vec::new());
    }
    let running = running(ahead).await?;
    let sizes: BTreeSet<&str> = growths.iter().flat_map(|growth| growth.sizes(&running)).collect();
    let each = each(ahead, &sizes).await?;
    // Of several sizes the smallest: what may fit is not in the way.
    let vcpus = |growth: &Growth<'_>| {
        let sizes = growth.sizes(&running);
        sizes.iter().map(|size| each.get(*size).copied().unwrap_or(0)).min().unwrap_or(0)
    };
    let over = quotas.into_iter().filter_map(|(market, most)| {
        let runs: i64 = running.iter().filter(|machine| Market::of(machine) == market).map(counted).sum();
        let added = |growth: &Growth<'_>| growth.machines(market) * vcpus(growth);
        let adds: i64 = growths.iter().map(added).sum();
        let by = growths.iter().filter(|growth| added(growth) > 0).map(|growth| growth.at).collect();
        (adds > 0 && runs + adds > most).then(|| full(ahead, market, [most, runs, adds], by))
    });
    Ok(over.collect())
}

fn full(ahead: &Ahead<'_>, market: Market, [most, runs, adds]: [i64; 3], calls: Vec<usize>) -> Obstacle {
    let reason = format!(
        "the account may run {most} vCPUs of {} instances there, runs {runs}, and the plan adds {adds}",
        market.word()
    );
    let wanted = usize::try_from(runs + adds).unwrap_or(usize::MAX);
    let hint = format!(
        "{}, or say fewer machines or a smaller `instance_type`.",
        more(ahead, SERVICE, market.code(), wanted)
    );
    let operation = format!("run the new machines in {}", ahead.site.place.location);
    Obstacle { error: ProviderError::permanent(operation, reason).hint(hint), calls }
}

/// Every machine of the region that counts.
async fn running(ahead: &Ahead<'_>) -> Result<Vec<Instance>, Failure> {
    let standing = Filter::builder().name("instance-state-name").values("pending").values("running").build();
    let call = ahead.site.look.ec2.describe_instances().filters(standing);
    let pages: Result<Vec<_>, _> = call.into_paginator().send().collect().await;
    let pages = pages.map_err(failed("ec2:DescribeInstances"))?;
    let reservations = pages.into_iter().flat_map(|page| page.reservations.unwrap_or_default());
    let mut machines: Vec<Instance> =
        reservations.flat_map(|reservation| reservation.instances.unwrap_or_default()).collect();
    machines.retain(|machine| {
        let is_on_own_host =
            machine.placement().and_then(|at| at.tenancy()).is_some_and(|at| *at == Tenancy::Host);
        size(machine).is_some_and(is_standard) && !is_on_own_host
    });
    Ok(machines)
}

fn counted(machine: &Instance) -> i64 {
    let cpu = machine.cpu_options();
    let cores = cpu.and_then(|cpu| cpu.core_count()).unwrap_or(0);
    i64::from(cores) * i64::from(cpu.and_then(|cpu| cpu.threads_per_core()).unwrap_or(1))
}

/// The vCPUs of each size that counts.
async fn each(ahead: &Ahead<'_>, sizes: &BTreeSet<&str>) -> Result<BTreeMap<String, i64>, Failure> {
    let counted: Vec<String> =
        sizes.iter().filter(|size| is_standard(size)).map(|size| (*size).to_owned()).collect();
    if counted.is_empty() {
        return Ok(BTreeMap::new());
    }
    // A filter leaves out what there is not, where a list of sizes would fail.
    let filter = Filter::builder().name("instance-type").set_values(Some(counted)).build();
    let call = ahead.site.look.ec2.describe_instance_types().filters(filter);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let all = all.map_err(failed("ec2:DescribeInstanceTypes"))?;
    let each = all.iter().filter_map(|one| {
        Some((one.instance_type()?.as_str().to_owned(), i64::from(one.v_cpu_info()?.default_v_cpus()?)))
    });
    Ok(each.collect())
}

#[cfg(test)]
mod tests;
