//! A plan on disk: what `plan --out` writes and `apply FILE` reads.
//!
//! It is bound to the state it was made from by lineage and serial, and used once. It holds secrets by source only,
//! with the digest that each had, so that an apply with another value is refused. Where the state is sealed, so is the
//! plan, with the same key; the header goes with it, for the plan is opened before it is known which state it means.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use standfast_state::{Header, Seal, SealError};

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

/// The same with its plan sealed, which needs no digest beside it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedFile {
    format: String,
    version: u32,
    seal: String,
    plan: String,
}

/// What the sealed text of a plan is bound to.
const PLACE: &[&str] = &["plan file"];

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
    #[error("could not open the plan {}: {error}", path.display())]
    Sealed { path: PathBuf, error: SealError },
}

/// Writes a plan, readable by its owner only, whole or not at all; sealed where there is a seal.
pub fn write(plan: &Plan, path: &Path, seal: Option<&Seal>) -> Result<(), SavedPlanError> {
    let failed = |source: io::Error| SavedPlanError::Write { path: path.to_owned(), source };
    let content = content(plan, seal).map_err(failed)?;
    files::write_private(path, |draft| writeln!(draft, "{content}")).map_err(failed)
}

fn content(plan: &Plan, seal: Option<&Seal>) -> io::Result<String> {
    let plan = serde_json::value::to_raw_value(plan)?;
    let (format, version) = (MAGIC.to_owned(), FORMAT_VERSION);
    let content = match seal {
        Some(seal) => {
            let header = seal.header().as_str().to_owned();
            let plan = seal.seal(PLACE, plan.get()).map_err(io::Error::other)?;
            serde_json::to_string(&SealedFile { format, version, seal: header, plan })
        }
        None => {
            let digest = blake3::hash(plan.get().as_bytes()).to_hex().to_string();
            serde_json::to_string(&File { format, version, digest, plan })
        }
    };
    Ok(content?)
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

/// Reads a plan. `unlock` finds the key to one that is sealed.
pub fn read(
    path: &Path,
    unlock: impl FnOnce(&Header) -> Result<Seal, SealError>,
) -> Result<Plan, SavedPlanError> {
    let text =
        fs::read_to_string(path).map_err(|source| SavedPlanError::Read { path: path.to_owned(), source })?;
    let foreign = |error: serde_json::Error| SavedPlanError::Foreign {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    // The version first: a later one may have another shape.
    #[derive(Deserialize)]
    struct Version {
        version: u32,
        #[serde(default)]
        seal: Option<serde::de::IgnoredAny>,
    }
    let Version { version, seal } = serde_json::from_str(&text).map_err(foreign)?;
    if version > FORMAT_VERSION {
        return Err(SavedPlanError::Newer { path: path.to_owned(), version });
    }
    if seal.is_some() {
        let file: SealedFile = serde_json::from_str(&text).map_err(foreign)?;
        let plan = Header::parse(&file.seal)
            .and_then(|header| unlock(&header))
            .and_then(|seal| seal.unseal(PLACE, &file.plan, || "what it holds".to_owned()))
            .map_err(|error| SavedPlanError::Sealed { path: path.to_owned(), error })?;
        return serde_json::from_str(&plan).map_err(foreign);
    }
    let file: File<&serde_json::value::RawValue> = serde_json::from_str(&text).map_err(foreign)?;
    if blake3::hash(file.plan.get().as_bytes()).to_hex().as_str() != file.digest {
        return Err(SavedPlanError::Damaged { path: path.to_owned() });
    }
    serde_json::from_str(file.plan.get()).map_err(foreign)
}
