//! A workload as the script that a machine runs when it boots first: packages, files, the service.
//!
//! Whoever may look at a launch template reads it, so nothing secret goes in. An environment variable that is secret, or
//! known only when something else is made, is a parameter that the machine fetches; a file that is secret is a problem.

use std::fmt::Write;

use standfast_contract::{
    Address, Lookup, Map, OutputRef, Value,
    component::{FileContent, FileSpec, Workload, WorkloadSource},
};

use super::Build;
use crate::{
    kinds::base64,
    names::{self, PARAMETER_MAX},
};

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>
const BYTES_MAX: usize = 16 * 1024;

pub(super) fn lookups(workload: &Workload) -> Vec<Lookup> {
    let paths = workload.files.iter().filter_map(|file| match &file.content {
        FileContent::From(path) => Some(path),
        _ => None,
    });
    // Whichever it is, the other has no answer.
    paths
        .flat_map(|path| [Lookup::File { path: path.clone() }, Lookup::Tree { path: path.clone() }])
        .collect()
}

/// What a machine does when it boots first.
pub(super) struct Script {
    pub text: Value,
    /// The names of what it fetches.
    pub parameters: Vec<String>,
}

/// The script; `None` where there are problems.
pub(super) fn of(build: &mut Build<'_>, workload: &Workload) -> Option<Script> {
    let before = build.problems.len();
    let mut script = session_manager(build);
    let mut fetched = Vec::new();
    match &workload.source {
        WorkloadSource::Image => return Some(Script { text: Value::Null, parameters: Vec::new() }),
        WorkloadSource::Package { package, version, service } => {
            script += &install(package, version.as_deref());
            write_files(build, &mut script, &workload.files);
            let service = quoted(service);
            let _ = writeln!(script, "systemctl enable {service}\nsystemctl restart {service}");
        }
        WorkloadSource::Container { image, command } => {
            script += &install("podman", None);
            write_files(build, &mut script, &workload.files);
            let environment = environment(build, &workload.environment, &mut fetched);
            script += &fetch(build, &fetched);
            script += &container(image, command, &environment, !fetched.is_empty());
        }
        WorkloadSource::Release { .. } => build.problem(
            "workload.release",
            "release archives are not built on AWS yet in this version",
            "Use a `package` or a `container`.",
        ),
    }
    // A version has ten digits at most.
    let versions: usize =
        fetched.iter().map(|one| one.variable.len() + "# : version 0123456789\n".len()).sum();
    let bytes = HEAD.len() + versions + SETTINGS.len() + script.len();
    if bytes > BYTES_MAX {
        build.problem(
            "workload.files",
            format!("the workload's script has {bytes} bytes, and AWS takes {BYTES_MAX}"),
            "Put large files into the container's image or into a package.",
        );
    }
    if build.problems.len() != before {
        return None;
    }
    // Another value of a parameter makes another script, and so other machines.
    let mut parts: Vec<Value> = vec![HEAD.into()];
    for Fetched { variable, parameter, .. } in &fetched {
        parts.push(format!("# {variable}: version ").into());
        parts.push(OutputRef::resource(parameter, "version"));
        parts.push("\n".into());
    }
    let parameters: Vec<String> = fetched.into_iter().map(|fetched| fetched.name).collect();
    let text = if parameters.is_empty() {
        format!("{HEAD}{SETTINGS}{script}").into()
    } else {
        parts.push(format!("{SETTINGS}{script}").into());
        Value::Join(parts)
    };
    Some(Script { text, parameters })
}

const HEAD: &str = "#!/bin/sh\n# Made by standfast. Runs once, when the machine boots first.\n";

/// At the first boot something else may hold apt's lists, and the way out may not be there yet. `add_package` takes what
/// apt and what dnf calls it.
const SETTINGS: &str = "\
set -eu
add_package() {
    tries=0
    until if command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get -q update &&
            apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends \"$1\"
    else
        dnf -q -y install \"$2\"
    fi; do
        tries=$((tries + 1))
        [ \"$tries\" -lt 12 ] || return 1
        sleep 5
    done
}
";

/// The agent of Session Manager, where the image brings none: before the workload, so that a machine whose workload does not
/// start can be looked into. Without it the workload starts all the same.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/agent-install-deb.html>
fn session_manager(build: &Build<'_>) -> String {
    let location = &build.place.location;
    let domain = if build.place.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!(
        "session_manager() {{\n\
         \x20   export DEBIAN_FRONTEND=noninteractive\n\
         \x20   apt-get -q update\n\
         \x20   apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends ca-certificates curl &&\n\
         \x20       curl -fsSL --retry 3 -o /run/agent.deb \"https://s3.{location}.{domain}/amazon-ssm-{location}/latest/\
         debian_$(dpkg --print-architecture)/amazon-ssm-agent.deb\" &&\n\
         \x20       dpkg -i /run/agent.deb\n\
         }}\n\
         if command -v apt-get >/dev/null && ! command -v amazon-ssm-agent >/dev/null; then\n\
         \x20   session_manager || echo 'Session Manager cannot reach this machine'\n\
         fi\n"
    )
}

/// A variable whose value the machine fetches.
struct Fetched {
    variable: String,
    /// Its name in Parameter Store.
    name: String,
    parameter: Address,
}

/// Writes the variables to a file that only root reads. A role that has just been made is believed only after a while.
fn fetch(build: &Build<'_>, fetched: &[Fetched]) -> String {
    if fetched.is_empty() {
        return String::new();
    }
    let mut script = format!(
        // Ubuntu has it as a snap only, and other programs' folder is not on the path of a script like this.
        "if ! command -v aws >/dev/null; then\n\
         \x20   if command -v snap >/dev/null; then\n\
         \x20       snap install aws-cli --classic\n\
         \x20       PATH=\"$PATH:/snap/bin\"\n\
         \x20   else\n\
         \x20       add_package awscli awscli\n\
         \x20   fi\n\
         fi\n\
         fetch() {{\n\
         \x20   tries=0\n\
         \x20   until value=$(aws ssm get-parameter --region {} --with-decryption --name \"$2\" \
         --query Parameter.Value --output text); do\n\
         \x20       tries=$((tries + 1))\n\
         \x20       [ \"$tries\" -lt 12 ] || return 1\n\
         \x20       sleep 5\n\
         \x20   done\n\
         \x20   printf '%s=%s\\n' \"$1\" \"$value\"\n\
         }}\n(\n\
         \x20   umask 077\n\
         \x20   : >/etc/workload.secrets.env\n",
        quoted(&build.place.location),
    );
    for Fetched { variable, name, .. } in fetched {
        let _ =
            writeln!(script, "    fetch {} {} >>/etc/workload.secrets.env", quoted(variable), quoted(name));
    }
    script + ")\n"
}

/// One word for `sh`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn install(package: &str, version: Option<&str>) -> String {
    let with = |mark: &str| version.map_or(package.to_owned(), |version| format!("{package}{mark}{version}"));
    format!("add_package {} {}\n", quoted(&with("=")), quoted(&with("-")))
}

fn write_files(build: &mut Build<'_>, script: &mut String, files: &[FileSpec]) {
    for (at, file) in files.iter().enumerate() {
        let key = format!("workload.files[{at}]");
        if file.sensitive {
            build.problem(key, SECRET, SECRET_HINT);
            continue;
        }
        match &file.content {
            FileContent::Inline(value) => match value {
                value if value.is_sensitive() => build.problem(key, SECRET, SECRET_HINT),
                Value::Text(text) => write_file(script, &file.to, text, file),
                Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                    write_file(script, &file.to, &value.to_string(), file);
                }
                _ => build.problem(
                    key,
                    "a file with references is not built on AWS yet in this version",
                    "Give its content as it stands.",
                ),
            },
            FileContent::From(path) => local_file(build, script, &key, path, file),
            FileContent::Template { .. } => build.problem(
                key,
                "templates are not built on AWS yet in this version",
                "Give the file's content with `from` or `content`.",
            ),
        }
    }
}

const SECRET: &str = "a secret would be readable by everyone who may look at launch templates";
const SECRET_HINT: &str = "Let the workload fetch it when it starts, for example from AWS Secrets Manager.";

fn local_file(build: &mut Build<'_>, script: &mut String, key: &str, path: &str, file: &FileSpec) {
    let text_of = |map: &Map| map.get("text").and_then(Value::as_str).map(str::to_owned);
    let binary = "a file that is no text, or larger than 256 KiB, does not fit into a machine's first script";
    let hint = "Put it into the container's image or into a package.";
    if let Some(found) = build.answers.get(&Lookup::File { path: path.to_owned() }).and_then(Value::as_map) {
        match text_of(found) {
            Some(text) => write_file(script, &file.to, &text, file),
            None => build.problem(key, binary, hint),
        }
        return;
    }
    let tree = build.answers.get(&Lookup::Tree { path: path.to_owned() }).and_then(Value::as_list);
    let Some(tree) = tree else {
        build.problem(key, format!("the content of `{path}` is not known"), "");
        return;
    };
    for found in tree.iter().filter_map(Value::as_map) {
        let below = found.get("path").and_then(Value::as_str).unwrap_or_default();
        match text_of(found) {
            Some(text) => {
                write_file(script, &format!("{}/{below}", file.to.trim_end_matches('/')), &text, file)
            }
            None => build.problem(key, format!("{below}: {binary}"), hint),
        }
    }
}

fn write_file(script: &mut String, to: &str, content: &str, file: &FileSpec) {
    let folder = to.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let _ = writeln!(
        script,
        "mkdir -p {}\n{}\nchown {} {to}\nchmod {} {to}",
        quoted(folder),
        put(to, content),
        quoted(&format!("{}:{}", file.owner, file.group)),
        quoted(&file.mode),
        to = quoted(to),
    );
}

/// Commands that write a file byte for byte, with its lines as they are where that can be: a plan shows which of them
/// change. cloud-init takes a script that holds `mime-version:` for a message, and a shell loses bytes that are zero.
/// <https://github.com/canonical/cloud-init/blob/main/cloudinit/user_data.py>
fn put(to: &str, content: &str) -> String {
    let to = quoted(to);
    if content.contains('\0') || content.to_ascii_lowercase().contains("mime-version:") {
        return format!("base64 -d >{to} <<'END'\n{}\nEND", base64::encode(content));
    }
    if !content.is_empty() && !content.ends_with('\n') {
        return format!("printf %s {} >{to}", quoted(content));
    }
    let mut end = "END".to_owned();
    while content.lines().any(|line| line == end) {
        end.push('_');
    }
    format!("cat >{to} <<'{end}'\n{content}{end}")
}

/// Plain variables as lines; the others become parameters.
fn environment(build: &mut Build<'_>, environment: &Map, fetched: &mut Vec<Fetched>) -> String {
    let mut lines = String::new();
    for (variable, value) in environment {
        match value {
            Value::Text(text) if text.contains(['\n', '\r']) => build.problem(
                format!("workload.environment.{variable}"),
                "an environment variable has one line",
                "Put it into a file: `workload.files`.",
            ),
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                let _ = writeln!(lines, "{variable}={value}");
            }
            Value::Secret(_) | Value::Sensitive(_) | Value::Output(_) | Value::Join(_) => {
                let address = build.address("parameter", variable);
                let name =
                    format!("/standfast/{}", names::name(build.request.stack, &address, PARAMETER_MAX));
                let inputs = [("name", name.as_str().into()), ("value", value.clone())];
                let parameter = build.add("ssm", "parameter", variable, inputs);
                fetched.push(Fetched { variable: variable.clone(), name, parameter });
            }
            _ => build.problem(
                format!("workload.environment.{variable}"),
                "an environment variable is a text, a number, a secret or a reference",
                "",
            ),
        }
    }
    lines
}

/// A systemd unit, so that it is started again when it ends, on the host's own network.
fn container(image: &str, command: &[String], environment: &str, has_secrets: bool) -> String {
    // systemd takes `%` and `$` for its own, and words apart at spaces.
    let word = |text: &str| {
        let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
        format!("\"{escaped}\"")
    };
    let command: String = command.iter().map(|one| format!(" {}", word(one))).collect();
    let secrets = if has_secrets { " --env-file /etc/workload.secrets.env" } else { "" };
    let unit = format!(
        "[Unit]\nAfter=network-online.target\nWants=network-online.target\n\n\
         [Service]\nExecStartPre=-/usr/bin/podman rm -f workload\n\
         ExecStart=/usr/bin/podman run --name workload --rm --network host --env-file /etc/workload.env{secrets} {}{command}\n\
         ExecStop=/usr/bin/podman stop workload\nRestart=always\nRestartSec=2\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        word(image)
    );
    format!(
        "{}\n{}\nsystemctl daemon-reload\nsystemctl enable --now workload.service\n",
        put("/etc/workload.env", environment),
        put("/etc/systemd/system/workload.service", &unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_blueprint_stays_one_word() {
        let script = install("nginx'; reboot; '", Some("1.0"));
        assert!(script.contains(r"'nginx'\''; reboot; '\''=1.0'"), "{script}");
    }

    /// At the first boot something holds apt's lists, and the way out is not there yet.
    #[test]
    fn a_package_is_tried_for_until_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, script: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        program("apt-get", "echo \"$*\" >>log\n[ $(wc -l <log) -gt 2 ]\n");
        program("sleep", "");
        let run = |script: &str| {
            let path = format!("{}:/usr/bin:/bin", folder.path().display());
            let script = format!("{SETTINGS}{script}");
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &script]).env("PATH", path).current_dir(folder.path()).status().unwrap()
        };
        assert!(run(&install("nginx", Some("1.2"))).success());
        let asked = std::fs::read_to_string(folder.path().join("log")).unwrap();
        let asked: Vec<&str> = asked.lines().collect();
        assert_eq!(asked[..3], ["-q update"; 3]);
        assert!(asked[3].ends_with(" install --no-install-recommends nginx=1.2"), "{asked:?}");
        program("apt-get", "exit 100\n");
        assert!(!run(&install("nginx", None)).success(), "and not for ever");
    }

    /// A shell runs what a machine would.
    #[test]
    fn files_are_written_byte_for_byte_and_can_be_read_in_the_script() {
        for (content, is_readable) in [
            ("", true),
            ("\n", true),
            ("one\n\n  two $HOME `id` \\n \\\n\\\n", true),
            ("it's \"quoted\", 100%s, Köln\r\n", true),
            ("it's 50% of\nno end", true),
            ("END\nEND_\n END\n", true),
            ("<<'END'\nEND", true),
            ("a\0b\n", false),
            ("MIME-Version: 1.0\n", false),
        ] {
            let script = put("/dev/stdout", content);
            assert_eq!(!script.starts_with("base64"), is_readable, "{script}");
            let ran = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(ran.stdout).unwrap(), content, "{script}");
        }
    }
}
