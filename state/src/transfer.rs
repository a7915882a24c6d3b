//! Whether one state may replace another, and whether two are the same. Pure: what to do about it is the caller's.

use std::fmt;

use crate::export::Export;
use crate::record::Head;

/// What speaks against replacing a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// It is another state's: it came to be on its own.
    Lineage {
        /// What is there.
        present: Head,
        /// What would take its place.
        offered: Head,
    },
    /// What is there has gone on since.
    Older {
        /// The serial that is there.
        present: u64,
        /// The serial of what would take its place.
        offered: u64,
    },
    /// Both have the same serial and yet other records: they went apart.
    Apart {
        /// The serial of both.
        serial: u64,
    },
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lineage { present, offered } => write!(
                f,
                "it is of another lineage: {} at serial {}, and what is there is {} at serial {}",
                offered.lineage, offered.serial, present.lineage, present.serial
            ),
            Self::Older { present, offered } => {
                write!(f, "it is older: serial {offered}, and what is there has serial {present}")
            }
            Self::Apart { serial } => {
                write!(f, "both have serial {serial}, but not the same records: they went apart")
            }
        }
    }
}

/// Whether nothing was ever recorded in it: no serial, no record and no run.
pub fn is_blank(state: &Export) -> bool {
    state.head.serial == 0 && state.resources.is_empty() && state.runs.is_empty()
}

/// What speaks against `offered` taking the place of `present`. A blank state takes anything.
pub fn objections(present: &Export, offered: &Export) -> Vec<Objection> {
    if is_blank(present) {
        return Vec::new();
    }
    let mut found = Vec::new();
    if present.head.lineage != offered.head.lineage {
        found.push(Objection::Lineage { present: present.head.clone(), offered: offered.head.clone() });
    }
    let (here, there) = (present.head.serial, offered.head.serial);
    if there < here {
        found.push(Objection::Older { present: here, offered: there });
    } else if there == here
        && present.head.lineage == offered.head.lineage
        && present.resources != offered.resources
    {
        found.push(Objection::Apart { serial: here });
    }
    found
}

/// The first part in which two states differ, as a word; `None` when they hold the same. Their names and the numbers
/// of their journal entries, which each store gives itself, are not compared.
pub fn same(one: &Export, other: &Export) -> Option<&'static str> {
    let without_numbers = |export: &Export| {
        let mut runs = export.runs.clone();
        let entries = runs.iter_mut().flat_map(|run| run.journal.iter_mut());
        entries.for_each(|entry| entry.id.0 = 0);
        runs
    };
    if one.head != other.head {
        Some("lineage or serial")
    } else if one.resources != other.resources {
        Some("records")
    } else if without_numbers(one) != without_numbers(other) {
        Some("history")
    } else if one.used_plans != other.used_plans {
        Some("used plans")
    } else if one.meta != other.meta {
        Some("values")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::{ResourceRecord, StackId};

    fn state(lineage: &str, serial: u64, ids: &[&str]) -> Export {
        let record = |id: &&str| ResourceRecord {
            address: format!("at-{id}"),
            deposed: String::new(),
            kind: "unit".into(),
            id: (*id).into(),
            provider: "sim".into(),
            inputs_digest: "d".into(),
            dependencies: Vec::new(),
            payload: "{}".into(),
        };
        Export {
            format: 1,
            stack: StackId::new("shop", None),
            head: Head { lineage: lineage.into(), serial },
            resources: ids.iter().map(record).collect(),
            runs: Vec::new(),
            used_plans: Vec::new(),
            meta: BTreeMap::new(),
        }
    }

    #[test]
    fn only_the_same_lineage_goes_forward_without_an_objection() {
        let present = state("one", 5, &["a"]);
        assert_eq!(objections(&present, &state("one", 6, &["b"])), []);
        assert_eq!(objections(&present, &present), []);
        assert_eq!(
            objections(&present, &state("one", 4, &["a"])),
            [Objection::Older { present: 5, offered: 4 }]
        );
        assert_eq!(objections(&present, &state("one", 5, &["b"])), [Objection::Apart { serial: 5 }]);
        let both = objections(&present, &state("two", 4, &[]));
        assert!(matches!(both[..], [Objection::Lineage { .. }, Objection::Older { .. }]), "{both:?}");
        assert_eq!(objections(&state("new", 0, &[]), &state("two", 4, &["a"])), []);
    }

    #[test]
    fn states_are_compared_part_by_part() {
        let one = state("one", 5, &["a"]);
        assert_eq!(same(&one, &one.clone()), None);
        assert_eq!(same(&one, &state("one", 6, &["a"])), Some("lineage or serial"));
        assert_eq!(same(&one, &state("one", 5, &["b"])), Some("records"));
        let mut other = one.clone();
        other.meta.insert("key".into(), "value".into());
        assert_eq!(same(&one, &other), Some("values"));
    }
}
