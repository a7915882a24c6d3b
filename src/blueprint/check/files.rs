//! Files, directories and other things on hosts that baselines and workloads share.

use standfast_contract::component::{DirectorySpec, FileContent, FileSpec};

use super::super::{diagnostic::Diagnostic, reader::Reader};

pub fn files(reader: &Reader<'_>) -> Option<Vec<FileSpec>> {
    // All of them before giving up, so that every mistake is reported.
    reader.children("files").map(|file| spec(&file)).collect::<Vec<_>>().into_iter().collect()
}

fn spec(file: &Reader<'_>) -> Option<FileSpec> {
    let content = content(file);
    let validate = file.text("validate");
    if let Some(command) = &validate
        && !command.contains("%s")
    {
        file.push(
            file.error("validate", "the command does not say where the new content is")
                .expected("`%s` in the place of its path")
                .help("for example `nginx -t -c %s`"),
        );
    }
    Some(FileSpec {
        to: file.text("to")?,
        content: content?,
        owner: file.text("owner")?,
        group: file.text("group")?,
        mode: file.mode("mode")?,
        sensitive: file.bool("sensitive")?,
        reloads: file.texts("reloads"),
        restarts: file.texts("restarts"),
        validate,
    })
}

/// From a local file or folder, written out, or a template.
pub fn content(reader: &Reader<'_>) -> Option<FileContent> {
    if let Some(variables) = reader.entry("variables")
        && !reader.has("template")
    {
        reader.push(
            Diagnostic::error(variables.key, "`variables` belong to a template")
                .help("say `template:` instead, or remove them"),
        );
    }
    if reader.has("from") {
        return reader.existing_path("from", "file or folder").map(FileContent::From);
    }
    if reader.has("template") {
        let variables = reader.values("variables");
        return reader
            .existing_path("template", "template")
            .map(|path| FileContent::Template { path, variables });
    }
    reader.value("content").map(FileContent::Inline)
}

pub fn directory(reader: &Reader<'_>) -> Option<DirectorySpec> {
    Some(DirectorySpec {
        path: reader.text("path")?,
        owner: reader.text("owner")?,
        group: reader.text("group")?,
        mode: reader.mode("mode")?,
    })
}
