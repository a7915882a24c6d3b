//! What may be in a release's archive: nothing that reaches out of the folder in which it is unpacked.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Component, Path},
};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

/// The most that an archive may hold unpacked, bytes: no bomb fills a host's disk.
const UNPACKED_MAX: u64 = 8 << 30;
const ENTRIES_MAX: usize = 500_000;

/// Why an archive is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("it is no tar archive, plain or compressed with gzip: {0}")]
    Unreadable(String),
    #[error("it is empty")]
    Empty,
    #[error("`{0}` would be unpacked outside the release's folder")]
    Outside(String),
    #[error("the link `{link}` leads to `{to}`, outside the release's folder")]
    LinkOutside { link: String, to: String },
    #[error("`{0}` is a device or a pipe")]
    Special(String),
    #[error("it is larger than 8 GiB or 500,000 files when unpacked")]
    TooLarge,
}

fn unreadable(error: std::io::Error) -> ArchiveError {
    ArchiveError::Unreadable(error.to_string())
}

/// Goes through an archive without unpacking it, and without holding more of it than a buffer.
pub fn check_file(path: &str) -> Result<(), ArchiveError> {
    check(BufReader::with_capacity(128 << 10, File::open(path).map_err(unreadable)?))
}

fn check(mut packed: impl BufRead) -> Result<(), ArchiveError> {
    let gzip = packed.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read + '_> =
        if gzip { Box::new(MultiGzDecoder::new(packed)) } else { Box::new(packed) };
    let mut archive = Archive::new(reader.take(UNPACKED_MAX + 1));
    let (mut count, mut total) = (0, 0u64);
    for entry in archive.entries().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        count += 1;
        total = total.saturating_add(entry.size());
        if count > ENTRIES_MAX || total > UNPACKED_MAX {
            return Err(ArchiveError::TooLarge);
        }
        let path = entry.path().map_err(unreadable)?.into_owned();
        let shown = path.display().to_string();
        let Some(depth) = inside(Path::new(""), &path) else { return Err(ArchiveError::Outside(shown)) };
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Symlink | EntryType::Link => {
                let to = entry.link_name().map_err(unreadable)?.unwrap_or_default().into_owned();
                // A symbolic link is read from its own folder, a hard link from the archive's top.
                let from = if kind == EntryType::Symlink {
                    path.parent().unwrap_or(Path::new(""))
                } else {
                    Path::new("")
                };
                if inside(from, &to).is_none() || depth == 0 {
                    return Err(ArchiveError::LinkOutside { link: shown, to: to.display().to_string() });
                }
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => return Err(ArchiveError::Special(shown)),
            _ => {}
        }
    }
    if count == 0 { Err(ArchiveError::Empty) } else { Ok(()) }
}

/// How deep a path is below the top, or `None` when it leaves it on the way.
fn inside(from: &Path, path: &Path) -> Option<usize> {
    let mut depth = 0usize;
    for part in from.components().chain(path.components()) {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth = depth.checked_sub(1)?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        builder.into_inner().unwrap()
    }

    fn entry(builder: &mut tar::Builder<Vec<u8>>, name: &str, kind: EntryType, link: Option<&str>) {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(link) = link {
            header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
    }

    #[test]
    fn what_stays_inside_is_taken() {
        let bytes = with(|builder| {
            entry(builder, "./", EntryType::Directory, None);
            entry(builder, "bin/run", EntryType::Regular, None);
            entry(builder, "lib/a", EntryType::Symlink, Some("../bin/run"));
            entry(builder, "again", EntryType::Link, Some("bin/run"));
        });
        assert_eq!(check(&*bytes), Ok(()));
    }

    #[test]
    fn what_reaches_out_is_refused() {
        for (name, kind, link) in [
            ("../x", EntryType::Regular, None),
            ("/etc/cron.d/x", EntryType::Regular, None),
            ("a/../../x", EntryType::Regular, None),
            ("a", EntryType::Symlink, Some("/etc")),
            ("a/b", EntryType::Symlink, Some("../../etc")),
            ("a", EntryType::Link, Some("../x")),
            ("dev", EntryType::Char, None),
        ] {
            assert!(check(&*with(|builder| entry(builder, name, kind, link))).is_err(), "{name} {link:?}");
        }
        assert!(check(&b"no archive at all"[..]).is_err());
        assert_eq!(check(&*with(|_| {})), Err(ArchiveError::Empty));
    }
}
