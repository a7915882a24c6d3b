//! `systemd_unit`: a unit file under /etc/systemd/system, verified before it replaces the old one, then known to systemd.

use std::sync::Arc;

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{
    Refused, Work, Works,
    file::{FILE, PUT, Put, give_content, made_digest},
    file_look, input,
};
use crate::{
    marks::MARKS,
    script::{Answer, Script, quote},
};

pub struct Unit;

static KIND: Kind = Kind {
    name: "systemd_unit",
    attributes: &[
        Attribute::new("name").required().replaces(),
        Attribute::new("content").required(),
        Attribute::new("digest").computed(),
    ],
    create_before_destroy: false,
    holds_data: false,
    keeps_previous: true,
    leaves: "",
};

const RELOAD: &str = "systemctl daemon-reload";

pub(crate) const UNIT: &str = include_str!("unit.sh");

/// The unit's path; a drop-in is `haproxy.service.d/limits.conf`.
fn path(inputs: &Map) -> Result<String, Refused> {
    let name = input::text(inputs, "name")?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@:\\".contains(c))
    };
    let fits = match name.split_once('/') {
        None => plain(name) && name.contains('.'),
        Some((folder, file)) => {
            plain(folder) && folder.ends_with(".d") && plain(file) && file.ends_with(".conf")
        }
    };
    if !fits || name.contains('\\') {
        return Err(Refused(format!("`{}` is no name of a unit", name.escape_debug())));
    }
    Ok(format!("/etc/systemd/system/{name}"))
}

fn put<'a>(path: &'a str, name: &str) -> Put<'a> {
    Put {
        path,
        owner: "root",
        group: "root",
        mode: "0644",
        check: (!name.contains('/')).then(|| format!("unit_verify %s {}", quote(name))),
        check_in_place: None,
        reload: Some(RELOAD.to_owned()),
        armed: false,
    }
}

/// The request as file_look wants it: a path beside the name.
fn with_path(request: &ReadRequest) -> Option<ReadRequest> {
    let path = path(file_look::known(request)?).ok()?;
    let add = |inputs: &Map| {
        let mut inputs = inputs.clone();
        inputs.insert("path".into(), Value::text(&path));
        Arc::new(inputs)
    };
    Some(ReadRequest {
        recorded: request.recorded.as_ref().map(|(inputs, outputs)| (add(inputs), Arc::clone(outputs))),
        desired: request.desired.as_deref().map(add),
        ..request.clone()
    })
}

impl Works for Unit {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        path(inputs)?;
        input::text(inputs, "name").map(str::to_owned)
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        let path = path(&call.inputs)?;
        let mut work = Work::new(&[MARKS, FILE, UNIT]);
        put(&path, input::text(&call.inputs, "name")?).set(&mut work.script, call);
        work.script.set("CHECKER", "`systemd-analyze verify`");
        give_content(&mut work, &call.inputs)?;
        work.script.main(PUT);
        Ok(work)
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        let path = path(&call.inputs)?;
        let mut work = Work::new(&[MARKS, FILE]);
        Put { check: None, ..put(&path, input::text(&call.inputs, "name")?) }.set(&mut work.script, call);
        work.script.main("marks_open\nrestore_file\nforget");
        Ok(work)
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        let with: Vec<(usize, ReadRequest)> =
            requests.iter().filter_map(|(index, request)| Some((*index, with_path(request)?))).collect();
        let with: Vec<(usize, &ReadRequest)> =
            with.iter().map(|(index, request)| (*index, request)).collect();
        file_look::look("unit-file", &with, |inputs| input::path(inputs, "path").map(str::to_owned), script);
    }

    fn seen(
        &self,
        index: usize,
        request: &ReadRequest,
        answer: &Answer,
    ) -> Result<Option<Observed>, Refused> {
        let Some(with) = with_path(request) else { return Ok(None) };
        let Some(mut observed) = file_look::seen("unit-file", index, &with, answer)? else { return Ok(None) };
        let Some(inputs) = file_look::known(request) else { return Ok(None) };
        observed.id = self.id(inputs)?;
        observed.attributes.remove("path");
        observed.attributes.insert("name".into(), inputs.get("name").cloned().unwrap_or_default());
        Ok(Some(observed))
    }

    fn made(&self, _: &Call, answer: &Answer) -> Map {
        made_digest(answer)
    }
}
