//! A plan on disk: what `plan --out` writes and `apply FILE` reads.
//!
//! It is bound to the state it was made from by lineage and serial, and used once. It holds secrets by source only,
//! with the digest that each had, so that an apply with another value is refused.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{FORMAT_VERSION, Plan};
use crate::files;

const MAGIC: &str = "standfast plan";

#[derive(Serialize, Deserialize)]
struct File<P> {
    format: String,
    version: u32,
    /// BLAKE3 of the plan's JSON: damage is told from a plan.
    digest: String,
    plan: P,
}

/// Why a plan file could not be written or used.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    #[error("could not write the plan to {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("could not read the plan {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no saved plan: {reason}", path.display())]
    Foreign { path: PathBuf, reason: String },
    #[error("the plan {} is damaged: its content does not match its digest", path.display())]
    Damaged { path: PathBuf },
    #[error("the plan {} has format version {version}; this program knows {FORMAT_VERSION}", path.display())]
    Newer { path: PathBuf, version: u32 },
}

/// Writes a plan, readable by its owner only, whole or not at all.
pub fn write(plan: &Plan, path: &Path) -> Result<(), SavedPlanError> {
    let failed = |source: io::Error| SavedPlanError::Write { path: path.to_owned(), source };
    let text = serde_json::value::to_raw_value(plan).map_err(|error| failed(error.into()))?;
    let digest = blake3::hash(text.get().as_bytes()).to_hex().to_string();
    let file = File { format: MAGIC.to_owned(), version: FORMAT_VERSION, digest, plan: text };
    files::write_private(path, |draft| {
        serde_json::to_writer(&mut *draft, &file)?;
        draft.write_all(b"\n")
    })
    .map_err(failed)
}

/// Whether a file looks like a saved plan and not like a blueprint.
pub fn is_saved_plan(path: &Path) -> bool {
    if files::must_be_file(path).is_err() {
        return false;
    }
    let mut start = [0; 64];
    let read = fs::File::open(path).and_then(|mut file| io::Read::read(&mut file, &mut start)).unwrap_or(0);
    start[..read].starts_with(format!("{{\"format\":\"{MAGIC}\"").as_bytes())
}

pub fn read(path: &Path) -> Result<Plan, SavedPlanError> {
    let text =
        fs::read_to_string(path).map_err(|source| SavedPlanError::Read { path: path.to_owned(), source })?;
    let foreign = |error: serde_json::Error| SavedPlanError::Foreign {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let file: File<&serde_json::value::RawValue> = serde_json::from_str(&text).map_err(foreign)?;
    if file.version > FORMAT_VERSION {
        return Err(SavedPlanError::Newer { path: path.to_owned(), version: file.version });
    }
    if blake3::hash(file.plan.get().as_bytes()).to_hex().as_str() != file.digest {
        return Err(SavedPlanError::Damaged { path: path.to_owned() });
    }
    serde_json::from_str(file.plan.get()).map_err(foreign)
}
