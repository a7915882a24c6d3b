//! The contract's provider: what every kind needs alike. Looking before a create is repeated, waiting until AWS says
//! that a thing is ready or gone, tags, reading in batches.

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
    Lookup, Made, Map, Observed, Obstacle, Operation, Probe, Problem, Provider, ProviderError, ReadRequest,
    Region, Survey, Value,
};
use tokio::{sync::OnceCell, time::sleep};

use crate::{
    clients::Site,
    expand,
    failure::{Failure, Trouble},
    health,
    kinds::{self, IDS_MAX, Job, Phase, Seen, Select, Works, as_asked},
    look_up, marks,
    place::Place,
    preflight, survey, watch,
};

/// Steps at once in one lane. Most of them wait for AWS; how fast calls are made is the SDK's rate limit.
const LANE_LIMIT: usize = 32;
/// What has just been made may not be listed for so long.
const APPEAR_MAX: Duration = Duration::from_secs(60);
/// What a create without an answer may have made is looked for so often before it is made again.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const DOUBTS_MAX: u32 = 4;
/// What was in use is tried again for so long: a load balancer's interfaces outlive it by minutes.
const RELEASE_MAX: Duration = Duration::from_secs(10 * 60);

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

    /// All that was asked of one kind at one place: a call for each page of ids, and one list where an id is not known.
    async fn read_kind(
        &self,
        context: &Context,
        place: &Value,
        kind: &str,
        requests: &[&ReadRequest],
    ) -> Vec<Result<Option<Observed>, ProviderError>> {
        let looked = async {
            let site = self.site_of(place).await?;
            let works = known(kind)?;
            look_for(&site, works, context, requests)
                .await
                .map_err(|failure| failure.of(format!("look at {kind} in {}", site.place.location), false))
        };
        match looked.await {
            Ok(seen) => requests.iter().map(|request| Ok(observed(request, &seen))).collect(),
            Err(error) => requests.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// What an earlier try with this token made. Where that had no answer, what is not listed at once may be soon.
    async fn made_earlier(&self, works: &dyn Works, job: &Job<'_>) -> Result<Option<String>, Failure> {
        let token = &job.call.token;
        let in_doubt = self.doubts().contains(token);
        for look in 1.. {
            let seen = kinds::look(works, job.site, Select::Token(&job.context.stack, token)).await?;
            if let Some(seen) = seen.into_iter().find(is_there) {
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
            found.extend(seen.into_iter().filter(is_there).filter_map(|seen| found_as(kind, seen)));
        }
        Ok(found)
    }
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

fn is_there(seen: &Seen) -> bool {
    seen.phase != Phase::Gone
}

fn found_as(kind: &str, seen: Seen) -> Option<Found> {
    let mut inputs = seen.attributes;
    let is_own = |key: &&String| !key.starts_with("standfast:") && !key.starts_with("aws:") && *key != "Name";
    let own: Map = seen
        .tags
        .iter()
        .filter(|(key, _)| is_own(key))
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    if !own.is_empty() {
        inputs.insert("tags".into(), own.into());
    }
    Some(Found {
        address: marks::address(&seen.tags)?,
        kind: kind.to_owned(),
        id: seen.id,
        token: seen.tags.get(marks::TOKEN).cloned(),
        inputs,
        outputs: seen.outputs,
    })
}

async fn look_for(
    site: &Site,
    works: &dyn Works,
    context: &Context,
    requests: &[&ReadRequest],
) -> Result<Vec<Seen>, Failure> {
    let ids: Vec<&str> = requests.iter().filter_map(|request| request.id.as_deref()).collect();
    let with_tags = requests.iter().any(|request| has_own_tags(request));
    let mut seen = Vec::new();
    for page in ids.chunks(IDS_MAX) {
        let select = if with_tags { Select::Ids(page) } else { Select::Bare(page) };
        seen.extend(kinds::look(works, site, select).await?);
    }
    // What a create that was cut off may have made: listed soon, where not at once. Until then the one that it was to
    // replace may stand in its place.
    let without_id = || requests.iter().filter(|request| request.id.is_none());
    for look in 1..=DOUBTS_MAX {
        let is_it =
            |request: &ReadRequest| marked(request, &seen).is_some_and(|it| differences(request, it) == 0);
        if without_id().all(|request| is_it(request)) {
            break;
        }
        if look > 1 {
            sleep(site.poll).await;
        }
        seen.extend(kinds::look(works, site, Select::Stack(&context.stack)).await?);
    }
    seen.retain(is_there);
    Ok(seen)
}

/// Whether somebody wants tags of his own on it, or did.
fn has_own_tags(request: &ReadRequest) -> bool {
    let recorded = request.recorded.as_ref().map(|(inputs, _)| &**inputs);
    [recorded, request.desired.as_deref()].into_iter().flatten().any(|inputs| !marks::own(inputs).is_empty())
}

/// What of the things seen a request is about: by its id; by its address where a create was cut off.
fn observed(request: &ReadRequest, seen: &[Seen]) -> Option<Observed> {
    let it = match &request.id {
        Some(id) => seen.iter().find(|seen| seen.id == *id)?,
        None => marked(request, seen)?,
    };
    Some(Observed { id: it.id.clone(), attributes: tidy(request, it), outputs: it.outputs.clone() })
}

/// What carries the address. Beside an old one that is being replaced, the new one is more like what is wanted.
fn marked<'a>(request: &ReadRequest, seen: &'a [Seen]) -> Option<&'a Seen> {
    let mine = seen.iter().filter(|seen| marks::address(&seen.tags).as_ref() == Some(&request.address));
    mine.min_by_key(|seen| differences(request, seen))
}

fn differences(request: &ReadRequest, seen: &Seen) -> usize {
    let desired = request.desired.as_deref();
    desired.map_or(0, |desired| {
        seen.attributes
            .iter()
            .filter(|(key, is)| desired.get(*key).is_some_and(|want| as_asked(key, want, is) != *want))
            .count()
    })
}

/// Attributes as they are compared: lists in the order in which they were asked for, an absent one as null, and only
/// those tags that somebody asked for, because others may tag what is ours.
fn tidy(request: &ReadRequest, seen: &Seen) -> Map {
    let asked = [request.recorded.as_ref().map(|(inputs, _)| &**inputs), request.desired.as_deref()];
    let mut attributes = seen.attributes.clone();
    let kind = kinds::by_name(&request.kind).map(Works::kind);
    for map in asked.into_iter().flatten() {
        for (key, wanted) in map {
            let is_seen =
                kind.and_then(|kind| kind.attribute(key)).is_some_and(|attribute| attribute.observed);
            if is_seen && key != "tags" {
                let is = attributes.entry(key.clone()).or_default();
                *is = as_asked(key, wanted, is);
            }
        }
    }
    let keys = asked.into_iter().flatten().flat_map(|inputs| marks::own(inputs).into_keys());
    let tags: Map =
        keys.filter_map(|key| seen.tags.get(&key).map(|value| (key, value.as_str().into()))).collect();
    attributes.insert("tags".into(), if tags.is_empty() { Value::Null } else { tags.into() });
    attributes
}

/// Waits until it is ready. What fails by itself is an error that says why.
async fn ready(works: &dyn Works, job: &Job<'_>, id: &str) -> Result<Seen, Failure> {
    let began = Instant::now();
    let mut wait = Duration::from_millis(200);
    loop {
        let seen = kinds::look(works, job.site, Select::Ids(&[id])).await?;
        let told = match seen.into_iter().next() {
            Some(seen) => match seen.phase {
                Phase::Ready => return Ok(seen),
                Phase::Pending(word) => word,
                Phase::Failed(why) => return Err(Failure::new(Trouble::Broken, "", why)),
                Phase::Gone => return Err(Failure::new(Trouble::NotFound, "", format!("{id} is gone"))),
            },
            None if began.elapsed() < APPEAR_MAX => "not listed yet".to_owned(),
            None => return Err(Failure::new(Trouble::NotFound, "", format!("{id} is not listed"))),
        };
        (job.context.progress)(&format!("AWS says: {told}"));
        sleep(wait).await;
        wait = (wait * 2).min(job.site.poll);
    }
}

async fn listed(works: &dyn Works, job: &Job<'_>, id: &str) -> Result<Seen, Failure> {
    let seen = kinds::look(works, job.site, Select::Ids(&[id])).await?;
    let gone = || Failure::new(Trouble::NotFound, "", format!("{id} is not there"));
    seen.into_iter().find(is_there).ok_or_else(gone)
}

/// Brings a thing that exists to what is wanted, and says what it puts out.
async fn settle(works: &dyn Works, job: &Job<'_>, mut seen: Seen) -> Result<Made, Failure> {
    let call = job.call;
    let differs =
        call.inputs.keys().chain(call.prior.keys()).any(|key| key != "tags" && job.differs(key, &seen));
    works.fit(job, &seen).await?;
    let wanted = marks::of(&job.context.stack, &call.address, &call.inputs);
    let set = wanted
        .into_iter()
        .filter(|(key, value)| seen.tags.get(key) != Some(value))
        .collect::<BTreeMap<_, _>>();
    let own = marks::own(&call.inputs);
    let dropped = |key: &String| !own.contains_key(key) && seen.tags.contains_key(key);
    let unset: Vec<String> = marks::own(&call.prior).into_keys().filter(dropped).collect();
    if !set.is_empty() || !unset.is_empty() {
        works.tag(job.site, &seen.id, &set, &unset).await?;
    }
    if differs {
        seen = ready(works, job, &seen.id).await?;
    }
    Ok(Made { id: seen.id, outputs: seen.outputs })
}

/// The id of a recorded thing, or of what carries its address.
async fn id_of(
    context: &Context,
    site: &Site,
    works: &dyn Works,
    call: &Call,
) -> Result<Option<String>, Failure> {
    if let Some(id) = &call.id {
        return Ok(Some(id.clone()));
    }
    let seen = kinds::look(works, site, Select::Stack(&context.stack)).await?;
    let mine = |seen: &Seen| marks::address(&seen.tags).as_ref() == Some(&call.address);
    Ok(seen.into_iter().filter(is_there).find(mine).map(|seen| seen.id))
}

/// Removes it, as soon as nothing uses it any more, and waits until it is gone.
async fn remove(
    context: &Context,
    site: &Site,
    works: &dyn Works,
    id: &str,
    recorded: &Map,
) -> Result<(), Failure> {
    let began = Instant::now();
    let mut wait = Duration::from_millis(500);
    loop {
        match works.remove(site, id, recorded).await {
            Ok(()) => break,
            Err(failure) if failure.trouble == Trouble::NotFound => return Ok(()),
            Err(failure) if failure.trouble == Trouble::InUse && began.elapsed() < RELEASE_MAX => {
                (context.progress)(&format!("still in use: {}", failure.message));
            }
            Err(failure) => return Err(failure),
        }
        sleep(wait).await;
        wait = (wait * 2).min(site.poll * 5);
    }
    let mut wait = Duration::from_millis(200);
    while let Some(seen) = kinds::look(works, site, Select::Bare(&[id])).await?.into_iter().find(is_there) {
        if let Phase::Pending(word) = seen.phase {
            (context.progress)(&format!("AWS says: {word}"));
        }
        sleep(wait).await;
        wait = (wait * 2).min(site.poll);
    }
    Ok(())
}

#[async_trait]
impl Provider for AwsProvider {
    fn name(&self) -> &'static str {
        expand::PROVIDER
    }

    fn kind(&self, name: &str) -> Option<&'static Kind> {
        kinds::by_name(name).map(Works::kind)
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
    ) -> Vec<Result<Value, ProviderError>> {
        let site = match Place::of_region(region) {
            Some(place) => self.site(&place).await,
            None => Err(expand::no_location(region)),
        };
        let site = &site;
        let answers = lookups.iter().map(|lookup| async move {
            let site = site.clone()?;
            let Lookup::Provider { question, subject, .. } = lookup else {
                return Err(ProviderError::permanent(
                    format!("look up {lookup:?}"),
                    "this is no question to AWS",
                ));
            };
            look_up::answer(&site, question, subject).await.map_err(|failure| {
                let of = if subject.is_empty() { String::new() } else { format!(" {subject}") };
                failure.of(format!("look up the {question}{of} in {}", site.place.location), false)
            })
        });
        join_all(answers).await
    }

    fn expand(&self, request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
        expand::expand(request, answers)
    }

    async fn preflight(&self, context: &Context, calls: &[Call]) -> Vec<Obstacle> {
        preflight::obstacles(self, context, calls).await
    }

    async fn read(
        &self,
        context: &Context,
        requests: &[ReadRequest],
    ) -> Vec<Result<Option<Observed>, ProviderError>> {
        // Few places, and few kinds at each.
        let mut batches: Vec<(&Value, &str, Vec<usize>)> = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            let place = &*request.place;
            match batches.iter_mut().find(|(other, kind, _)| *kind == request.kind && *other == place) {
                Some((.., members)) => members.push(at),
                None => batches.push((place, &request.kind, vec![at])),
            }
        }
        let looks = batches.into_iter().map(|(place, kind, members)| async move {
            let asked: Vec<&ReadRequest> = members.iter().map(|&at| &requests[at]).collect();
            (self.read_kind(context, place, kind, &asked).await, members)
        });
        let mut answers: Vec<Option<Result<Option<Observed>, ProviderError>>> = vec![None; requests.len()];
        for (looked, members) in join_all(looks).await {
            for (at, answer) in members.into_iter().zip(looked) {
                answers[at] = Some(answer);
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or(Ok(None))).collect()
    }

    /// Looks for what an earlier try with this token made before it makes anything: AWS forgets most client tokens, and
    /// has none at all for many creates.
    async fn create(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        let operation = || format!("create {}", call.address);
        let site = self.site_of(&call.place).await?;
        let works = known(&call.kind)?;
        let job = Job { site: &site, context, call };
        let earlier = self.made_earlier(works, &job).await;
        let id = match earlier.map_err(|failure| failure.of(operation(), false))? {
            Some(id) => id,
            None => works.make(&job).await.map_err(|failure| {
                if failure.trouble == Trouble::Lost {
                    self.doubts().insert(call.token.clone());
                }
                perhaps_early(failure.by(&site), operation())
            })?,
        };
        let made = async { settle(works, &job, ready(works, &job, &id).await?).await };
        match made.await {
            Ok(made) => Ok(made),
            Err(failure) if failure.trouble == Trouble::Broken => {
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
        survey::survey(self.site(&place).await?.as_ref(), region, within).await
    }

    async fn probe(&self, _: &Context, probes: &[Probe]) -> Vec<Health> {
        let asked = probes.iter().map(|probe| async {
            let site = self.site_of(&probe.place).await?;
            let told = match probe.verb.as_str() {
                health::MEMBERS => health::members(&site, &probe.inputs).await.map(Health::from),
                watch::ALARMS => watch::alarms_now(&site, &probe.inputs).await,
                watch::RECEIVER => watch::receiver_now(&site, &probe.inputs).await,
                verb => Err(Failure::refused("", format!("nobody knows what `{verb}` asks"))),
            };
            told.map_err(|failure| failure.of("ask AWS", false))
        });
        let told = |answer: Result<Health, ProviderError>| {
            answer.unwrap_or_else(|error| Health { state: HealthState::Unreachable, detail: error.reason })
        };
        join_all(asked).await.into_iter().map(told).collect()
    }

    async fn close(&self) {}
}

/// Nothing was done, unless the answer was lost. What names something that has just been made may not find it yet.
fn perhaps_early(failure: Failure, operation: String) -> ProviderError {
    let is_early = failure.trouble == Trouble::NotFound;
    let mut error = failure.of(operation, true);
    if is_early {
        error.class = ErrorClass::Transient;
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
