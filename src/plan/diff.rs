//! The diff of one resource: desired, recorded and observed in, a verdict out. Pure.

use standfast_contract::{Kind, Map, Observed, Value};

use super::{Because, Change};

/// What is known of a resource in the world.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Seen<'a> {
    /// Nobody looked (`--refresh=false`) or its place did not answer: taken to be as recorded.
    NotRead,
    Gone,
    There(&'a Observed),
}

/// What has to happen to one wanted resource.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    NoOp,
    Create { reason: String },
    Update { reason: String, changes: Vec<Change> },
    Replace { reason: String, changes: Vec<Change> },
}

/// Judges a wanted resource.
///
/// `desired` is resolved, with [`Value::Unknown`] where it waits for something else. `recorded` are its inputs as last
/// applied. An attribute that nobody recorded and nobody wants is left alone, whatever the world says of it.
pub fn judge(
    kind: &Kind,
    desired: &Map,
    recorded: Option<&Map>,
    seen: Seen<'_>,
    ignore: &[String],
) -> Verdict {
    let Some(recorded) = recorded else {
        return Verdict::Create { reason: "new".to_owned() };
    };
    if seen == Seen::Gone {
        return Verdict::Create { reason: "drift: it is gone".to_owned() };
    }
    let changes = differences(kind, desired, recorded, seen, ignore);
    if changes.is_empty() {
        return Verdict::NoOp;
    }
    let reason = reason(&changes);
    if changes.iter().any(|change| change.forces_replacement) {
        // Nothing is done in place; what a replacement does is said of what asks for it.
        let of_replacement = |mut change: Change| {
            change.effect = change.effect.filter(|_| change.forces_replacement);
            change
        };
        Verdict::Replace { reason, changes: changes.into_iter().map(of_replacement).collect() }
    } else {
        Verdict::Update { reason, changes }
    }
}

/// Every attribute that is not as it should be.
///
/// A rebuilt record lacks what no look can tell. Of that, what a resource stands on is taken to be what is wanted, unless that
/// itself is made anew.
pub fn differences(
    kind: &Kind,
    desired: &Map,
    recorded: &Map,
    seen: Seen<'_>,
    ignore: &[String],
) -> Vec<Change> {
    let gone = recorded.keys().filter(|name| !desired.contains_key(*name));
    let mut changes = Vec::new();
    for name in desired.keys().chain(gone) {
        if ignore.iter().any(|ignored| ignored == name) {
            continue;
        }
        let attribute = kind.attribute(name);
        let was = recorded.get(name).unwrap_or(&Value::Null);
        let is_kept = *was != Value::Null && attribute.is_some_and(|attribute| attribute.kept);
        let wanted = if is_kept { was } else { desired.get(name).unwrap_or(&Value::Null) };
        let is = match seen {
            Seen::There(observed) if attribute.is_none_or(|attribute| attribute.observed) => {
                observed.attributes.get(name).unwrap_or(was)
            }
            _ => was,
        };
        let because = if wanted.is_unknown() {
            Because::Upstream
        } else if wanted != was {
            Because::Blueprint
        } else if wanted != is {
            Because::Drift
        } else {
            continue;
        };
        let replaces = attribute.is_some_and(|attribute| attribute.replaces);
        let is_never_known = *was == Value::Null && attribute.is_some_and(|attribute| !attribute.observed);
        if replaces && is_never_known && !wanted.is_unknown() {
            continue;
        }
        changes.push(Change {
            attribute: name.clone(),
            before: is.clone(),
            after: wanted.clone(),
            because,
            forces_replacement: replaces && wanted != is,
            effect: attribute.and_then(|attribute| attribute.effect_with(desired)).map(str::to_owned),
        });
    }
    changes.sort_by(|a, b| a.attribute.cmp(&b.attribute));
    changes
}

/// One line that says why.
fn reason(changes: &[Change]) -> String {
    let names = |because: Because| {
        let names: Vec<&str> = changes
            .iter()
            .filter(|change| change.because == because)
            .map(|change| change.attribute.as_str())
            .collect();
        names.join(", ")
    };
    let forcing: Vec<&str> = changes
        .iter()
        .filter(|change| change.forces_replacement)
        .map(|change| change.attribute.as_str())
        .collect();
    if !forcing.is_empty() {
        return format!("{} cannot be changed in place", forcing.join(", "));
    }
    let mut parts = Vec::new();
    for (because, words) in [
        (Because::Blueprint, "changed"),
        (Because::Drift, "drift"),
        (Because::Upstream, "follows a change of what it uses"),
    ] {
        let names = names(because);
        if !names.is_empty() {
            parts.push(format!("{words}: {names}"));
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use standfast_contract::Attribute;

    use super::*;

    const FILE: Kind = Kind::new(
        "file",
        &[
            Attribute::new("path").required().replaces(),
            Attribute::new("mode"),
            Attribute::new("content"),
            Attribute::new("reload_on").unobserved(),
            Attribute::new("source").unobserved().replaces(),
            Attribute::new("name").required().replaces().kept(),
            Attribute::new("owner").effect("restarts it"),
        ],
    );

    fn map(pairs: &[(&str, &str)]) -> Map {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::text(*value))).collect()
    }

    fn seen(pairs: &[(&str, &str)]) -> Observed {
        Observed { id: "x".into(), attributes: map(pairs), outputs: Map::new() }
    }

    fn check(desired: &[(&str, &str)], recorded: &[(&str, &str)], world: Option<&[(&str, &str)]>) -> String {
        let observed = world.map(seen);
        let seen = observed.as_ref().map_or(Seen::Gone, Seen::There);
        match judge(&FILE, &map(desired), Some(&map(recorded)), seen, &["ignored".to_owned()]) {
            Verdict::NoOp => "no-op".into(),
            Verdict::Create { reason } => format!("create ({reason})"),
            Verdict::Update { reason, .. } => format!("update ({reason})"),
            Verdict::Replace { reason, .. } => format!("replace ({reason})"),
        }
    }

    const A: &[(&str, &str)] = &[("path", "/a"), ("mode", "0644")];

    #[test]
    fn the_same_three_times_is_nothing_to_do() {
        assert_eq!(check(A, A, Some(A)), "no-op");
    }

    #[test]
    fn the_users_change_and_drift_are_told_apart() {
        assert_eq!(check(&[("path", "/a"), ("mode", "0600")], A, Some(A)), "update (changed: mode)");
        assert_eq!(check(A, A, Some(&[("path", "/a"), ("mode", "0600")])), "update (drift: mode)");
        assert_eq!(check(A, A, None), "create (drift: it is gone)");
    }

    #[test]
    fn a_forced_replacement_names_its_attribute() {
        assert_eq!(
            check(&[("path", "/b"), ("mode", "0644")], A, Some(A)),
            "replace (path cannot be changed in place)"
        );
    }

    #[test]
    fn an_attribute_no_longer_wanted_is_a_change() {
        assert_eq!(check(&[("path", "/a")], A, Some(A)), "update (changed: mode)");
    }

    #[test]
    fn what_cannot_be_seen_does_not_drift_and_what_is_ignored_does_not_change() {
        let wanted = &[("path", "/a"), ("reload_on", "1")];
        assert_eq!(check(wanted, wanted, Some(&[("path", "/a"), ("reload_on", "2")])), "no-op");
        assert_eq!(
            check(&[("path", "/a"), ("ignored", "2")], &[("path", "/a"), ("ignored", "1")], Some(&[])),
            "no-op"
        );
    }

    #[test]
    fn what_was_chosen_once_is_kept() {
        let named = |name| [("path", "/a"), ("name", name)];
        assert_eq!(check(&named("new"), &named("old"), Some(&named("old"))), "no-op");
        assert_eq!(
            check(&[("path", "/b"), ("name", "new")], &named("old"), Some(&named("old"))),
            "replace (path cannot be changed in place)"
        );
    }

    #[test]
    fn what_was_never_recorded_and_cannot_be_seen_is_as_wanted_until_it_is_made_anew() {
        let wanted = &[("path", "/a"), ("source", "1")];
        assert_eq!(check(wanted, &[("path", "/a")], Some(&[("path", "/a")])), "no-op");
        let mut unknown = map(wanted);
        unknown.insert("source".into(), Value::Unknown);
        let there = seen(&[("path", "/a")]);
        let verdict = judge(&FILE, &unknown, Some(&map(&[("path", "/a")])), Seen::There(&there), &[]);
        assert!(matches!(verdict, Verdict::Replace { .. }), "{verdict:?}");
        assert_eq!(
            check(wanted, &[("path", "/a"), ("source", "2")], Some(&[("path", "/a")])),
            "replace (source cannot be changed in place)"
        );
    }

    #[test]
    fn what_a_change_does_beside_is_told_unless_all_is_made_anew() {
        let effects = |path, owner| {
            let (was, wanted) =
                (map(&[("path", "/a"), ("owner", "root")]), map(&[("path", path), ("owner", owner)]));
            match judge(&FILE, &wanted, Some(&was), Seen::NotRead, &[]) {
                Verdict::Update { changes, .. } | Verdict::Replace { changes, .. } => {
                    changes.into_iter().find_map(|change| change.effect)
                }
                _ => None,
            }
        };
        assert_eq!(effects("/a", "app").as_deref(), Some("restarts it"));
        assert_eq!(effects("/b", "app"), None);
    }

    #[test]
    fn unknown_values_are_upstream_changes() {
        let mut desired = map(A);
        desired.insert("content".into(), Value::Unknown);
        let verdict = judge(&FILE, &desired, Some(&map(A)), Seen::NotRead, &[]);
        let Verdict::Update { changes, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(changes[0].because, Because::Upstream);
    }
}
