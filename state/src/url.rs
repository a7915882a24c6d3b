//! Where a state is kept, as `--state` and `STANDFAST_STATE` say it: `sqlite:PATH`, `postgres://...`, a bare path.
//!
//! Deliberately absent: what a scheme's own part means. Each store reads its own.

use std::fmt;
use std::str::FromStr;

use crate::error::StoreError;

/// A place that may hold states. Shown without the password that it may carry.
#[derive(Clone, PartialEq, Eq)]
pub struct StateUrl {
    scheme: String,
    text: String,
}

impl StateUrl {
    /// The scheme of a file path.
    pub const SQLITE: &str = "sqlite";

    /// The place of an SQLite file.
    pub fn sqlite(path: &std::path::Path) -> Self {
        Self { scheme: Self::SQLITE.to_owned(), text: format!("{}:{}", Self::SQLITE, path.display()) }
    }

    /// The part before the first colon, in lower case; `sqlite` for a bare path.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// All of it, with the password if there is one: never for a message.
    pub fn secret_text(&self) -> &str {
        &self.text
    }

    /// The part after the scheme and its colon.
    pub fn rest(&self) -> &str {
        self.text.split_once(':').map_or("", |(_, rest)| rest)
    }

    /// The path, when it is an SQLite file's.
    pub fn file(&self) -> Option<&str> {
        let path = (self.scheme == Self::SQLITE).then(|| self.rest().trim_start_matches("//"))?;
        (!path.is_empty()).then_some(path)
    }

    /// The error for a place that its store cannot make sense of.
    pub fn refuse(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Url { url: self.to_string(), reason: reason.into() }
    }
}

impl FromStr for StateUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let refuse = |reason: &str| StoreError::Url { url: text.to_owned(), reason: reason.to_owned() };
        if text.is_empty() {
            return Err(refuse("it is empty"));
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Ok(Self::sqlite(text.as_ref()));
        };
        if scheme.contains('/') {
            return Ok(Self::sqlite(text.as_ref()));
        }
        let scheme = scheme.to_ascii_lowercase();
        if rest.is_empty() {
            return Err(refuse("nothing follows the scheme"));
        }
        let text = format!("{scheme}:{rest}");
        Ok(Self { scheme, text })
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.text))
    }
}

impl fmt::Debug for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateUrl({self})")
    }
}

/// The text with stars for a password, in the user's part or among the parameters.
fn masked(text: &str) -> String {
    let (before, query) = match text.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (text, None),
    };
    let mut shown = match before.split_once("//") {
        // The last `@`: a password that was not encoded may hold one.
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user.to_owned(), |(user, _)| format!("{user}:***"));
                format!("{scheme}//{user}@{host}")
            }
            None => before.to_owned(),
        },
        None => before.to_owned(),
    };
    if let Some(query) = query {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((key, _)) if key.to_ascii_lowercase().contains("password") => format!("{key}=***"),
            _ => pair.to_owned(),
        });
        shown.push('?');
        shown.push_str(&pairs.collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> StateUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_is_an_sqlite_file() {
        for (text, path) in
            [("shop.db", "shop.db"), ("sqlite:a/b.db", "a/b.db"), ("./a:b.db", "./a:b.db"), ("SQLite:x", "x")]
        {
            let url = parsed(text);
            assert_eq!((url.scheme(), url.rest()), ("sqlite", path));
        }
        assert!("".parse::<StateUrl>().is_err());
        assert!("postgres:".parse::<StateUrl>().is_err());
    }

    #[test]
    fn no_password_is_shown() {
        for (text, shown) in [
            ("postgres://ann@db/states", "postgres://ann@db/states"),
            (
                "postgres://ann:hush@db:5433/states?sslmode=require",
                "postgres://ann:***@db:5433/states?sslmode=require",
            ),
            ("postgres://ann:hush@@db/states", "postgres://ann:***@db/states"),
            ("postgres://db/states?user=ann&password=hush", "postgres://db/states?user=ann&password=***"),
        ] {
            let url = parsed(text);
            assert!(!url.to_string().contains("hush"), "{url}");
            assert!(!format!("{url:?}").contains("hush"));
            assert_eq!(url.to_string(), shown);
        }
        assert!(parsed("postgres://ann:hush@db").secret_text().contains("hush"));
    }
}
