//! What a call may do: the manners of a cloud's API. Pure; the reasons carry the words such an API would use.

use standfast_contract::{Address, Call, Value};

use crate::{
    kinds::{self, Id, SimKind},
    ledger::Ledger,
};

/// Why the world refuses a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("IdempotentParameterMismatch: the client token `{token}` was used for {id} with other inputs")]
    TokenMismatch { token: String, id: String },
    #[error("InvalidReference: {attribute_of} refers to {id}, which does not exist")]
    InvalidReference { attribute_of: Address, id: String },
    #[error("MissingParameter: a {kind} needs `{attribute}`")]
    MissingParameter { kind: &'static str, attribute: &'static str },
    #[error("InvalidParameter: `{attribute}` is not known yet")]
    UnknownParameter { attribute: String },
    #[error("InvalidParameter: `{attribute}` of a {kind} cannot be changed in place")]
    Immutable { kind: &'static str, attribute: String },
    #[error("InvalidKind: this world has no kind `{kind}`")]
    InvalidKind { kind: String },
    #[error("NotFound: there is no {id}")]
    NotFound { id: String },
    #[error("DependencyViolation: {id} is still referred to by {by}")]
    DependencyViolation { id: String, by: String },
}

/// What a create comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// The token is known: this was made before.
    Known(Id),
    New {
        id: Id,
        refers: Vec<Id>,
    },
}

impl Ledger {
    /// Whether a create may be done, and as what. `digest` is of its inputs.
    pub fn admit_create(&self, call: &Call, digest: u64) -> Result<Admitted, Refusal> {
        if let Some(id) = self.made_with(&call.token) {
            let known = self.entry(id).is_some_and(|entry| entry.digest == digest);
            return if known {
                Ok(Admitted::Known(id))
            } else {
                Err(Refusal::TokenMismatch { token: call.token.clone(), id: id.to_string() })
            };
        }
        let (kind, sim_kind) =
            kinds::by_name(&call.kind).ok_or_else(|| Refusal::InvalidKind { kind: call.kind.clone() })?;
        for attribute in sim_kind.schema.attributes.iter().filter(|attribute| attribute.required) {
            if call.inputs.get(attribute.name).is_none_or(|value| *value == Value::Null) {
                return Err(Refusal::MissingParameter {
                    kind: sim_kind.schema.name,
                    attribute: attribute.name,
                });
            }
        }
        let refers = self.admit_inputs(sim_kind, call)?;
        Ok(Admitted::New { id: self.next_id(kind), refers })
    }

    /// Whether an update may be done, and what it will refer to.
    pub fn admit_update(&self, id: Id, call: &Call) -> Result<Vec<Id>, Refusal> {
        if self.entry(id).is_none() {
            return Err(Refusal::NotFound { id: id.to_string() });
        }
        let kind = id.sim_kind();
        for name in &call.changed {
            if kind.schema.attribute(name).is_some_and(|attribute| attribute.replaces) {
                return Err(Refusal::Immutable { kind: kind.schema.name, attribute: name.clone() });
            }
        }
        self.admit_inputs(kind, call)
    }

    fn admit_inputs(&self, kind: &SimKind, call: &Call) -> Result<Vec<Id>, Refusal> {
        if let Some((name, _)) = call.inputs.iter().find(|(_, value)| value.is_unknown()) {
            return Err(Refusal::UnknownParameter { attribute: name.clone() });
        }
        let refers = kinds::references(kind, &call.inputs);
        match refers.iter().find(|id| self.entry(**id).is_none()) {
            Some(id) => {
                Err(Refusal::InvalidReference { attribute_of: call.address.clone(), id: id.to_string() })
            }
            None => Ok(refers),
        }
    }

    /// Whether something may be deleted: `false` when it is gone already.
    pub fn admit_delete(&self, id: Id) -> Result<bool, Refusal> {
        if self.entry(id).is_none() {
            return Ok(false);
        }
        if !self.is_referred_to(id) {
            return Ok(true);
        }
        let by = self.referrer(id).map_or_else(String::new, |entry| entry.address.to_string());
        Err(Refusal::DependencyViolation { id: id.to_string(), by })
    }
}
