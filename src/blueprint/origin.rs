//! Where in the file a component and its keys stand, for problems that are found later than here.

use std::collections::BTreeMap;

use standfast_contract::{ComponentId, Problem};

use super::{
    diagnostic::{Diagnostic, NOWHERE},
    node::{Node, Span},
};

/// The trees that components were made from. Only the checker makes one.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub(super) components: BTreeMap<ComponentId, (Span, Node)>,
}

impl Origin {
    /// The place of a key below a component, such as `listeners[1].certificate`; of what holds it where it is not
    /// written; of the component's name for an empty key.
    pub fn place(&self, component: &ComponentId, key: &str) -> Option<Span> {
        let (at, root) = self.components.get(component)?;
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
        Diagnostic::error(span, problem.message.clone())
            .label(match problem.key.is_empty() {
                true => format!("`{}`", problem.component),
                false => format!("`{}` of `{}`", problem.key, problem.component),
            })
            .help_maybe(problem.hint.clone())
    }
}
