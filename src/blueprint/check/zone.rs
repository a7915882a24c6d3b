//! A DNS zone and the names in it: what they may be called, and which of them have nothing to fail over to.

use std::{collections::HashMap, time::Duration};

use super::{super::reader::Reader, domain};

/// Longest that a resolver may keep an answer: <https://datatracker.ietf.org/doc/html/rfc2181#section-8>
const TTL_MAX: Duration = Duration::from_secs((1 << 31) - 1);

pub fn check(reader: &Reader<'_>) {
    let Some(written) = reader.text("zone") else { return };
    let zone = domain::plain(&written);
    if !domain::told(reader, "zone", "DNS zone", &written, domain::check(&zone)) {
        return;
    }
    let mut count: HashMap<String, usize> = HashMap::new();
    for name in reader.children("records").filter_map(|it| it.text("name")) {
        *count.entry(full_name(&name, &zone)).or_default() += 1;
    }
    for it in reader.children("records") {
        let Some(name) = it.text("name") else { continue };
        check_name(&it, &name, &zone);
        check_ttl(&it);
        let full = full_name(&name, &zone);
        let is_alone = count.get(&full) == Some(&1);
        if let (Some("failover"), true, Some(to)) = (it.text("routing").as_deref(), is_alone, it.text("to")) {
            let message = format!("nothing takes over for `{full}` when `{to}` fails");
            it.push(it.error("routing", message).label("the only record of its name").help(
                "give the name a second record, which leads to another load balancer; or say `routing: simple`",
            ));
        }
    }
}

fn check_ttl(reader: &Reader<'_>) {
    if reader.duration("ttl").is_some_and(|ttl| ttl.subsec_nanos() > 0 || ttl > TTL_MAX) {
        reader.push(
            reader
                .error("ttl", "DNS counts in whole seconds, 68 years at most")
                .expected("a duration such as `60s`"),
        );
    }
}

/// The name of a record with its zone's. What ends with that is whole already.
fn full_name(written: &str, zone: &str) -> String {
    let name = domain::plain(written);
    match name.as_str() {
        "@" => zone.to_owned(),
        name if is_within(name, zone) => name.to_owned(),
        name => format!("{name}.{zone}"),
    }
}

fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn check_name(reader: &Reader<'_>, written: &str, zone: &str) {
    let name = domain::plain(written);
    if written.ends_with('.') && !is_within(&name, zone) {
        reader.push(reader.error("name", format!("`{written}` is outside of the zone `{zone}`")).help(
            "a name within it has no dot at its end, and one of another zone belongs under its own `dns`",
        ));
        return;
    }
    let full = full_name(&name, zone);
    let within = full.strip_suffix(zone).map_or("", |rest| rest.trim_end_matches('.'));
    let labels = if within == "*" { "" } else { within.strip_prefix("*.").unwrap_or(within) };
    let checked = match labels {
        "" => domain::check(zone),
        // The part that is written tells what is wrong with it; with the zone it must not be too long.
        labels => {
            domain::check_labels(labels).and_then(|()| domain::check_labels(full.trim_start_matches("*.")))
        }
    };
    if !domain::told(reader, "name", "name of a record", written, checked) {
        return;
    }
    if within.contains('_') {
        reader.push(
            reader
                .warning("name", format!("`{written}` is no name of a host: those have no `_`"))
                .label("some clients refuse it, and no certificate can be had for it")
                .help(format!("say `{}`", written.replace('_', "-"))),
        );
    }
    let top = |name: &str| name.rsplit('.').next().map(str::to_owned);
    if within == name && within.contains('.') && top(within) == top(zone) {
        reader.push(
            reader
                .warning("name", format!("this makes the name `{full}`"))
                .label(format!("taken as a name within `{zone}`"))
                .help("a name of another zone belongs under its own `dns`"),
        );
    }
}
