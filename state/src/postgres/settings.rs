//! From `postgres://USER@HOST/DATABASE?...` to all that a connection needs: addresses, TLS, the password.
//!
//! The password comes from the URL, else from `PGPASSWORD`, else from the file `PGPASSFILE` or `~/.pgpass`, as for
//! every PostgreSQL program: <https://www.postgresql.org/docs/current/libpq-pgpass.html>.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls;
use crate::error::StoreError;
use crate::url::StateUrl;

/// How long one attempt to connect may take, in seconds, unless the URL says `connect_timeout`.
const CONNECT_TIMEOUT_S: u64 = 10;

/// How long sent data may stay unacknowledged before the connection counts as lost, in seconds.
const TCP_USER_TIMEOUT_S: u64 = 20;

/// Where sockets lie when no host is named, as Debian has it.
const SOCKETS: &str = "/var/run/postgresql";

/// What a connection needs.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) tls: tokio_postgres_rustls::MakeRustlsConnect,
    /// The store for messages, without a password.
    pub(super) place: String,
}

impl Settings {
    /// Reads the URL, the environment and the password file.
    pub(super) fn read(url: &StateUrl) -> Result<Self, StoreError> {
        let (text, mode, root) = split(url)?;
        let mut config: Config = text.parse().map_err(|error: tokio_postgres::Error| {
            url.refuse(match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            })
        })?;
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        });
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host_path(SOCKETS);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(TCP_USER_TIMEOUT_S));
        }
        if config.get_application_name().is_none() {
            config.application_name("standfast");
        }
        if config.get_password().is_none()
            && let Some(password) = password(&config)
        {
            config.password(password);
        }
        let tls = tls::connector(mode == Mode::VerifyFull, root.as_deref())
            .map_err(|reason| StoreError::NotTrusted { place: url.to_string(), reason })?;
        let place = describe(&config);
        Ok(Self { config, tls, place })
    }

    /// The database's name; without one the server takes the user's.
    pub(super) fn database(&self) -> String {
        let named = self.config.get_dbname().or_else(|| self.config.get_user());
        named.unwrap_or_default().to_owned()
    }
}

/// The values of `sslmode` that are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Never encrypted.
    Disable,
    /// Encrypted when the server can; the certificate is not looked at.
    Prefer,
    /// Always encrypted; the certificate is not looked at.
    Require,
    /// Always encrypted, by a server whose certificate is trusted and carries the host's name.
    VerifyFull,
}

/// The URL without the parameters about TLS, and what they say.
fn split(url: &StateUrl) -> Result<(String, Mode, Option<PathBuf>), StoreError> {
    let (mut mode, mut root) = (None, None);
    let Some((before, query)) = url.secret_text().split_once('?') else {
        return Ok((url.secret_text().to_owned(), Mode::Prefer, None));
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = || percent_decode_str(value).decode_utf8_lossy();
        match key {
            "sslmode" => {
                mode = Some(match value().as_ref() {
                    "disable" => Mode::Disable,
                    "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-full" => Mode::VerifyFull,
                    other => {
                        let known = "disable, prefer, require and verify-full";
                        return Err(url.refuse(format!("sslmode `{other}` is not one of {known}")));
                    }
                });
            }
            "sslrootcert" => root = Some(PathBuf::from(value().as_ref())),
            _ => kept.push(pair),
        }
    }
    let mode = match (mode, &root) {
        (Some(Mode::VerifyFull), _) => Mode::VerifyFull,
        // A certificate that is given but not looked at would be a promise broken in silence.
        (None, Some(_)) => Mode::VerifyFull,
        (Some(_), Some(_)) => return Err(url.refuse("sslrootcert needs sslmode=verify-full")),
        (mode, None) => mode.unwrap_or(Mode::Prefer),
    };
    let text = if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) };
    Ok((text, mode, root))
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

fn describe(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(at, host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let name = host_name(host).replace('/', "%2F");
            if port == 5432 { name } else { format!("{name}:{port}") }
        })
        .collect();
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    format!("postgres://{user}{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

/// The password that the environment or the password file has for this connection.
fn password(config: &Config) -> Option<String> {
    if let Ok(password) = std::env::var("PGPASSWORD") {
        return Some(password);
    }
    let path = match std::env::var_os("PGPASSFILE") {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir()?.join(".pgpass"),
    };
    let file = std::fs::metadata(&path).ok()?;
    if readable_by_others(&file) {
        return None; // as libpq does; the hint of a refused login speaks of it
    }
    let text = std::fs::read_to_string(&path).ok()?;
    let host = config.get_hosts().first().map(host_name).unwrap_or_default();
    // For a socket in the usual place the file says `localhost`.
    let host = if host == SOCKETS { "localhost".to_owned() } else { host };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    find_password(&text, [&host, &port, database, user])
}

#[cfg(unix)]
fn readable_by_others(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn readable_by_others(_: &std::fs::Metadata) -> bool {
    false
}

/// The password of the first line `host:port:database:user:password` that fits.
fn find_password(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let [rest @ .., password] = fields.as_slice() else { return None };
        let fits = rest.len() == wanted.len()
            && rest.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        fits.then(|| password.clone())
    })
}

/// The five fields of a line, `\:` and `\\` being what they stand for. A password may hold bare colons.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let last = fields.len() == 5;
        match letter {
            '\\' => {
                if let (Some(escaped), Some(field)) = (letters.next(), fields.last_mut()) {
                    field.push(escaped);
                }
            }
            ':' if !last => fields.push(String::new()),
            other => {
                if let Some(field) = fields.last_mut() {
                    field.push(other);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, StoreError> {
        Settings::read(&text.parse().unwrap())
    }

    #[test]
    fn it_is_described_without_its_password() {
        for (text, place) in [
            ("postgres://ann:hush@db.example/states?sslmode=disable", "postgres://ann@db.example/states"),
            ("postgresql://ann@db:6432/states?password=hush", "postgres://ann@db:6432/states"),
            ("postgres://ann@%2Frun%2Fpg/states", "postgres://ann@%2Frun%2Fpg/states"),
            ("postgres://ann@/states", "postgres://ann@%2Fvar%2Frun%2Fpostgresql/states"),
        ] {
            assert_eq!(read(text).unwrap().place, place, "{text}");
        }
    }

    #[test]
    fn what_it_does_not_know_it_refuses_without_showing_the_password() {
        for (text, reason) in [
            ("postgres://a:hush@db/x?sslmode=allow", "sslmode `allow` is not one of"),
            (
                "postgres://a:hush@db/x?sslmode=require&sslrootcert=/ca.pem",
                "sslrootcert needs sslmode=verify-full",
            ),
            ("postgres://a:hush@db/x?colour=red", "unknown"),
        ] {
            let error = read(text).err().unwrap().to_string();
            assert!(error.contains(reason) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn the_mode_is_what_is_asked_for() {
        let mode = |text: &str| split(&text.parse().unwrap()).unwrap().1;
        assert_eq!(mode("postgres://db/x"), Mode::Prefer);
        assert_eq!(mode("postgres://db/x?sslmode=require"), Mode::Require);
        assert_eq!(mode("postgres://db/x?sslrootcert=%2Fca.pem"), Mode::VerifyFull);
        let (text, _, root) =
            split(&"postgres://db/x?sslmode=verify-full&options=a&sslrootcert=/c%20a".parse().unwrap())
                .unwrap();
        assert_eq!((text.as_str(), root.unwrap().to_str().unwrap()), ("postgres://db/x?options=a", "/c a"));
    }

    #[test]
    fn the_password_file_is_read_as_libpq_does() {
        let file = "# all of it\nother:*:*:ann:no\ndb\\:1:*:states:ann:a:b\\\\c\n*:5433:*:*:star\n";
        assert_eq!(find_password(file, ["db:1", "5432", "states", "ann"]).as_deref(), Some("a:b\\c"));
        assert_eq!(find_password(file, ["db", "5433", "x", "y"]).as_deref(), Some("star"));
        assert_eq!(find_password(file, ["db", "5432", "states", "ann"]), None);
    }
}
