//! `init`: a commented blueprint to start from.

use std::{io::Write, path::Path};

use super::super::{
    CliError,
    args::{Global, InitArgs, Starter},
    exit, terminal,
};

const SIM: &str = include_str!("init/sim.yaml");
const SSH: &str = include_str!("init/ssh.yaml");
const AWS: &str = include_str!("init/aws.yaml");

// What to do before the first plan.
const LOOK: &str = "Look at it, then";
const SIGN_IN: &str = "\
It is for eu-west-1. Before the first plan
  - say your region in `location`, and your account in `account`, so that no other is ever touched;
  - sign in as for the AWS command line: `export AWS_PROFILE=...`, or `aws sso login`.
Then";

pub fn run(args: &InitArgs, global: &Global) -> Result<u8, CliError> {
    let name = args.name.clone().unwrap_or_else(|| folder_name(&args.path));
    let (template, next) = match args.provider {
        Starter::Sim => (SIM, LOOK),
        Starter::Ssh => (SSH, LOOK),
        Starter::Aws => (AWS, SIGN_IN),
    };
    let text = template.replace("NAME", &name);
    // Never over something that is there.
    let mut file = std::fs::File::create_new(&args.path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            CliError::new(format!("{} is there already; it was left as it is", args.path.display()))
                .hint("name another file: `standfast init OTHER.yaml`")
        } else {
            CliError::new(format!("could not write {}: {error}", args.path.display()))
        }
    })?;
    file.write_all(text.as_bytes())
        .map_err(|error| CliError::new(format!("could not write {}: {error}", args.path.display())))?;
    if super::is_json(global.format) {
        terminal::out(super::pretty(&serde_json::json!({ "format_version": 1, "path": args.path })));
        return Ok(exit::OK);
    }
    let path = args.path.display();
    terminal::out(format_args!("{path} is written. {next}: standfast plan {path}"));
    Ok(exit::OK)
}

/// A stack's name from the folder's, as far as a name allows.
fn folder_name(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_default();
    let folder =
        absolute.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = folder
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .trim_matches('-')
        .to_owned();
    if crate::blueprint::is_plain_name(&name) { name } else { "shop".to_owned() }
}
