//! What the tests of the questions share.

use std::sync::{Arc, Mutex};

use standfast_contract::{Call, Context, Map};

use super::Ahead;
use crate::{
    clients::{Caller, Site},
    recorded::{Recorded, context, place, site},
};

/// A create of the place, with inputs.
pub(super) fn call(kind: &str, name: &str, inputs: &[(&str, &str)]) -> Call {
    Call {
        address: format!("refuge/networks.main/{kind}.{name}").parse().unwrap(),
        kind: kind.into(),
        place: place().to_value(),
        token: "token".into(),
        id: None,
        inputs: inputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect(),
        prior: Map::new(),
        prior_outputs: Map::new(),
        changed: vec![],
    }
}

/// Calls ahead at an endpoint that gives recorded answers.
pub(super) struct Asking<'a> {
    site: Site,
    context: Context,
    calls: &'a [Call],
    pub deletes: &'a [Call],
    pub recorded: Recorded,
    /// What was told.
    pub told: Arc<Mutex<Vec<String>>>,
}

impl<'a> Asking<'a> {
    pub fn new(calls: &'a [Call], answers: &[(u16, &str)], arn: &str) -> Self {
        let (site, recorded) = site(answers);
        site.signed_in_as(Caller { account: "123456789012".into(), arn: arn.into() });
        let (context, told) = context();
        Asking { site, context, calls, deletes: &[], recorded, told }
    }

    pub fn ahead(&self) -> Ahead<'_> {
        Ahead {
            site: &self.site,
            context: &self.context,
            calls: self.calls.iter().enumerate().collect(),
            deletes: self.deletes.iter().collect(),
        }
    }
}
