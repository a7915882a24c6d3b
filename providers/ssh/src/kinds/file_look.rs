//! Looking at many files in one go: one `stat`, one `sha256sum`, and the content of those only that differ.

use base64::{Engine, engine::general_purpose::STANDARD};
use standfast_contract::{Map, Observed, ReadRequest, Sensitive, Value};

use super::{
    Refused,
    file::{Content, content, sha256},
    input,
};
use crate::script::{Answer, Script, quote};

pub(crate) const LOOK: &str = include_str!("file_look.sh");

/// The most of a changed file that is sent back, bytes.
const SHOWN_MAX: usize = 256 << 10;

/// What `read` knows of a resource beforehand: as recorded, else as desired.
pub(crate) fn known(request: &ReadRequest) -> Option<&Map> {
    request.recorded.as_ref().map(|(inputs, _)| &**inputs).or(request.desired.as_deref())
}

/// The sha256 that we wrote, and the one that we are about to write.
fn expected(request: &ReadRequest) -> (Option<String>, Option<String>) {
    let wrote =
        request.recorded.as_ref().and_then(|(_, outputs)| outputs.get("digest")?.as_str().map(str::to_owned));
    let wanted = request.desired.as_ref().and_then(|desired| match content(desired) {
        Ok(Content::Text(text)) => Some(sha256(text.as_bytes())),
        // A record tells; only what nothing is recorded of is worth reading the local file for.
        Ok(Content::Local { path, digest, .. }) if wrote.is_none() => {
            super::file::hash_local(path, digest).ok().map(|local| local.sha256)
        }
        _ => None,
    });
    (wrote, wanted)
}

/// Adds the look at these files. `path_of` finds the path in inputs.
pub(crate) fn look(
    section: &str,
    requests: &[(usize, &ReadRequest)],
    path_of: impl Fn(&Map) -> Result<String, Refused>,
    script: &mut Script,
) {
    let mut paths = String::new();
    let mut shown = String::new();
    for (index, request) in requests {
        let Some(Ok(path)) = known(request).map(&path_of) else { continue };
        let path = quote(&path);
        paths.push(' ');
        paths.push_str(&path);
        let (wrote, wanted) = expected(request);
        let sensitive = [known(request), request.desired.as_deref()]
            .into_iter()
            .flatten()
            .any(|inputs| inputs.get("content").is_some_and(Value::is_sensitive));
        // What is sensitive is compared by digest alone: it never travels back.
        if !sensitive {
            shown.push_str(&format!(
                "show {section}-text.{index} {path} {} {}\n",
                quote(&wrote.unwrap_or_default()),
                quote(&wanted.unwrap_or_default())
            ));
        }
    }
    if !paths.is_empty() {
        script.library(LOOK);
        script.main(&format!(
            "sect {section}-stat\nlook_at{paths}\nsect {section}-sum\nsums_of{paths}\n{shown}"
        ));
    }
}

struct Stat {
    regular: bool,
    folder: bool,
    mode: String,
    /// Name and number.
    owner: [String; 2],
    group: [String; 2],
    size: i64,
}

fn stat(section: &str, path: &str, answer: &Answer) -> Option<Stat> {
    let listing = answer.text(&format!("{section}-stat"))?;
    let line = listing.lines().find(|line| line.splitn(8, '|').nth(7) == Some(path))?;
    let mut fields = line.splitn(8, '|');
    let what = fields.next()?;
    Some(Stat {
        regular: what.starts_with("regular"),
        folder: what == "directory",
        mode: format!("{:0>4}", fields.next()?),
        owner: [fields.next()?.to_owned(), fields.next()?.to_owned()],
        group: [fields.next()?.to_owned(), fields.next()?.to_owned()],
        size: fields.next()?.parse().ok()?,
    })
}

/// Owner, group and mode in the words of the inputs: `0644` and `644` are one, a number may stand for a name.
fn ownership(stat: &Stat, inputs: &Map, attributes: &mut Map) {
    let mode = match inputs.get("mode").and_then(Value::as_str) {
        Some(mode) if mode.trim_start_matches('0') == stat.mode.trim_start_matches('0') => mode.to_owned(),
        _ => stat.mode.clone(),
    };
    attributes.insert("mode".into(), Value::Text(mode));
    for (key, [name, number]) in [("owner", &stat.owner), ("group", &stat.group)] {
        let by_number = inputs.get(key).and_then(Value::as_str) == Some(number);
        attributes.insert(key.into(), Value::Text(if by_number { number.clone() } else { name.clone() }));
    }
    // What the inputs leave to the default is not reported: there is nothing to compare it with.
    for key in ["mode", "owner", "group"] {
        if !inputs.contains_key(key) {
            attributes.remove(key);
        }
    }
}

/// What was seen of a file.
pub(crate) fn seen(
    section: &str,
    index: usize,
    request: &ReadRequest,
    answer: &Answer,
) -> Result<Option<Observed>, Refused> {
    let Some(inputs) = known(request) else { return Ok(None) };
    let path = input::path(inputs, "path")?;
    let Some(stat) = stat(section, path, answer) else { return Ok(None) };
    let mut attributes = Map::from([("path".to_owned(), Value::text(path))]);
    let mut outputs = Map::new();
    if !stat.regular {
        // Something else stands there: everything about it differs.
        let what = if stat.folder { "(a folder)" } else { "(no regular file)" };
        attributes.insert("content".into(), Value::text(what));
        return Ok(Some(Observed { id: path.to_owned(), attributes, outputs }));
    }
    ownership(&stat, inputs, &mut attributes);
    let sums = answer.text(&format!("{section}-sum")).unwrap_or_default();
    let sum = sums
        .lines()
        .find_map(|line| line.split_once("  ").filter(|(_, name)| *name == path))
        .map(|(sum, _)| sum);
    let shown = answer.text(&format!("{section}-text.{index}"));
    let (key, value) = content_seen(request, inputs, sum, shown, stat.size);
    attributes.insert(key.to_owned(), value);
    if let Some(sum) = sum {
        outputs.insert("digest".into(), Value::text(sum));
    }
    Ok(Some(Observed { id: path.to_owned(), attributes, outputs }))
}

/// The content in the form in which inputs have it: the very value when the digest is the one that was written.
pub(crate) fn content_seen(
    request: &ReadRequest,
    inputs: &Map,
    sum: Option<&str>,
    shown: Option<String>,
    size: i64,
) -> (&'static str, Value) {
    let (wrote, wanted) = expected(request);
    let key = if inputs.contains_key("source") { "source" } else { "content" };
    let is = |expected: &Option<String>| expected.is_some() && expected.as_deref() == sum;
    if is(&wrote)
        && let Some(value) = request.recorded.as_ref().and_then(|(recorded, _)| recorded.get(key))
    {
        return (key, value.clone());
    }
    if is(&wanted)
        && let Some(desired) = &request.desired
        && let Some((key, value)) =
            ["source", "content"].iter().find_map(|key| Some((*key, desired.get(*key)?.clone())))
    {
        return (key, value);
    }
    let unlike = format!("sha256:{}", sum.unwrap_or("unreadable"));
    if inputs.get("content").is_some_and(Value::is_sensitive) {
        return ("content", Value::Sensitive(Sensitive::from_digest(&unlike)));
    }
    if key == "source" {
        let path =
            inputs.get("source").and_then(Value::as_map).and_then(|source| source.get("path")).cloned();
        let source =
            [("path", path.unwrap_or_default()), ("digest", Value::Text(unlike)), ("size", Value::Int(size))];
        return (
            "source",
            Value::Map(source.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        );
    }
    let text = shown.and_then(|text| decode(&text)).filter(|bytes| bytes.len() < SHOWN_MAX);
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    (key, Value::Text(text.unwrap_or_else(|| format!("({size} bytes, {unlike})"))))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.chars().filter(|c| !c.is_whitespace()).collect::<String>()).ok()
}

/// What was seen of a folder.
pub(crate) fn folder_seen(
    section: &str,
    request: &ReadRequest,
    answer: &Answer,
) -> Result<Option<Observed>, Refused> {
    let Some(inputs) = known(request) else { return Ok(None) };
    let path = input::path(inputs, "path")?;
    let Some(stat) = stat(section, path, answer).filter(|stat| stat.folder) else { return Ok(None) };
    let mut attributes = Map::from([("path".to_owned(), Value::text(path))]);
    ownership(&stat, inputs, &mut attributes);
    Ok(Some(Observed { id: path.to_owned(), attributes, outputs: Map::new() }))
}
