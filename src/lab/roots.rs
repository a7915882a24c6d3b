//! Where labs keep their files.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::error::LabError;

/// Environment variable that overrides where labs are kept.
pub const ROOT_ENV: &str = "STANDFAST_LAB_ROOT";
/// Environment variable that overrides where host images are kept.
pub const CACHE_ENV: &str = "STANDFAST_LAB_CACHE";

const DEFAULT_ROOT: &str = "/var/lib/standfast-lab";
const DEFAULT_CACHE: &str = "/var/cache/standfast-lab";

/// The two folders: one with a folder for each lab, one with images that labs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    pub state: PathBuf,
    pub cache: PathBuf,
}

impl Roots {
    /// From [`ROOT_ENV`] and [`CACHE_ENV`], else the defaults under `/var`.
    #[must_use]
    pub fn from_env() -> Self {
        let folder = |variable: &str, default: &str| {
            std::env::var_os(variable)
                .filter(|value| !value.is_empty())
                .map_or_else(|| default.into(), PathBuf::from)
        };
        Self { state: folder(ROOT_ENV, DEFAULT_ROOT), cache: folder(CACHE_ENV, DEFAULT_CACHE) }
    }

    /// Names of the labs that exist, sorted.
    ///
    /// # Errors
    /// When the folder of labs is there but cannot be read.
    pub fn labs(&self) -> Result<Vec<String>, LabError> {
        let entries = match std::fs::read_dir(&self.state) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LabError::io("list the labs", &self.state)(error)),
        };
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> =
            folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| super::names::check_lab(name).is_ok());
        names.sort();
        Ok(names)
    }
}

/// Makes a folder that only root enters, and those above it.
pub(super) fn private_folder(path: &Path) -> Result<(), LabError> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(LabError::io("make a folder", parent))?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(LabError::io("make a folder", path)(error))
        }
        _ => Ok(()),
    }
}

/// Writes a file whole or not at all: a new file takes the old one's place.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> Result<(), LabError> {
    let new = path.with_extension("new");
    std::fs::write(&new, content).map_err(LabError::io("write", &new))?;
    std::fs::rename(&new, path).map_err(LabError::io("write", path))
}

/// Refuses when fewer than `need_bytes` are free for us where `path` is.
pub(super) fn require_space(path: &Path, need_bytes: u64, what: &'static str) -> Result<(), LabError> {
    let stat = rustix::fs::statvfs(path).map_err(|errno| LabError::Io {
        doing: "measure the free space",
        path: path.to_owned(),
        source: errno.into(),
    })?;
    let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free_bytes < need_bytes {
        return Err(LabError::DiskNearlyFull { path: path.to_owned(), what, free_bytes, need_bytes });
    }
    Ok(())
}

/// Takes the lock file at `path`, waiting for whoever has it; `waiting` is called once before a wait. Released on drop.
pub(super) fn lock(path: &Path, waiting: impl FnOnce()) -> Result<File, LabError> {
    let mut waiting = Some(waiting);
    loop {
        let open = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let file = open.map_err(LabError::io("open the lock", path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                file.lock().map_err(LabError::io("take the lock", path))?;
            }
            Err(TryLockError::Error(error)) => return Err(LabError::io("take the lock", path)(error)),
        }
        // `down` removes the file while it holds the lock; then ours is a lock on nothing.
        let ours = file.metadata().map_err(LabError::io("read the lock", path))?.ino();
        if std::fs::metadata(path).is_ok_and(|current| current.ino() == ours) {
            return Ok(file);
        }
        if !path.parent().is_some_and(Path::exists) {
            return Err(LabError::io("take the lock", path)(ErrorKind::NotFound.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path, || panic!("nobody has it")).unwrap();
        let (waits, waiting) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| lock(&path, move || waits.send(()).unwrap()).map(drop));
            waiting.recv().unwrap();
            drop(held);
            second.join().unwrap().unwrap();
        });
    }

    #[test]
    fn labs_are_listed_by_folder() {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots { state: folder.path().join("none"), cache: folder.path().into() };
        assert_eq!(roots.labs().unwrap(), Vec::<String>::new());
        for name in ["shop", "dev", ".hidden"] {
            std::fs::create_dir_all(roots.state.join(name)).unwrap();
        }
        assert_eq!(roots.labs().unwrap(), ["dev", "shop"]);
    }

    #[test]
    fn too_little_space_is_refused_with_the_figures() {
        let folder = tempfile::tempdir().unwrap();
        require_space(folder.path(), 1, "a test").unwrap();
        let error = require_space(folder.path(), u64::MAX, "a test").unwrap_err();
        assert!(error.to_string().contains("a test needs"), "{error}");
    }
}
