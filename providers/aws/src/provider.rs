//! The contract's provider, alike for all kinds: sites, reading in batches, looking before a create is repeated. `observe` has
//! what a look gives, `settle` the waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::join_all;
use standfast_contract::{
    Address, Answers, Call, Context, ErrorClass, ExpandRequest, Expansion, Found, Health, HealthState, Kind,
    Lookup, Made, Observed, Obstacle, Operation, Probe, Problem, Provider, ProviderError, ReadRequest,
    Region, Standing, Survey, Value,
};
use tokio::{sync::OnceCell, time::sleep};

use crate::{
    clients::Site,
    expand,
    failure::{Failure, Trouble},
    health,
    kinds::{self, Job, Seen, Select, Told, Works},
    look_up, marks,
    observe::{DOUBTS_MAX, confirmed, found_as, look_for, observed},
    place::Place,
    preflight,
    settle::{id_of, listed, make, ready, remove, settle},
    survey,
};

/// Steps at once in one lane. Most of them wait for AWS; how fast calls are made is the SDK's rate limit.
const LANE_LIMIT: usize = 32;

/// Requests of one kind at one place, by their positions.
type Batch<'a> = (&'a Value, &'a str, Vec<usize>);
type Answer = Result<Option<Observed>, ProviderError>;

/// AWS.
#[derive(Default)]
pub struct AwsProvider {
    sites: Mutex<BTreeMap<Place, Arc<OnceCell<Arc<Site>>>>>,
    /// Tokens of creates that had no answer.
    doubts: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for AwsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsProvider")
    }
}

impl AwsProvider {
    pub fn new() -> Self {
        AwsProvider::default()
    }

    /// With a site that is open already.
    #[cfg(test)]
    pub(crate) fn with(site: Site) -> Self {
        let place = site.place.clone();
        let cell = Arc::new(OnceCell::new_with(Some(Arc::new(site))));
        AwsProvider { sites: Mutex::new([(place, cell)].into()), doubts: Mutex::default() }
    }

    /// Opened once, however many ask at the same time.
    pub(crate) async fn site(&self, place: &Place) -> Result<Arc<Site>, ProviderError> {
        let cell = {
            let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sites.entry(place.clone()).or_default())
        };
        cell.get_or_try_init(|| async { Site::open(place).await.map(Arc::new) }).await.cloned()
    }

    async fn site_of(&self, place: &Value) -> Result<Arc<Site>, ProviderError> {
        self.site(&Place::parse(place)?).await
    }

    /// All that was asked of one kind at one place: a call for each page of ids, and one list where an id is not known. With
    /// what the answers tell of others.
    async fn read_kind(
        &self,
        context: &Context,
        place: &Value,
        kind: &str,
        requests: &[&ReadRequest],
    ) -> (Vec<Answer>, Vec<Told>) {
        let looked = async {
            let site = self.site_of(place).await?;
            let works = known(kind)?;
            look_for(&site, works, context, requests)
                .await
                .map_err(|failure| failure.of(format!("look at {kind} in {}", site.place.location), false))
        };
        match looked.await {
            Ok((seen, told)) => (requests.iter().map(|request| observed(request, &seen)).collect(), told),
            Err(error) => (requests.iter().map(|_| Err(error.clone())).collect(), Vec::new()),
        }
    }

    /// All batches side by side: each answer with the position of its request, and what the answers tell of others.
    async fn read_all(
        &self,
        context: &Context,
        requests: &[ReadRequest],
        batches: Vec<Batch<'_>>,
    ) -> (Vec<(usize, Answer)>, Vec<Told>) {
        let looks = batches.into_iter().map(|(place, kind, members)| async move {
            let asked: Vec<&ReadRequest> = members.iter().map(|&at| &requests[at]).collect();
            let (answers, told) = self.read_kind(context, place, kind, &asked).await;
            (members.into_iter().zip(answers).collect::<Vec<_>>(), told)
        });
        let (answers, told): (Vec<_>, Vec<_>) = join_all(looks).await.into_iter().unzip();
        (answers.into_iter().flatten().collect(), told.into_iter().flatten().collect())
    }

    /// What an earlier try with this token made. Where that had no answer, what is not listed at once may be soon.
    async fn made_earlier(&self, works: &dyn Works, job: &Job<'_>) -> Result<Option<String>, Failure> {
        let token = &job.call.token;
        let in_doubt = self.doubts().contains(token);
        for look in 1.. {
            let seen = kinds::look(works, job.site, Select::Token(&job.context.stack, token)).await?;
            if let Some(seen) = seen.into_iter().find(Seen::is_there) {
                return Ok(Some(seen.id));
            }
            if !in_doubt || look >= DOUBTS_MAX {
                break;
            }
            sleep(job.site.poll).await;
        }
        Ok(None)
    }

    fn doubts(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find_at(&self, context: &Context, place: &Place) -> Result<Vec<Found>, ProviderError> {
        let site = self.site(place).await?;
        let looks = kinds::all().map(|works| {
            let site = Arc::clone(&site);
            async move { (works.kind().name, kinds::look(works, &site, Select::Stack(&context.stack)).await) }
        });
        let mut found = Vec::new();
        for (kind, seen) in join_all(looks).await {
            let seen = seen.map_err(|failure| {
                failure.of(format!("look for {kind} of this stack in {}", site.place.location), false)
            })?;
            found.extend(seen.into_iter().filter(Seen::is_there).filter_map(|seen| found_as(kind, seen)));
        }
        Ok(found)
    }
}

/// The zones that have subnets, where those are all that are wanted. Of several questions only: who is signed in nowhere
/// is told so by the answer to one.
fn zones_that_stand(region: &Region, lookups: &[Lookup], standing: &[Standing<'_>]) -> Option<Value> {
    let is_zones =
        |lookup: &Lookup| matches!(lookup, Lookup::Provider { question, .. } if question == look_up::ZONES);
    if lookups.iter().all(is_zones) {
        return None;
    }
    let subnets = standing.iter().filter(|one| one.kind == "subnet");
    let there: BTreeSet<&str> = subnets.filter_map(|one| one.inputs.get("zone")?.as_str()).collect();
    let wanted = expand::zones(region, &Place::of_region(region)?);
    wanted.iter().all(|zone| there.contains(zone.as_str())).then(|| kinds::list(there))
}

fn known(kind: &str) -> Result<&'static dyn Works, ProviderError> {
    kinds::by_name(kind).ok_or_else(|| {
        ProviderError::permanent(
            format!("use the kind `{kind}`"),
            "this version of standfast does not know it",
        )
        .hint("Use the version that made it.")
    })
}

#[async_trait]
impl Provider for AwsProvider {
    fn name(&self) -> &'static str {
        expand::PROVIDER
    }

    fn kind(&self, name: &str) -> Option<&'static Kind> {
        kinds::by_name(name).map(Works::kind)
    }

    fn elsewhere(&self, made: &Value, wanted: &Value) -> Option<String> {
        let (made, wanted) = (Place::parse(made).ok()?, Place::parse(wanted).ok()?);
        wanted.differs_from(&made)
    }

    fn lane_limit(&self) -> usize {
        LANE_LIMIT
    }

    fn lookups(&self, request: &ExpandRequest<'_>) -> Vec<Lookup> {
        expand::lookups(request)
    }

    async fn lookup(
        &self,
        _: &Context,
        region: &Region,
        lookups: &[Lookup],
        standing: &[Standing<'_>],
    ) -> Vec<Result<Value, ProviderError>> {
        let site = match Place::of_region(region) {
            Some(place) => self.site(&place).await,
            None => Err(expand::no_location(region)),
        };
        let site = &site;
        let zones = zones_that_stand(region, lookups, standing);
        let zones = &zones;
        let answers = lookups.iter().map(|lookup| async move {
            let site = site.clone()?;
            let Lookup::Provider { question, subject, .. } = lookup else {
                return Err(ProviderError::permanent(
                    format!("look up {lookup:?}"),
                    "this is no question to AWS",
                ));
            };
            if let (look_up::ZONES, Some(zones)) = (question.as_str(), zones) {
                return Ok(zones.clone());
            }
            look_up::answer(&site, question, subject, standing).await.map_err(|failure| {
                if let Some(shut) = site.shut(&failure) {
                    return shut;
                }
                let of = if subject.is_empty() { String::new() } else { format!(" {subject}") };
                failure.of(format!("look up the {question}{of} in {}", site.place.location), false)
            })
        });
        join_all(answers).await
    }

    fn expand(&self, request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
        expand::expand(request, answers)
    }

    async fn preflight(&self, context: &Context, calls: &[Call], deletes: &[Call]) -> Vec<Obstacle> {
        preflight::obstacles(self, context, calls, deletes).await
    }

    async fn read(
        &self,
        context: &Context,
        requests: &[ReadRequest],
    ) -> Vec<Result<Option<Observed>, ProviderError>> {
        // Few places, and few kinds at each.
        let mut batches: Vec<Batch<'_>> = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            let place = &*request.place;
            match batches.iter_mut().find(|(other, kind, _)| *kind == request.kind && *other == place) {
                Some((.., members)) => members.push(at),
                None => batches.push((place, &request.kind, vec![at])),
            }
        }
        // The answers about some tell all that is asked of others.
        let kinds: BTreeSet<&str> = batches.iter().map(|(_, kind, _)| *kind).collect();
        let is_told = |kind: &str| {
            let by = kinds::by_name(kind).and_then(|works| works.told_by());
            by.is_some_and(|by| kinds.contains(by))
        };
        let (later, first): (Vec<Batch<'_>>, Vec<_>) =
            batches.into_iter().partition(|(_, kind, _)| is_told(kind));
        let (mut answers, told) = self.read_all(context, requests, first).await;
        let mut left = later;
        for (.., members) in &mut left {
            members.retain(|&at| {
                let seen = confirmed(&requests[at], &told);
                let is_open = seen.is_none();
                answers.extend(seen.map(|seen| (at, Ok(Some(seen)))));
                is_open
            });
        }
        left.retain(|(.., members)| !members.is_empty());
        answers.extend(self.read_all(context, requests, left).await.0);
        answers.sort_unstable_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Looks for what an earlier try with this token made before it makes anything: AWS forgets most client tokens, and
    /// has none at all for many creates.
    async fn create(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        let operation = || format!("create {}", call.address);
        let site = self.site_of(&call.place).await?;
        let works = known(&call.kind)?;
        let job = Job { site: &site, context, call };
        let earlier = self.made_earlier(works, &job).await;
        let earlier = earlier.map_err(|failure| failure.of(operation(), false))?;
        // A database that somebody has stopped since may hold data.
        let may_remove = earlier.is_none() || !works.kind().holds_data;
        let id = match earlier {
            Some(id) => id,
            None => make(works, &job).await.map_err(|failure| {
                if failure.trouble == Trouble::Lost {
                    self.doubts().insert(call.token.clone());
                }
                perhaps_early(failure.by(&site), operation())
            })?,
        };
        let made = async { settle(works, &job, ready(works, &job, &id).await?).await };
        match made.await {
            Ok(made) => Ok(made),
            Err(failure) if failure.trouble == Trouble::Broken && may_remove => {
                // It would be in nobody's record.
                let removed = remove(context, &site, works, &id, &call.inputs).await;
                removed.map_err(|failure| half_made(failure, operation()))?;
                Err(failure.of(operation(), true))
            }
            Err(failure) => Err(half_made(failure.by(&site), operation())),
        }
    }

    async fn update(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        let operation = || format!("update {}", call.address);
        let site = self.site_of(&call.place).await?;
        let works = known(&call.kind)?;
        let job = Job { site: &site, context, call };
        let there = async {
            let id = id_of(context, &site, works, call).await?;
            let gone = || Failure::new(Trouble::NotFound, "", "it is not there");
            // It may never become ready without the change, and so is not waited for.
            listed(works, &job, &id.ok_or_else(gone)?).await
        };
        let seen = there.await.map_err(|failure| failure.of(operation(), true))?;
        settle(works, &job, seen).await.map_err(|failure| perhaps_early(failure.by(&site), operation()))
    }

    async fn rename(&self, context: &Context, call: &Call, from: &Address) -> Result<(), ProviderError> {
        let site = self.site_of(&call.place).await?;
        let works = known(&call.kind)?;
        let renamed = async {
            let Some(id) = id_of(context, &site, works, call).await? else { return Ok(()) };
            let marks = marks::of(&context.stack, &call.address, &call.inputs);
            works.tag(&site, &id, &marks, &[]).await
        };
        renamed
            .await
            .map_err(|failure: Failure| failure.of(format!("rename {from} to {}", call.address), true))
    }

    async fn delete(&self, context: &Context, call: &Call) -> Result<(), ProviderError> {
        let site = self.site_of(&call.place).await?;
        let works = known(&call.kind)?;
        let removed = async {
            match id_of(context, &site, works, call).await? {
                Some(id) => remove(context, &site, works, &id, &call.inputs).await,
                None => Ok(()),
            }
        };
        removed
            .await
            .map_err(|failure: Failure| failure.by(&site).of(format!("delete {}", call.address), true))
    }

    /// Holds a group to the health of its machines.
    async fn operate(&self, context: &Context, operation: &Operation) -> Result<(), ProviderError> {
        let what = format!("see {} healthy", operation.address);
        if operation.verb != health::MEMBERS {
            return Err(ProviderError::permanent(what, "the provider aws has no such operation"));
        }
        let site = self.site_of(&operation.place).await?;
        let began = Instant::now();
        let patience = Duration::from_millis(operation.timeout_ms);
        loop {
            let seen = health::members(&site, &operation.inputs).await;
            let seen = seen.map_err(|failure| failure.of(&what, false))?;
            if seen.all_serve() {
                return Ok(());
            }
            if began.elapsed() >= patience {
                return Err(ProviderError::permanent(what, format!("after {} s {}", patience.as_secs(), seen.words()))
                    .hint("The machine's own log tells more: `aws ec2 get-console-output --latest --instance-id ...`."));
            }
            (context.progress)(&seen.words());
            sleep(site.poll * 2).await;
        }
    }

    async fn find(&self, context: &Context, places: &[Value]) -> Vec<Result<Vec<Found>, ProviderError>> {
        let looks = places.iter().map(|place| async { self.find_at(context, &Place::parse(place)?).await });
        let mut named: Vec<(String, String)> = Vec::new();
        let mut answers = join_all(looks).await;
        for found in answers.iter_mut().flatten() {
            found.retain(|found| {
                let key = (found.kind.clone(), found.id.clone());
                let is_new = !named.contains(&key);
                if is_new {
                    named.push(key);
                }
                is_new
            });
        }
        answers
    }

    async fn survey(&self, _: &Context, region: &Region, within: &str) -> Result<Survey, ProviderError> {
        let place = Place::of_region(region).ok_or_else(|| expand::no_location(region))?;
        if let Some((message, hint)) = place.no_region("--region ") {
            return Err(ProviderError::permanent(format!("look into {within}"), message).hint(hint));
        }
        survey::survey(self.site(&place).await?.as_ref(), region, within).await
    }

    async fn probe(&self, _: &Context, probes: &[Probe]) -> Vec<Health> {
        let mut places: Vec<(&Value, Vec<usize>)> = Vec::new();
        for (at, probe) in probes.iter().enumerate() {
            match places.iter_mut().find(|(place, _)| **place == probe.place) {
                Some((_, members)) => members.push(at),
                None => places.push((&probe.place, vec![at])),
            }
        }
        let asked = places.into_iter().map(|(place, members)| async move {
            let questions: Vec<&Probe> = members.iter().map(|&at| &probes[at]).collect();
            let told = match self.site_of(place).await {
                Ok(site) => health::ask(&site, &questions).await.into_iter().map(unanswered).collect(),
                Err(error) => vec![unreachable(&error); questions.len()],
            };
            members.into_iter().zip(told).collect::<Vec<_>>()
        });
        let mut answers: Vec<(usize, Health)> = join_all(asked).await.into_iter().flatten().collect();
        answers.sort_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, health)| health).collect()
    }

    async fn close(&self) {}
}

fn unanswered(answer: Result<Health, Failure>) -> Health {
    answer.unwrap_or_else(|failure| unreachable(&failure.of("ask AWS", false)))
}

fn unreachable(error: &ProviderError) -> Health {
    Health { state: HealthState::Unreachable, detail: error.reason.clone() }
}

/// Nothing was done, unless the answer was lost. What names something that has just been made may not find it yet.
fn perhaps_early(failure: Failure, operation: String) -> ProviderError {
    let is_early = failure.trouble == Trouble::NotFound;
    let mut error = failure.of(operation, true);
    if is_early {
        error.class = ErrorClass::Transient;
        error = error.hint(
            "AWS does not know what it refers to, or not yet: look there, then run the same command again.",
        );
    }
    error
}

/// It exists and is not what it shall be: only an open intent makes the next plan look for it.
fn half_made(failure: Failure, operation: String) -> ProviderError {
    let mut error = failure.of(operation, true);
    if error.class == ErrorClass::Permanent {
        error.class = ErrorClass::Uncertain;
    }
    error
}

#[cfg(test)]
mod tests;
