//! The contract's provider, put together from sessions, kinds and operations.

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::future::join_all;
use standfast_contract::{
    Address, Answers, Call, Context, ErrorClass, ExpandRequest, Expansion, Found, Health, Kind, Lookup, Made,
    Map, Observed, Obstacle, Operation, Probe, Problem, Provider, ProviderError, ReadRequest, Region, Stack,
    Standing, Survey, Value,
};
use tokio::time::sleep;

use crate::{
    expand,
    kinds::{self, Upload, Work, Works},
    marks::{self, ARM_S, MARKS, Manifest},
    operate,
    script::{Answer, Script},
    session::{Remote, place, place::Place},
};

/// Steps at once on one host: apt and dpkg take turns anyway, and a host has other things to do.
const LANE_LIMIT: usize = 4;
/// A fresh connection is tried until this long before the host puts the old state back by itself.
const DISARM_MARGIN_S: u64 = 12;
/// After that time the host is given this long to have healed itself.
const HEAL_S: u64 = 30;

/// Real hosts over ssh.
#[derive(Default)]
pub struct SshProvider {
    remote: Arc<Remote>,
    marks_root: Option<String>,
}

impl fmt::Debug for SshProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SshProvider")
    }
}

impl SshProvider {
    pub fn new() -> Self {
        SshProvider::default()
    }

    /// Keeps the marks on the hosts under another folder than the usual one.
    #[must_use]
    pub fn marks_root(mut self, root: impl Into<String>) -> Self {
        self.marks_root = Some(root.into());
        self
    }

    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    pub(crate) fn locate(&self, script: &mut Script, stack: &Stack) {
        marks::locate(script, self.marks_root.as_deref(), stack, None);
    }

    /// Makes, changes or removes one resource.
    async fn perform(&self, context: &Context, call: &Call, verb: Verb) -> Result<Made, ProviderError> {
        let place = Place::parse(&call.place)?;
        let works = kinds::known(&call.kind)?;
        let refuse = |refused: kinds::Refused| {
            ProviderError::permanent(format!("{} {}", verb.word(), call.address), refused.to_string())
        };
        let id = works.id(&call.inputs).map_err(refuse)?;
        let operation = format!("{} {} {} on {}", verb.word(), call.kind, id, place.host);
        let mut work = render(works, context.stack.clone(), call.clone(), verb).await.map_err(refuse)?;
        if verb != Verb::Delete {
            let manifest = Manifest::new(call, &id, &work.outputs);
            let json = serde_json::to_string(&manifest).map_err(|error| {
                ProviderError::permanent(&operation, format!("its mark cannot be written: {error}"))
            })?;
            work.script.set("JSON", &json);
        }
        marks::locate(&mut work.script, self.marks_root.as_deref(), &context.stack, Some(&call.address));
        for upload in std::mem::take(&mut work.uploads) {
            let path = self.upload(context, &place, call, &operation, &upload).await?;
            work.script.set(upload.variable, &path);
        }
        let began = Instant::now();
        let answer = self.remote.run(&place, &operation, &work.script).await;
        let answer = match answer {
            // The change itself may have cut the answer off; then the host heals itself.
            Err(error) if work.armed && error.class == ErrorClass::Uncertain => {
                return Err(self.healed(&context.stack, &place, call, &operation, began, error).await);
            }
            answer => answer?,
        };
        for note in answer.notes() {
            (context.progress)(&note);
        }
        if work.armed && answer.text("armed").is_some_and(|armed| armed.trim() == "yes") {
            (context.progress)("proving the way in with a fresh connection");
            self.disarm(&context.stack, &place, call, &operation, began, verb == Verb::Delete).await?;
        }
        let mut outputs = work.outputs;
        outputs.extend(works.made(call, &answer));
        Ok(Made { id, outputs })
    }

    /// Streams a file to the host unless what it becomes is there already; returns where it is.
    async fn upload(
        &self,
        context: &Context,
        place: &Place,
        call: &Call,
        operation: &str,
        upload: &Upload,
    ) -> Result<String, ProviderError> {
        let mut ask = Script::reads();
        marks::locate(&mut ask, self.marks_root.as_deref(), &context.stack, Some(&call.address));
        ask.library(MARKS).set("UNLESS", &upload.unless);
        ask.main("sect folder; printf '%s' \"$M\" >&3\nsect there; [ -z \"$UNLESS\" ] || [ ! -e \"$UNLESS\" ] || printf yes >&3");
        let answer = self.remote.run(place, operation, &ask).await?;
        if answer.text("there").is_some_and(|there| there == "yes") {
            return Ok(String::new());
        }
        let folder = answer.text("folder").unwrap_or_default();
        let path = format!(
            "{folder}/incoming/{}-{}",
            marks::tag(&context.stack, &call.address),
            &upload.digest[..12]
        );
        let size = upload.size.max(1);
        let progress = Arc::clone(&context.progress);
        let last = std::sync::atomic::AtomicU64::new(0);
        let tell = move |sent: u64| {
            // Every tenth part, so that a log stays readable.
            let tenth = sent * 10 / size;
            if size >= 10 << 20 && last.swap(tenth, std::sync::atomic::Ordering::Relaxed) != tenth {
                progress(&format!("sent {} of {} MiB", sent >> 20, size >> 20));
            }
        };
        self.remote.upload(place, operation, Path::new(&upload.local), &path, &tell).await?;
        Ok(path)
    }

    /// Confirms an armed change over a connection made now; where none can be made the host heals itself.
    async fn disarm(
        &self,
        stack: &Stack,
        place: &Place,
        call: &Call,
        operation: &str,
        began: Instant,
        deleted: bool,
    ) -> Result<(), ProviderError> {
        let mut script = Script::changes();
        marks::locate(&mut script, self.marks_root.as_deref(), stack, Some(&call.address));
        kinds::guard::disarm(&mut script, deleted);
        let deadline = began + Duration::from_secs(ARM_S - DISARM_MARGIN_S);
        loop {
            let error = match self.remote.run_fresh(place, operation, &script).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if Instant::now() >= deadline || error.reason.contains("put the old state back") {
                return Err(self.healed(stack, place, call, operation, began, error).await);
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until the host has put the old state back and says so; uncertain when it does not come back at all.
    async fn healed(
        &self,
        stack: &Stack,
        place: &Place,
        call: &Call,
        operation: &str,
        began: Instant,
        why: ProviderError,
    ) -> ProviderError {
        // The old connection may hang on rules that are gone by then.
        self.remote.hang_up(place).await;
        sleep((began + Duration::from_secs(ARM_S + 3)).saturating_duration_since(Instant::now())).await;
        let mut script = Script::reads();
        marks::locate(&mut script, self.marks_root.as_deref(), stack, Some(&call.address));
        kinds::guard::ask_reverted(&mut script);
        let deadline = Instant::now() + Duration::from_secs(HEAL_S);
        loop {
            match self.remote.run_fresh(place, operation, &script).await {
                Ok(answer) if answer.text("reverted").is_some_and(|said| said.trim() == "yes") => {
                    return ProviderError::permanent(
                        operation,
                        format!("a fresh connection did not get through after the change ({}); {} has put the old state back and can be reached", why.reason, place.host),
                    )
                    .hint("see what in the change closes the way in for ssh");
                }
                Ok(_) => {
                    return ProviderError::new(
                        ErrorClass::Uncertain,
                        operation,
                        format!("{}; whether the change holds must be looked at", why.reason),
                    );
                }
                Err(_) if Instant::now() < deadline => sleep(Duration::from_secs(2)).await,
                Err(error) => {
                    return ProviderError::new(
                        ErrorClass::Uncertain,
                        operation,
                        format!(
                            "{}; then the host could not be reached any more: {}",
                            why.reason, error.reason
                        ),
                    )
                    .hint(format!("look at {} on its own console", place.host));
                }
            }
        }
    }

    /// Reads everything of one host in one round trip.
    async fn read_host(
        &self,
        context: &Context,
        place: &Place,
        requests: &[(usize, &ReadRequest)],
    ) -> Vec<(usize, Result<Option<Observed>, ProviderError>)> {
        let mut script = Script::reads();
        self.locate(&mut script, &context.stack);
        for works in kinds::all() {
            let mine: Vec<(usize, &ReadRequest)> =
                requests.iter().filter(|(_, request)| request.kind == works.kind().name).copied().collect();
            if !mine.is_empty() {
                works.look(&context.stack, &mine, &mut script);
            }
        }
        let operation = format!("look at {}", place.host);
        let answer = self.remote.run(place, &operation, &script).await;
        requests
            .iter()
            .map(|(index, request)| {
                let seen = match (&answer, kinds::known(&request.kind)) {
                    (Err(error), _) => Err(error.clone()),
                    (_, Err(error)) => Err(error),
                    (Ok(answer), Ok(works)) => works.seen(*index, request, answer).map_err(|refused| {
                        ProviderError::permanent(format!("look at {}", request.address), refused.to_string())
                    }),
                };
                (*index, seen)
            })
            .collect()
    }

    async fn find_on(&self, context: &Context, value: &Value) -> Result<Vec<Found>, ProviderError> {
        let place = Place::parse(value)?;
        let operation = format!("look for what was made on {}", place.host);
        let mut script = Script::reads();
        self.locate(&mut script, &context.stack);
        script.library(MARKS).main(
            "for file in \"$M\"/manifest/*.json; do [ -f \"$file\" ] || continue; sect \"manifest ${file##*/}\"; cat -- \"$file\" >&3; done",
        );
        let answer = self.remote.run(&place, &operation, &script).await?;
        let mut manifests: Vec<Manifest> = Vec::new();
        for (name, section) in answer.with_prefix("manifest ") {
            let manifest: Manifest = serde_json::from_slice(&section.body).map_err(|error| {
                ProviderError::permanent(&operation, format!("the mark {name} is damaged: {error}"))
                    .hint("compare it with its neighbours under /var/lib/standfast; remove it only if nothing belongs to it")
            })?;
            if manifest.format > marks::FORMAT {
                return Err(ProviderError::permanent(
                    &operation,
                    format!("the mark {name} was written by a newer version"),
                )
                .hint("use that version"));
            }
            manifests.push(manifest);
        }
        // Outputs as they are now, in one more round trip.
        let shared = Arc::new(value.clone());
        let requests: Vec<ReadRequest> = manifests
            .iter()
            .map(|manifest| ReadRequest {
                address: manifest.address.clone(),
                kind: manifest.kind.clone(),
                place: Arc::clone(&shared),
                id: Some(manifest.id.clone()),
                token: None,
                recorded: Some((Arc::new(manifest.inputs.clone()), Arc::new(manifest.outputs.clone()))),
                desired: None,
            })
            .collect();
        let seen = self.read(context, &requests).await;
        Ok(manifests
            .into_iter()
            .zip(seen)
            .map(|(manifest, seen)| {
                let mut outputs: Map = manifest.outputs;
                if let Ok(Some(observed)) = seen {
                    // What was written counts, so that a change by hand is seen as one.
                    for (key, value) in observed.outputs {
                        outputs.entry(key).or_insert(value);
                    }
                }
                Found {
                    address: manifest.address,
                    kind: manifest.kind,
                    id: manifest.id,
                    token: Some(manifest.token),
                    inputs: manifest.inputs,
                    outputs,
                }
            })
            .collect())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
        }
    }
}

/// Puts the script together off the runtime's threads: it may read and hash a large local file.
async fn render(
    works: &'static dyn Works,
    stack: Stack,
    call: Call,
    verb: Verb,
) -> Result<Work, kinds::Refused> {
    let work = tokio::task::spawn_blocking(move || match verb {
        Verb::Create | Verb::Update => works.apply(&stack, &call),
        Verb::Delete => works.remove(&stack, &call),
    });
    work.await
        .unwrap_or_else(|error| Err(kinds::Refused::new(format!("its script could not be made: {error}"))))
}

/// Items of one host, each with its place in the whole list.
pub(crate) type OfHost<'a, T> = (Place, Vec<(usize, &'a T)>);

/// Items by host, and those whose place cannot be read.
pub(crate) fn by_host<'a, T>(
    items: &'a [T],
    place: impl Fn(&'a T) -> &'a Value,
) -> (Vec<OfHost<'a, T>>, Vec<(usize, ProviderError)>) {
    let mut hosts: BTreeMap<(String, bool), OfHost<'a, T>> = BTreeMap::new();
    let mut refused = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match Place::parse(place(item)) {
            Ok(place) => {
                hosts
                    .entry((place.key(), place.sudo))
                    .or_insert_with(|| (place, Vec::new()))
                    .1
                    .push((index, item));
            }
            Err(error) => refused.push((index, error)),
        }
    }
    (hosts.into_values().collect(), refused)
}

#[async_trait]
impl Provider for SshProvider {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn kind(&self, name: &str) -> Option<&'static Kind> {
        kinds::schema(name)
    }

    fn lane_limit(&self) -> usize {
        LANE_LIMIT
    }

    fn lookups(&self, request: &ExpandRequest<'_>) -> Vec<Lookup> {
        expand::lookups(request)
    }

    async fn lookup(
        &self,
        _context: &Context,
        region: &Region,
        lookups: &[Lookup],
        _: &[Standing<'_>],
    ) -> Vec<Result<Value, ProviderError>> {
        join_all(lookups.iter().map(|lookup| async move {
            match lookup {
                Lookup::Provider { question, subject, .. } if question == "facts" => {
                    let host = region.host(subject).ok_or_else(|| {
                        ProviderError::permanent(
                            format!("ask {subject} for its facts"),
                            format!("region {} has no such host", region.name),
                        )
                    })?;
                    // A lookup comes before secrets are resolved: a password is not at hand, and facts need none.
                    let mut place = Place::parse(&place::place(region, host))?;
                    place.sudo = false;
                    operate::facts::ask(&self.remote, &place, region.ssh.r#become).await
                }
                other => Err(ProviderError::permanent(
                    "answer a question about the hosts",
                    format!("the ssh provider does not know the question {other:?}"),
                )),
            }
        }))
        .await
    }

    fn expand(&self, request: &ExpandRequest<'_>, answers: &Answers) -> Result<Expansion, Vec<Problem>> {
        expand::expand(request, answers)
    }

    async fn preflight(&self, context: &Context, calls: &[Call], _: &[Call]) -> Vec<Obstacle> {
        operate::preflight::check(self, context, calls).await
    }

    async fn read(
        &self,
        context: &Context,
        requests: &[ReadRequest],
    ) -> Vec<Result<Option<Observed>, ProviderError>> {
        let (hosts, refused) = by_host(requests, |request| &request.place);
        let mut answers: Vec<Result<Option<Observed>, ProviderError>> =
            requests.iter().map(|_| Ok(None)).collect();
        let seen = join_all(hosts.iter().map(|(place, mine)| self.read_host(context, place, mine))).await;
        for (index, answer) in
            seen.into_iter().flatten().chain(refused.into_iter().map(|(at, error)| (at, Err(error))))
        {
            answers[index] = answer;
        }
        answers
    }

    async fn create(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        self.perform(context, call, Verb::Create).await
    }

    async fn update(&self, context: &Context, call: &Call) -> Result<Made, ProviderError> {
        self.perform(context, call, Verb::Update).await
    }

    async fn rename(&self, context: &Context, call: &Call, from: &Address) -> Result<(), ProviderError> {
        let place = Place::parse(&call.place)?;
        let operation = format!("rename the mark of {from} on {}", place.host);
        // What stands there is what was recorded; only the name is new.
        let recorded = Call { inputs: call.prior.clone(), ..call.clone() };
        let id = call.id.as_deref().unwrap_or_default();
        let manifest = Manifest::new(&recorded, id, &call.prior_outputs);
        let json = serde_json::to_string(&manifest).map_err(|error| {
            ProviderError::permanent(&operation, format!("its mark cannot be written: {error}"))
        })?;
        let mut script = Script::changes();
        marks::locate(&mut script, self.marks_root.as_deref(), &context.stack, Some(&call.address));
        script.library(MARKS).set("OLD", &marks::key(from)).set("JSON", &json);
        script.main("marks_open\nrename_marks");
        self.remote.run(&place, &operation, &script).await.map(drop)
    }

    async fn delete(&self, context: &Context, call: &Call) -> Result<(), ProviderError> {
        self.perform(context, call, Verb::Delete).await.map(drop)
    }

    async fn operate(&self, context: &Context, operation: &Operation) -> Result<(), ProviderError> {
        operate::run(&self.remote, context, operation).await
    }

    async fn find(&self, context: &Context, places: &[Value]) -> Vec<Result<Vec<Found>, ProviderError>> {
        join_all(places.iter().map(|place| self.find_on(context, place))).await
    }

    async fn survey(&self, _: &Context, region: &Region, _: &str) -> Result<Survey, ProviderError> {
        Err(ProviderError::permanent(
            format!("describe what is on the hosts of {}", region.name),
            "the provider ssh writes no blueprint of hosts that somebody else has set up",
        )
        .hint("`standfast init --provider ssh` writes one to begin with."))
    }

    async fn probe(&self, _context: &Context, probes: &[Probe]) -> Vec<Health> {
        join_all(probes.iter().map(|probe| operate::probe::ask(&self.remote, probe))).await
    }

    async fn close(&self) {
        self.remote.close().await;
    }
}

/// Answers of a script that only tells: used by the operations.
pub(crate) async fn tell(
    remote: &Remote,
    place: &Place,
    operation: &str,
    build: impl FnOnce(&mut Script),
) -> Result<Answer, ProviderError> {
    let mut script = Script::reads();
    build(&mut script);
    remote.run(place, operation, &script).await
}
