//! `user`: an account with groups, shell and authorized keys. A delete removes it only if it was made here, and never a
//! home folder with something of its own in it.

use standfast_contract::{Attribute, Call, Kind, Map, Observed, ReadRequest, Stack, Value};

use super::{Refused, Work, Works, file_look::known, guard, input};
use crate::{
    marks::MARKS,
    script::{Answer, Script, quote},
};

pub(crate) const USER: &str = include_str!("user.sh");

pub struct User;

static KIND: Kind = Kind::new(
    "user",
    &[
        Attribute::new("name").required().replaces(),
        Attribute::new("uid"),
        Attribute::new("groups"),
        Attribute::new("shell"),
        Attribute::new("home"),
        Attribute::new("system").unobserved(),
        Attribute::new("authorized_keys"),
    ],
);

fn keys(inputs: &Map) -> Result<String, Refused> {
    let keys = input::texts(inputs, "authorized_keys");
    if let Some(bad) =
        keys.iter().find(|key| key.contains(['\n', '\0']) || key.split_whitespace().count() < 2)
    {
        return Err(Refused(format!("`{}` is no public key", bad.escape_debug())));
    }
    Ok(keys.iter().map(|key| key.trim()).collect::<Vec<_>>().join("\n"))
}

/// As useradd(8) has it on Debian: nothing in it that a shell or a table of accounts could misread.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn work(call: &Call, main: &str) -> Result<Work, Refused> {
    let inputs = &call.inputs;
    let mut work = Work::new(&[MARKS, USER]);
    let name = input::name(inputs, "name")?;
    let groups = input::texts(inputs, "groups");
    if let Some(bad) = groups.iter().find(|group| !is_name(group)) {
        return Err(Refused(format!("`{}` is no group", bad.escape_debug())));
    }
    let uid = inputs.get("uid").and_then(Value::as_int).map(|uid| uid.to_string());
    // The account that we come in with: its keys are the way in.
    let login = call.place.as_map().and_then(|place| place.get("user")).and_then(Value::as_str);
    let armed = login == Some(name);
    work.script
        .set("U", name)
        .set("UID_WANTED", &uid.unwrap_or_default())
        .set("SHELL_WANTED", input::text_or(inputs, "shell", ""))
        .set("HOME_WANTED", input::text_or(inputs, "home", ""))
        .set("GROUPS_WANTED", &groups.join(","))
        .set("SET_GROUPS", if inputs.contains_key("groups") { "1" } else { "" })
        .set("SYSTEM", if input::bool_or(inputs, "system", false) { "1" } else { "" })
        .set("KEYS", &keys(inputs)?)
        .set("OLD_KEYS", &keys(&call.prior).unwrap_or_default())
        .set("ARM", if armed { "1" } else { "" });
    if armed {
        work.armed = true;
        guard::restore(
            &mut work.script,
            &format!(
                "if [ -f \"$ARMED.old\" ]; then runuser -u {user} -- sh -c 'umask 077; cat >\"$0.old\" && mv -f \"$0.old\" \"$0\"' \
                 \"@KEYS@\" <\"$ARMED.old\"; else runuser -u {user} -- rm -f \"@KEYS@\"; fi",
                user = quote(name)
            ),
        );
    }
    work.script.main(main);
    if armed {
        work.script.main("sect armed; [ ! -f \"$ARMED.sh\" ] || printf yes >&3");
    }
    Ok(work)
}

impl Works for User {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn id(&self, inputs: &Map) -> Result<String, Refused> {
        input::name(inputs, "name").map(str::to_owned)
    }

    fn apply(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "begin user_snapshot\nput_user\nfinish")
    }

    fn remove(&self, _: &Stack, call: &Call) -> Result<Work, Refused> {
        work(call, "marks_open\nrestore_user\n[ -f \"$ARMED.sh\" ] || forget")
    }

    fn look(&self, _: &Stack, requests: &[(usize, &ReadRequest)], script: &mut Script) {
        for (index, request) in requests {
            let Some(Ok(name)) = known(request).map(|inputs| input::name(inputs, "name")) else { continue };
            let name = quote(name);
            script.main(&format!(
                "sect user.{index}\nif getent passwd {name} >&3; then sect user-groups.{index}; id -Gn {name} >&3; \
                 sect user-primary.{index}; id -gn {name} >&3; sect user-keys.{index}; \
                 cat -- \"$(getent passwd {name} | cut -d: -f6)/.ssh/authorized_keys\" 2>/dev/null >&3 || :; fi"
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
        let name = input::name(inputs, "name")?;
        let passwd = answer.text(&format!("user.{index}")).unwrap_or_default();
        let fields: Vec<&str> = passwd.trim().split(':').collect();
        let [_, _, uid, _, _, home, shell] = fields[..] else { return Ok(None) };
        let mut attributes = Map::from([("name".to_owned(), Value::text(name))]);
        let mut put = |key: &str, value: Value| {
            if inputs.contains_key(key) {
                attributes.insert(key.to_owned(), value);
            }
        };
        put("uid", uid.parse().map_or(Value::Null, Value::Int));
        put("home", Value::text(home));
        put("shell", Value::text(shell));
        let primary = answer.text(&format!("user-primary.{index}")).unwrap_or_default();
        let member = answer.text(&format!("user-groups.{index}")).unwrap_or_default();
        let member: Vec<&str> = member.split_whitespace().collect();
        let wanted = input::texts(inputs, "groups");
        // In the order of the inputs, then what is there beyond them; the primary group is not asked for here.
        let mut groups: Vec<&str> =
            wanted.iter().map(String::as_str).filter(|group| member.contains(group)).collect();
        groups.extend(
            member
                .iter()
                .filter(|group| **group != primary.trim() && !wanted.iter().any(|one| one == *group)),
        );
        put("groups", Value::List(groups.into_iter().map(Value::text).collect()));
        let there = answer.text(&format!("user-keys.{index}")).unwrap_or_default();
        let ours: Vec<Value> = input::texts(inputs, "authorized_keys")
            .into_iter()
            .filter(|key| there.lines().any(|line| line == key.trim()))
            .map(Value::Text)
            .collect();
        put("authorized_keys", Value::List(ours));
        Ok(Some(Observed { id: name.to_owned(), attributes, outputs: Map::new() }))
    }
}
