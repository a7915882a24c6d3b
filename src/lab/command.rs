//! Running the machine's own tools: arguments only, never a command line through a shell; output kept, not shown.

use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};

use super::error::LabError;

/// Tools that `up` needs, and the Debian package each is in.
const PACKAGES: [(&str, &str); 11] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("ip", "iproute2"),
    ("ssh-keygen", "openssh-client"),
    ("setsid", "util-linux"),
    ("setpriv", "util-linux"),
    ("apt-config", "apt"),
    ("dpkg-deb", "dpkg"),
    ("sha256sum", "coreutils"),
    ("chroot", "coreutils"),
    ("sh", "dash"),
];

/// The Debian package that brings `tool`; the tool's own name where we do not know.
pub(super) fn package_of(tool: &str) -> &'static str {
    PACKAGES
        .iter()
        .find(|(name, _)| *name == tool)
        .map_or("the package that brings it", |(_, package)| package)
}

/// Refuses early when a tool is missing, so that nothing is half made for want of it.
pub(super) fn require_tools() -> Result<(), LabError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    for (tool, package) in PACKAGES {
        if !folders.iter().any(|folder| folder.join(tool).is_file()) {
            return Err(LabError::MissingTool { tool: tool.to_owned(), package });
        }
    }
    Ok(())
}

/// Runs to the end and returns standard output; `doing` completes "could not ...".
pub(super) fn run(doing: &str, command: &mut Command) -> Result<String, LabError> {
    let output = output(doing, command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = if said.trim().is_empty() { output.status.to_string() } else { said.trim().to_owned() };
    Err(failed(doing, command, why))
}

fn output(doing: &str, command: &mut Command) -> Result<Output, LabError> {
    command.stdin(Stdio::null()).env("LC_ALL", "C");
    command.output().map_err(|error| not_started(doing, command, &error))
}

pub(super) fn not_started(doing: &str, command: &Command, error: &std::io::Error) -> LabError {
    if error.kind() == ErrorKind::NotFound {
        let tool = command.get_program().to_string_lossy().into_owned();
        let package = package_of(&tool);
        return LabError::MissingTool { tool, package };
    }
    failed(doing, command, error.to_string())
}

fn failed(doing: &str, command: &Command, why: String) -> LabError {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let command = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    LabError::Command { doing: doing.to_owned(), command, why }
}
