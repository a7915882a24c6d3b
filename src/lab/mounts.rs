//! Mounting a host's disk, and finding and releasing mounts from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

use super::error::LabError;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// One line of mountinfo, as far as the lab cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) at: PathBuf,
    pub(super) fs_type: String,
    /// Options of the file system itself, for example `lowerdir=...`.
    pub(super) options: String,
}

pub(super) fn mounts() -> Result<Vec<Mount>, LabError> {
    let text = std::fs::read_to_string(MOUNTINFO).map_err(LabError::io("list the mounts", MOUNTINFO))?;
    Ok(text.lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<Mount> {
    let (own, file_system) = line.split_once(" - ")?;
    let at = own.split(' ').nth(4)?;
    let mut words = file_system.split(' ');
    let fs_type = words.next()?.to_owned();
    let options = words.nth(1).unwrap_or_default().to_owned();
    Some(Mount { at: PathBuf::from(unescape(at)), fs_type, options: unescape(&options) })
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 4);
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Is anything mounted exactly here?
pub(super) fn is_mounted(at: &Path) -> Result<bool, LabError> {
    Ok(mounts()?.iter().any(|mount| mount.at == at))
}

/// Mounts a host's disk: the image below, the host's own changes above.
pub(super) fn overlay(lower: &Path, upper: &Path, work: &Path, at: &Path) -> Result<(), LabError> {
    for path in [lower, upper, work] {
        let text = path.to_str().ok_or_else(|| LabError::BadPath { path: path.to_owned() })?;
        if text.contains([':', ',', '\\']) {
            return Err(LabError::BadPath { path: path.to_owned() });
        }
    }
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let options =
        std::ffi::CString::new(options).map_err(|_| LabError::BadPath { path: upper.to_owned() })?;
    rustix::mount::mount("overlay", at, "overlay", MountFlags::empty(), Some(options.as_c_str())).map_err(
        |errno| LabError::Io { doing: "mount a host's disk", path: at.to_owned(), source: errno.into() },
    )
}

/// Unmounts everything at or under `path`, deepest first.
pub(super) fn release(path: &Path) -> Result<(), LabError> {
    let mut found: Vec<PathBuf> =
        mounts()?.into_iter().map(|mount| mount.at).filter(|at| at.starts_with(path)).collect();
    found.sort_by_key(|at| std::cmp::Reverse(at.components().count()));
    for at in found {
        // Detached, not merely unmounted: a file still open somewhere must not keep the lab alive.
        rustix::mount::unmount(&at, UnmountFlags::DETACH).map_err(|errno| LabError::Io {
            doing: "unmount",
            path: at.clone(),
            source: errno.into(),
        })?;
    }
    Ok(())
}

/// Removes a folder and all in it, after releasing what is mounted there. Never walks into a mount: one that stays
/// (a bind mount of `/dev`, say) stops the removal before the first file goes.
pub(super) fn remove_tree(path: &Path) -> Result<(), LabError> {
    release(path)?;
    if let Some(mount) = mounts()?.into_iter().find(|mount| mount.at.starts_with(path)) {
        let source = std::io::Error::from(std::io::ErrorKind::ResourceBusy);
        return Err(LabError::Io { doing: "unmount", path: mount.at, source });
    }
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo_is_read() {
        let line = "99 27 0:45 / /var/lib/a\\040b/root rw,relatime shared:3 - overlay overlay rw,lowerdir=/c/img,upperdir=/u";
        let mount = parse(line).unwrap();
        assert_eq!(mount.at, PathBuf::from("/var/lib/a b/root"));
        assert_eq!(mount.fs_type, "overlay");
        assert_eq!(mount.options, "rw,lowerdir=/c/img,upperdir=/u");
        assert!(parse("nonsense").is_none());
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape("a\\040b\\134c"), "a b\\c");
        assert_eq!(unescape("a\\"), "a\\");
    }

    #[test]
    fn a_path_the_overlay_cannot_take_is_refused() {
        let fine = Path::new("/a");
        let error = overlay(Path::new("/x:y"), fine, fine, fine).unwrap_err();
        assert!(matches!(error, LabError::BadPath { .. }), "{error}");
    }
}
