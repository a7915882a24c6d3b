//! The example blueprints check, and each broken one is told as its snapshot says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use standfast::{
    blueprint::{self, Blueprint, Options, Problems},
    cli::render::diagnostic::render,
};

fn blueprints() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("blueprints")
}

/// The examples with the files that are made by hand beside them.
fn furnished() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&blueprints(), folder.path());
    fs::create_dir_all(folder.path().join("tls")).unwrap();
    fs::write(folder.path().join("tls/shop.pem"), "a certificate").unwrap();
    fs::write(folder.path().join("shop/shop-1.0.tar.gz"), "an archive").unwrap();
    folder
}

fn load(path: &Path) -> Result<Blueprint, Problems> {
    blueprint::load(path, &Options::default())
}

#[test]
fn every_example_checks_without_a_warning() {
    let folder = furnished();
    for name in ["quickstart.yaml", "shop.yaml", "shop-aws.yaml", "shop-release.yaml", "two-regions.yaml"] {
        match load(&folder.path().join(name)) {
            Ok(blueprint) => assert_eq!(blueprint.warnings, [], "{name}"),
            Err(problems) => panic!("{}", render(&problems, false, 100)),
        }
    }
}

#[test]
fn every_broken_example_is_told_as_its_snapshot_says() {
    let mut names: Vec<_> = fs::read_dir(blueprints().join("broken"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort();
    assert!(names.len() >= 25, "{}", names.len());
    for name in names {
        // Relative, so that the snapshots know no machine: tests run in the package's folder.
        let path = Path::new("blueprints/broken").join(&name);
        let text = fs::read(&path).unwrap();
        let shown = match load(&path) {
            Err(problems) => render(&problems, false, 100),
            Ok(blueprint) => {
                assert!(!blueprint.warnings.is_empty(), "{name} has nothing wrong");
                let text = String::from_utf8(text).unwrap();
                standfast::cli::render::diagnostic::render_each(&name, &text, &blueprint.warnings, false, 100)
            }
        };
        insta::with_settings!({ snapshot_path => "../../blueprints/broken/told", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name.trim_end_matches(".yaml"), shown);
        });
    }
}

/// `UPDATE=1 cargo test --test it` writes `blueprints/schema.json` and `docs/blueprint.md` anew.
fn current(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == wanted, "{} is old: run `UPDATE=1 cargo test --test it`", path.display());
}

#[test]
fn the_schema_is_that_of_the_table() {
    current("blueprints/schema.json", &format!("{:#}\n", blueprint::schema()));
}

#[test]
fn the_reference_is_that_of_the_table() {
    current("docs/blueprint.md", &blueprint::reference_markdown());
}

fn as_json(path: &Path) -> Option<serde_json::Value> {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).ok()
}

#[test]
fn the_schema_takes_every_example_and_is_a_schema_itself() {
    let schema = blueprint::schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    for entry in fs::read_dir(blueprints()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let instance = as_json(&entry).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", entry.display());
    }
}

/// An editor underlines these too: mistakes that need no knowledge of other keys.
#[test]
fn the_schema_refuses_what_it_can_see() {
    let validator = jsonschema::validator_for(&blueprint::schema()).unwrap();
    for name in [
        "unknown-key",
        "wrong-type",
        "port-out-of-range",
        "duration-without-unit",
        "missing-key",
        "secret-of-two-sources",
        "listener-without-route",
        "bad-name",
    ] {
        let instance = as_json(&blueprints().join(format!("broken/{name}.yaml"))).unwrap();
        assert!(!validator.is_valid(&instance), "{name}");
    }
}
