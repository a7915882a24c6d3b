//! What the world says of health: operations on members, and the probes of `status`.

use standfast_contract::{
    Address, Context, Health, HealthState, Map, Operation, Probe, ProviderError, Stack, Value,
};

use crate::{
    fault::{Exposure, Struck, Subject},
    ledger::Entry,
    line::Line,
    log::WorldError,
    settings::Settings,
    world::{Attempt, Turn},
};

pub(crate) const DRAIN: &str = "drain";
pub(crate) const HEALTH: &str = "health";
pub(crate) const UNDRAIN: &str = "undrain";
/// The one probe: do these things stand?
pub(crate) const STANDING: &str = "standing";

/// Set by `tamper`, in no schema: plans do not see it.
const CONDITION: &str = "health";
const FIT: &str = "healthy";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Drain,
    Health,
    Undrain,
}

/// An operation, understood.
pub(crate) struct Work {
    pub member: Address,
    verb: Verb,
    /// Passes in a row.
    passes: i64,
}

impl Work {
    pub fn of(operation: &Operation) -> Result<Work, ProviderError> {
        let refuse = |reason: String| {
            ProviderError::permanent(format!("{} {}", operation.verb, operation.address), reason)
        };
        let verb = match operation.verb.as_str() {
            DRAIN => Verb::Drain,
            HEALTH => Verb::Health,
            UNDRAIN => Verb::Undrain,
            other => return Err(refuse(format!("the simulated world cannot `{other}`"))),
        };
        let member = operation
            .inputs
            .get("member")
            .and_then(Value::as_str)
            .and_then(|member| member.parse().ok())
            .ok_or_else(|| refuse("its input `member` is no address".into()))?;
        let passes = operation.inputs.get("passes").and_then(Value::as_int).unwrap_or(1);
        Ok(Work { member, verb, passes })
    }

    /// Does it. The inner result: what to tell, or why it failed for good.
    pub fn run(
        &self,
        turn: &mut Turn<'_>,
        stack: &Stack,
    ) -> Result<Result<Option<String>, String>, WorldError> {
        let Some(id) = turn.ledger.marked(stack, &self.member).last().copied() else {
            // Nothing is left to be drained.
            return Ok(if self.verb == Verb::Drain { Ok(None) } else { Err("the member is gone".into()) });
        };
        match self.verb {
            Verb::Drain | Verb::Undrain => {
                turn.write(Line::Drained { id, drained: self.verb == Verb::Drain })?;
                Ok(Ok(None))
            }
            Verb::Health => Ok(match turn.ledger.entry(id).map(Entry::inputs).as_ref().and_then(sickness) {
                Some(condition) => Err(format!("0 of {} checks passed: {condition}", self.passes)),
                None => Ok(Some(format!("{0} of {0} checks passed", self.passes))),
            }),
        }
    }
}

/// Why a thing is not healthy, if so.
fn sickness(inputs: &Map) -> Option<String> {
    let condition = inputs.get(CONDITION)?;
    (condition.as_str() != Some(FIT)).then(|| condition.to_string())
}

/// Answers one probe. Its inputs: `all` and `vital`, lists of addresses.
pub(crate) fn probe(turn: &mut Turn<'_>, context: &Context, probe: &Probe) -> Result<Health, WorldError> {
    let addresses = |key: &str| -> Vec<Address> {
        let list = probe.inputs.get(key).and_then(Value::as_list).unwrap_or_default();
        list.iter().filter_map(Value::as_str).filter_map(|text| text.parse().ok()).collect()
    };
    let settings = match Settings::of_place(&probe.place) {
        Ok(settings) => settings,
        Err(error) => {
            return Ok(Health { state: HealthState::Unreachable, detail: error.to_string() });
        }
    };
    let subject = Address::new(settings.region, &probe.component, "probe", &probe.subject);
    let attempt = Attempt {
        settings,
        context,
        subject: Subject::Resource(&subject),
        verb: "probe",
        exposure: Exposure::None,
        inputs: None,
        count: 1,
    };
    if let Some(struck) = turn.strike(&attempt)?.filter(Struck::is_error) {
        let detail = struck.error(format!("probe {}", probe.subject)).to_string();
        return Ok(Health { state: HealthState::Unreachable, detail });
    }
    let (all, vital) = (addresses("all"), addresses("vital"));
    let mut troubles = Vec::new();
    let mut vital_down = false;
    for address in &all {
        let entry = turn.ledger.marked(&context.stack, address).last().and_then(|id| turn.ledger.entry(*id));
        let trouble = match entry {
            None => Some("gone".to_owned()),
            Some(entry) if entry.drained => Some("drained".to_owned()),
            Some(entry) => sickness(&entry.inputs()),
        };
        if let Some(trouble) = trouble {
            vital_down |= vital.contains(address);
            troubles.push(format!("{} {trouble}", address.name()));
        }
    }
    let standing = all.len() - troubles.len();
    let state = if troubles.is_empty() {
        HealthState::Healthy
    } else if vital_down || standing == 0 {
        HealthState::Down
    } else {
        HealthState::Degraded
    };
    let mut detail = format!("{standing} of {} stand", all.len());
    if !troubles.is_empty() {
        detail.push_str(": ");
        detail.push_str(&troubles.join(", "));
    }
    Ok(Health { state, detail })
}
