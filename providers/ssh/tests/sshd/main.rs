//! The provider against a real sshd, which runs as the tests' own user on a loopback port. Needs openssh-server.

#[cfg(test)]
mod resources;
#[cfg(test)]
mod server;
#[cfg(test)]
mod sessions;
