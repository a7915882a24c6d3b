//! `release`: an archive unpacked beside the older ones, and a link `current` that is switched in one step.
//!
//! `ROOT/releases/DIGEST12/` holds what was unpacked, `ROOT/current` leads to it. The last three stay, so that going
//! back needs no upload, even when the local archive is gone.

pub(crate) mod archive;

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{
    LONG, Refused, Upload, Work, Works,
    file::{FILE, hash_local},
    file_look::known,
    input,
};
use crate::{
    marks::MARKS,
    script::{Answer, Script, quote},
};

pub(crate) const RELEASE: &str = include_str!("../release.sh");

pub struct Release;

static KIND: Kind = Kind {
    name: "release",
    attributes: &[
        Attribute::new("name").required(),
        Attribute::new("archive").required(),
        Attribute::new("root").required().replaces(),
        Attribute::new("path").computed(),
        Attribute::new("release").computed(),
        Attribute::new("digest").computed(),
    ],
    create_before_destroy: false,
    holds_data: false,
    keeps_previous: true,
    leaves: "",
};

struct Asked<'a> {
    local: &'a str,
    digest: &'a str,
    root: &'a str,
}

impl Asked<'_> {
    /// The release's folder name: 12 hex digits of its digest.
    fn id(&self) -> &str {
        &self.digest[..12]
    }
}

fn asked(inputs: &Map) -> Result<Asked<'_>, Refused> {
    let archive =
        inputs.get("archive").and_then(Value::as_map).ok_or_else(|| Refused::new("`archive` is missing"))?;
    let digest = input::text(archive, "digest")?;
    if digest.len() < 12 || !digest.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Refused(format!("`{}` is no digest", digest.escape_debug())));
    }
    let root = input::path(inputs, "root")?.trim_end_matches('/');
    if root.is_empty() {
        return Err(Refused::new("`/` is no root for releases"));
    }
    Ok(Asked { local: input::text(archive, "path")?, digest, root })
}

fn outputs(asked: &Asked<'_>) -> Map {
    [
        ("path", format!("{}/current", asked.root)),
        ("release", format!("{}/releases/{}", asked.root, asked.id())),
        ("digest", asked.digest.to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), Value::Text(value)))
    .collect()
}

fn work(call: &Call, main: &str) -> Result<Work, Refused> {
    let asked = asked(&call.inputs)?;
    let mut work = Work::new(&[MARKS, FILE, RELEASE]);
    work.script.set("R", asked.root).set("ID", asked.id()).timeout(LONG).main(main);
    work.outputs = outputs(&asked);
    Ok(work)
}

impl Works for Release {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        Ok(asked(inputs)?.root.to_owned())
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        let mut work = work(call, "begin release_snapshot\nput_release\nfinish")?;
        let asked = asked(&call.inputs)?;
        work.script.set("UPLOADED", "");
        match hash_local(asked.local, asked.digest) {
            Ok(local) => {
                archive::check_file(asked.local)
                    .map_err(|error| Refused(format!("the archive {}: {error}", asked.local)))?;
                work.script.set("SHA", &local.sha256);
                work.uploads.push(Upload {
                    local: asked.local.to_owned(),
                    size: local.size,
                    digest: asked.digest.to_owned(),
                    variable: "UPLOADED",
                    unless: format!("{}/releases/{}/.standfast", asked.root, asked.id()),
                });
            }
            // On the way back the archive may be gone or newer; the host has kept the release, or says that it has not.
            Err(_) => {
                work.script.set("SHA", "");
            }
        }
        Ok(work)
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "marks_open\nrestore_release\nforget")
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        for (index, request) in requests {
            let Some(Ok(asked)) = known(request).map(asked) else { continue };
            let root = quote(asked.root);
            script.main(&format!(
                "sect release.{index}\nif [ -f {root}/current/.standfast ]; then readlink -- {root}/current >&3 || :; fi"
            ));
        }
    }

    fn seen(
        &self,
        index: usize,
        request: &ReadRequest,
        answer: &Answer,
    ) -> Result<Option<Observed>, Refused> {
        let Some(inputs) = known(request) else { return Ok(None) };
        let asked_for = asked(inputs)?;
        let link = answer.text(&format!("release.{index}")).unwrap_or_default();
        let Some(there) = link.trim().rsplit('/').next().filter(|there| !there.is_empty()) else {
            return Ok(None);
        };
        let mut attributes = Map::new();
        for key in ["name", "root"] {
            attributes.insert(key.to_owned(), inputs.get(key).cloned().unwrap_or_default());
        }
        let desired =
            request.desired.as_ref().filter(|desired| asked(desired).is_ok_and(|asked| asked.id() == there));
        let (archive, outputs) = if asked_for.id() == there {
            (inputs.get("archive").cloned().unwrap_or_default(), outputs(&asked_for))
        } else if let Some(desired) = desired {
            (desired.get("archive").cloned().unwrap_or_default(), outputs(&asked(desired)?))
        } else {
            let unlike = Map::from([
                ("path".to_owned(), Value::text(asked_for.local)),
                ("digest".to_owned(), Value::text(there)),
                ("size".to_owned(), Value::Null),
            ]);
            (Value::Map(unlike), Map::new())
        };
        attributes.insert("archive".into(), archive);
        Ok(Some(Observed { id: asked_for.root.to_owned(), attributes, outputs }))
    }
}
