//! Files of a component on a host: from the blueprint's words to `file` resources, whole folders too.
//!
//! Text that can be read is kept as `content`, so that a plan can show its difference; what is not text, and folders,
//! as `source` with its digest.

use std::collections::BTreeMap;

use standfast_contract::{
    Address, Answers, Desired, Lookup, Map, OutputRef, SecretSource, Value,
    component::{FileContent, FileSpec},
};

use super::{
    names,
    site::{self, Problems, Site, inputs},
    template,
};

/// What can cut the way in: changed only under the host's revert timer.
const GUARDED: &[&str] = &[
    "/etc/ssh/",
    "/etc/sudoers",
    "/etc/pam.d/",
    "/etc/network/",
    "/etc/netplan/",
    "/etc/systemd/network/",
    "/etc/nftables.conf",
    "/etc/passwd",
    "/etc/shadow",
];

/// What has to be known of a local file or folder.
///
/// Nobody can tell here which of the two a path is: both are asked, and whichever is answered holds. A sensitive
/// file's content is not asked for at all, because answers are kept in plans.
pub fn lookups(content: &FileContent, sensitive: bool) -> Vec<Lookup> {
    match content {
        FileContent::From(path) if sensitive => vec![Lookup::Tree { path: path.clone() }],
        FileContent::From(path) => {
            vec![Lookup::File { path: path.clone() }, Lookup::Tree { path: path.clone() }]
        }
        FileContent::Template { path, .. } => vec![Lookup::File { path: path.clone() }],
        FileContent::Inline(_) => Vec::new(),
    }
}

/// The text of a content that must be one text: a unit, a template, an inline text.
pub fn text(
    site: &Site<'_>,
    content: &FileContent,
    key: &str,
    answers: &Answers,
    problems: &mut Problems,
) -> Option<Value> {
    match content {
        FileContent::Inline(value) => Some(value.clone()),
        FileContent::From(path) => match local(path, answers) {
            Some(file) if file.text.is_some() => file.text.map(Value::text),
            found => {
                unreadable(path, found.is_some(), &format!("{key}.from"), problems);
                None
            }
        },
        FileContent::Template { path, variables } => {
            let key = format!("{key}.template");
            let found = local(path, answers);
            let Some(source) = found.as_ref().and_then(|file| file.text) else {
                unreadable(path, found.is_some(), &key, problems);
                return None;
            };
            template::render(source, variables, site)
                .map_err(|error| {
                    let place = error.line.map_or_else(|| path.clone(), |line| format!("{path}:{line}"));
                    problems.add(
                        key,
                        format!("the template does not render: {place}: {}", error.message),
                        "a template knows its variables, host.name, host.address, host.zone, stack.name and stack.environment",
                    );
                })
                .ok()
        }
    }
}

fn unreadable(path: &str, exists: bool, key: &str, problems: &mut Problems) {
    if exists {
        problems.add(
            key,
            format!("{path} is no text of at most 256 KiB"),
            "it must be UTF-8, and no archive or image",
        );
    } else {
        problems.add(key, format!("there is no file {path}"), "paths are relative to the blueprint's folder");
    }
}

/// What is known of a local file.
struct Local<'a> {
    digest: &'a Value,
    size: &'a Value,
    text: Option<&'a str>,
    /// Whether its owner may execute it.
    executable: bool,
}

impl<'a> Local<'a> {
    fn from_answer(answer: &'a Map) -> Option<Self> {
        Some(Local {
            digest: answer.get("digest")?,
            size: answer.get("size")?,
            text: answer.get("text").and_then(Value::as_str),
            executable: answer.get("mode").is_some_and(is_executable),
        })
    }

    fn source(&self, path: &str) -> Value {
        Value::Map(inputs([
            ("path", path.into()),
            ("digest", self.digest.clone()),
            ("size", self.size.clone()),
        ]))
    }
}

fn is_executable(mode: &Value) -> bool {
    let mode = match mode {
        Value::Int(mode) => *mode,
        Value::Text(octal) => i64::from_str_radix(octal, 8).unwrap_or(0),
        _ => 0,
    };
    mode & 0o100 != 0
}

fn local<'a>(path: &str, answers: &'a Answers) -> Option<Local<'a>> {
    site::answer(answers, &Lookup::File { path: path.to_owned() }).and_then(Local::from_answer)
}

/// A local file as a `source`, for archives.
pub fn source(path: &str, key: &str, answers: &Answers, problems: &mut Problems) -> Option<Value> {
    let found = local(path, answers).map(|file| file.source(path));
    if found.is_none() {
        unreadable(path, false, key, problems);
    }
    found
}

/// One file that was placed, and who must know when it changes.
struct Placed<'a> {
    resource: Desired,
    path: String,
    reloads: &'a [String],
    restarts: &'a [String],
}

/// What a changed file does to the service that it says nothing about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unsaid {
    /// Below `/etc` it is configuration and reloads; elsewhere it is data and does nothing.
    ReloadConfiguration,
    Restart,
    Nothing,
}

/// The files of one component on one host.
pub struct Files<'a, 's> {
    site: &'s Site<'a>,
    answers: &'s Answers,
    placed: Vec<Placed<'s>>,
    /// Paths by the part of a name that stands for them, since two paths may share one.
    names: BTreeMap<String, String>,
}

impl<'a, 's> Files<'a, 's> {
    pub fn new(site: &'s Site<'a>, answers: &'s Answers) -> Self {
        Files { site, answers, placed: Vec::new(), names: BTreeMap::new() }
    }

    /// Places a file, or each file of a folder. `key` is where the blueprint says it: `workload.files[0]`.
    pub fn add(&mut self, spec: &'s FileSpec, key: &str, after: &[Address], problems: &mut Problems) {
        let FileContent::From(from) = &spec.content else {
            if let Some(text) = text(self.site, &spec.content, key, self.answers, problems) {
                let text = if spec.sensitive { text.masked() } else { text };
                self.place(spec, &spec.to, ("content", text), false, key, after, problems);
            }
            return;
        };
        if let Some(Value::List(tree)) = self.answers.get(&Lookup::Tree { path: from.clone() }) {
            for entry in tree.iter().filter_map(Value::as_map) {
                let (Some(path), Some(file)) =
                    (entry.get("path").and_then(Value::as_str), Local::from_answer(entry))
                else {
                    continue;
                };
                let full = format!("{}/{path}", from.trim_end_matches('/'));
                let content = if spec.sensitive { secret(&full) } else { ("source", file.source(&full)) };
                let to = format!("{}/{path}", spec.to.trim_end_matches('/'));
                self.place(spec, &to, content, file.executable, key, after, problems);
            }
            return;
        }
        let content = if spec.sensitive {
            secret(from)
        } else {
            match local(from, self.answers) {
                Some(file) => match file.text {
                    Some(text) => ("content", Value::text(text)),
                    None => ("source", file.source(from)),
                },
                None => return unreadable(from, false, &format!("{key}.from"), problems),
            }
        };
        self.place(spec, &spec.to, content, false, key, after, problems);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what differs between the files of one folder, and nothing else"
    )]
    fn place(
        &mut self,
        spec: &'s FileSpec,
        path: &str,
        (attribute, content): (&str, Value),
        executable: bool,
        key: &str,
        after: &[Address],
        problems: &mut Problems,
    ) {
        let mut leaf = names::path_leaf(path);
        match self.names.get(&leaf) {
            Some(other) if other == path => {
                let message = format!("{path} is written twice on {}", self.site.host.name);
                return problems.add(format!("{key}.to"), message, "leave one of the two out");
            }
            Some(_) => leaf = format!("{leaf}-{}", names::short_digest(path)),
            None => {}
        }
        self.names.insert(leaf.clone(), path.to_owned());
        let mode = if executable { with_execute(&spec.mode) } else { spec.mode.clone() };
        let mut inputs = inputs([
            ("path", path.into()),
            (attribute, content),
            ("owner", spec.owner.as_str().into()),
            ("group", spec.group.as_str().into()),
            ("mode", mode.into()),
        ]);
        if let Some(validate) = &spec.validate {
            inputs.insert("validate".to_owned(), validate.as_str().into());
        }
        if GUARDED.iter().any(|guarded| path.starts_with(guarded)) {
            inputs.insert("guard".to_owned(), true.into());
        }
        let resource = self.site.resource("file", &leaf, inputs, after.to_vec());
        self.placed.push(Placed {
            resource,
            path: path.to_owned(),
            reloads: &spec.reloads,
            restarts: &spec.restarts,
        });
    }

    /// What reloads and what restarts a service, by path.
    pub fn changes(&self, service: &str, unsaid: Unsaid) -> (Map, Map) {
        let names_it =
            |services: &[String]| services.iter().any(|one| names::service(one) == names::service(service));
        let (mut reload, mut restart) = (Map::new(), Map::new());
        for placed in &self.placed {
            let silent = placed.reloads.is_empty() && placed.restarts.is_empty();
            let reloads = silent && unsaid == Unsaid::ReloadConfiguration && placed.path.starts_with("/etc/");
            let digest = OutputRef::resource(&placed.resource.address, "digest");
            if names_it(placed.restarts) || (silent && unsaid == Unsaid::Restart) {
                restart.insert(placed.path.clone(), digest);
            } else if names_it(placed.reloads) || reloads {
                reload.insert(placed.path.clone(), digest);
            }
        }
        (reload, restart)
    }

    /// Every service that a file names, each once.
    pub fn services(&self) -> Vec<&'s str> {
        let mut services: Vec<&'s str> = self
            .placed
            .iter()
            .flat_map(|placed| placed.reloads.iter().chain(placed.restarts))
            .map(|service| names::service(service))
            .collect();
        services.sort_unstable();
        services.dedup();
        services
    }

    pub fn addresses(&self) -> Vec<Address> {
        self.placed.iter().map(|placed| placed.resource.address.clone()).collect()
    }

    pub fn into_resources(self) -> Vec<Desired> {
        self.placed.into_iter().map(|placed| placed.resource).collect()
    }
}

fn secret(path: &str) -> (&'static str, Value) {
    ("content", Value::Secret(SecretSource::FileExact(path.to_owned())))
}

/// `0644` to `0755`: who may read may execute.
fn with_execute(mode: &str) -> String {
    match u32::from_str_radix(mode, 8) {
        Ok(bits) => format!("{:04o}", bits | ((bits & 0o444) >> 2)),
        Err(_) => mode.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_read_an_executable_may_execute_it() {
        for (mode, expected) in [("0644", "0755"), ("0640", "0750"), ("0400", "0500"), ("odd", "odd")] {
            assert_eq!(with_execute(mode), expected);
        }
    }
}
