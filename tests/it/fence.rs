//! Who may import whom inside `src`. Cargo enforces it between crates; this test does it between rooms.

use std::{collections::BTreeMap, fs, path::Path};

/// Room, and the rooms and crates of ours that it may import beside itself.
const RULES: &[(&str, &[&str])] = &[
    ("blueprint", &["standfast_contract"]),
    ("graph", &["standfast_contract", "blueprint"]),
    ("plan", &["standfast_contract", "standfast_state", "graph"]),
    ("apply", &["standfast_contract", "standfast_state", "plan"]),
    ("lab", &[]),
    ("cli", &["standfast_contract", "standfast_state", "blueprint", "graph", "plan", "apply", "lab"]),
];

const OURS: &[&str] =
    &["standfast_contract", "standfast_state", "standfast_sim", "standfast_ssh", "standfast_aws"];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// What a source names of ours: crates, and rooms behind `crate::`.
fn imports(source: &str) -> Vec<String> {
    let mut named = Vec::new();
    // Comments may speak of anything.
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names: Vec<String> = match rest.strip_prefix('{') {
            // `use crate::{graph::Graph, plan::{...}};`: the names at the first level.
            Some(list) => first_level(list),
            None => vec![rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()],
        };
        named.extend(names);
    }
    named.extend(
        OURS.iter().filter(|name| code.contains(&format!("{name}::"))).map(|name| (*name).to_owned()),
    );
    named
}

fn first_level(list: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            c if depth == 0 => {
                if let Some(name) = names.last_mut() {
                    name.push(c);
                }
            }
            _ => {}
        }
    }
    let first = |name: &String| name.trim().split("::").next().unwrap_or_default().to_owned();
    names.iter().map(first).filter(|name| !name.is_empty()).collect()
}

#[test]
fn no_room_imports_what_it_may_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rules: BTreeMap<&str, &[&str]> = RULES.iter().copied().collect();
    let rooms: Vec<&str> = rules.keys().copied().collect();
    let mut broken = Vec::new();
    for (room, allowed) in &rules {
        let mut files = Vec::new();
        sources(&root.join(room), &mut files);
        assert!(!files.is_empty(), "{room} is empty");
        for (path, source) in files {
            for name in imports(&source) {
                let ours = rooms.contains(&name.as_str()) || OURS.contains(&name.as_str());
                if ours && name != *room && !allowed.contains(&name.as_str()) {
                    broken.push(format!("{path} imports {name}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_folder_of_src_is_a_room_with_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(
                RULES.iter().any(|(room, _)| *room == name),
                "src/{name} has no row in the table of imports"
            );
        }
    }
}

#[test]
fn only_the_registry_names_providers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for (path, source) in files.iter().filter(|(path, _)| !path.ends_with("registry.rs")) {
        for provider in ["standfast_sim", "standfast_ssh", "standfast_aws"] {
            assert!(!source.contains(&format!("{provider}::")), "{path} names {provider}");
        }
    }
}

/// The fence itself must be able to fail.
#[test]
fn the_fence_sees_every_form_of_import() {
    let source = "use crate::{\n    graph::Graph,\n    plan::{self, Plan},\n};\nfn f() { crate::lab::up(); standfast_state::open() }";
    assert_eq!(imports(source), ["graph", "plan", "lab", "standfast_state"]);
    assert_eq!(imports("// crate::cli is elsewhere\n"), Vec::<String>::new());
}

/// A test file that is not named in `main.rs` is not run.
#[test]
fn no_test_file_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "rs") && name != "main" {
            assert!(main.contains(&format!("mod {name};")), "tests/it/{name}.rs is not in tests/it/main.rs");
        }
    }
}

/// The table of docs/reliability.md names a test in every row, and each of them exists.
#[test]
fn every_line_of_reliability_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["tests", "state", "providers", "src"] {
        sources(&root.join(folder), &mut files);
    }
    let exists = |name: &str| {
        let (modules, test) = name.rsplit_once("::").unwrap_or(("", name));
        // The file is named after one of the modules; `tests` and the like are inside it.
        files.iter().any(|(path, source)| {
            let stem = Path::new(path).file_stem().unwrap().to_string_lossy();
            modules.split("::").any(|module| module == stem) && source.contains(&format!("fn {test}("))
        })
    };
    assert!(!exists("cli::locks::no_such_test") && !exists("cli::apply::or_it_waits"));
    let text = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let table = text.split("\n## ").find(|part| part.starts_with("What can happen")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what happens |"));
    let (mut count, mut wrong) = (0, Vec::new());
    for row in rows.map(|row| row.replace("\\|", "")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [_, _, _, tests] = cells.as_slice() else { panic!("not four cells: {row}") };
        let tests: Vec<&str> = tests.split('`').map(str::trim).filter(|name| !name.is_empty()).collect();
        count += 1;
        if tests.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        wrong.extend(tests.into_iter().filter(|name| !exists(name)).map(|name| format!("not there: {name}")));
    }
    assert!(count > 40, "only {count} rows were found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
