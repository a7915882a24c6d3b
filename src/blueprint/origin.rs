//! Where in the file a component and its keys stand, for problems that are found later than here.

use std::collections::BTreeMap;

use standfast_contract::{ComponentId, Problem};

use super::{
    diagnostic::{Diagnostic, NOWHERE},
    node::{Node, Span},
};

/// What begins a key of the component's region: `region.location`.
const OF_REGION: &str = "region.";

/// The trees that components and regions were made from. Only the checker makes one.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub(super) components: BTreeMap<ComponentId, (Span, Node)>,
    pub(super) regions: BTreeMap<String, (Span, Node)>,
    /// The region of each component.
    pub(super) region_of: BTreeMap<ComponentId, String>,
}

impl Origin {
    /// The place of a key below a component, such as `listeners[1].certificate`, or below its region: `region.location`; of
    /// what holds it where it is not written; of the component's name for an empty key.
    pub fn place(&self, component: &ComponentId, key: &str) -> Option<Span> {
        let ((at, root), key) = match key.strip_prefix(OF_REGION) {
            Some(key) => (self.regions.get(self.region_of.get(component)?)?, key),
            None => (self.components.get(component)?, key),
        };
        let mut span = *at;
        let mut node = root;
        for step in key.split(['.', '[']).filter(|step| !step.is_empty()) {
            let found = match step.strip_suffix(']') {
                Some(index) => index
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| node.as_list()?.get(index))
                    .map(|item| (item.span, item)),
                None => node.as_map().and_then(|entries| entries.get(step)).map(|entry| {
                    // A map or list is shown by its key: its own span is many lines.
                    let whole = entry.value.as_scalar().is_some();
                    (if whole { entry.value.span } else { entry.key }, &entry.value)
                }),
            };
            let Some((place, below)) = found else { break };
            (span, node) = (place, below);
        }
        Some(span)
    }

    /// What a component was made from.
    pub(super) fn tree(&self, component: &ComponentId) -> Option<&Node> {
        self.components.get(component).map(|(_, tree)| tree)
    }

    /// A provider's problem, at its place.
    pub fn diagnostic(&self, problem: &Problem) -> Diagnostic {
        let span = self.place(&problem.component, &problem.key).unwrap_or(NOWHERE);
        let region = self.region_of.get(&problem.component);
        Diagnostic::error(span, problem.message.clone())
            .label(match (problem.key.strip_prefix(OF_REGION), region) {
                (Some(key), Some(region)) => format!("`{key}` of `regions.{region}`"),
                _ if problem.key.is_empty() => format!("`{}`", problem.component),
                _ => format!("`{}` of `{}`", problem.key, problem.component),
            })
            .help_maybe(problem.hint.clone())
    }
}
