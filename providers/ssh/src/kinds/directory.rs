//! `directory`: a folder with owner and mode. A delete removes it only if it was made here and is empty.

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack};

use super::{
    Refused, Work, Works,
    file::{FILE, Put},
    file_look::{self, LOOK},
    input,
};
use crate::{
    marks::MARKS,
    script::{Answer, Script, quote},
};

pub struct Directory;

static KIND: Kind = Kind::new(
    "directory",
    &[
        Attribute::new("path").required().replaces(),
        Attribute::new("owner"),
        Attribute::new("group"),
        Attribute::new("mode").unit("octal mode"),
    ],
);

fn work(call: &Call, main: &str) -> Result<Work, Refused> {
    let path = input::path(&call.inputs, "path")?.trim_end_matches('/');
    if path.is_empty() {
        return Err(Refused::new("`/` is no folder to manage"));
    }
    let mut work = Work::new(&[MARKS, FILE]);
    let put = Put {
        path,
        owner: input::text_or(&call.inputs, "owner", "root"),
        group: input::text_or(&call.inputs, "group", input::text_or(&call.inputs, "owner", "root")),
        mode: input::text_or(&call.inputs, "mode", "0755"),
        check: None,
        check_in_place: None,
        reload: None,
        armed: false,
    };
    put.set(&mut work.script, call);
    work.script.main(main);
    Ok(work)
}

impl Works for Directory {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        input::path(inputs, "path").map(str::to_owned)
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "begin folder_snapshot\nput_folder\nfinish")
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "marks_open\nrestore_folder\nforget")
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        let paths: Vec<String> = requests
            .iter()
            .filter_map(|(_, request)| input::path(file_look::known(request)?, "path").ok().map(quote))
            .collect();
        if !paths.is_empty() {
            script.library(LOOK);
            script.main(&format!("sect folder-stat\nlook_at {}", paths.join(" ")));
        }
    }

    fn seen(&self, _: usize, request: &ReadRequest, answer: &Answer) -> Result<Option<Observed>, Refused> {
        file_look::folder_seen("folder", request, answer)
    }
}
