//! The provider: every call waits its way there, takes its effect or fault, and waits its way back.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::value::RawValue;
use standfast_contract::{
    Address, Answers, Call, Context, ErrorClass, ExpandRequest, Expansion, Found, Health, HealthState, Kind,
    Lookup, Made, Map, Observed, Obstacle, Operation, Probe, Problem, Provider, ProviderError, ReadRequest,
    Region, Sensitive, Standing, Survey, Value,
};
use tokio::time::sleep;

use crate::{
    admit::{Admitted, Refusal},
    expand,
    fault::{Exposure, FaultKind, Struck, Subject},
    health,
    kinds::{self, Id},
    line::{ChangedLine, Line, MadeLine},
    log::WorldError,
    read,
    settings::Settings,
    world::{Attempt, Turn, World},
};

/// Steps at once in one region.
const LANE_LIMIT: usize = 64;
/// Resources in one call of `read` or `find`: each page costs one latency.
const PAGE_MAX: usize = 1_000;

/// The provider `sim`.
#[derive(Clone)]
pub struct Sim {
    world: Arc<World>,
}

impl Sim {
    pub fn new(world: Arc<World>) -> Self {
        Sim { world }
    }

    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// One call: there, fault or effect, back.
    async fn perform<T>(
        &self,
        attempt: Attempt<'_>,
        effect: impl FnOnce(&mut Turn<'_>) -> Result<Result<T, Refusal>, WorldError> + Send,
    ) -> Result<T, ProviderError> {
        let (there, back) = attempt.settings.ways();
        let context = attempt.context;
        let operation = || describe(attempt.verb, attempt.subject.as_str());
        if !there.is_zero() {
            sleep(there).await;
        }
        let (struck, result) = self
            .world
            .turn(|turn| {
                let struck = turn.strike(&attempt)?;
                let happens = struck.as_ref().is_none_or(|struck| struck.kind.takes_effect());
                let result = if happens { Some(effect(turn)?) } else { None };
                if struck.as_ref().is_some_and(|struck| struck.kind == FaultKind::DieAfter) {
                    std::process::abort();
                }
                Ok((struck, result))
            })
            .map_err(|error| ProviderError::permanent(operation(), error.to_string()).hint(WORLD_HINT))?;
        let way_back = match &struck {
            Some(Struck { kind: FaultKind::Hang, wait, .. }) => *wait,
            _ => back,
        };
        if !way_back.is_zero() {
            sleep(way_back).await;
        }
        match (struck, result) {
            (Some(Struck { kind: FaultKind::Pending, wait, .. }), Some(result)) => {
                context.wait(sleep(wait)).await;
                result.map_err(|refusal| refuse(operation(), &refusal))
            }
            (Some(struck), _) => Err(struck.error(operation())),
            (None, Some(result)) => result.map_err(|refusal| refuse(operation(), &refusal)),
            (None, None) => Err(ProviderError::permanent(operation(), "nothing happened")),
        }
    }

    /// Everything of a stack in one region.
    async fn find_in(&self, context: &Context, settings: Settings<'_>) -> Result<Vec<Found>, ProviderError> {
        let attempt = Attempt {
            settings,
            context,
            subject: Subject::Region(settings.region),
            verb: "find",
            exposure: Exposure::Refusals,
            inputs: None,
            count: 1,
        };
        let found: Vec<Found> = self
            .perform(attempt, |turn| {
                let entries = turn.ledger.entries().into_iter().filter(|(_, entry)| {
                    entry.address.region() == settings.region && turn.ledger.stack_of(entry) == &context.stack
                });
                Ok(Ok(entries
                    .map(|(id, entry)| {
                        let inputs = entry.inputs();
                        Found {
                            address: entry.address.clone(),
                            kind: id.sim_kind().schema.name.to_owned(),
                            id: id.to_string(),
                            token: Some(entry.token.to_string()),
                            outputs: kinds::outputs(id, settings.region, &inputs),
                            inputs,
                        }
                    })
                    .collect()))
            })
            .await?;
        let pages_more = u32::try_from(found.len() / PAGE_MAX).unwrap_or(u32::MAX);
        if pages_more > 0 && settings.latency_ms > 0 {
            let (there, back) = settings.ways();
            sleep((there + back).saturating_mul(pages_more)).await;
        }
        Ok(found)
    }
}

/// What was tried, for messages.
fn describe(verb: &str, subject: &str) -> String {
    match verb {
        health::HEALTH => format!("check the health of {subject}"),
        "find" => format!("find what is in region {subject}"),
        "lookup" => format!("look at region {subject}"),
        verb => format!("{verb} {subject}"),
    }
}

pub(crate) const WORLD_HINT: &str =
    "Repair that line of the world's file, or remove the file to begin with an empty world.";

fn refuse(operation: String, refusal: &Refusal) -> ProviderError {
    let class = match refusal {
        Refusal::DependencyViolation { .. } => ErrorClass::Transient,
        _ => ErrorClass::Permanent,
    };
    let error = ProviderError::new(class, operation, refusal.to_string());
    match refusal {
        Refusal::NotFound { .. } => error.hint("It was removed by someone else: plan again."),
        _ => error,
    }
}

/// Stands for a sensitive text that came unsealed: not even a digest of it is kept, for it would have no key.
const UNSEALED: &str = "unsealed";

/// What was asked for, without the text of anything sensitive: the world's file holds digests only.
fn sealed(kind: &Kind, inputs: &Map) -> Result<Box<RawValue>, WorldError> {
    let is_plain_secret = |name: &str, value: &Value| {
        matches!(value, Value::Text(_)) && kind.attribute(name).is_some_and(|attribute| attribute.sensitive)
    };
    let raw = if inputs.iter().any(|(name, value)| is_plain_secret(name, value)) {
        let mut inputs = inputs.clone();
        for (name, value) in &mut inputs {
            if is_plain_secret(name, value) {
                *value = Value::Sensitive(Sensitive::from_digest(UNSEALED));
            }
        }
        serde_json::value::to_raw_value(&inputs)
    } else {
        serde_json::value::to_raw_value(inputs)
    };
    raw.map_err(|error| WorldError::Change(error.to_string()))
}

/// Of inputs as JSON.
fn digest(inputs: &RawValue) -> u64 {
    let hash = blake3::hash(inputs.get().as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn made(id: Id, region: &str, inputs: &Map) -> Made {
    Made { id: id.to_string(), outputs: kinds::outputs(id, region, inputs) }
}

/// The id of a recorded thing, or of what carries its mark where the record has none.
fn id_of(turn: &Turn<'_>, context: &Context, call: &Call) -> Result<Id, Refusal> {
    let (found, id) = match &call.id {
        // One that no thing of this world could have names nothing.
        Some(id) => (id.parse().ok(), id.clone()),
        None => (turn.ledger.marked(&context.stack, &call.address).last().copied(), call.address.to_string()),
    };
    found.ok_or(Refusal::NotFound { id })
}

fn attempt<'a>(context: &'a Context, call: &'a Call, verb: &'a str) -> Result<Attempt<'a>, ProviderError> {
    Ok(Attempt {
        settings: Settings::of_place(&call.place)?,
        context,
        subject: Subject::Resource(&call.address),
        verb,
        exposure: Exposure::Full,
        inputs: (verb != "delete").then_some(&call.inputs),
        count: 1,
    })
}

#[async_trait]
impl Provider for Sim {
    fn name(&self) -> &'static str {
        expand::PROVIDER
    }

    fn kind(&self, name: &str) -> Option<&'static Kind> {
        kinds::by_name(name).map(|(_, kind)| &kind.schema)
    }

    fn lane_limit(&self) -> usize {
        LANE_LIMIT
    }

    fn lookups(&self, request: &ExpandRequest<'_>) -> Vec<Lookup> {
        expand::lookups(request)
    }

    async fn lookup(
        &self,
        context: &Context,
        region: &Region,
        lookups: &[Lookup],
        _: &[Standing<'_>],
    ) -> Vec<Result<Value, ProviderError>> {
        let mut answers = Vec::with_capacity(lookups.len());
        for lookup in lookups {
            let attempt = Attempt {
                settings: Settings::of_region(region),
                context,
                subject: Subject::Region(&region.name),
                verb: "lookup",
                exposure: Exposure::Refusals,
                inputs: None,
                count: 1,
            };
            let answer = match lookup {
                Lookup::Provider { question, .. } if question == expand::ZONES => {
                    self.perform(attempt, |_| Ok(Ok(expand::zones_of_world(region)))).await
                }
                other => Err(ProviderError::permanent(
                    format!("look up {other:?}"),
                    "the simulated world does not know this question",
                )),
            };
            answers.push(answer);
        }
        answers
    }

    fn expand(&self, request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
        expand::expand(request, answers)
    }

    async fn preflight(&self, context: &Context, calls: &[Call], _: &[Call]) -> Vec<Obstacle> {
        let checked = self.world.turn(|turn| {
            let mut obstacles = Vec::new();
            if turn.ledger.faults.is_empty() {
                return Ok(obstacles);
            }
            for (at, call) in calls.iter().enumerate() {
                let mut attempt = match attempt(context, call, "preflight") {
                    Ok(attempt) => attempt,
                    Err(error) => {
                        obstacles.push(Obstacle { error, calls: vec![at] });
                        continue;
                    }
                };
                attempt.exposure = Exposure::None;
                if let Some(struck) = turn.strike(&attempt)?.filter(Struck::is_error) {
                    let error = struck.error(format!("prepare {}", call.address));
                    obstacles.push(Obstacle { error, calls: vec![at] });
                }
            }
            Ok(obstacles)
        });
        checked.unwrap_or_else(|error| {
            let error =
                ProviderError::permanent("prepare the simulated world", error.to_string()).hint(WORLD_HINT);
            vec![Obstacle { error, calls: (0..calls.len()).collect() }]
        })
    }

    async fn read(
        &self,
        context: &Context,
        requests: &[ReadRequest],
    ) -> Vec<Result<Option<Observed>, ProviderError>> {
        let mut answers = Vec::with_capacity(requests.len());
        for run in requests.chunk_by(|one, other| one.place == other.place) {
            for page in run.chunks(PAGE_MAX) {
                match read::page(&self.world, context, page).await {
                    Ok(read) => answers.extend(read),
                    Err(error) => answers.extend(page.iter().map(|_| Err(error.clone()))),
                }
            }
        }
        answers
    }

    async fn create(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        let attempt = attempt(context, call, "create")?;
        let region = attempt.settings.region;
        self.perform(attempt, |turn| {
            let Some((_, kind)) = kinds::by_name(&call.kind) else {
                return Ok(Err(Refusal::InvalidKind { kind: call.kind.clone() }));
            };
            let inputs = sealed(&kind.schema, &call.inputs)?;
            let digest = digest(&inputs);
            let (id, refers) = match turn.ledger.admit_create(call, digest) {
                Ok(Admitted::Known(id)) => return Ok(Ok(made(id, region, &call.inputs))),
                Ok(Admitted::New { id, refers }) => (id, refers),
                Err(refusal) => return Ok(Err(refusal)),
            };
            turn.write(Line::Made(MadeLine {
                id,
                address: call.address.clone(),
                stack: (&context.stack.name).into(),
                environment: (&context.stack.environment).into(),
                token: (&call.token).into(),
                digest,
                refers,
                inputs: &inputs,
            }))?;
            Ok(Ok(made(id, region, &call.inputs)))
        })
        .await
    }

    async fn update(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        let attempt = attempt(context, call, "update")?;
        let region = attempt.settings.region;
        self.perform(attempt, |turn| {
            let admitted =
                id_of(turn, context, call).and_then(|id| Ok((id, turn.ledger.admit_update(id, call)?)));
            let (id, refers) = match admitted {
                Ok(admitted) => admitted,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let inputs = sealed(&id.sim_kind().schema, &call.inputs)?;
            turn.write(Line::Changed(ChangedLine { id, refers, inputs: &inputs }))?;
            Ok(Ok(made(id, region, &call.inputs)))
        })
        .await
    }

    async fn rename(&self, context: &Context, call: &Call, from: &Address) -> Result<(), ProviderError> {
        self.perform(attempt(context, call, "update")?, |turn| {
            let old = Call { address: from.clone(), ..call.clone() };
            let id = match id_of(turn, context, &old) {
                Ok(id) => id,
                Err(refusal) => return Ok(Err(refusal)),
            };
            turn.write(Line::Moved { id, address: call.address.clone() }).map(Ok)
        })
        .await
    }

    async fn delete(&self, context: &Context, call: &Call) -> Result<(), ProviderError> {
        self.perform(attempt(context, call, "delete")?, |turn| {
            let Ok(id) = id_of(turn, context, call) else { return Ok(Ok(())) };
            match turn.ledger.admit_delete(id) {
                Ok(true) => turn.write(Line::Gone { id }).map(Ok),
                Ok(false) => Ok(Ok(())),
                Err(refusal) => Ok(Err(refusal)),
            }
        })
        .await
    }

    async fn operate(&self, context: &Context, operation: &Operation) -> Result<(), ProviderError> {
        let work = health::Work::of(operation)?;
        let attempt = Attempt {
            settings: Settings::of_place(&operation.place)?,
            context,
            subject: Subject::Resource(&work.member),
            verb: &operation.verb,
            exposure: Exposure::Refusals,
            inputs: None,
            count: 1,
        };
        let told = self.perform(attempt, |turn| work.run(turn, &context.stack).map(Ok)).await?;
        match told {
            Ok(progress) => {
                if let Some(progress) = progress {
                    (context.progress)(&progress);
                }
                Ok(())
            }
            Err(reason) => {
                Err(ProviderError::permanent(describe(&operation.verb, work.member.as_str()), reason))
            }
        }
    }

    async fn find(&self, context: &Context, places: &[Value]) -> Vec<Result<Vec<Found>, ProviderError>> {
        let mut asked: Vec<&str> = Vec::new();
        let mut answers = Vec::with_capacity(places.len());
        for place in places {
            answers.push(match Settings::of_place(place) {
                Ok(settings) if asked.contains(&settings.region) => Ok(Vec::new()),
                Ok(settings) => {
                    asked.push(settings.region);
                    self.find_in(context, settings).await
                }
                Err(error) => Err(error),
            });
        }
        answers
    }

    async fn survey(&self, _: &Context, region: &Region, _: &str) -> Result<Survey, ProviderError> {
        Err(ProviderError::permanent(
            format!("describe what is in {}", region.name),
            "the simulated world holds nothing that no blueprint has made",
        )
        .hint("`standfast state rebuild` finds what a blueprint made there."))
    }

    async fn probe(&self, context: &Context, probes: &[Probe]) -> Vec<Health> {
        // A region answers all its probes at once.
        if let Some(slowest) = probes
            .iter()
            .filter_map(|probe| Settings::of_place(&probe.place).ok())
            .max_by_key(|settings| settings.latency_ms)
        {
            let (there, back) = slowest.ways();
            if !(there + back).is_zero() {
                sleep(there + back).await;
            }
        }
        let answers =
            self.world.turn(|turn| probes.iter().map(|probe| health::probe(turn, context, probe)).collect());
        answers.unwrap_or_else(|error| {
            let unreachable = Health { state: HealthState::Unreachable, detail: error.to_string() };
            vec![unreachable; probes.len()]
        })
    }

    async fn close(&self) {}
}
