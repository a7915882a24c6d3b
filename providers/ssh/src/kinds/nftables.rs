//! `nftables`: one table `inet standfast_NAME`, loaded in one transaction, there again after a reboot.
//!
//! Always armed: rules can cut the way in. Nothing outside the table is touched.

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{
    Refused, Work, Works,
    file::{FILE, Put, give_content, made_digest},
    file_look, guard, input,
};
use crate::{
    marks::{self, MARKS},
    script::{Answer, Script, quote},
};

pub(crate) const NFT: &str = include_str!("nftables.sh");

pub struct Nftables;

static KIND: Kind = Kind {
    name: "nftables",
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

/// The table of a name: nft allows letters, digits and `_` in it.
pub fn table(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("standfast_{clean}")
}

fn path(inputs: &Map) -> Result<String, Refused> {
    Ok(format!("/etc/standfast/nftables/{}.nft", table(input::name(inputs, "name")?)))
}

fn boot_unit(table: &str, path: &str) -> String {
    format!(
        "[Unit]\nDescription=nftables table {table}\nWants=network-pre.target\nBefore=network-pre.target\nDefaultDependencies=no\nAfter=local-fs.target\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/nft -f {path}\n\n[Install]\nWantedBy=sysinit.target"
    )
}

fn work(call: &Call, main: &str) -> Result<Work, Refused> {
    let path = path(&call.inputs)?;
    let table = table(input::name(&call.inputs, "name")?);
    let mut work = Work::new(&[MARKS, FILE, NFT]);
    let wire = format!("standfast-nftables-{}.service", table.trim_start_matches("standfast_"));
    Put {
        path: &path,
        owner: "root",
        group: "root",
        mode: "0600",
        check: Some("nft_check %s".to_owned()),
        check_in_place: None,
        reload: Some("nft_apply".to_owned()),
        armed: true,
    }
    .set(&mut work.script, call);
    work.script
        .set("CHECKER", "`nft -c -f`")
        .set("T", &table)
        .set("WIRE", &wire)
        .set("UNIT_TEXT", &boot_unit(&table, &path));
    let load = format!(
        "{{ printf 'table inet {table} {{ }}; delete table inet {table}; '; cat {path}; }} | nft -f -"
    );
    guard::restore(
        &mut work.script,
        &format!(
            "{}\n[ ! -f \"$ARMED.listing\" ] || mv -f \"$ARMED.listing\" \"$KEPT.listing\"\nif [ -f {path} ]; then {load}; else nft delete table inet {table}; systemctl disable {wire}; rm -f /etc/systemd/system/{wire}; fi",
            guard::undo_file(&path, None)
        ),
    );
    work.armed = true;
    work.script.main(main);
    Ok(work)
}

impl Works for Nftables {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        Ok(table(input::name(inputs, "name")?))
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        let mut work = work(call, "")?;
        give_content(&mut work, &call.inputs)?;
        if let Some(content) = call.inputs.get("content").and_then(Value::expose) {
            let table = table(input::name(&call.inputs, "name")?);
            if !content.contains(&format!("table inet {table}")) {
                return Err(Refused(format!("the rules must be of `table inet {table}`")));
            }
        }
        work.script.main(
            "begin file_snapshot\nput_nft\nfinish\nsect digest; printf '%s' \"$SHA\" >&3\nsect armed; [ ! -f \"$ARMED.sh\" ] || printf yes >&3",
        );
        Ok(work)
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(
            call,
            "marks_open\nif has nft; then restore_nft; else rm -f -- \"$P\"; fi\n\
             sect armed; [ ! -f \"$ARMED.sh\" ] || printf yes >&3\n[ -f \"$ARMED.sh\" ] || forget",
        )
    }

    fn look(&self, stack: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        let path_of = |request: &ReadRequest| path(file_look::known(request)?).ok();
        for (index, request) in requests {
            let Some(path) = path_of(request) else { continue };
            let Some(Ok(name)) = file_look::known(request).map(|inputs| input::name(inputs, "name")) else {
                continue;
            };
            script.library(MARKS);
            script.set("NFT_STACK", &marks::folder(stack));
            script.main(&format!(
                "sect nft-file.{index}\nif [ -f {path} ]; then sha_of {path} >&3; fi\nsect nft-live.{index}\nnft -s list table inet {table} 2>/dev/null >&3 || :\n\
                 sect nft-wrote.{index}\ncat -- \"$ROOT/$NFT_STACK/kept/\"{key}.listing 2>/dev/null >&3 || :",
                table = table(name),
                key = quote(&marks::key(&request.address)),
                path = quote(&path),
            ));
        }
    }

    fn seen(
        &self,
        index: usize,
        request: &ReadRequest,
        answer: &Answer,
    ) -> Result<Option<Observed>, Refused> {
        let Some(inputs) = file_look::known(request) else { return Ok(None) };
        let text = |section: &str| answer.text(&format!("{section}.{index}")).unwrap_or_default();
        let (sum, live, wrote) = (text("nft-file"), text("nft-live"), text("nft-wrote"));
        let sum = sum.trim();
        if sum.is_empty() && live.trim().is_empty() {
            return Ok(None);
        }
        let mut attributes =
            Map::from([("name".to_owned(), inputs.get("name").cloned().unwrap_or_default())]);
        let as_loaded = super::file::sha256(live.as_bytes()) == wrote.trim();
        let content = if as_loaded {
            file_look::content_seen(request, inputs, Some(sum), None, 0).1
        } else if live.trim().is_empty() {
            Value::text("(the table is not loaded)")
        } else {
            Value::text(live)
        };
        attributes.insert("content".into(), content);
        let outputs = Map::from([("digest".to_owned(), Value::text(sum))]);
        Ok(Some(Observed { id: self.id(inputs)?, attributes, outputs }))
    }

    fn made(&self, _: &Call, answer: &Answer) -> Map {
        made_digest(answer)
    }
}
