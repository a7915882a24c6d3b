//! Scripts: put together from shell functions, quoted variables and data, sent to `sh -s`, answered in a frame.
//!
//! A script does nothing until its last line has arrived, so one that is cut off in the middle has no effect.

pub mod frame;
pub mod quote;

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use standfast_contract::{ErrorClass, ProviderError};

use self::frame::{Frame, Section};
pub use self::quote::quote;

const COMMON: &str = include_str!("common.sh");

/// How long a script may take when nothing else is said.
pub const SCRIPT_TIMEOUT: Duration = Duration::from_secs(120);

/// A script to run on a host.
#[derive(Clone, Debug)]
pub struct Script {
    text: String,
    main: String,
    libraries: Vec<&'static str>,
    /// Whether a lost answer leaves doubt: anything but reading.
    pub changes: bool,
    pub timeout: Duration,
}

impl Script {
    /// A script that only looks.
    pub fn reads() -> Self {
        Script {
            text: String::new(),
            main: String::new(),
            libraries: Vec::new(),
            changes: false,
            timeout: SCRIPT_TIMEOUT,
        }
    }

    /// A script that changes something.
    pub fn changes() -> Self {
        Script { changes: true, ..Script::reads() }
    }

    /// Adds shell functions, once.
    pub fn library(&mut self, library: &'static str) -> &mut Self {
        if !self.libraries.iter().any(|known| std::ptr::eq(*known, library)) {
            self.libraries.push(library);
        }
        self
    }

    /// Sets a shell variable. Variables are not exported: no process list shows them.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        // A shell word holds no NUL; a text that has one is content and goes through `data`.
        self.text.push_str(&format!("{name}={}\n", quote(&value.replace('\0', ""))));
        self
    }

    /// Defines a function that prints these bytes.
    pub fn data(&mut self, name: &str, bytes: &[u8]) -> &mut Self {
        self.text.push_str(&format!("{name}() {{ base64 -d <<'EOD'\n"));
        for line in STANDARD.encode(bytes).as_bytes().chunks(4096) {
            self.text.push_str(&String::from_utf8_lossy(line));
            self.text.push('\n');
        }
        self.text.push_str("EOD\n}\n");
        self
    }

    /// Adds lines to what is run.
    pub fn main(&mut self, lines: &str) -> &mut Self {
        self.main.push_str(lines);
        self.main.push('\n');
        self
    }

    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = timeout;
        self
    }

    /// The whole text, for `sh -s`.
    pub fn render(&self, nonce: &str) -> String {
        // Variables first: the libraries' own first lines use them.
        let mut text = format!("N={nonce}\n{COMMON}{}", self.text);
        for library in &self.libraries {
            text.push_str(library);
        }
        let body = if self.main.trim().is_empty() { ":\n" } else { &self.main };
        text.push_str(&format!("main() {{\n{body}}}\nrun\n"));
        text
    }
}

/// A word that nobody else can know: 32 hex digits from the process's random hash keys.
pub fn nonce() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

/// What a script answered.
#[derive(Clone, Debug)]
pub struct Answer {
    frame: Frame,
    /// Standard error, without what was printed before the script began.
    pub stderr: String,
}

impl Answer {
    pub fn new(frame: Frame, stderr: &[u8]) -> Self {
        Answer { frame, stderr: String::from_utf8_lossy(stderr).into_owned() }
    }

    /// The bytes of the first section with this name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.frame.sections.iter().find(|section| section.name == name).map(|section| section.body.as_slice())
    }

    /// The text of the first section with this name, invalid UTF-8 replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Every section whose name begins so, with the rest of its name.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Section)> {
        self.frame
            .sections
            .iter()
            .filter_map(move |section| Some((section.name.strip_prefix(prefix)?, section)))
    }

    /// What the script wants the user to hear.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.with_prefix("note").map(|(_, section)| String::from_utf8_lossy(&section.body).into_owned())
    }

    /// The status of the script, success or the error that it told of.
    pub fn check(self, operation: &str) -> Result<Answer, ProviderError> {
        if self.frame.status == 0 {
            return Ok(self);
        }
        if let Some((class, section)) = self.with_prefix("fail ").next() {
            let class = match class {
                "transient" => ErrorClass::Transient,
                "uncertain" => ErrorClass::Uncertain,
                _ => ErrorClass::Permanent,
            };
            let reason = String::from_utf8_lossy(&section.body).trim().to_owned();
            let mut error = ProviderError::new(class, operation, reason);
            error.hint = self.text("hint");
            return Err(error);
        }
        let words: Vec<&str> = self.stderr.trim().lines().rev().take(6).collect();
        let words = words.into_iter().rev().collect::<Vec<_>>().join("\n");
        let reason = match (self.frame.status, words.is_empty()) {
            (status, true) => format!("the script on the host ended with status {status}"),
            (status, false) => format!("the script on the host ended with status {status}: {words}"),
        };
        Err(ProviderError::permanent(operation, reason))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use proptest::prelude::*;

    use super::{
        frame::{Arrived, parse},
        *,
    };

    /// Runs a script in a shell of this machine, as a host would.
    pub(crate) fn run_locally(shell: &str, script: &Script) -> Answer {
        let nonce = nonce();
        let mut child = Command::new(shell)
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.render(&nonce).as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        match parse(&output.stdout, &nonce) {
            Arrived::Whole(frame) => Answer::new(frame, &frame::inside(&output.stderr, &nonce)),
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    #[test]
    fn a_failure_is_told_in_full_even_from_within_a_substitution() {
        let mut script = Script::changes();
        script.main("x=$(fail transient 'apt is busy\nreally' 'wait') || exit\nprintf never");
        let error = run_locally("dash", &script).check("install").unwrap_err();
        assert_eq!(error.class, ErrorClass::Transient);
        assert_eq!(error.hint.as_deref(), Some("wait"));
        assert!(error.reason.starts_with("apt is busy"), "{}", error.reason);
    }

    #[test]
    fn any_other_end_shows_the_last_words() {
        let mut script = Script::reads();
        script.main("echo one >&2; echo two >&2; exit 3");
        let error = run_locally("sh", &script).check("look").unwrap_err();
        assert_eq!(error.reason, "the script on the host ended with status 3: one\ntwo");
    }

    #[test]
    fn a_script_cut_anywhere_does_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let witness = folder.path().join("ran");
        let mut script = Script::changes();
        script.data("content", b"abc").main(&format!("content > {}", quote(&witness.display().to_string())));
        let text = script.render("abc");
        for cut in (text.len() - 120..text.len() - 4).step_by(3) {
            let mut child = Command::new("dash")
                .arg("-s")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(&text.as_bytes()[..cut]).unwrap();
            child.wait().unwrap();
            assert!(!witness.exists(), "cut at {cut}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn variables_and_data_arrive_as_they_are(text in "[^\u{0}]{0,60}", data in prop::collection::vec(any::<u8>(), 0..9000)) {
            let mut script = Script::reads();
            script.set("V", &text).data("content", &data);
            script.main("sect v; printf '%s' \"$V\" >&3; sect data; content >&3");
            for shell in ["sh", "dash"] {
                let answer = run_locally(shell, &script).check("read").unwrap();
                prop_assert_eq!(answer.bytes("v").unwrap(), text.as_bytes());
                prop_assert_eq!(answer.bytes("data").unwrap(), &data[..]);
            }
        }
    }
}
