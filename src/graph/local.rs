//! Lookups that this machine answers: files and folders beside the blueprint.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use standfast_contract::{Map, ProviderError, Value};

/// Text up to this size is kept with the plan and shown in diffs; bytes.
const TEXT_BYTES_MAX: u64 = 256 * 1024;
/// A folder with more files than this is better packed as a release.
const TREE_FILES_MAX: usize = 5_000;

/// `{digest, size, mode, text}` of a file; `None` where there is no file.
pub fn file(path: &str) -> Result<Option<Value>, ProviderError> {
    if !Path::new(path).is_file() {
        return Ok(None);
    }
    describe(Path::new(path)).map(|map| Some(Value::Map(map))).map_err(|error| unreadable(path, &error))
}

/// Every file below a folder, in path order, `None` where there is no folder; links are followed to files and never out of the folder's listing.
pub fn tree(path: &str) -> Result<Option<Value>, ProviderError> {
    let root = Path::new(path);
    if !root.is_dir() {
        return Ok(None);
    }
    let mut files = Vec::new();
    walk(root, &mut files).map_err(|error| unreadable(path, &error))?;
    if files.len() > TREE_FILES_MAX {
        return Err(ProviderError::permanent(
            format!("read the folder {path}"),
            format!("it holds {} files, more than {TREE_FILES_MAX}", files.len()),
        )
        .hint("pack it into an archive and use `release:`"));
    }
    files.sort();
    let mut list = Vec::with_capacity(files.len());
    for file in files {
        let mut entry = describe(&file).map_err(|error| unreadable(&file.display().to_string(), &error))?;
        let relative = file.strip_prefix(root).unwrap_or(&file);
        entry.insert("path".into(), Value::text(relative.to_string_lossy()));
        list.push(Value::Map(entry));
    }
    Ok(Some(Value::List(list)))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if fs::symlink_metadata(&path)?.is_dir() {
            walk(&path, files)?;
        } else if fs::metadata(&path)?.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn describe(path: &Path) -> io::Result<Map> {
    let meta = fs::metadata(path)?;
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    let text = if meta.len() <= TEXT_BYTES_MAX { String::from_utf8(fs::read(path)?).ok() } else { None };
    Ok(Map::from([
        ("digest".into(), Value::text(hasher.finalize().to_hex().as_str())),
        ("size".into(), Value::Int(meta.len() as i64)),
        ("mode".into(), Value::text(format!("{:04o}", meta.permissions().mode() & 0o777))),
        ("text".into(), text.filter(|text| !text.contains('\0')).map_or(Value::Null, Value::Text)),
    ]))
}

fn unreadable(path: &str, error: &io::Error) -> ProviderError {
    ProviderError::permanent(format!("read {path}"), error.to_string())
        .hint("check the path; paths in a blueprint are relative to its folder")
}
