//! A blueprint: YAML text to a checked [`Blueprint`], or to every problem that it has.
//!
//! In the order of the work: [`read`] makes a tree with places ([`node`]), [`overlay`] lays the environment and the
//! defaults over and under it, [`variables`] and [`interpolate`] put values in, [`shape`] walks it along the table of
//! [`keys`], and [`check`] makes the typed components through [`reader`]. [`namings`] says which of them names which.
//! [`schema`] and [`reference`] tell the same table to editors and people.
//!
//! Deliberately absent: providers, the state, cycles among references (the graph finds them), and the content of files
//! that a blueprint names.

mod check;
pub mod diagnostic;
#[cfg(test)]
mod hostile;
mod interpolate;
mod keys;
mod names;
mod namings;
pub mod node;
pub mod origin;
mod overlay;
mod pipeline;
mod read;
mod reader;
mod reference;
mod scalar;
mod schema;
pub mod secrets;
mod shape;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use standfast_contract::{Component, ComponentId, Problem, Region, SecretSource, Value};

pub use check::{Moved, Objective, Objectives};
pub use diagnostic::{Diagnostic, Problems, Related, Severity};
pub use names::{PLAIN_NAME_RULE, is_plain_name};
pub use namings::{How, Naming};
use origin::Origin;
pub use reference::reference_markdown;
pub use schema::schema;
use variables::Given;

/// The environment when none is asked for.
pub const DEFAULT_ENVIRONMENT: &str = "default";

/// A blueprint without mistakes. Only the checker makes one.
#[derive(Clone, Debug)]
pub struct Blueprint {
    pub name: String,
    pub environment: String,
    pub objectives: Objectives,
    pub regions: Vec<Region>,
    /// In the order of the sections, and within one in that of the file.
    pub components: Vec<Component>,
    pub moved: Vec<Moved>,
    /// Selectors of what to forget.
    pub removed: Vec<String>,
    pub secrets: BTreeMap<String, SecretSource>,
    /// What each variable is. No secrets: a variable cannot hold one.
    pub variables: BTreeMap<String, Value>,
    pub warnings: Vec<Diagnostic>,
    pub path: PathBuf,
    pub text: Arc<str>,
    origin: Origin,
}

/// What is chosen and given beside the file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--env`.
    pub environment: Option<String>,
    /// `--var`, in order.
    pub variables: Vec<(String, String)>,
    /// `--var-file`, in order; the last one wins.
    pub variable_files: Vec<PathBuf>,
}

/// Reads and checks a file.
pub fn load(path: &Path, options: &Options) -> Result<Blueprint, Problems> {
    check(&read::read_file(path)?, path, options)
}

/// Checks a text. `path` is what paths in it are relative to, and what messages call it.
pub fn check(text: &str, path: &Path, options: &Options) -> Result<Blueprint, Problems> {
    pipeline::check(text, path, options, &|name| std::env::var(name).ok())
}

/// Checks the text of an earlier run with the variables that it had, a JSON object, and nothing given from outside.
/// `path` is where the blueprint lies now.
pub fn recall(
    text: &str,
    path: &Path,
    environment: Option<&str>,
    variables: &str,
) -> Result<Blueprint, Problems> {
    let files = vec![variables::read_text(variables, Path::new("the variables of the run"))?];
    let options = Options { environment: environment.map(str::to_owned), ..Options::default() };
    pipeline::check_with(text, path, &options, &Given { options: &[], files, environment: &|_| None })
}

/// The name of the stack, of a blueprint that may be wrong in every other way.
pub fn name_of(path: &Path) -> Result<Option<String>, Problems> {
    let text = read::read_file(path)?;
    let sink = diagnostic::Sink::default();
    let name = read::read(&text, &sink).and_then(|root| Some(root.get("name")?.as_scalar()?.text.clone()));
    match name {
        None if sink.errors() > 0 => Err(sink.into_problems(path, &text.into())),
        name => Ok(name.filter(|name| is_plain_name(name))),
    }
}

impl Blueprint {
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.name == name)
    }

    pub fn component(&self, id: &ComponentId) -> Option<&Component> {
        self.components.iter().find(|component| component.id() == *id)
    }

    /// Problems that a provider found, at their places in the file.
    pub fn problems(&self, found: &[Problem]) -> Problems {
        let sink = diagnostic::Sink::default();
        found.iter().for_each(|problem| sink.push(self.origin.diagnostic(problem)));
        sink.into_problems(&self.path, &self.text)
    }
}
