//! From typed errors to words, hints and exit codes: the one place.

use standfast_contract::{ProviderError, secret::SecretError};
use standfast_state::StoreError;

use super::exit;
use crate::{
    apply::ApplyError,
    graph::{GraphError, expand::ExpandError},
    plan::{make::PlanError, recorded::RecordError, resume::ResumeError, saved::SavedPlanError},
};

/// What is printed when a command fails.
#[derive(Debug)]
pub struct CliError {
    pub message: String,
    pub hint: Option<String>,
    pub code: u8,
    /// Already laid out for the reader (diagnostics with source lines); printed as it is.
    pub rendered: bool,
    /// The mistakes of a blueprint one by one, where JSON was asked for.
    pub problems: Option<Box<serde_json::Value>>,
    /// The state is damaged or lost, and may be replaced.
    pub damaged: bool,
}

impl CliError {
    pub fn new(message: impl Into<String>) -> Self {
        CliError {
            message: message.into(),
            hint: None,
            code: exit::ERROR,
            rendered: false,
            problems: None,
            damaged: false,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Locked { .. } => exit::LOCKED,
            StoreError::Url { .. } => exit::USAGE,
            _ => exit::ERROR,
        };
        let damaged = match &error {
            StoreError::Damaged { .. }
            | StoreError::DamagedObject { .. }
            | StoreError::Empty { .. }
            | StoreError::Lost { .. } => true,
            StoreError::Sealed { error, .. } => error.is_loss(),
            _ => false,
        };
        CliError { hint: error.hint(), code, damaged, ..CliError::new(error.to_string()) }
    }
}

impl From<ProviderError> for CliError {
    fn from(error: ProviderError) -> Self {
        CliError { hint: error.hint.clone(), ..CliError::new(error.to_string()) }
    }
}

impl From<SecretError> for CliError {
    fn from(error: SecretError) -> Self {
        CliError { hint: error.hint.clone(), ..CliError::new(error.to_string()) }
    }
}

impl From<GraphError> for CliError {
    fn from(error: GraphError) -> Self {
        let hint = match &error {
            GraphError::Cycle { .. } | GraphError::OutputCycle { .. } => {
                "take one reference or `depends_on` out of the circle"
            }
            GraphError::Dangling { .. } | GraphError::UnknownOutput { .. } => {
                "see `standfast graph` for what there is"
            }
            GraphError::Duplicate { .. } => "give one of the two another name",
        };
        CliError::new(error.to_string()).hint(hint).code(exit::BLUEPRINT)
    }
}

impl From<ExpandError> for CliError {
    fn from(error: ExpandError) -> Self {
        match error {
            ExpandError::Lookup(error) => error.into(),
            ExpandError::Graph(error) => error.into(),
            ExpandError::Problems { problems, .. } => {
                let lines: Vec<String> = problems
                    .iter()
                    .map(|problem| match &problem.hint {
                        Some(hint) => format!("{}\n  {hint}", problem.message),
                        None => problem.message.clone(),
                    })
                    .collect();
                CliError::new(lines.join("\n")).code(exit::BLUEPRINT)
            }
        }
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        let hint = match &error {
            PlanError::Refused { protected, no_way_back, .. } => {
                let of_protected = (!protected.is_empty()).then(|| {
                    let is_renamed = protected.iter().any(|one| one.contains("no longer in the blueprint"));
                    let renamed = if is_renamed {
                        "if it only has another name now, say so: `moved: [{ from: OLD, to: NEW }]`; "
                    } else {
                        ""
                    };
                    format!(
                        "{renamed}what holds data is protected by default; to let it go, set `deletion_protection: false` (or \
                         `lifecycle.prevent_destroy: false`) on the component, apply, and plan again"
                    )
                });
                let of_one_way = (!no_way_back.is_empty()).then(|| {
                    "say in the blueprint what is there (`--exclude ADDRESS` plans the rest meanwhile), or make it anew with \
                     `--replace ADDRESS`: what it holds is then left in its last backup only"
                        .to_owned()
                });
                let hints: Vec<String> = of_protected.into_iter().chain(of_one_way).collect();
                Some(hints.join("\n"))
            }
            PlanError::Elsewhere(_) => Some(
                "put it back as it was; for another place add a region with a name of its own, move the data there, and \
                 then take this one out of the blueprint"
                    .to_owned(),
            ),
            PlanError::NoSuchTarget { .. } => {
                Some("`standfast state list` and `standfast graph` show what can be named".to_owned())
            }
            PlanError::UnknownKind { .. } => Some("the state was written by a newer standfast; update this one".to_owned()),
            PlanError::Secret(error) => error.hint.clone(),
        };
        CliError { hint, ..CliError::new(error.to_string()) }
    }
}

impl From<RecordError> for CliError {
    fn from(error: RecordError) -> Self {
        CliError::new(error.to_string())
            .hint("the state was written by a newer standfast, or damaged; restore a backup of it")
    }
}

impl From<SavedPlanError> for CliError {
    fn from(error: SavedPlanError) -> Self {
        let again = || Some("make it again with `standfast plan --out FILE`".to_owned());
        let hint = match &error {
            SavedPlanError::Write { .. } => {
                Some("nothing was saved; name another file with `--out`, or make room for it".to_owned())
            }
            SavedPlanError::Sealed { error, .. } if !error.is_loss() => error.hint().or_else(again),
            _ => again(),
        };
        CliError { hint, ..CliError::new(error.to_string()) }
    }
}

impl From<ResumeError> for CliError {
    fn from(error: ResumeError) -> Self {
        let hint = match &error {
            ResumeError::Ended { run, .. } => {
                format!("plan again; `standfast history show {run}` says what that run did")
            }
            ResumeError::Undoing { .. } | ResumeError::Overtaken { .. } => {
                "plan again and apply the new plan: it takes over what was in flight".to_owned()
            }
        };
        CliError::new(error.to_string()).hint(hint)
    }
}

impl From<ApplyError> for CliError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => error.into(),
            ApplyError::Record(error) => error.into(),
            ApplyError::Secret(error) => error.into(),
            ApplyError::SecretChanged { .. } => CliError::new(error.to_string()).hint("plan again"),
        }
    }
}
