//! Commands that are run within this process print where any program prints. They are to print into nothing; what is found is
//! told past them.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
};

/// This process's own outputs, while stdout and stderr lead nowhere. Dropped, it gives them back.
pub struct Voice {
    stdout: File,
    stderr: OwnedFd,
}

impl Voice {
    pub fn aside() -> io::Result<Voice> {
        let stdout = File::from(rustix::io::dup(rustix::stdio::stdout())?);
        let stderr = rustix::io::dup(rustix::stdio::stderr())?;
        let nowhere = File::options().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&nowhere)?;
        rustix::stdio::dup2_stderr(&nowhere)?;
        Ok(Voice { stdout, stderr })
    }

    pub fn say(&self, text: impl std::fmt::Display) {
        // Who does not listen any more is no reason to stop.
        let _ = writeln!(&self.stdout, "{text}");
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        let _ = rustix::stdio::dup2_stdout(&self.stdout);
        let _ = rustix::stdio::dup2_stderr(&self.stderr);
    }
}
