//! The provider trait: small, and whole in every implementation.
//!
//! `expand` is pure. What it must know of the world is asked for by `lookups` first; the answers are kept in the plan.
//! `read` takes many resources at once, so that its cost grows with hosts or pages and not with resources.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    address::{Address, ComponentId},
    component::{Component, Region},
    error::ProviderError,
    resource::{Desired, Kind, Rollout},
    value::{Map, Value},
};

/// Whose resources: everything made carries this.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Stack {
    pub name: String,
    pub environment: String,
}

/// What every call knows beside its own arguments.
#[derive(Clone)]
pub struct Context {
    pub stack: Stack,
    /// Says how a long call is getting on: "2 of 3 checks passed". Never a secret.
    pub progress: Arc<dyn Fn(&str) + Send + Sync>,
    /// Told when the call begins to wait (true) and when it goes on (false): see [`Context::wait`].
    pub waiting: Arc<dyn Fn(bool) + Send + Sync>,
}

impl Context {
    /// A context that tells nobody.
    pub fn quiet(stack: Stack) -> Self {
        Context { stack, progress: Arc::new(|_| {}), waiting: Arc::new(|_| {}) }
    }

    /// Waits for a state that comes by itself: ready, gone, no longer in use. Meanwhile the call holds no slot of its
    /// lane, and [`OPERATION_TIMEOUT_MAX`] does not count; how long is too long is for the wait to say.
    pub async fn wait<T>(&self, until: impl Future<Output = T> + Send) -> T {
        struct GoesOn<'a>(&'a Context);
        impl Drop for GoesOn<'_> {
            fn drop(&mut self) {
                (self.0.waiting)(false);
            }
        }
        (self.waiting)(true);
        let _goes_on = GoesOn(self);
        until.await
    }
}

/// A question about the world that expansion asks first. Equal questions are asked once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// A local file: `{digest: blake3 hex, size, text}`; `text` only when it is UTF-8 of at most 256 KiB, else null.
    File { path: String },
    /// A local folder: a list of `{path (relative), digest, size, mode, text}` in path order.
    Tree { path: String },
    /// A question that the region's provider answers: host facts, zone names, image ids.
    Provider { region: String, question: String, subject: String },
}

/// What is recorded of a thing, as far as it answers questions: what never changes of what is there.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub region: &'a str,
    pub kind: &'a str,
    pub inputs: &'a Map,
}

/// The answers that were found, by question.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answers(pub BTreeMap<Lookup, Value>);

impl Answers {
    pub fn get(&self, lookup: &Lookup) -> Option<&Value> {
        self.0.get(lookup)
    }
}

/// A component to expand, and the blueprint around it.
#[derive(Clone, Copy)]
pub struct ExpandRequest<'a> {
    pub stack: &'a Stack,
    pub region: &'a Region,
    pub component: &'a Component,
    /// Every component of the blueprint: a load balancer has to know the groups that it serves.
    pub components: &'a [Component],
    pub regions: &'a [Region],
}

/// What a component becomes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Expansion {
    pub resources: Vec<Desired>,
    /// The component's outputs, by name: `${load_balancers.front.address}`.
    pub outputs: Map,
    pub rollouts: Vec<Rollout>,
    /// What `status` asks.
    pub probes: Vec<Probe>,
}

/// What stands somewhere that no blueprint made, as far as one can say it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Survey {
    /// The provider's names of the zones that it reaches into.
    pub zones: Vec<String>,
    /// The sections of the blueprint below `regions`, as YAML, with comments for what they do not say.
    pub sections: String,
    /// What can be recorded as it is, in the order in which it depends on each other.
    pub imports: Vec<Import>,
}

/// For `state import`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// Where the blueprint has it: `home/load_balancers.front/listener.80`.
    pub address: String,
    pub id: String,
}

/// Why a component cannot be expanded. The engine adds where in the blueprint it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub component: ComponentId,
    /// The key it is about, below the component: `listeners[1].certificate`; empty for the whole component. What begins with
    /// `region.` is a key of the component's region: `region.location`.
    pub key: String,
    pub message: String,
    pub hint: Option<String>,
    /// It comes of a question that nobody answered: with the answer it may be none.
    pub unanswered: bool,
}

/// What to read. `place` is resolved.
///
/// Everything large is shared with whoever asks: of a big stack all requests are held at once.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    pub address: Address,
    pub kind: String,
    pub place: Arc<Value>,
    /// `None`: whatever carries the mark of the stack and the address; of several, the one that was made last.
    pub id: Option<String>,
    /// Of the create that was cut off: what it made may not carry its marks yet.
    pub token: Option<String>,
    /// Inputs and outputs as recorded, if it is recorded.
    pub recorded: Option<(Arc<Map>, Arc<Map>)>,
    /// Inputs as desired, resolved as far as known.
    pub desired: Option<Arc<Map>>,
}

/// What was seen of a resource: the attributes that the schema calls observed, in the form in which inputs have them.
#[derive(Clone, PartialEq, Debug)]
pub struct Observed {
    pub id: String,
    pub attributes: Map,
    pub outputs: Map,
}

/// One create, update or delete. Everything is resolved.
#[derive(Clone, Debug)]
pub struct Call {
    pub address: Address,
    pub kind: String,
    pub place: Value,
    /// The same for every try of the same step: for client tokens and for finding what a lost answer made.
    pub token: String,
    /// What it is called in the world, once it exists.
    pub id: Option<String>,
    /// As it shall be. For a delete, as recorded.
    pub inputs: Map,
    /// As recorded before; sensitive texts are digests. Empty for a create.
    pub prior: Map,
    pub prior_outputs: Map,
    /// The attributes that differ, for an update.
    pub changed: Vec<String>,
}

/// What preflight found in the way.
#[derive(Clone, Debug)]
pub struct Obstacle {
    pub error: ProviderError,
    /// Positions of the creates and updates that it hinders. Of an unreachable place the others can go on without them.
    pub calls: Vec<usize>,
}

/// What a create or update left.
#[derive(Clone, PartialEq, Debug)]
pub struct Made {
    pub id: String,
    pub outputs: Map,
}

/// Something to do that is no resource: drain a member, hold it to its health check, undrain it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// For messages and ordering only: `home/autoscaling_groups.web/drain.web1`.
    pub address: Address,
    pub provider: String,
    pub verb: String,
    pub place: Value,
    pub lane: String,
    pub inputs: Map,
    /// Given up after so long, milliseconds.
    pub timeout_ms: u64,
}

/// A question of `status`: how is this doing now?
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Probe {
    pub component: ComponentId,
    /// What it is about: a host, a member, an endpoint.
    pub subject: String,
    pub provider: String,
    pub place: Value,
    pub verb: String,
    pub inputs: Map,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    Healthy,
    Degraded,
    Down,
    Unreachable,
}

/// The answer to a probe, as the load balancers and hosts see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Health {
    pub state: HealthState,
    /// One line: "serving, 3 of 3 members up".
    pub detail: String,
}

/// Something of ours that was found in the world by its marks, without any state.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    pub address: Address,
    pub kind: String,
    pub id: String,
    pub token: Option<String>,
    /// Inputs as far as the mark tells; sensitive ones as digests.
    pub inputs: Map,
    pub outputs: Map,
}

/// What turns components into resources and resources into the real thing.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The word of a region's `provider`.
    fn name(&self) -> &'static str;

    /// The schema of a kind that it makes.
    fn kind(&self, name: &str) -> Option<&'static Kind>;

    /// Why what was made at one place is not met at the other: "it was eu-west-1, and is eu-central-1 now". A host may get
    /// another address, and is the same.
    fn elsewhere(&self, _made: &Value, _wanted: &Value) -> Option<String> {
        None
    }

    /// How many steps may run at once in one lane.
    fn lane_limit(&self) -> usize;

    /// What `expand` must know. An unsupported component is a `Problem` of `expand`, not of this.
    fn lookups(&self, request: &ExpandRequest<'_>) -> Vec<Lookup>;

    /// Answers [`Lookup::Provider`] questions, in order. What `standing` of the region tells for good need not be asked again.
    async fn lookup(
        &self,
        context: &Context,
        region: &Region,
        lookups: &[Lookup],
        standing: &[Standing<'_>],
    ) -> Vec<Result<Value, ProviderError>>;

    /// Component to resources: pure, and the same for the same input.
    fn expand(&self, request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>>;

    /// Before the first change: everything that can be known to fail. `calls` are the creates and updates ahead, `deletes`
    /// what is removed; what is replaced is among both, with the same id. What cannot be asked is told as progress, and
    /// hinders nothing.
    async fn preflight(&self, context: &Context, calls: &[Call], deletes: &[Call]) -> Vec<Obstacle>;

    /// Looks at many resources, answers in order; `None` where there is nothing.
    async fn read(
        &self,
        context: &Context,
        requests: &[ReadRequest],
    ) -> Vec<Result<Option<Observed>, ProviderError>>;

    /// Makes it. Called again with the same token after an uncertain end, it must not make a second one.
    async fn create(&self, context: &Context, call: &Call) -> Result<Made, ProviderError>;

    async fn update(&self, context: &Context, call: &Call) -> Result<Made, ProviderError>;

    /// Gives what was made under another address (`from`) the call's address: its marks only, nothing that it does.
    /// Done already is success.
    async fn rename(&self, context: &Context, call: &Call, from: &Address) -> Result<(), ProviderError>;

    /// Removes it; gone already is success.
    async fn delete(&self, context: &Context, call: &Call) -> Result<(), ProviderError>;

    /// Does something that is no resource.
    async fn operate(&self, context: &Context, operation: &Operation) -> Result<(), ProviderError>;

    /// Everything that carries the context's stack, one answer for each place in order. A place that cannot be looked at
    /// says so and hides nothing of the others; what two places share is named at the first of them.
    async fn find(&self, context: &Context, places: &[Value]) -> Vec<Result<Vec<Found>, ProviderError>>;

    /// Describes what somebody else built. `within` is what to look in: the id of a VPC.
    async fn survey(&self, context: &Context, region: &Region, within: &str)
    -> Result<Survey, ProviderError>;

    /// Answers probes, in order.
    async fn probe(&self, context: &Context, probes: &[Probe]) -> Vec<Health>;

    /// Before the process ends: close connections.
    async fn close(&self);
}

/// The longest that any one call may take, waits aside.
pub const OPERATION_TIMEOUT_MAX: Duration = Duration::from_secs(15 * 60);
