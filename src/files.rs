//! Local files that people name: read only where they are files, written whole and for their owner alone. Shared by
//! every room.

use std::{fs, io, os::unix::fs::FileTypeExt, path::Path};

/// Fails for what is there and no file: opening a pipe would wait for a writer for ever, and a device may do anything.
pub fn must_be_file(path: &Path) -> io::Result<()> {
    let kind = fs::metadata(path)?.file_type();
    let word = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::other(format!("it is {word}, not a file")))
}

/// Whether a file begins with these bytes; `None` where it is empty, shorter or cannot be read.
pub fn begins_with(path: &Path, start: &[u8]) -> Option<bool> {
    let mut read = vec![0; start.len()];
    fs::File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut read)).ok()?;
    Some(read == start)
}

/// Writes a file whole or not at all, readable by its owner only. What is there and no file is left alone.
pub fn write_private(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    match must_be_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // tempfile makes it 0600; the rename makes it whole.
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    write(draft.as_file_mut())?;
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|error| error.error)?;
    Ok(())
}
