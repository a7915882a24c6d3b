//! Making a plan: every resource judged, every step ordered. Pure.

mod deletions;
mod members;
mod open;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashMap, HashSet},
    iter,
    rc::Rc,
    sync::Arc,
};

use standfast_contract::{
    Address, Attribute, Desired, Kind, Map, Observed, OutputRef, SecretSource, Stack, Target, Value, Vault,
    secret::SecretError,
    value::{resolve_like, resolve_map},
};
use standfast_state::{Head, OpenIntent};

use super::{
    Action, Because, Change, FORMAT_VERSION, Plan, Prior, Purpose, Selection, Step, Summary, Wait, Warning,
    diff::{Seen, Verdict, differences, judge},
    in_flight, leaves,
    observe::{Look, Observations, Providers, secret_digests},
    recorded::{Interrupted, Recorded},
    select::{self, Selected},
};
use crate::graph::Graph;

/// Everything that a plan is made of.
pub struct Situation<'a> {
    pub stack: Stack,
    pub purpose: Purpose,
    pub head: Head,
    /// Empty for a destroy.
    pub graph: &'a Graph,
    /// With `moved` already applied.
    pub recorded: &'a [Recorded],
    /// New address to old.
    pub moves: HashMap<Address, Address>,
    pub observations: Option<&'a Observations>,
    /// What earlier runs left without an outcome.
    pub open_intents: &'a [OpenIntent],
    /// The creates among it.
    pub interrupted: HashMap<Address, Interrupted>,
    pub providers: &'a Providers,
    pub vault: &'a Vault,
    pub selection: Selection,
    /// Selectors of `--replace`.
    pub replace: Vec<String>,
    /// Selectors of `removed`.
    pub forget: Vec<String>,
    pub plan_id: String,
    pub blueprint: Option<String>,
    pub blueprint_path: Option<String>,
    pub variables: Map,
}

/// Why no plan can be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Some of its steps must not be. The plan is there to be shown: what else it would do, and which steps those are.
    #[error("the plan would {}", [protected.as_slice(), no_way_back.as_slice()].concat().join("\nthe plan would "))]
    Refused { plan: Box<Plan>, protected: Vec<String>, no_way_back: Vec<String> },
    #[error("{selector} names nothing in the blueprint or the state")]
    NoSuchTarget { selector: String },
    #[error("the provider {provider} of {address} has no kind `{kind}`")]
    UnknownKind { provider: String, address: Address, kind: String },
    /// Each region once.
    #[error("{}", .0.join("\n"))]
    Elsewhere(Vec<String>),
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// What is added to the reason of a step.
const PROTECTED: &str = "; refused: it is protected";

/// What has become of a wanted resource while planning.
enum Fate {
    /// Not selected and not recorded.
    Absent,
    /// As recorded.
    Same {
        recorded: usize,
    },
    Changed {
        recorded: Option<usize>,
        action: Action,
        inputs: Arc<Map>,
    },
}

/// Makes the plan.
pub fn make(situation: &Situation<'_>) -> Result<Plan, PlanError> {
    let asked = situation.selection.selectors().chain(&situation.replace);
    if let Some(selector) = select::unknown(asked, situation.graph, situation.recorded) {
        return Err(PlanError::NoSuchTarget { selector: selector.to_owned() });
    }
    check_places(situation)?;
    let mut maker = Maker::new(situation);
    if situation.purpose == Purpose::RefreshOnly {
        maker.refresh_only()?;
    } else {
        for position in 0..situation.graph.len() as u32 {
            maker.wanted(position)?;
        }
        maker.unwanted()?;
        maker.order_deletions();
    }
    maker.finish()
}

/// What has been made stays where it is: looked for elsewhere it would seem to be gone, and be left behind.
fn check_places(situation: &Situation<'_>) -> Result<(), PlanError> {
    let mut told: Vec<(&str, String)> = Vec::new();
    for record in situation.recorded {
        let region = record.address.region();
        let Some(position) = situation.graph.position(&record.address) else { continue };
        let desired = &situation.graph.resources[position as usize];
        let (made, wanted) = (&record.payload.place, &desired.place);
        if told.iter().any(|(known, _)| *known == region) {
            continue;
        }
        let why = if record.provider != desired.provider {
            Some(format!("its provider was {}, and is {} now", record.provider, desired.provider))
        } else if made == wanted {
            None
        } else {
            let provider = situation.providers.get(&record.provider);
            provider.and_then(|provider| provider.elsewhere(made, wanted))
        };
        told.extend(
            why.map(|why| (region, format!("what is in the region `{region}` would be left behind: {why}"))),
        );
    }
    if told.is_empty() {
        Ok(())
    } else {
        Err(PlanError::Elsewhere(told.into_iter().map(|(_, why)| why).collect()))
    }
}

struct Maker<'a> {
    situation: &'a Situation<'a>,
    selected: Selected,
    /// Position in `recorded` of each current object.
    recorded_at: HashMap<&'a Address, usize>,
    fates: Vec<Fate>,
    /// The nearest steps at or below each wanted resource.
    reach: Vec<Rc<[Wait]>>,
    steps: Vec<Step>,
    step_of: HashMap<Address, u32>,
    summary: Summary,
    /// Of those that do not change.
    unread: usize,
    protected: Vec<String>,
    /// Changes in place that go only the other way.
    no_way_back: Vec<String>,
    /// Generated secrets that are not what was applied, each with one that has it.
    new_secrets: BTreeMap<String, Address>,
    /// Who has what nobody else may have: by kind, attribute and value.
    held: OnceCell<HashMap<(&'a str, &'static str, &'a str), &'a Address>>,
}

impl<'a> Maker<'a> {
    fn new(situation: &'a Situation<'a>) -> Self {
        let current = situation.recorded.iter().enumerate().filter(|(_, record)| record.deposed.is_empty());
        Maker {
            selected: situation.selection.over(situation.graph, situation.recorded),
            recorded_at: current.map(|(at, record)| (&record.address, at)).collect(),
            fates: Vec::with_capacity(situation.graph.len()),
            reach: Vec::with_capacity(situation.graph.len()),
            steps: Vec::new(),
            step_of: HashMap::new(),
            summary: Summary::default(),
            unread: 0,
            protected: Vec::new(),
            no_way_back: Vec::new(),
            new_secrets: BTreeMap::new(),
            held: OnceCell::new(),
            situation,
        }
    }

    fn kind(&self, provider: &str, address: &Address, kind: &str) -> Result<&'static Kind, PlanError> {
        self.situation.providers.kind(provider, kind).ok_or_else(|| PlanError::UnknownKind {
            provider: provider.to_owned(),
            address: address.clone(),
            kind: kind.to_owned(),
        })
    }

    fn seen(&self, address: &Address) -> Seen<'a> {
        match self.situation.observations.and_then(|observations| observations.looks.get(address)) {
            Some(Look::Gone) => Seen::Gone,
            Some(Look::There(observed)) => Seen::There(observed),
            Some(Look::Unreadable(_)) | None => Seen::NotRead,
        }
    }

    /// Whether it was asked for and gave no answer.
    fn unreadable(&self, address: &Address) -> bool {
        let looks = self.situation.observations.map(|observations| &observations.looks);
        looks.is_some_and(|looks| matches!(looks.get(address), Some(Look::Unreadable(_))))
    }

    /// Judges one wanted resource; those it depends on have been judged before.
    fn wanted(&mut self, position: u32) -> Result<(), PlanError> {
        let desired = &self.situation.graph.resources[position as usize];
        let recorded = self.recorded_at.get(&desired.address).copied();
        if !self.selected.wants(position) {
            return self.keep(position, recorded);
        }
        let kind = self.kind(&desired.provider, &desired.address, &desired.kind)?;
        let record = recorded.map(|at| &self.situation.recorded[at]);
        let known = |reference: &OutputRef| self.output(reference);
        let vault = self.situation.vault;
        let inputs = match record {
            Some(record) => resolve_like(&record.payload.inputs, &desired.inputs, &known, vault)?,
            None => Arc::new(resolve_map(&desired.inputs, &known, vault)?),
        };
        let seen = self.seen(&desired.address);
        let Some(record) = record else {
            return match seen {
                Seen::There(observed) if self.situation.interrupted.contains_key(&desired.address) => {
                    self.adopt(position, kind, inputs, observed)
                }
                _ => self.change(position, None, Action::Create, "new".into(), Vec::new(), inputs),
            };
        };
        let verdict = if record.kind == desired.kind {
            let ignore = &desired.lifecycle.ignore_changes;
            judge(kind, &inputs, Some(&record.payload.inputs), seen, ignore)
        } else {
            Verdict::Replace { reason: format!("its kind was {}", record.kind), changes: Vec::new() }
        };
        let asked = self.situation.replace.iter().any(|selector| desired.address.matches(selector));
        match verdict {
            Verdict::NoOp | Verdict::Update { .. } if asked => self.change(
                position,
                recorded,
                Action::Replace,
                "asked for by --replace".into(),
                Vec::new(),
                inputs,
            ),
            Verdict::NoOp => match self.record_only(desired, record) {
                Some((action, reason)) => self.change(position, recorded, action, reason, Vec::new(), inputs),
                None => {
                    self.unread += usize::from(self.unreadable(&desired.address));
                    self.keep(position, recorded)
                }
            },
            Verdict::Create { reason } => {
                self.change(position, recorded, Action::Create, reason, Vec::new(), inputs)
            }
            Verdict::Update { mut reason, changes } => {
                if self.refuse_back(kind, &desired.address, &changes) {
                    reason.push_str("; refused: there is no way back");
                }
                self.note_secrets(desired, &changes);
                self.change(position, recorded, Action::Update, reason, changes, inputs)
            }
            Verdict::Replace { reason, changes } => {
                self.change(position, recorded, Action::Replace, reason, changes, inputs)
            }
        }
    }

    /// Of what goes one way in place, and is asked to go back; whether there is any.
    fn refuse_back(&mut self, kind: &Kind, address: &Address, changes: &[Change]) -> bool {
        let before = self.no_way_back.len();
        let back = changes.iter().filter(|change| {
            let way = kind.attribute(&change.attribute).map(|attribute| attribute.way).unwrap_or_default();
            way.forbids(&change.before, &change.after)
        });
        self.no_way_back.extend(back.map(|Change { attribute, before, after, .. }| {
            format!(
                "take `{attribute}` of {address} back from {before} to {after}, which cannot be done in place"
            )
        }));
        self.no_way_back.len() > before
    }

    /// What `generate` makes never changes: where it differs from what was applied, the file was lost or is another machine's.
    fn note_secrets(&mut self, desired: &Desired, changes: &[Change]) {
        for change in changes.iter().filter(|change| change.before != Value::Null) {
            if let Some(Value::Secret(SecretSource::Generate { name, .. })) =
                desired.inputs.get(&change.attribute)
            {
                self.new_secrets.entry(name.clone()).or_insert_with(|| desired.address.clone());
            }
        }
    }

    /// What an unchanged resource still has to have written down.
    fn record_only(&self, desired: &Desired, record: &Recorded) -> Option<(Action, String)> {
        if let Some(from) = self.situation.moves.get(&desired.address) {
            return Some((Action::Move, format!("was {from}")));
        }
        let payload = &record.payload;
        let said = [
            ("lifecycle", desired.lifecycle != payload.lifecycle),
            ("place", place_differs(&desired.place, &payload.place)),
        ];
        let differing: Vec<&str> =
            said.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
        (!differing.is_empty()).then(|| (Action::Refresh, format!("its {} changed", differing.join(" and "))))
    }

    fn keep(&mut self, position: u32, recorded: Option<usize>) -> Result<(), PlanError> {
        if recorded.is_some() {
            self.summary.no_op += 1;
        }
        self.fates.push(recorded.map_or(Fate::Absent, |recorded| Fate::Same { recorded }));
        self.reach.push(self.waits(position));
        Ok(())
    }

    /// An interrupted create that did take effect becomes an update of what it made.
    fn adopt(
        &mut self,
        position: u32,
        kind: &Kind,
        inputs: Arc<Map>,
        observed: &Observed,
    ) -> Result<(), PlanError> {
        let changes = differences(kind, &inputs, &observed.attributes, Seen::NotRead, &[]);
        let action = match changes.as_slice() {
            [] => Action::Refresh,
            changes if changes.iter().any(|change| change.forces_replacement) => Action::Replace,
            _ => Action::Update,
        };
        let reason = "made by a run that was interrupted; adopted".to_owned();
        self.change(position, None, action, reason, changes, inputs)?;
        if let Some(step) = self.steps.last_mut() {
            // There is no record of it that could be set aside.
            step.create_before_destroy = false;
            step.prior = Some(Prior {
                id: observed.id.clone(),
                inputs: observed.attributes.clone(),
                outputs: observed.outputs.clone(),
            });
        }
        Ok(())
    }

    fn change(
        &mut self,
        position: u32,
        recorded: Option<usize>,
        action: Action,
        mut reason: String,
        changes: Vec<Change>,
        inputs: Arc<Map>,
    ) -> Result<(), PlanError> {
        let graph = self.situation.graph;
        let desired = &graph.resources[position as usize];
        let record = recorded.map(|at| &self.situation.recorded[at]);
        if action == Action::Replace && record.is_some_and(|record| record.payload.lifecycle.prevent_destroy)
        {
            let root = self.root(position).map(|root| format!(", since {root}")).unwrap_or_default();
            self.protected.push(format!("replace {} ({reason}{root}), which is protected", desired.address));
            reason.push_str(PROTECTED);
        }
        let kind = self.kind(&desired.provider, &desired.address, &desired.kind)?;
        let observed = match self.seen(&desired.address) {
            Seen::There(observed) => Some(observed),
            _ => None,
        };
        let create_before_destroy =
            action == Action::Replace && self.may_create_first(position, kind, record);
        let mut inputs = inputs;
        let mut step_inputs = keep_ignored(desired, kind, action, record, observed);
        for (name, chosen) in self.chosen(desired, kind, action, create_before_destroy) {
            if inputs.get(name) != Some(&chosen) {
                Arc::make_mut(&mut inputs).insert(name.to_owned(), chosen.clone());
                step_inputs.insert(name.to_owned(), chosen);
            }
        }
        let step = Step {
            address: desired.address.clone(),
            deposed: String::new(),
            kind: desired.kind.clone(),
            provider: desired.provider.clone(),
            action,
            reason,
            changes,
            lane: desired.lane.clone(),
            place: desired.place.clone(),
            inputs: step_inputs,
            prior: record.filter(|_| action != Action::Create).map(|record| prior(record, observed)),
            lifecycle: desired.lifecycle.clone(),
            dependencies: graph
                .dependencies(position)
                .iter()
                .map(|edge| graph.resources[edge.to as usize].address.clone())
                .collect(),
            after: self.waits(position).to_vec(),
            dependants: Vec::new(),
            create_before_destroy,
            token: self.token(&desired.address),
            moved_from: self.situation.moves.get(&desired.address).cloned(),
        };
        self.fates.push(Fate::Changed { recorded, action, inputs });
        let number = self.push(step);
        self.reach.push(Rc::from([Wait { step: number, soft: false }]));
        Ok(())
    }

    /// The change below a resource that it follows, if that is a replacement: "`cidr` of home/networks.main/vpc.main changes".
    fn root(&self, position: u32) -> Option<String> {
        let graph = self.situation.graph;
        let mut queue: Vec<u32> = graph.dependencies(position).iter().map(|edge| edge.to).collect();
        let mut known = HashSet::new();
        while let Some(at) = queue.pop() {
            if !known.insert(at) {
                continue;
            }
            let address = &graph.resources[at as usize].address;
            let Some(step) = self.step_of.get(address).map(|&step| &self.steps[step as usize]) else {
                continue;
            };
            if step.action != Action::Replace {
                continue;
            }
            let own = step.changes.iter().find(|it| it.forces_replacement && it.because != Because::Upstream);
            match own {
                Some(change) => return Some(format!("`{}` of {address} changes", change.attribute)),
                None => queue.extend(graph.dependencies(at).iter().map(|edge| edge.to)),
            }
        }
        None
    }

    /// The token of an interrupted create, for the same try again. Where old copies are all that is there, one of them may be
    /// what it made: then it is spent.
    fn token(&self, address: &Address) -> Option<String> {
        let told = self.situation.interrupted.get(address)?;
        let set_aside = |record: &Recorded| !record.deposed.is_empty() && record.address == *address;
        let spent = self.seen(address) == Seen::Gone && self.situation.recorded.iter().any(set_aside);
        (!spent).then(|| told.token.clone())
    }

    /// What is not as expansion says, but as it was or must be chosen for the one thing.
    fn chosen(
        &self,
        desired: &Desired,
        kind: &Kind,
        action: Action,
        beside_old: bool,
    ) -> Vec<(&'static str, Value)> {
        match action {
            Action::Create | Action::Replace => self.free(desired, kind, beside_old),
            _ => self.kept(desired, kind),
        }
    }

    /// What was chosen when the thing was made, and stays as long as it is there.
    fn kept(&self, desired: &Desired, kind: &Kind) -> Vec<(&'static str, Value)> {
        let recorded = self.recorded_at.get(&desired.address).map(|at| &self.situation.recorded[*at]);
        let made_with = match (recorded, self.seen(&desired.address)) {
            (Some(record), _) => &*record.payload.inputs,
            (None, Seen::There(observed)) => &observed.attributes,
            (None, _) => return Vec::new(),
        };
        let kept = kind.attributes.iter().filter(|attribute| attribute.kept);
        let made_with = kept.filter_map(|attribute| Some((attribute.name, made_with.get(attribute.name)?)));
        let chosen = made_with.filter(|(_, value)| **value != Value::Null);
        chosen.map(|(name, value)| (name, value.clone())).collect()
    }

    fn held(&self) -> &HashMap<(&'a str, &'static str, &'a str), &'a Address> {
        self.held.get_or_init(|| {
            let records = self.situation.recorded.iter();
            let each = records.flat_map(|record| {
                let kind = self.situation.providers.kind(&record.provider, &record.kind);
                let unique = kind.into_iter().flat_map(|kind| kind.attributes).filter(|one| one.unique);
                unique.filter_map(move |Attribute { name, .. }| {
                    let value = record.payload.inputs.get(*name)?.as_str()?;
                    Some(((record.kind.as_str(), *name, value), &record.address))
                })
            });
            each.collect()
        })
    }

    /// What a new thing has for itself alone, such that no old copy beside it has the same, nor what has another name in the
    /// blueprint now ([`super::moved`]).
    fn free(&self, desired: &Desired, kind: &Kind, beside_old: bool) -> Vec<(&'static str, Value)> {
        let unique: Vec<&str> = kind
            .attributes
            .iter()
            .filter(|attribute| attribute.unique)
            .map(|attribute| attribute.name)
            .collect();
        if unique.is_empty() {
            return Vec::new();
        }
        let copies =
            self.situation.recorded.iter().filter(|record| {
                record.address == desired.address && (beside_old || !record.deposed.is_empty())
            });
        let copies: Vec<&Map> = copies.map(|record| &*record.payload.inputs).collect();
        let free = unique.into_iter().filter_map(|name| {
            let taken = |text: &String| {
                let holder = self.held().get(&(desired.kind.as_str(), name, text.as_str()));
                holder.is_some_and(|holder| **holder != desired.address)
                    || copies.iter().any(|copy| copy.get(name).and_then(Value::as_str) == Some(text))
            };
            let wanted = desired.inputs.get(name)?.as_str()?.to_owned();
            let candidates = iter::successors(Some(wanted), |taken| Some(Attribute::another(taken)));
            Some((name, candidates.take(Attribute::OTHERS).find(|text| !taken(text))?.into()))
        });
        free.collect()
    }

    /// The new one may come first where the kind allows it and nothing below it must go first.
    fn may_create_first(&self, position: u32, kind: &Kind, record: Option<&Recorded>) -> bool {
        let graph = self.situation.graph;
        let asked = graph.resources[position as usize].lifecycle.create_before_destroy.unwrap_or(true);
        let wanted =
            graph.dependencies(position).iter().map(|edge| &graph.resources[edge.to as usize].address);
        // Also what it depended on until now: the old one there waits for the old one here to go.
        let below = wanted.chain(record.into_iter().flat_map(|record| &record.dependencies));
        let below_goes_first = below.filter_map(|address| self.step_of.get(address)).any(|&step| {
            let step = &self.steps[step as usize];
            step.action == Action::Replace && !step.create_before_destroy
        });
        kind.create_before_destroy && asked && !below_goes_first
    }

    fn push(&mut self, step: Step) -> u32 {
        let number = self.steps.len() as u32;
        self.summary.count(step.action);
        if step.deposed.is_empty() {
            self.step_of.insert(step.address.clone(), number);
        }
        self.steps.push(step);
        number
    }

    /// The nearest steps below a resource: through resources that stay as they are, to those that change.
    fn waits(&self, position: u32) -> Rc<[Wait]> {
        let edges = self.situation.graph.dependencies(position);
        if self.steps.is_empty() || edges.is_empty() {
            return Rc::from([]);
        }
        if let [edge] = edges
            && !edge.soft
        {
            return Rc::clone(&self.reach[edge.to as usize]);
        }
        let mut waits: Vec<Wait> = edges
            .iter()
            .flat_map(|edge| {
                let below = &self.reach[edge.to as usize];
                below.iter().map(|wait| Wait { step: wait.step, soft: wait.soft || edge.soft })
            })
            .collect();
        waits.sort_unstable();
        waits.dedup_by_key(|wait| wait.step);
        waits.into()
    }

    /// What an output is known to be while planning; `None` is known after apply.
    fn output(&self, reference: &OutputRef) -> Option<Value> {
        let Target::Resource(address) = &reference.of else { return None };
        let position = self.situation.graph.position(address)?;
        let recorded = |at: usize| {
            let record = &self.situation.recorded[at];
            match self.seen(address) {
                Seen::There(observed) => observed.outputs.get(&reference.output),
                _ => None,
            }
            .or_else(|| record.payload.outputs.get(&reference.output))
            .or_else(|| record.payload.inputs.get(&reference.output))
            .cloned()
        };
        match &self.fates[position as usize] {
            Fate::Absent => None,
            Fate::Same { recorded: at } => recorded(*at),
            Fate::Changed { recorded: at, action, inputs } => {
                if let Some(input) = inputs.get(&reference.output) {
                    return (!input.is_unknown()).then(|| input.clone());
                }
                let resource = &self.situation.graph.resources[position as usize];
                let kind = self.situation.providers.kind(&resource.provider, &resource.kind)?;
                let stable = kind.attribute(&reference.output).is_some_and(|attribute| attribute.stable);
                let untouched = matches!(action, Action::Refresh | Action::Move);
                let kept = untouched || (stable && *action == Action::Update);
                kept.then(|| at.and_then(recorded)).flatten()
            }
        }
    }

    fn finish(self) -> Result<Plan, PlanError> {
        let situation = self.situation;
        let out = match situation.purpose {
            Purpose::Apply => in_flight::out_of_service(situation.open_intents),
            Purpose::Destroy | Purpose::RefreshOnly => HashSet::new(),
        };
        let rollouts = members::rollouts(situation.graph, &self.selected, &self.steps, &self.step_of, &out);
        let in_flight = self.in_flight(&rollouts);
        let values = self.steps.iter().flat_map(|step| step.inputs.values().chain([&step.place]));
        let operations = rollouts.iter().flat_map(|rollout| &rollout.members);
        let places =
            operations.flat_map(|member| member.before.iter().chain(&member.after)).map(|one| &one.place);
        let secrets = secret_digests(values.chain(places), situation.vault)?;
        let mut warnings = situation.observations.map(Observations::warnings).unwrap_or_default();
        warnings.extend(members::together(&self.steps, &rollouts));
        warnings.extend(self.new_secrets.iter().map(|(name, address)| Warning {
            subject: format!("secrets.{name}"),
            message: format!("it is not what {address} was made with, and takes the place of that"),
            hint: Some(format!(
                "if `.standfast/secrets/{name}` was lost, or is on another machine, bring it here and plan again"
            )),
        }));
        warnings.extend(leaves::warnings(&self.steps, situation.providers));
        let plan = Plan {
            format_version: FORMAT_VERSION,
            id: situation.plan_id.clone(),
            purpose: situation.purpose,
            stack: situation.stack.clone(),
            lineage: situation.head.lineage.clone(),
            serial: situation.head.serial,
            summary: self.summary,
            steps: self.steps,
            rollouts,
            outputs: situation.graph.outputs.clone(),
            probes: situation.graph.probes.clone(),
            warnings,
            unread: self.unread,
            in_flight,
            resumed: None,
            secrets,
            blueprint: situation.blueprint.clone(),
            blueprint_path: situation.blueprint_path.clone(),
            variables: situation.variables.clone(),
        };
        let (protected, no_way_back) = (self.protected, self.no_way_back);
        if protected.is_empty() && no_way_back.is_empty() {
            return Ok(plan);
        }
        Err(PlanError::Refused { plan: Box::new(plan), protected, no_way_back })
    }
}

/// The wanted inputs, with what is to be left alone as it is: an update sends all of them.
///
/// Secrets are sent as wanted: of what they are now, only a digest is known.
fn keep_ignored(
    desired: &Desired,
    kind: &Kind,
    action: Action,
    record: Option<&Recorded>,
    observed: Option<&Observed>,
) -> Map {
    let mut inputs = desired.inputs.clone();
    let (Some(record), false) = (record, matches!(action, Action::Create | Action::Replace)) else {
        return inputs;
    };
    for name in &desired.lifecycle.ignore_changes {
        if kind.attribute(name).is_some_and(|attribute| attribute.sensitive) {
            continue;
        }
        let now = observed.and_then(|observed| observed.attributes.get(name));
        match now.or_else(|| record.payload.inputs.get(name)) {
            Some(value) => inputs.insert(name.clone(), value.clone()),
            None => inputs.remove(name),
        };
    }
    inputs
}

/// What the record says, with the outputs as they are now.
fn prior(record: &Recorded, observed: Option<&Observed>) -> Prior {
    let mut outputs = Map::clone(&record.payload.outputs);
    outputs.extend(observed.into_iter().flat_map(|observed| observed.outputs.clone()));
    Prior { id: record.id.clone(), inputs: Map::clone(&record.payload.inputs), outputs }
}

/// Whether a place is another one than recorded. Recorded places hold secrets by source, as desired ones do.
fn place_differs(desired: &Value, recorded: &Value) -> bool {
    desired != recorded
}
