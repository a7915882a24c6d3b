//! The example blueprints check, and each broken one is told as its snapshot says.

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
    for name in ["quickstart.yaml", "shop.yaml", "shop-release.yaml"] {
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
        let path = blueprints().join("broken").join(&name);
        let text = fs::read(&path).unwrap();
        let shown = match load(&path) {
            Err(problems) => render(&problems, false, 100),
            Ok(blueprint) => {
                assert!(!blueprint.warnings.is_empty(), "{name} has nothing wrong");
                let text = String::from_utf8(text).unwrap();
                standfast::cli::render::diagnostic::render_each(&name, &text, &blueprint.warnings, false, 100)
            }
        };
        let shown = shown.replace(&format!("{}/", blueprints().join("broken").display()), "");
        insta::with_settings!({ snapshot_path => "../../blueprints/broken/told", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name.trim_end_matches(".yaml"), shown);
        });
    }
}
