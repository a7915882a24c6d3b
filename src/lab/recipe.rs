//! What the host image is made of. All pure: the digest of what stands here names the image, so that a changed recipe
//! is built anew.

use std::fmt::Write as _;

use super::error::LabError;

pub(super) const SUITE: &str = "bookworm";

/// What every host has from the start: what a plain Debian host has, and no more.
const INCLUDED: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "iproute2",
    "nftables",
    "procps",
    "ca-certificates",
    "curl",
];

/// What `apt-get install` finds inside a host, with everything these depend on.
const OFFERED: &[&str] = &[
    "haproxy",
    "keepalived",
    "nginx",
    "nginx-light",
    "redis-server",
    "redis-sentinel",
    "chrony",
    "rsync",
    "socat",
    "netcat-openbsd",
    "tcpdump",
    "iputils-ping",
    "jq",
    "xz-utils",
    "zstd",
    "unzip",
    "less",
    "cron",
    "logrotate",
    "busybox",
    "python3",
];

/// The package folder as a host sees it.
pub(super) const PACKAGE_FOLDER: &str = "/opt/standfast-lab/packages";

const DPKG_OPTIONS: &[&str] = &[
    // A rehearsal's disk may be lost with the machine's power; waiting for it at every file is most of an install.
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
];

/// A file of the image, as (path, content); all are root's, mode 0644.
const FILES: &[(&str, &str)] = &[
    ("etc/apt/sources.list", "deb [trusted=yes] file:/opt/standfast-lab/packages ./\n"),
    (
        "etc/apt/apt.conf.d/90standfast-lab",
        "APT::Install-Recommends \"false\";\nAPT::Install-Suggests \"false\";\nAcquire::Languages \"none\";\n",
    ),
    ("etc/default/locale", "LANG=C.UTF-8\n"),
    ("etc/resolv.conf", ""),
    (
        "etc/ssh/sshd_config.d/10-standfast-lab.conf",
        "# Many connections at once are part of the rehearsal; the rest is Debian's default.\n\
         HostKey /etc/ssh/ssh_host_ed25519_key\nMaxStartups 100\nUseDNS no\nPasswordAuthentication no\n",
    ),
];

/// Units linked to `/dev/null`: timers that would take apt's lock or the disk at a moment of their own choosing, and a
/// login prompt that nobody sees.
const MASKED: &[&str] = &[
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "console-getty.service",
];

/// Removed from the image: each host gets keys of its own, and apt must know no source but the package folder.
const REMOVED: &[&str] = &[
    "etc/ssh/ssh_host_rsa_key",
    "etc/ssh/ssh_host_rsa_key.pub",
    "etc/ssh/ssh_host_ecdsa_key",
    "etc/ssh/ssh_host_ecdsa_key.pub",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_ed25519_key.pub",
    "etc/apt/apt.conf.d/99mmdebstrap",
    // mmdebstrap's name for a list of sources that it was given as a file.
    "etc/apt/sources.list.d/0000sources.list",
    "etc/hostname",
];

/// Bumped when the building code changes what it makes from the same tables.
const REVISION: u32 = 1;

/// The steps of a build as a person sees them. The first six begin at a line that mmdebstrap prints.
pub(super) const STEPS: [(&str, Option<&str>); 8] = [
    ("reading package lists", Some("running apt-get update")),
    ("downloading the base system", Some("downloading packages with apt")),
    ("unpacking", Some("extracting archives")),
    ("installing essential packages", Some("installing essential packages")),
    ("installing systemd, sshd and tools", Some("installing remaining packages")),
    ("downloading packages for the hosts", Some("running --customize-hook")),
    ("indexing the package folder", None),
    ("finishing the image", None),
];

/// The step (counted from 0) that a line of mmdebstrap's log begins.
pub(super) fn step_of(line: &str) -> Option<usize> {
    let message = line.strip_prefix("I: ")?;
    STEPS.iter().position(|(_, begins)| begins.is_some_and(|begins| message.starts_with(begins)))
}

pub(super) struct Recipe {
    pub(super) included: &'static [&'static str],
    pub(super) offered: &'static [&'static str],
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) masked: &'static [&'static str],
    pub(super) removed: &'static [&'static str],
}

pub(super) const RECIPE: Recipe =
    Recipe { included: INCLUDED, offered: OFFERED, files: FILES, masked: MASKED, removed: REMOVED };

impl Recipe {
    /// 16 hexadecimal digits that change with anything above.
    pub(super) fn digest(&self) -> String {
        let mut text = format!("{REVISION} {SUITE} {PACKAGE_FOLDER}\n");
        for list in [self.included, self.offered, self.masked, self.removed, DPKG_OPTIONS] {
            let _ = writeln!(text, "{}", list.join(" "));
        }
        for (path, content) in self.files {
            let _ = writeln!(text, "{path} {} {content}", content.len());
        }
        blake3::hash(text.as_bytes()).to_hex().as_str()[..16].to_owned()
    }

    /// Arguments of mmdebstrap. `apt_options` is a file with the machine's own settings for downloading, `sources` one
    /// with its Debian mirrors; without the latter mmdebstrap takes its default mirror.
    pub(super) fn mmdebstrap_arguments(
        &self,
        apt_options: &str,
        sources: Option<&str>,
        target: &str,
    ) -> Vec<String> {
        let mut arguments = vec![
            "--mode=root".to_owned(),
            "--variant=minbase".to_owned(),
            "--format=directory".to_owned(),
            format!("--include={}", self.included.join(",")),
            "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
            format!("--aptopt={apt_options}"),
        ];
        arguments.extend(DPKG_OPTIONS.iter().map(|option| format!("--dpkgopt={option}")));
        // mmdebstrap hands a hook to a shell. This one is made of constants only; it downloads from outside the image,
        // with the settings that mmdebstrap itself downloads with.
        arguments.push(format!(
            "--customize-hook=APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\" apt-get --yes -qq --download-only install {}",
            self.offered.join(" ")
        ));
        arguments.push("--skip=cleanup/apt".to_owned());
        arguments.push(SUITE.to_owned());
        arguments.push(target.to_owned());
        arguments.extend(sources.map(str::to_owned));
        arguments
    }
}

/// From `apt-config dump`, the settings by which this machine reaches its mirrors: proxy, certificates, date checks.
pub(super) fn download_settings(apt_config_dump: &str) -> String {
    const KEPT: [&str; 6] = [
        "Acquire::http",
        "Acquire::https",
        "Acquire::Check-",
        "Acquire::Retries",
        "Acquire::ForceIPv",
        "Acquire::Queue-Mode",
    ];
    let kept = |line: &&str| KEPT.iter().any(|prefix| line.starts_with(prefix)) && !line.ends_with(" \"\";");
    apt_config_dump.lines().filter(kept).fold(String::new(), |text, line| text + line + "\n")
}

/// Format for `apt-get indextargets`, read by [`sources`].
pub(super) const INDEX_FORMAT: &str = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The machine's own mirrors of the suite as a `sources.list`, or `None` when it has none (it is no Debian, or a
/// different one). Only Debian's own main archive is taken, never a third party's.
pub(super) fn sources(index_targets: &str, keyring_exists: bool) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut has_suite = false;
    let signed_by = if keyring_exists { format!(" [signed-by=\"{KEYRING}\"]") } else { String::new() };
    for target in index_targets.lines() {
        let fields: Vec<&str> = target.split('|').collect();
        let &[uri, release, component, origin] = fields.as_slice() else { continue };
        // Before the first `apt-get update` the origin is not known yet, and apt prints the field's name.
        let debian = origin == "Debian" || origin.starts_with("$(") || origin.is_empty();
        let wanted =
            release.strip_prefix(SUITE).is_some_and(|rest| ["", "-updates", "-security"].contains(&rest));
        if !(debian && wanted && component == "main") {
            continue;
        }
        has_suite |= release == SUITE;
        let line = format!("deb{signed_by} {uri} {release} main");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    has_suite.then(|| lines.join("\n") + "\n")
}

/// Where Debian's archive key is kept; the mirrors' signatures are checked against it.
pub(super) fn keyring() -> &'static std::path::Path {
    std::path::Path::new(KEYRING)
}

/// One stanza of the package index: the package's own control fields and where its file is. Fields of the file itself
/// are replaced.
pub(super) fn stanza(control: &str, file: &str, size_bytes: u64, sha256: &str) -> String {
    let own = ["Filename:", "Size:", "SHA256:", "MD5sum:"];
    let kept = control
        .lines()
        .filter(|line| !line.trim().is_empty() && !own.iter().any(|key| line.starts_with(key)));
    let mut text = kept.fold(String::new(), |text, line| text + line + "\n");
    let _ = write!(text, "Filename: ./{file}\nSize: {size_bytes}\nSHA256: {sha256}\n\n");
    text
}

/// `Release` of the package folder, without which every `apt-get update` in a host complains. apt wants a date, and
/// only minds one to come.
pub(super) fn release_file(packages_bytes: usize, packages_sha256: &str) -> String {
    format!(
        "Origin: standfast lab\nLabel: standfast lab\nSuite: {SUITE}\nDate: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n {packages_sha256} {packages_bytes} Packages\n"
    )
}

/// Output of `sha256sum FILE...` as (digest, file).
pub(super) fn sha256_lines(text: &str) -> Result<Vec<(&str, &str)>, LabError> {
    let bad = |line: &str| LabError::ImageBuild {
        why: "sha256sum printed an unknown line".into(),
        tail: line.into(),
    };
    text.lines().map(|line| line.split_once("  ").ok_or_else(|| bad(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_follows_the_recipe() {
        let changed = Recipe { offered: &["haproxy"], ..RECIPE };
        assert_eq!(RECIPE.digest().len(), 16);
        assert_eq!(RECIPE.digest(), RECIPE.digest());
        assert_ne!(RECIPE.digest(), changed.digest());
    }

    #[test]
    fn the_package_source_is_the_package_folder() {
        let (_, list) = RECIPE.files.iter().find(|(path, _)| *path == "etc/apt/sources.list").unwrap();
        assert_eq!(*list, format!("deb [trusted=yes] file:{PACKAGE_FOLDER} ./\n"));
    }

    #[test]
    fn the_log_tells_the_step() {
        assert_eq!(step_of("I: running apt-get update..."), Some(0));
        assert_eq!(step_of("I: running --customize-hook in shell: sh -c 'x'"), Some(5));
        assert_eq!(step_of("I: success in 36 seconds"), None);
        assert_eq!(step_of("W: running apt-get update"), None);
    }

    #[test]
    fn only_settings_for_downloading_are_taken_over() {
        let dump = "APT \"\";\nAcquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://proxy:3142\";\n\
                    Acquire::https::CAInfo \"/etc/ssl/x.pem\";\nAcquire::Languages:: \"de\";\nDPkg::Options:: \"--x\";\n\
                    Acquire::Check-Date \"false\";\n";
        assert_eq!(
            download_settings(dump),
            "Acquire::http::Proxy \"http://proxy:3142\";\nAcquire::https::CAInfo \"/etc/ssl/x.pem\";\n\
             Acquire::Check-Date \"false\";\n"
        );
    }

    #[test]
    fn the_machines_own_mirrors_are_taken() {
        let targets = "http://mirror.example/debian/|bookworm|main|Debian\n\
                       http://mirror.example/debian/|bookworm|contrib|Debian\n\
                       http://mirror.example/debian-security/|bookworm-security|main|Debian\n\
                       http://apt.example/|bookworm|main|Example Inc\n\
                       http://mirror.example/debian/|bookworm-backports|main|Debian Backports\n";
        assert_eq!(
            sources(targets, false).unwrap(),
            "deb http://mirror.example/debian/ bookworm main\n\
             deb http://mirror.example/debian-security/ bookworm-security main\n"
        );
        assert!(sources(targets, true).unwrap().contains("[signed-by="));
        // Never updated yet: the origin is unknown.
        assert!(sources("http://mirror.example/debian/|bookworm|main|$(ORIGIN)\n", false).is_some());
        // Another release, or no Debian at all.
        assert_eq!(sources("http://mirror.example/debian/|trixie|main|Debian\n", false), None);
        assert_eq!(
            sources("http://mirror.example/debian-security/|bookworm-security|main|Debian\n", false),
            None
        );
        assert_eq!(sources("", false), None);
    }

    #[test]
    fn a_stanza_points_to_the_file() {
        let control = "Package: haproxy\nVersion: 2.6\nFilename: pool/x.deb\nDescription: x\n more\n";
        assert_eq!(
            stanza(control, "haproxy.deb", 12, "ab"),
            "Package: haproxy\nVersion: 2.6\nDescription: x\n more\nFilename: ./haproxy.deb\nSize: 12\nSHA256: ab\n\n"
        );
    }
}
