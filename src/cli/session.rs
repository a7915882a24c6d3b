//! What almost every command begins with: the blueprint, the state, the secrets' vault, the providers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use standfast_contract::{Context, ErrorClass, Obstacle, ProviderError, Region, Stack, Standing, Vault};
use standfast_state::{OpenMode, Snapshot, StackId, StateUrl, Store, StoreError, Stores};

use super::{
    ProviderSettings, Registry,
    args::{BlueprintArgs, Format, Global, SelectArgs, StackArgs, StoreArgs},
    error::CliError,
    exit,
    keys::{DIGEST_KEY, unseal},
    render,
};
use crate::{
    blueprint::{self, Blueprint, Problems, secrets::LocalSecrets},
    graph::{
        Graph, GraphError,
        expand::{ExpandError, Wanted, expand},
    },
    lab::Lab,
    plan::{
        Plan, Purpose, Selection,
        make::{PlanError, Situation, make},
        moved::{self, Move},
        observe::{Providers, no_provider, observe},
        preflight,
        recorded::{self, Recorded},
    },
};

/// Reasons that are told before the rest is only counted.
const REASONS_MAX: usize = 5;

/// Everything a command works with.
pub struct Session {
    pub blueprint: Blueprint,
    pub engine: Engine,
    regions: Vec<Region>,
    format: Format,
}

/// Loads and checks a blueprint, its mistakes laid out for the reader.
pub fn load(args: &BlueprintArgs, global: &Global) -> Result<Blueprint, CliError> {
    let path = find_blueprint(args.blueprint.as_deref())?;
    let options = blueprint::Options {
        environment: args.reading.env.clone(),
        variables: args.reading.variables.clone(),
        variable_files: args.reading.variable_files.clone(),
    };
    blueprint::load(&path, &options).map_err(|problems| mistakes(&problems, global.format))
}

/// What is legal in a blueprint and hardly meant.
pub fn warn(blueprint: &Blueprint) {
    if !blueprint.warnings.is_empty() {
        let (path, color) = (blueprint.path.display().to_string(), super::terminal::stderr_color());
        let text = render::diagnostic::render_each(
            &path,
            &blueprint.text,
            &blueprint.warnings,
            color,
            super::terminal::columns_laid_out(),
        );
        super::terminal::say_as_it_is(text.trim_end());
    }
}

/// The mistakes of a blueprint, laid out for a person or as they are for a program.
pub fn mistakes(problems: &Problems, format: Format) -> CliError {
    if format == Format::Json {
        let error = CliError::new("the blueprint has mistakes").code(exit::BLUEPRINT);
        return CliError { problems: Some(Box::new(serde_json::json!(problems))), ..error };
    }
    let text = render::diagnostic::render(
        problems,
        super::terminal::stderr_color(),
        super::terminal::columns_laid_out(),
    );
    CliError { rendered: true, ..CliError::new(text).code(exit::BLUEPRINT) }
}

/// What was not answered is often the reason: a host that cannot be reached.
fn with_reasons(error: CliError, unanswered: &[ProviderError]) -> CliError {
    if unanswered.is_empty() {
        return error;
    }
    let reason = |one: &ProviderError| match &one.hint {
        Some(hint) => format!("{one}; {hint}"),
        None => one.to_string(),
    };
    let mut reasons: Vec<String> = unanswered.iter().take(REASONS_MAX).map(reason).collect();
    if unanswered.len() > REASONS_MAX {
        reasons.push(format!("and {} more", unanswered.len() - REASONS_MAX));
    }
    error.hint(format!("the reason may be that nobody answered:\n  - {}", reasons.join("\n  - ")))
}

/// Why a blueprint could not be expanded, at its places in it.
pub fn not_expanded(blueprint: &Blueprint, error: ExpandError, format: Format) -> CliError {
    let problems = match &error {
        ExpandError::Problems { problems, unanswered } => {
            return with_reasons(mistakes(&blueprint.problems(problems), format), unanswered);
        }
        ExpandError::Graph(GraphError::UnknownOutput { component, output, outputs }) => {
            blueprint.no_output(component, output, outputs)
        }
        ExpandError::Graph(error) => blueprint.circle(&error.circle()),
        ExpandError::Lookup(_) => None,
    };
    problems.map_or_else(|| error.into(), |problems| mistakes(&problems, format))
}

/// The blueprint that is meant when none is named.
pub fn find_blueprint(named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let usual = PathBuf::from("standfast.yaml");
    if usual.exists() {
        return Ok(usual);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(".")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"))
        .collect();
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            Err(CliError::new("there is no blueprint here")
                .hint("`standfast init` writes one; or name its file"))
        }
        many => {
            let names: Vec<String> = many.iter().map(|path| path.display().to_string()).collect();
            Err(CliError::new(format!("there are several blueprints here: {}", names.join(", ")))
                .hint("name the one that is meant"))
        }
    }
}

/// The folder for what belongs to a blueprint and is not written by hand.
fn private_folder(blueprint: &Path) -> PathBuf {
    blueprint.parent().unwrap_or(Path::new("")).join(".standfast")
}

/// The providers, for a command without a blueprint: the simulated world lies beside where one may come to be.
pub fn providers_beside(blueprint: &Path, stack: &Stack, registry: &Registry) -> Result<Providers, CliError> {
    let folder = private_folder(blueprint);
    make_private(&folder)?;
    let sim_world = Some(folder.join(format!("{}.world.jsonl", stack.name)));
    (registry.providers)(&ProviderSettings { sim_world })
}

/// Makes the folder, for its owner alone.
fn make_private(folder: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| CliError::new(format!("could not make the folder {}: {error}", folder.display())))
}

/// Where the state of a stack is kept when nobody says otherwise.
pub fn usual_place(global: &Global, blueprint: &Path, stack: &Stack) -> StateUrl {
    let lab = if global.lab { ".lab" } else { "" };
    StateUrl::sqlite(&private_folder(blueprint).join(format!("{}{lab}.db", stack.name)))
}

pub fn stack_id(stack: &Stack) -> StackId {
    StackId { stack: stack.name.clone(), environment: stack.environment.clone() }
}

/// Opens the state of a stack, also where it is sealed.
pub async fn open_store(
    args: &StoreArgs,
    global: &Global,
    blueprint: &Path,
    stack: &Stack,
    stores: &Stores,
) -> Result<Arc<dyn Store>, CliError> {
    unseal(open_as_it_is(args, global, blueprint, stack, stores).await?, &args.keys).await
}

/// Opens the place of a state, what is sealed in it staying so. Where it can be read and not written, it is opened for
/// reading: the first write then says so.
pub async fn open_as_it_is(
    args: &StoreArgs,
    global: &Global,
    blueprint: &Path,
    stack: &Stack,
    stores: &Stores,
) -> Result<Arc<dyn Store>, CliError> {
    let url = args.state.clone().unwrap_or_else(|| usual_place(global, blueprint, stack));
    let id = stack_id(stack);
    match stores.open(&url, &id, OpenMode::Create).await {
        Err(error @ StoreError::ReadOnly { .. }) => {
            let readable = stores.open(&url, &id, OpenMode::ReadOnly).await;
            Ok(readable.map_err(|second| match second {
                StoreError::Missing { .. } | StoreError::NoSuchState { .. } => error,
                second => second,
            })?)
        }
        opened => Ok(opened?),
    }
}

/// The state of the blueprint that is named, for commands that need nothing else.
pub async fn open_named(
    args: &StackArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Arc<dyn Store>, CliError> {
    let blueprint = load(&args.blueprint, global)?;
    let stack = stack_of(&blueprint);
    open_store(&args.store, global, &blueprint.path, &stack, &registry.stores).await
}

/// The same, what is sealed in it staying so.
pub async fn open_named_as_it_is(
    args: &StackArgs,
    global: &Global,
    registry: &Registry,
) -> Result<Arc<dyn Store>, CliError> {
    let blueprint = load(&args.blueprint, global)?;
    let stack = stack_of(&blueprint);
    open_as_it_is(&args.store, global, &blueprint.path, &stack, &registry.stores).await
}

pub fn stack_of(blueprint: &Blueprint) -> Stack {
    Stack { name: blueprint.name.clone(), environment: blueprint.environment.clone() }
}

/// What carries out a plan: no blueprint needed.
pub struct Engine {
    pub stack: Stack,
    pub store: Arc<dyn Store>,
    pub vault: Arc<Vault>,
    pub providers: Providers,
}

impl Engine {
    /// `blueprint` is a path only: the state, the secrets and the simulated world lie beside it.
    pub async fn open(
        stack: Stack,
        blueprint: &Path,
        store_args: &StoreArgs,
        global: &Global,
        registry: &Registry,
    ) -> Result<Engine, CliError> {
        let store = open_store(store_args, global, blueprint, &stack, &registry.stores).await?;
        let folder = private_folder(blueprint);
        // Where the state is kept elsewhere, nothing has made it yet.
        make_private(&folder)?;
        let vault = vault(&store, LocalSecrets::new(folder.join("secrets"))).await?;
        let lab = if global.lab { "lab." } else { "" };
        let sim_world = Some(folder.join(format!("{}.{lab}world.jsonl", stack.name)));
        let providers = (registry.providers)(&ProviderSettings { sim_world })?;
        Ok(Engine { stack, store, vault, providers })
    }

    pub fn context(&self) -> Context {
        Context::quiet(self.stack.clone())
    }

    /// Asks every provider, before the first change, for all that can be known to fail. Places that cannot be reached are
    /// no reason to leave the others alone: they are returned, by lane.
    pub async fn preflight(
        &self,
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> Result<BTreeMap<String, ProviderError>, CliError> {
        let recorded = snapshot.resources.iter().map(Recorded::decode).collect::<Result<Vec<_>, _>>()?;
        let calls = preflight::calls(plan, &recorded, &self.vault)?;
        // What could not be asked is told, and stops nothing.
        let note = |text: &str| super::terminal::warn("preflight", text, None);
        let context = Context { progress: Arc::new(note), ..self.context() };
        let answers = join_all(calls.into_iter().map(|(name, ahead)| {
            let context = &context;
            let provider = self.providers.get(&name).cloned();
            async move {
                let obstacles = match provider {
                    Some(provider) => provider.preflight(context, &ahead.calls, &ahead.deletes).await,
                    None => vec![Obstacle { error: no_provider(&name), calls: Vec::new() }],
                };
                (ahead.steps, obstacles)
            }
        }))
        .await;
        let mut unreachable = BTreeMap::new();
        let mut found = Vec::new();
        for (steps, obstacles) in answers {
            for Obstacle { error, calls } in obstacles {
                if error.class == ErrorClass::Unreachable {
                    let hindered = calls.iter().map(|&call| &plan.steps[steps[call] as usize]);
                    for step in hindered {
                        unreachable.entry(step.lane.clone()).or_insert_with(|| error.clone());
                    }
                } else {
                    found.push(error);
                }
            }
        }
        if found.is_empty() {
            return Ok(unreachable);
        }
        let lines: Vec<String> = unreachable
            .values()
            .chain(&found)
            .map(|error| match &error.hint {
                Some(hint) => format!("- {error}\n  hint: {hint}"),
                None => format!("- {error}"),
            })
            .collect();
        Err(CliError::new(format!("nothing was changed; this would have failed:\n{}", lines.join("\n"))))
    }
}

impl Session {
    pub async fn open(args: &StackArgs, global: &Global, registry: &Registry) -> Result<Session, CliError> {
        let blueprint = load(&args.blueprint, global)?;
        let engine =
            Engine::open(stack_of(&blueprint), &blueprint.path, &args.store, global, registry).await?;
        Session::of(blueprint, engine, global)
    }

    /// A blueprint and what carries its plans out.
    pub fn of(blueprint: Blueprint, engine: Engine, global: &Global) -> Result<Session, CliError> {
        let mut regions = blueprint.regions.clone();
        if global.lab {
            use_lab(&mut regions, &engine.stack.name)?;
        }
        Ok(Session { blueprint, engine, regions, format: global.format })
    }

    /// The blueprint's resources, linked. What is recorded answers some of what would have to be asked.
    pub async fn graph(&self, recorded: &[Recorded]) -> Result<Graph, CliError> {
        let standing = recorded.iter().map(|record| Standing {
            region: record.address.region(),
            kind: &record.kind,
            inputs: &record.payload.inputs,
        });
        let wanted = Wanted {
            regions: &self.regions,
            components: &self.blueprint.components,
            standing: standing.collect(),
        };
        let find = |name: &str| self.engine.providers.get(name).cloned();
        let graph = expand(&wanted, &find, &self.engine.providers.names(), &self.engine.context()).await;
        graph.map_err(|error| not_expanded(&self.blueprint, error, self.format))
    }

    /// Plans, from what the state says now. The snapshot is the one that the plan was made from.
    pub async fn plan(&self, select: &SelectArgs, purpose: Purpose) -> Result<(Plan, Snapshot), CliError> {
        let snapshot = self.engine.store.snapshot().await?;
        let mut recorded = snapshot.resources.iter().map(Recorded::decode).collect::<Result<Vec<_>, _>>()?;
        let graph =
            if purpose == Purpose::Destroy { Graph::default() } else { self.graph(&recorded).await? };
        if self.format != Format::Json {
            warn(&self.blueprint);
        }
        let said: Vec<Move> = self
            .blueprint
            .moved
            .iter()
            .map(|moved| Move { from: moved.from.clone(), to: moved.to.clone() })
            .collect();
        let moves = moved::rename(&mut recorded, &said, &graph);
        let interrupted = recorded::interrupted(&snapshot);
        let observations = if select.refresh {
            let context = self.engine.context();
            Some(
                observe(
                    &self.engine.providers,
                    &context,
                    &graph,
                    &recorded,
                    &interrupted,
                    &self.engine.vault,
                )
                .await?,
            )
        } else {
            None
        };
        let planned = make(&Situation {
            stack: self.engine.stack.clone(),
            purpose,
            head: snapshot.head.clone(),
            graph: &graph,
            recorded: &recorded,
            moves,
            observations: observations.as_ref(),
            open_intents: &snapshot.open_intents,
            interrupted,
            providers: &self.engine.providers,
            vault: &self.engine.vault,
            selection: Selection {
                targets: select.scope.targets.clone(),
                excludes: select.scope.excludes.clone(),
            },
            replace: select.replace.clone(),
            forget: self.blueprint.removed.clone(),
            plan_id: new_id()?,
            blueprint: Some(self.blueprint.text.to_string()),
            blueprint_path: std::path::absolute(&self.blueprint.path)
                .ok()
                .map(|path| path.display().to_string()),
            variables: self.blueprint.variables.clone(),
        });
        // What else would be done is worth to be known, too.
        if let (Err(PlanError::Refused { plan, .. }), Format::Text) = (&planned, self.format) {
            super::terminal::show(render::plan::text(plan, false).trim_end());
        }
        Ok((planned?, snapshot))
    }
}

/// Reaches the hosts through the lab's keys.
fn use_lab(regions: &mut [Region], stack: &str) -> Result<(), CliError> {
    let Some(config) = Lab::open(stack)?.ssh_config() else {
        // A lab's keys are root's own: to anybody else there is none.
        let hint = if rustix::process::geteuid().is_root() {
            "`standfast lab up BLUEPRINT` makes one"
        } else {
            "only root can reach a lab's hosts: `sudo standfast --lab ...`, after `sudo standfast lab up BLUEPRINT`"
        };
        return Err(CliError::new(format!("there is no lab for {stack}")).hint(hint));
    };
    for region in regions.iter_mut().filter(|region| region.provider == "ssh") {
        region.ssh.config = Some(config.display().to_string());
        region.ssh.known_hosts = None;
        region.ssh.identity_file = None;
        region.ssh.jump_host = None;
    }
    Ok(())
}

/// The vault of a stack; its key is made with the state.
async fn vault(store: &Arc<dyn Store>, secrets: LocalSecrets) -> Result<Arc<Vault>, CliError> {
    let fresh = new_key()?;
    let kept = store.get_or_insert_meta(DIGEST_KEY, fresh.expose_secret()).await?;
    let bytes = blake3::Hash::from_hex(kept.as_bytes()).map_err(|_| {
        CliError::new(format!("the key in the state {} is damaged", store.describe()))
            .hint("restore a backup of the state")
    })?;
    Ok(Arc::new(Vault::new(*bytes.as_bytes(), Box::new(secrets))))
}

fn random() -> Result<[u8; 32], CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::new(format!("could not get random bytes: {error}")))?;
    Ok(bytes)
}

fn new_key() -> Result<SecretString, CliError> {
    Ok(SecretString::from(blake3::Hash::from_bytes(random()?).to_hex().to_string()))
}

fn new_id() -> Result<String, CliError> {
    Ok(blake3::Hash::from_bytes(random()?).to_hex()[..32].to_owned())
}
