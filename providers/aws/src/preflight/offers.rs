//! What a region offers: sizes of machines in its zones, versions and sizes of databases.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, LocationType};
use futures::future::join_all;
use standfast_contract::{Call, Obstacle, Value};

use super::{Ahead, text};
use crate::{
    failure::{Failure, failed},
    kinds::{is_of_version, texts},
};

/// Zones by the size of machine that they offer.
type Offers = BTreeMap<String, BTreeSet<String>>;

/// Sizes that are new in the plan, held against the zones of the groups that they are for.
pub(super) async fn machines(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let wanted = wanted(ahead);
    let sizes: BTreeSet<&str> = wanted.values().flat_map(|(.., sizes)| sizes.iter().copied()).collect();
    if sizes.is_empty() {
        return Vec::new();
    }
    let (offers, zones) = match futures::try_join!(offers(ahead, &sizes), zones(ahead)) {
        Ok(answers) => answers,
        Err(failure) => {
            ahead.unasked("which zones offer the instance types", &failure);
            return Vec::new();
        }
    };
    let location = &ahead.site.place.location;
    let mut obstacles = Vec::new();
    for (component, (at, call, sizes)) in wanted {
        for size in sizes.iter().filter(|size| !offers.contains_key(**size)) {
            let reason = format!("{location} offers no `{size}`");
            let hint = "Name another size; `aws ec2 describe-instance-type-offerings` lists them.";
            obstacles.push(ahead.obstacle(at, call, reason, hint));
        }
        // One of them in a zone is enough.
        let offered: BTreeSet<&str> =
            sizes.iter().filter_map(|size| offers.get(*size)).flatten().map(String::as_str).collect();
        let lacking = zones.get(component).into_iter().flatten().map(String::as_str);
        let lacking: Vec<&str> = lacking.filter(|zone| !offered.contains(zone)).collect();
        if !lacking.is_empty() && !offered.is_empty() {
            let reason = format!("{} offers no `{}`", lacking.join(", "), sizes.join("`, `"));
            let offered: Vec<&str> = offered.into_iter().collect();
            let hint = format!("It is offered in {}: name those zones, or another size.", offered.join(", "));
            obstacles.push(ahead.obstacle(at, call, reason, hint));
        }
    }
    obstacles
}

/// By component: the sizes of which each will do, and the call that asks for them.
fn wanted<'a>(ahead: &Ahead<'a>) -> BTreeMap<&'a str, (usize, &'a Call, Vec<&'a str>)> {
    let is_new =
        |call: &Call, key: &str| call.id.is_none() || call.changed.iter().any(|changed| changed == key);
    let mut wanted = BTreeMap::new();
    for (at, call) in ahead.of("launch_template").filter(|(_, call)| is_new(call, "instance_type")) {
        if let Some(size) = text(call, "instance_type") {
            wanted.insert(call.address.component(), (at, call, vec![size]));
        }
    }
    for (at, call) in ahead.of("autoscaling_group") {
        let mixed = call.inputs.get("mixed").and_then(Value::as_map);
        let types = mixed.and_then(|mixed| mixed.get("types")).and_then(Value::as_str);
        let component = call.address.component();
        if let Some(types) = types
            && (is_new(call, "mixed") || wanted.contains_key(component))
        {
            wanted.insert(component, (at, call, types.split(", ").collect()));
        }
    }
    wanted
}

async fn offers(ahead: &Ahead<'_>, sizes: &BTreeSet<&str>) -> Result<Offers, Failure> {
    let values = sizes.iter().map(|size| (*size).to_owned()).collect();
    let filter = Filter::builder().name("instance-type").set_values(Some(values)).build();
    let call = ahead
        .site
        .look
        .ec2
        .describe_instance_type_offerings()
        .location_type(LocationType::AvailabilityZone)
        .filters(filter);
    let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
    let mut offers = Offers::new();
    for offer in all.map_err(failed("ec2:DescribeInstanceTypeOfferings"))? {
        if let (Some(size), Some(zone)) = (offer.instance_type(), offer.location()) {
            offers.entry(size.as_str().to_owned()).or_default().insert(zone.to_owned());
        }
    }
    Ok(offers)
}

/// The zones of each component's group: of subnets that are there as AWS says, of new ones as the plan says.
async fn zones(ahead: &Ahead<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
    let groups: Vec<&Call> = ahead.of("autoscaling_group").map(|(_, call)| call).collect();
    let known: BTreeSet<&str> = groups.iter().flat_map(|call| texts(&call.inputs, "subnets")).collect();
    let mut zone_of: BTreeMap<String, String> = BTreeMap::new();
    if !known.is_empty() {
        let values = known.iter().map(|id| (*id).to_owned()).collect();
        let filter = Filter::builder().name("subnet-id").set_values(Some(values)).build();
        let call = ahead.site.look.ec2.describe_subnets().filters(filter);
        let all: Result<Vec<_>, _> = call.into_paginator().items().send().collect().await;
        for subnet in all.map_err(failed("ec2:DescribeSubnets"))? {
            if let (Some(id), Some(zone)) = (subnet.subnet_id(), subnet.availability_zone()) {
                zone_of.insert(id.to_owned(), zone.to_owned());
            }
        }
    }
    let new: BTreeSet<String> = ahead
        .creates("subnet")
        .filter(|(_, call)| call.address.name().starts_with("private."))
        .filter_map(|(_, call)| text(call, "zone").map(str::to_owned))
        .collect();
    let mut zones = BTreeMap::new();
    for call in groups {
        let subnets = call.inputs.get("subnets").and_then(Value::as_list).unwrap_or_default();
        let mut own: BTreeSet<String> =
            subnets.iter().filter_map(|one| zone_of.get(one.as_str()?).cloned()).collect();
        if subnets.iter().any(|one| one.as_str().is_none()) {
            own.extend(new.iter().cloned());
        }
        zones.insert(call.address.component().to_owned(), own);
    }
    Ok(zones)
}

/// Versions and sizes of databases that are new in the plan.
pub(super) async fn engines(ahead: &Ahead<'_>) -> Vec<Obstacle> {
    let is_new = |call: &Call| {
        call.id.is_none() || call.changed.iter().any(|changed| changed == "version" || changed == "class")
    };
    let asked = ahead.of("db_instance").filter(|(_, call)| is_new(call)).map(|(at, call)| async move {
        match engine(ahead, call).await {
            Ok(found) => found.map(|(reason, hint)| ahead.obstacle(at, call, reason, hint)),
            Err(failure) => {
                ahead.unasked("whether the region has this database", &failure);
                None
            }
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Why it cannot be had there, and what to do.
async fn engine(ahead: &Ahead<'_>, call: &Call) -> Result<Option<(String, String)>, Failure> {
    let (Some(engine), Some(version), Some(class)) =
        (text(call, "engine"), text(call, "version"), text(call, "class"))
    else {
        return Ok(None);
    };
    let location = &ahead.site.place.location;
    let action = "rds:DescribeOrderableDBInstanceOptions";
    let orderable = || ahead.site.look.rds.describe_orderable_db_instance_options().engine(engine).vpc(true);
    let of_class = orderable().db_instance_class(class);
    let found: Result<Vec<_>, _> = of_class.into_paginator().items().send().collect().await;
    let found = found.map_err(failed(action))?;
    if found.is_empty() {
        // An endpoint that knows nothing of the engine says nothing about the class.
        let any = orderable().max_records(20).send().await.map_err(failed(action))?;
        return Ok((!any.orderable_db_instance_options().is_empty()).then(|| {
            let hint = format!(
                "Name another `instance_type`; `aws rds describe-orderable-db-instance-options --engine {engine}` \
                 lists them."
            );
            (format!("RDS has no `{class}` for {engine} in {location}"), hint)
        }));
    }
    let versions: BTreeSet<&str> = found.iter().filter_map(|option| option.engine_version()).collect();
    if versions.iter().any(|one| is_of_version(one, version)) {
        return Ok(None);
    }
    let newest = newest(&versions);
    let hint = format!("For `{class}` there are: {}.", newest.join(", "));
    Ok(Some((format!("RDS has no {engine} {version} for `{class}` in {location}"), hint)))
}

/// The newest version of each line, lines in order.
fn newest<'a>(versions: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let parts = |version: &str| -> Vec<u32> {
        version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    let mut lines: BTreeMap<Vec<u32>, (Vec<u32>, &'a str)> = BTreeMap::new();
    for version in versions {
        let whole = parts(version);
        // 16 of 16.3, and 8.0 of 8.0.39.
        let line = whole[..whole.len().saturating_sub(1)].to_vec();
        let newest = lines.entry(line).or_insert_with(|| (whole.clone(), version));
        if whole > newest.0 {
            *newest = (whole, version);
        }
    }
    lines.into_values().map(|(_, version)| version).collect()
}

#[cfg(test)]
mod tests;
