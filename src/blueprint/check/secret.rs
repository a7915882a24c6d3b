//! Secrets: where each is found. Nothing is fetched here.

use std::collections::BTreeMap;

use standfast_contract::SecretSource;

use super::super::reader::Reader;

/// The sources by name. `root`: a reader of the blueprint.
pub fn secrets(root: &Reader<'_>) -> BTreeMap<String, SecretSource> {
    root.named("secrets")
        .filter_map(|(name, reader)| Some((name.to_owned(), source(name, &reader)?)))
        .collect()
}

fn source(name: &str, reader: &Reader<'_>) -> Option<SecretSource> {
    if let Some(variable) = reader.text("env") {
        return Some(SecretSource::Env(variable));
    }
    if let Some(path) = reader.path("file") {
        return Some(SecretSource::File(path));
    }
    if let Some(command) = reader.text("command") {
        return Some(SecretSource::Command(command));
    }
    if let Some(id) = reader.text("aws_secrets_manager") {
        return Some(SecretSource::AwsSecretsManager(id));
    }
    reader.has("generate").then_some(())?;
    // `generate: true` is a map with nothing said.
    let length = reader.child("generate")?.int("length")?;
    Some(SecretSource::Generate { name: name.to_owned(), length })
}
