//! The world's file: appended to, read on from where we were, written anew when most of it is past.
//!
//! One write call an effect, and no fsync: the file stands for the world outside, which does not forget when our
//! process dies. `kill -9` does not lose what a finished write put into the page cache; only a power cut would.
//!
//! Every access holds the file's advisory lock (flock), so that processes see each other's effects whole and in one
//! order. Whoever compacts renames a new file over the old; the others notice by the inode, under the lock.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{
    ledger::Ledger,
    line::{FORMAT_VERSION, Line},
};

/// Why the world's file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("could not {doing} the simulated world {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("could not read the simulated world {}: line {line}: {reason}", path.display())]
    Line { path: PathBuf, line: u64, reason: String },
    #[error("could not change the simulated world: {0}")]
    Change(String),
}

pub(crate) struct Log {
    path: PathBuf,
    file: File,
    inode: u64,
    /// How far it is read, bytes.
    position: u64,
    /// Read so far.
    lines: u64,
}

/// Below so many lines nothing is compacted.
const COMPACT_LINES_MIN: u64 = 1_000;
/// Read at once.
const READ_BYTES: usize = 1 << 18;
/// To guess how many things a file holds; a short line has about so many.
const BYTES_PER_LINE: usize = 320;

impl Log {
    /// Opens or makes the file and reads it.
    pub fn open(path: &Path) -> Result<(Log, Ledger), WorldError> {
        let (file, inode) = open_file(path)?;
        let mut log = Log { path: path.to_owned(), file, inode, position: 0, lines: 0 };
        let mut ledger = Ledger::default();
        log.locked(&mut ledger, |log, ledger| {
            let live = u64::try_from(ledger.live_lines()).unwrap_or(u64::MAX);
            if log.lines > COMPACT_LINES_MIN && log.lines > live.saturating_mul(2) {
                log.compact(ledger)?;
            }
            Ok(())
        })?;
        Ok((log, ledger))
    }

    /// Runs `body` under the file's lock, after everything that others wrote has been read.
    pub fn locked<R>(
        &mut self,
        ledger: &mut Ledger,
        body: impl FnOnce(&mut Log, &mut Ledger) -> Result<R, WorldError>,
    ) -> Result<R, WorldError> {
        loop {
            self.file.lock().map_err(|source| self.io("lock", source))?;
            match std::fs::metadata(&self.path) {
                Ok(now) if now.ino() == self.inode => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(self.io("look at", source)),
            }
            // Compacted or replaced by another: start over with what is there now. The lock goes with the old file.
            (self.file, self.inode) = open_file(&self.path)?;
            (self.position, self.lines) = (0, 0);
            *ledger = Ledger::default();
        }
        let result = self.catch_up(ledger).and_then(|()| body(self, ledger));
        self.file.unlock().map_err(|source| self.io("unlock", source))?;
        result
    }

    /// Reads what is new. Call it under the lock.
    fn catch_up(&mut self, ledger: &mut Ledger) -> Result<(), WorldError> {
        let length = self.file.metadata().map_err(|source| self.io("look at", source))?.len();
        if length < self.position {
            // Cut short by a hand: start over with what is left.
            (self.position, self.lines) = (0, 0);
            *ledger = Ledger::default();
        }
        if length == 0 {
            let mut first = Vec::new();
            encode(&mut first, &Line::World { version: FORMAT_VERSION })
                .map_err(|source| self.io("write", source))?;
            return self.append(&first);
        }
        if length == self.position {
            return Ok(());
        }
        let fresh = usize::try_from(length.saturating_sub(self.position)).unwrap_or(0);
        ledger.reserve(fresh / BYTES_PER_LINE);
        self.file.seek(SeekFrom::Start(self.position)).map_err(|source| self.io("read", source))?;
        let mut reader = BufReader::with_capacity(READ_BYTES.min(fresh.max(1)), &self.file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|source| self.io("read", source))?;
            if read == 0 {
                break;
            }
            let parsed = serde_json::from_slice::<Line<'_>>(&line);
            if !line.ends_with(b"\n") {
                // Nobody else writes now, so the writer died in the middle, or a hand forgot the newline.
                if parsed.is_err() {
                    let cut = self.file.set_len(self.position);
                    return cut.map_err(|source| self.io("cut the torn last line of", source));
                }
                (&self.file).write_all(b"\n").map_err(|source| self.io("write", source))?;
            }
            if !line.trim_ascii().is_empty() {
                parsed
                    .map_err(|error| error.to_string())
                    .and_then(|line| ledger.apply(line).map_err(|error| error.to_string()))
                    .map_err(|reason| WorldError::Line {
                        path: self.path.clone(),
                        line: self.lines + 1,
                        reason,
                    })?;
            }
            let completed = u64::from(!line.ends_with(b"\n"));
            self.position += u64::try_from(read).unwrap_or(0) + completed;
            self.lines += 1;
            if completed > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Adds whole lines with one write call. Call it under the lock.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), WorldError> {
        self.file.write_all(lines).map_err(|source| self.io("write", source))?;
        self.position += u64::try_from(lines.len()).unwrap_or(0);
        self.lines += 1;
        Ok(())
    }

    /// Writes only what still counts, beside the file, and renames it over. Call it under the lock.
    fn compact(&mut self, ledger: &Ledger) -> Result<(), WorldError> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let write = || -> io::Result<(u64, u64)> {
            let (mut lines, mut length) = (0, 0);
            let mut writer = BufWriter::with_capacity(1 << 16, File::create(&beside)?);
            let mut buffer = Vec::new();
            ledger.for_each_line(|line| {
                buffer.clear();
                encode(&mut buffer, line)?;
                lines += 1;
                length += u64::try_from(buffer.len()).unwrap_or(0);
                writer.write_all(&buffer)
            })?;
            writer.flush()?;
            std::fs::rename(&beside, &self.path)?;
            Ok((lines, length))
        };
        let (lines, position) = write().map_err(|source| self.io("compact", source))?;
        // The old lock is held until the new file is ours: another process that waits for it looks at the inode next.
        let (file, inode) = open_file(&self.path)?;
        file.lock().map_err(|source| self.io("lock", source))?;
        (self.file, self.inode, self.position, self.lines) = (file, inode, position, lines);
        Ok(())
    }

    fn io(&self, doing: &'static str, source: io::Error) -> WorldError {
        WorldError::Io { doing, path: self.path.clone(), source }
    }
}

fn open_file(path: &Path) -> Result<(File, u64), WorldError> {
    let open = || {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let inode = file.metadata()?.ino();
        Ok((file, inode))
    };
    open().map_err(|source| WorldError::Io { doing: "open", path: path.to_owned(), source })
}

/// A line as JSON, with its newline.
pub(crate) fn encode(buffer: &mut Vec<u8>, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *buffer, line)?;
    buffer.push(b'\n');
    Ok(())
}
