//! The arguments. Help texts are the product's voice: each says what the thing is for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use standfast_state::StateUrl;

use super::{
    commands::{lab::LabArgs, state_rekey::RekeyArgs},
    keys::KeyArgs,
};
use crate::blueprint::{PLAIN_NAME_RULE, is_plain_name};

/// One blueprint for highly available hosting, on AWS or on your own hosts.
#[derive(Parser, Debug)]
#[command(
    name = "standfast",
    version,
    max_term_width = 100,
    after_help = "Begin with `standfast init`, look with `standfast plan`, build with `standfast apply`.\n\
                  Exit codes: 0 done, 1 failed, 2 changes (plan --detailed-exitcode, drift, status), 64 wrong arguments, \
                  65 mistakes in the blueprint, 75 state locked, 130 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Debug)]
pub struct Global {
    /// How results are written: for people, for programs, or for a pull request
    #[arg(long, help_heading = "Global options", global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
    /// No colours (the variable NO_COLOR does the same)
    #[arg(long, help_heading = "Global options", global = true)]
    pub no_color: bool,
    /// Work on the rehearsal hosts that `standfast lab up` made, with a state of their own
    #[arg(long, help_heading = "Global options", global = true, env = "STANDFAST_LAB", value_parser = clap::builder::FalseyValueParser::new())]
    pub lab: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Markdown,
    Html,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Write a commented blueprint to start from
    #[command(
        after_help = "Examples:\n  standfast init                       # simulated hosts, runs anywhere\n  standfast init --provider ssh shop.yaml\n  standfast init --provider aws shop.yaml"
    )]
    Init(InitArgs),
    /// Write a blueprint of what somebody else built
    ///
    /// Looks and changes nothing. What a blueprint would say otherwise it leaves as it is, by `lifecycle.ignore_changes`; what
    /// it cannot say stands in comments. The file begins with the commands that record what is there, so that a plan then
    /// shows what standfast would change.
    #[command(
        after_help = "Example:\n  standfast import --from aws --region eu-west-1 --vpc vpc-0a1b2c3d --out shop.yaml"
    )]
    Import(ImportArgs),
    /// Check a blueprint without touching anything
    #[command(
        after_help = "Examples:\n  standfast check shop.yaml\n  standfast check shop.yaml --env staging --format json"
    )]
    Check(BlueprintArgs),
    /// Show what apply would do, and why
    #[command(
        after_help = "Examples:\n  standfast plan shop.yaml\n  standfast plan shop.yaml --out next.plan && standfast apply next.plan\n  standfast plan shop.yaml --target load_balancers.front\n  standfast plan shop.yaml --format markdown > comment.md"
    )]
    Plan(PlanArgs),
    /// Make the world as the blueprint says
    #[command(
        after_help = "Examples:\n  standfast apply shop.yaml            # shows the plan and asks\n  standfast apply next.plan            # a saved plan, exactly as it was shown\n  standfast apply shop.yaml --auto-approve --format json\n\nCtrl-C once finishes what is in flight and stops; twice stops at once. The next apply goes on."
    )]
    Apply(ApplyArgs),
    /// Remove everything that the state knows of
    #[command(
        after_help = "Examples:\n  standfast destroy shop.yaml\n  standfast destroy shop.yaml --target autoscaling_groups.web"
    )]
    Destroy(DestroyArgs),
    /// Go back to the blueprint and the variables of an earlier run
    ///
    /// Plans that run's blueprint and variables, as the history keeps them, against what is there now; shows the plan, asks,
    /// and applies it as an ordinary run. Without RUN: the last run that succeeded with another blueprint or other variables
    /// than the latest run's; after a destroy, the last one that succeeded.
    ///
    /// What holds data is never deleted or replaced by it unless `--destroy` names it, and deletion protection holds all the
    /// same. Files that the blueprint names (certificates, releases, known_hosts) and secrets are taken as they are now: the
    /// history keeps neither. The blueprint's own file stays as it is, so the next apply would go forward again.
    #[command(
        after_help = "Examples:\n  standfast rollback                  # to before the last change\n  standfast rollback 12\n  standfast rollback 12 --plan        # only look\n  standfast rollback 12 --destroy home/databases.orders/database.main\n  standfast history show 12 --format json | jq -r .blueprint > shop.yaml"
    )]
    Rollback(RollbackArgs),
    /// How every component is doing now, as its hosts and load balancers see it
    Status(StackArgs),
    /// What differs in the world from what was left there
    #[command(
        after_help = "Exit code 0: nothing differs; 2: something does. `standfast apply` heals it, `standfast apply --refresh-only` accepts it."
    )]
    Drift(DriftArgs),
    /// Draw the components and what uses what
    #[command(
        after_help = "Examples:\n  standfast graph shop.yaml --as svg > shop.svg        # for a browser\n  standfast graph shop.yaml --as mermaid              # for a page of markdown\n  standfast graph shop.yaml | dot -Tpng > shop.png    # with graphviz\n  standfast graph shop.yaml --resources --as svg > resources.svg"
    )]
    Graph(GraphArgs),
    /// Show a saved plan, or everything recorded of one resource
    Show(ShowArgs),
    /// What was run before: who, when, with what result
    #[command(
        after_help = "Examples:\n  standfast history shop.yaml\n  standfast history show 12 --blueprint shop.yaml\n  standfast history prune --keep 100"
    )]
    History(HistoryArgs),
    /// Addresses and endpoints that the last apply left
    #[command(alias = "output")]
    Outputs(OutputsArgs),
    /// Look at the state, or mend it
    State(StateArgs),
    /// Print the JSON Schema of a blueprint, for editors
    #[command(
        after_help = "Put this line at the head of a blueprint:\n  # yaml-language-server: $schema=./schema.json"
    )]
    Schema,
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  standfast completions bash > /etc/bash_completion.d/standfast")]
    Completions { shell: clap_complete::Shell },
    /// Real hosts on this machine to rehearse on
    Lab(LabArgs),
}

/// A blueprint as an argument.
#[derive(Args, Debug, Clone)]
pub struct BlueprintArgs {
    /// The blueprint [default: standfast.yaml, or the only .yaml file here]
    pub blueprint: Option<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// How a blueprint is read.
#[derive(Args, Debug, Clone)]
pub struct ReadingArgs {
    /// Which of its environments
    #[arg(help_heading = "Blueprint", long, env = "STANDFAST_ENV", value_name = "NAME")]
    pub env: Option<String>,
    /// Set a variable; may be repeated
    #[arg(help_heading = "Blueprint", long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    pub variables: Vec<(String, String)>,
    /// Read variables from a YAML or JSON file; may be repeated, later ones win
    #[arg(help_heading = "Blueprint", long = "var-file", value_name = "FILE")]
    pub variable_files: Vec<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("expected NAME=VALUE, found `{text}`"))
}

fn stack_name(text: &str) -> Result<String, String> {
    if is_plain_name(text) { Ok(text.to_owned()) } else { Err(format!("expected {PLAIN_NAME_RULE}")) }
}

fn run_number(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (1..=i64::MAX as u64).contains(number));
    number.ok_or_else(|| {
        "a run is a number of `standfast history`; a file is named with --blueprint".to_owned()
    })
}

#[derive(Args, Debug, Clone)]
pub struct StoreArgs {
    /// Where the state is kept: sqlite:PATH, postgres://USER@HOST/DATABASE or s3://BUCKET/PREFIX
    /// [default: sqlite:.standfast/NAME.db beside the blueprint]
    #[arg(help_heading = "State", long, env = "STANDFAST_STATE", hide_env_values = true, value_name = "URL")]
    pub state: Option<StateUrl>,
    #[command(flatten)]
    pub keys: KeyArgs,
    /// How long to wait for a state that somebody else has locked
    #[arg(help_heading = "State", long, default_value = "0s", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub lock_timeout: std::time::Duration,
}

/// A blueprint and the state that belongs to it.
#[derive(Args, Debug, Clone)]
pub struct StackArgs {
    #[command(flatten)]
    pub blueprint: BlueprintArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

/// The same where the argument is something else, and the blueprint an option.
#[derive(Args, Debug, Clone)]
pub struct StackOption {
    /// The blueprint whose state is meant [default: standfast.yaml, or the only .yaml file here]
    #[arg(help_heading = "Blueprint", long, value_name = "FILE")]
    pub blueprint: Option<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub store: StoreArgs,
}

impl StackOption {
    pub fn stack(&self) -> StackArgs {
        let blueprint = BlueprintArgs { blueprint: self.blueprint.clone(), reading: self.reading.clone() };
        StackArgs { blueprint, store: self.store.clone() }
    }
}

/// A part of the whole.
#[derive(Args, Debug, Clone)]
pub struct ScopeArgs {
    /// Only this and what it needs (when destroying: what needs it): a region, SECTION.NAME or an address, `*` at the end;
    /// may be repeated
    #[arg(help_heading = "Selection", long = "target", value_name = "SELECTOR")]
    pub targets: Vec<String>,
    /// All but this and what needs it (when destroying: what it needs); may be repeated
    #[arg(help_heading = "Selection", long = "exclude", value_name = "SELECTOR")]
    pub excludes: Vec<String>,
}

#[derive(Args, Debug, Clone)]
pub struct SelectArgs {
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Replace this even though nothing differs; may be repeated
    #[arg(help_heading = "Selection", long = "replace", value_name = "SELECTOR")]
    pub replace: Vec<String>,
    /// Change nothing in the world; only take over into the state what is so
    #[arg(help_heading = "Selection", long)]
    pub refresh_only: bool,
    /// Look at the world first; `false` is faster, and blind to drift
    #[arg(help_heading = "Selection", long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub refresh: bool,
}

impl SelectArgs {
    /// Of a part, with nothing else asked for.
    pub fn of(scope: &ScopeArgs) -> Self {
        SelectArgs { scope: scope.clone(), replace: Vec::new(), refresh_only: false, refresh: true }
    }
}

#[derive(Args, Debug)]
pub struct PlanArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    #[command(flatten)]
    pub select: SelectArgs,
    /// Save the plan, to be applied exactly as shown
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit with 0 when nothing changes, 2 when something does
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Plan the removal of everything
    #[arg(long)]
    pub destroy: bool,
    /// Show every attribute of what is created, too
    #[arg(long)]
    pub details: bool,
}

#[derive(Args, Debug, Clone)]
pub struct RunArgs {
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// How many steps may run at once in one provider
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N")]
    pub parallelism: u16,
}

#[derive(Args, Debug)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Args, Debug)]
pub struct DestroyArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    #[command(flatten)]
    pub scope: ScopeArgs,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Args, Debug)]
pub struct RollbackArgs {
    /// The run to go back to, as `standfast history` numbers it [default: see above]
    #[arg(value_parser = run_number)]
    pub run: Option<u64>,
    /// The blueprint whose state is meant [default: standfast.yaml, or the only .yaml file here]
    #[arg(help_heading = "Blueprint", long, value_name = "FILE")]
    pub blueprint: Option<PathBuf>,
    /// Which of its environments
    #[arg(help_heading = "Blueprint", long, env = "STANDFAST_ENV", value_name = "NAME")]
    pub env: Option<String>,
    #[command(flatten)]
    pub store: StoreArgs,
    /// Allow it to delete or replace this, which holds data: an address; may be repeated
    #[arg(help_heading = "Selection", long = "destroy", value_name = "ADDRESS")]
    pub destroy: Vec<String>,
    /// Only show what it would do
    #[arg(long)]
    pub plan: bool,
    /// Only plan, and save that, for `standfast apply FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub run_args: RunArgs,
}

#[derive(Args, Debug)]
pub struct DriftArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Show differences in full
    #[arg(long)]
    pub details: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Drawing {
    Dot,
    Mermaid,
    Svg,
}

#[derive(Args, Debug)]
pub struct GraphArgs {
    #[command(flatten)]
    pub blueprint: BlueprintArgs,
    /// The language of the drawing
    #[arg(long = "as", value_enum, default_value_t = Drawing::Dot, value_name = "LANGUAGE")]
    pub drawing: Drawing,
    /// Draw every resource instead of the components; asks the hosts what it must know
    #[arg(long)]
    pub resources: bool,
    #[command(flatten)]
    pub keys: KeyArgs,
}

#[derive(Args, Debug)]
pub struct ShowArgs {
    /// A saved plan, or the address of a resource
    pub what: String,
    #[command(flatten)]
    pub target: StackOption,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HistoryArgs {
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
    #[command(flatten)]
    pub stack: StackArgs,
    /// How many runs
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

#[derive(Subcommand, Debug)]
pub enum HistoryCommand {
    /// Everything about one run: every operation, and with `--format json` its blueprint and variables too
    Show {
        /// Its number, as `standfast history` lists it
        #[arg(value_parser = run_number)]
        run: u64,
        #[command(flatten)]
        target: StackOption,
    },
    /// Take old runs out of the history
    ///
    /// The last 1,000 are kept anyway. Never taken: runs with something still in flight, the last that called a provider, and
    /// the last of each result that had a blueprint, so that `rollback RUN` can still name one.
    #[command(after_help = "Example:\n  standfast history prune --keep 100")]
    Prune {
        /// How many of the last runs stay
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        keep: u32,
        #[command(flatten)]
        target: StackOption,
    },
}

#[derive(Args, Debug)]
pub struct OutputsArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Print only this one, bare: `load_balancers.front.address`
    #[arg(long, value_name = "OUTPUT")]
    pub only: Option<String>,
}

#[derive(Args, Debug)]
pub struct StateArgs {
    #[command(subcommand)]
    pub command: StateCommand,
}

#[derive(Args, Debug, Clone)]
pub struct MigrateTarget {
    /// The blueprint whose state is meant [default: standfast.yaml, or the only .yaml file here]
    #[arg(help_heading = "Blueprint", long, value_name = "FILE")]
    pub blueprint: Option<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// How long to wait for a state that somebody else has locked
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub lock_timeout: std::time::Duration,
}

#[derive(Subcommand, Debug)]
pub enum StateCommand {
    /// Every recorded resource
    List {
        /// Only these: a region, SECTION.NAME or an address, `*` at the end
        selectors: Vec<String>,
        #[command(flatten)]
        target: StackOption,
    },
    /// Everything recorded of one resource
    Show {
        address: String,
        #[command(flatten)]
        target: StackOption,
    },
    /// Give a recorded resource another address
    Mv {
        from: String,
        to: String,
        #[command(flatten)]
        target: StackOption,
    },
    /// Forget a resource; the world is not touched
    Rm {
        #[arg(required = true)]
        addresses: Vec<String>,
        #[command(flatten)]
        target: StackOption,
    },
    /// Record a resource of the blueprint that exists already
    #[command(
        after_help = "The resource must be in the blueprint. What is found is recorded as it is; the next plan shows what differs."
    )]
    Import {
        address: String,
        /// What it is called in the world, where the provider cannot tell from the blueprint
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        target: StackOption,
    },
    /// Write the whole state out as JSON, with its history
    #[command(
        after_help = "A sealed state is written as it is, which needs no key.\n\nExamples:\n  standfast state pull --out shop.json\n  standfast state pull --plain | jq .resources    # of a sealed state"
    )]
    Pull {
        /// The file, readable by its owner alone [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Open a sealed state, and write it in clear
        #[arg(long)]
        plain: bool,
        #[command(flatten)]
        target: StackOption,
    },
    /// Replace the whole state by one that was pulled, or by a backup
    #[command(
        after_help = "A sealed state seals what is pushed with its own key. What is sealed itself needs its key, and in a new place it stays sealed with that.\n\nExamples:\n  standfast state push shop.json\n  standfast state push --force .standfast/shop.backup/shop.default.1f0c6a52.00000041.db"
    )]
    Push {
        /// What `state pull` wrote (`-` for standard input), or a backup of an SQLite state
        file: PathBuf,
        /// Even where it is of another lineage, or older than what is there
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        target: StackOption,
    },
    /// Copy the state to another place, and compare what arrived
    #[command(
        after_help = "Example:\n  standfast state migrate sqlite:.standfast/shop.db postgres://deploy@db.example/standfast?sslmode=verify-full"
    )]
    Migrate {
        #[arg(value_name = "FROM-URL")]
        from: StateUrl,
        #[arg(value_name = "TO-URL")]
        to: StateUrl,
        #[command(flatten)]
        target: MigrateTarget,
    },
    /// Record what is found by its marks: after the state was lost, or an old copy was put in its place
    ///
    /// Asks every place of the blueprint what stands there of this stack, and records what is not recorded yet. A damaged
    /// state is set aside first. Nothing in the world is touched.
    #[command(
        after_help = "Example:\n  standfast state rebuild --blueprint shop.yaml && standfast plan shop.yaml"
    )]
    Rebuild {
        #[command(flatten)]
        target: StackOption,
    },
    /// Seal the state with a new key, or take the seal off
    #[command(
        override_usage = "standfast state rekey [OPTIONS] --passphrase | --recipient <RECIPIENT>... | --off",
        after_help = "All of the state is written with a new key in one transaction, read back and compared. Then everything is wiped that the old key, or none, would open: free space and log of an SQLite file, and the backups beside it. Exports and saved plans of before keep the key that they have.\n\nA lost key opens nothing, for nobody: keep the passphrase, or an identity, in a second place.\n\nExamples:\n  standfast state rekey --passphrase                    # asks for it twice\n  standfast state rekey --recipient age1... --recipient age1...\n  standfast state rekey --off"
    )]
    Rekey(RekeyArgs),
    /// Show who holds the state's lock, and break it
    Unlock {
        #[command(flatten)]
        target: StackOption,
    },
}

#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The provider that is asked
    #[arg(long, value_name = "PROVIDER")]
    pub from: String,
    /// The provider's name of the region
    #[arg(long, env = "AWS_REGION", hide_env_values = true, value_name = "REGION")]
    pub region: String,
    /// The VPC whose load balancers, groups and databases are described
    #[arg(long, value_name = "ID")]
    pub vpc: String,
    /// The name of the stack
    #[arg(long, default_value = "imported", value_parser = stack_name)]
    pub name: String,
    /// Where to write it, never over something that is there [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct InitArgs {
    /// Where to write it
    #[arg(default_value = "standfast.yaml")]
    pub path: PathBuf,
    /// What it is to be built on
    #[arg(long, value_enum, default_value_t = Starter::Sim)]
    pub provider: Starter,
    /// The name of the stack [default: the folder's]
    #[arg(long, value_parser = stack_name)]
    pub name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Starter {
    Sim,
    Ssh,
    Aws,
}
