//! `file`: content, owner and mode of a regular file, replaced atomically after a check.
//!
//! The content is a text, a sensitive text or a local file. What was there before comes back on delete; the last three
//! contents are kept on the host, so that even one whose text nobody remembers can be put back.

use std::io::Read;

use sha2::{Digest, Sha256};
use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{Refused, Upload, Work, Works, file_look, guard, input};
use crate::{
    marks::MARKS,
    script::{Answer, Script},
};

pub(crate) const FILE: &str = include_str!("file.sh");

/// Contents up to this many bytes travel inside the script, larger ones as a stream.
const INLINE_MAX: u64 = 512 << 10;

pub struct File;

static KIND: Kind = Kind {
    name: "file",
    attributes: &[
        Attribute::new("path").required().replaces(),
        Attribute::new("content"),
        Attribute::new("source"),
        Attribute::new("owner"),
        Attribute::new("group"),
        Attribute::new("mode").unit("octal mode"),
        Attribute::new("validate").unobserved(),
        Attribute::new("guard").unobserved(),
        // Values that stand in single quotes in the content, and so may hold none.
        Attribute::new("quoted").unobserved(),
        // Its check names the file and never quotes the content.
        Attribute::new("discreet").unobserved(),
        Attribute::new("digest").computed(),
    ],
    create_before_destroy: false,
    holds_data: false,
    keeps_previous: true,
    leaves: "",
};

/// Where a content comes from.
pub(crate) enum Content<'a> {
    Text(&'a str),
    /// Only its digest is known: the host may have kept it.
    Kept,
    Local {
        path: &'a str,
        digest: &'a str,
    },
}

/// The content that inputs ask for.
pub(crate) fn content(inputs: &Map) -> Result<Content<'_>, Refused> {
    if let Some(source) = inputs.get("source").and_then(Value::as_map) {
        return Ok(Content::Local {
            path: input::text(source, "path")?,
            digest: input::text(source, "digest")?,
        });
    }
    match inputs.get("content") {
        Some(Value::Text(text)) => Ok(Content::Text(text)),
        Some(Value::Sensitive(sensitive)) => {
            Ok(sensitive.expose().map_or_else(|| Content::Kept, Content::Text))
        }
        _ => Err(Refused::new("a file needs `content` or `source`")),
    }
}

/// Refuses a value that would end its quotes early, known only now: what follows it would be read as something else.
fn refuse_quotes(inputs: &Map) -> Result<(), Refused> {
    let quoted = inputs.get("quoted").and_then(Value::as_list).unwrap_or_default();
    let text = |value: &Value| match value {
        Value::Sensitive(sensitive) => sensitive.expose().is_some_and(|text| text.contains('\'')),
        other => other.as_str().is_some_and(|text| text.contains('\'')),
    };
    if !quoted.iter().any(text) {
        return Ok(());
    }
    let path = input::text_or(inputs, "path", "the file");
    Err(Refused(format!(
        "a secret or output in {path} holds a single quote, which cannot be written there: choose one without, or hand \
         it over in a file of its own"
    )))
}

/// The name of the kept copy: what inputs still say of a content when its text is gone.
pub(crate) fn reference(inputs: &Map) -> String {
    match (inputs.get("content"), inputs.get("source").and_then(Value::as_map)) {
        (_, Some(source)) => input::text_or(source, "digest", "none").to_owned(),
        (Some(Value::Sensitive(sensitive)), None) => sensitive.digest().to_owned(),
        (Some(Value::Text(text)), None) => sha256(text.as_bytes()),
        _ => "none".to_owned(),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A local file that is still the one that was planned.
pub(crate) struct Local {
    /// Bytes.
    pub size: u64,
    pub sha256: String,
}

/// Reads a local file piece by piece, which must still have its digest of the plan: it may be larger than the memory.
pub(crate) fn hash_local(path: &str, digest: &str) -> Result<Local, Refused> {
    let unreadable = |error: std::io::Error| Refused(format!("the local file {path}: {error}"));
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let (mut blake, mut sha) = (blake3::Hasher::new(), Sha256::new());
    let mut piece = vec![0u8; 128 << 10];
    let mut size = 0;
    loop {
        let read = file.read(&mut piece).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        blake.update(&piece[..read]);
        sha.update(&piece[..read]);
        size += read as u64;
    }
    if blake.finalize().to_hex().as_str() != digest {
        return Err(Refused(format!("the local file {path} has changed since it was planned; plan again")));
    }
    Ok(Local { size, sha256: hex(&sha.finalize()) })
}

/// What a script needs to put a file: `file`, `systemd_unit` and `nftables` share it.
pub(crate) struct Put<'a> {
    pub path: &'a str,
    pub owner: &'a str,
    pub group: &'a str,
    pub mode: &'a str,
    /// With `%s` for the candidate's path.
    pub check: Option<String>,
    pub check_in_place: Option<String>,
    pub reload: Option<String>,
    pub armed: bool,
}

/// The candidate's path: in the same folder, so that the rename is atomic; the same for every try, so that what a
/// killed one left is overwritten.
fn candidate(path: &str, key: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name: String = name.chars().take(60).collect();
    format!("{folder}/.{name}.standfast-{}", &blake3::hash(key.as_bytes()).to_hex()[..8])
}

/// What a message calls a check: its last command, which is the one that judges, without the candidate's path.
fn checker(check: &str) -> String {
    let judge = check.rsplit(" | ").next().unwrap_or_default();
    format!("`{}`", judge.replace(" %s", "").trim())
}

impl Put<'_> {
    /// Sets the variables of file.sh.
    pub fn set(&self, script: &mut Script, call: &Call) {
        let candidate = candidate(self.path, &format!("{}{}", call.address, self.path));
        let folder = self
            .path
            .rsplit_once('/')
            .map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        // By name: a path may hold anything, and a `%s` may stand in quotes.
        let check = self.check.as_deref().map(|check| check.replace("%s", "\"$C\""));
        // Checkers quote what they object to, in one form or another.
        let secret = matches!(call.inputs.get("content"), Some(Value::Sensitive(_)))
            && !input::bool_or(&call.inputs, "discreet", false);
        script.set("SECRET", if secret { "1" } else { "" });
        let checker = self.check.as_deref().or(self.check_in_place.as_deref()).map(checker);
        script.set("P", self.path).set("D", folder).set("C", &candidate);
        script.set("OWNER", self.owner).set("GROUP", self.group).set("MODE", self.mode);
        script.set("CHECK", check.as_deref().unwrap_or_default());
        script.set("CHECK_IN_PLACE", self.check_in_place.as_deref().unwrap_or_default());
        script.set("CHECKER", &checker.unwrap_or_default());
        script.set("RELOAD", self.reload.as_deref().unwrap_or_default());
        script.set("ARM", if self.armed { "1" } else { "" });
        let wrote = call.prior_outputs.get("digest").and_then(Value::as_str).unwrap_or_default();
        script.set("WROTE", wrote).set("REF", &reference(&call.inputs));
    }
}

/// Adds the content to a work; its sha256, where it is known, becomes the output `digest`.
pub(crate) fn give_content(work: &mut Work, inputs: &Map) -> Result<(), Refused> {
    let sha = match content(inputs)? {
        Content::Text(text) => {
            work.script.data("content", text.as_bytes()).set("FROM", "inline");
            Some(sha256(text.as_bytes()))
        }
        Content::Kept => {
            work.script.set("FROM", "kept");
            None
        }
        Content::Local { path, digest } => match hash_local(path, digest) {
            Ok(local) => {
                if local.size <= INLINE_MAX {
                    let bytes = std::fs::read(path)
                        .map_err(|error| Refused(format!("the local file {path}: {error}")))?;
                    work.script.data("content", &bytes).set("FROM", "inline");
                } else {
                    work.script.set("FROM", "upload");
                    work.uploads.push(Upload {
                        local: path.to_owned(),
                        size: local.size,
                        digest: digest.to_owned(),
                        variable: "UPLOADED",
                        unless: String::new(),
                    });
                }
                Some(local.sha256)
            }
            // On the way back the local file may be gone or newer: the host may have kept the content.
            Err(refused) if inputs.get("source").is_some() && !std::path::Path::new(path).exists() => {
                work.script.set("FROM", "kept").set("LOCAL", &refused.to_string());
                None
            }
            Err(_) => {
                work.script.set("FROM", "kept");
                None
            }
        },
    };
    work.script.set("SHA", sha.as_deref().unwrap_or_default());
    if let Some(sha) = sha {
        work.outputs.insert("digest".into(), Value::Text(sha));
    }
    Ok(())
}

/// Lines that put a file and say what it has become.
pub(crate) const PUT: &str = "begin file_snapshot\nput_file\nfinish\nsect digest; printf '%s' \"$SHA\" >&3";

/// The digest that a host reported.
pub(crate) fn made_digest(answer: &Answer) -> Map {
    let digest = answer.text("digest").filter(|digest| !digest.is_empty());
    digest.map(|digest| Map::from([("digest".to_owned(), Value::Text(digest))])).unwrap_or_default()
}

impl File {
    fn put<'a>(inputs: &'a Map) -> Result<Put<'a>, Refused> {
        let path = input::path(inputs, "path")?;
        let guard = guard::of(path);
        let validate =
            inputs.get("validate").and_then(Value::as_str).filter(|validate| !validate.trim().is_empty());
        let (check, check_in_place) = match validate {
            Some(validate) if validate.contains("%s") => {
                (Some(validate.to_owned()), guard.check_in_place.map(str::to_owned))
            }
            Some(validate) => (guard.check.map(str::to_owned), Some(validate.to_owned())),
            None => (guard.check.map(str::to_owned), guard.check_in_place.map(str::to_owned)),
        };
        Ok(Put {
            path,
            owner: input::text_or(inputs, "owner", "root"),
            group: input::text_or(inputs, "group", input::text_or(inputs, "owner", "root")),
            mode: input::text_or(inputs, "mode", "0644"),
            check,
            check_in_place,
            reload: guard.reload.map(str::to_owned),
            armed: guard.armed || input::bool_or(inputs, "guard", false),
        })
    }
}

impl Works for File {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        input::path(inputs, "path").map(str::to_owned)
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        refuse_quotes(&call.inputs)?;
        let put = File::put(&call.inputs)?;
        let mut work = Work::new(&[MARKS, FILE]);
        put.set(&mut work.script, call);
        give_content(&mut work, &call.inputs)?;
        if put.armed {
            work.armed = true;
            guard::restore(&mut work.script, &guard::undo_file(put.path, put.reload.as_deref()));
        }
        work.script.main(PUT);
        if put.armed {
            work.script.main("sect armed; [ \"$CHANGED\" = 0 ] || printf yes >&3");
        }
        Ok(work)
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        let put = File::put(&call.inputs)?;
        let mut work = Work::new(&[MARKS, FILE]);
        Put { check: None, ..put }.set(&mut work.script, call);
        let put = File::put(&call.inputs)?;
        if put.armed {
            work.armed = true;
            guard::restore(&mut work.script, &guard::undo_file(put.path, put.reload.as_deref()));
            // The marks go when the fresh connection has come through.
            work.script.main("marks_open\nrestore_file\nsect armed; [ ! -f \"$ARMED.sh\" ] || printf yes >&3\n[ -f \"$ARMED.sh\" ] || forget");
        } else {
            work.script.main("marks_open\nrestore_file\nforget");
        }
        Ok(work)
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        file_look::look("file", requests, |inputs| input::path(inputs, "path").map(str::to_owned), script);
    }

    fn seen(
        &self,
        index: usize,
        request: &ReadRequest,
        answer: &Answer,
    ) -> Result<Option<Observed>, Refused> {
        file_look::seen("file", index, request, answer)
    }

    fn made(&self, _: &Call, answer: &Answer) -> Map {
        made_digest(answer)
    }
}
