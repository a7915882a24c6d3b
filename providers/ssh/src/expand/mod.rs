//! Components to resources: pure.

use standfast_contract::{Answers, ExpandRequest, Expansion, Lookup, Problem};

pub fn lookups(_: &ExpandRequest<'_>) -> Vec<Lookup> {
    Vec::new()
}

pub fn expand(request: &ExpandRequest<'_>, _: &Answers) -> Result<Expansion, Vec<Problem>> {
    Err(vec![Problem {
        component: request.component.id(),
        key: String::new(),
        message: "expansion is not merged".to_owned(),
        hint: None,
    }])
}
