//! The files that are written, read by the programs that they are for. Nothing is started.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use super::{baselines::hardening, content, expand, fixtures};

/// Runs a program, which must be there and must accept its input.
pub fn accepts(program: &str, package: &str, arguments: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output().unwrap_or_else(|error| {
        panic!(
            "{program} cannot be run ({error}): install the Debian package {package}, which this test needs"
        )
    });
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {} refused: {said}", arguments.join(" "));
}

pub fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A certificate with its key, as one PEM text.
pub fn certificate(folder: &Path) -> String {
    let (key, certificate) = (folder.join("key"), folder.join("certificate"));
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    accepts(
        "openssl",
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=shop.example.net",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
    );
    fs::read_to_string(certificate).unwrap() + &fs::read_to_string(key).unwrap()
}

#[test]
fn haproxy_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let pem = certificate(folder);
    write(folder, "front-443.pem", &pem);
    let mut layer_four = fixtures::shop();
    *layer_four.front() = fixtures::plain();
    let mut tcp_check = fixtures::shop();
    tcp_check.group("web").health_check.path = None;
    let mut no_default = fixtures::shop();
    no_default.front().listeners[1].routes.pop();
    no_default.front().listeners[1].port = 8443;
    no_default.front().listeners[1].redirect_https = false;
    write(folder, "front-8443.pem", &pem);
    for blueprint in [fixtures::shop(), layer_four, tcp_check, no_default] {
        let expansion = expand(&blueprint, "load_balancers.front");
        let config = content(&expansion, "home/load_balancers.front/file.lb1.haproxy.cfg");
        let config = config.replace(crate::expand::haproxy::CERTIFICATES, folder.to_str().unwrap());
        let path = write(folder, "haproxy.cfg", &config);
        accepts("haproxy", "haproxy", &["-c", "-f", &path]);
    }
}

#[test]
fn keepalived_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let expansion = expand(&fixtures::shop(), "load_balancers.front");
    let config = content(&expansion, "home/load_balancers.front/file.lb1.keepalived.conf");
    let path = write(folder.path(), "keepalived.conf", &config);
    for (file, package) in [("/usr/sbin/keepalived", "keepalived"), ("/usr/bin/socat", "socat")] {
        assert!(Path::new(file).exists(), "install the Debian package {package}, which this test needs");
    }
    // In a network of its own, which has the interface of the hosts and touches nobody's.
    let script = "ip link add host0 type veth peer name other && exec /usr/sbin/keepalived -t -f \"$1\"";
    accepts("unshare", "util-linux", &["--net", "sh", "-c", script, "sh", &path]);
}

#[test]
fn systemd_takes_a_release_s_unit_and_haproxy_s_drop_in() {
    let folder = tempfile::tempdir().unwrap();
    let expansion = expand(&fixtures::shop(), "autoscaling_groups.api");
    let unit = content(&expansion, "home/autoscaling_groups.api/systemd_unit.web1.shop-api.service");
    // The user is made by the apply.
    let unit = unit.replace("User=shop-api", "User=root");
    let unit = write(folder.path(), "shop-api.service", &unit);
    let drop_in = folder.path().join("haproxy.service.d");
    fs::create_dir(&drop_in).unwrap();
    let save = write(folder.path(), "save-state", &crate::expand::units::save_state());
    fs::set_permissions(&save, fs::Permissions::from_mode(0o755)).unwrap();
    let reload = crate::expand::units::haproxy_reload().replace(crate::expand::units::SAVE_STATE, &save);
    write(&drop_in, "standfast.conf", &reload);
    let debian = fs::read_to_string("/lib/systemd/system/haproxy.service")
        .expect("install the Debian package haproxy, which this test needs");
    let haproxy = write(folder.path(), "haproxy.service", &debian);
    accepts("systemd-analyze", "systemd", &["verify", "--man=no", "--recursive-errors=no", &unit, &haproxy]);
}

#[test]
fn nft_takes_a_firewall() {
    let folder = tempfile::tempdir().unwrap();
    let expansion = expand(&fixtures::with_baseline(hardening()), "baselines.hardening");
    let table = content(&expansion, "home/baselines.hardening/nftables.lb1.shop_hardening");
    let path = write(folder.path(), "table.nft", &table);
    accepts("nft", "nftables", &["-c", "-f", &path]);
}

#[test]
fn the_shell_takes_an_environment_file_and_refuses_a_quote_in_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let expansion = expand(&fixtures::shop(), "autoscaling_groups.api");
    let environment = content(&expansion, "home/autoscaling_groups.api/file.web1.shop-api.env");
    let path = write(folder.path(), "good.env", &environment.replace("(sensitive)", "p$ss \"w\\rd"));
    accepts("sh", "dash", &["-n", &path]);
    let path = write(folder.path(), "bad.env", &environment.replace("(sensitive)", "it's"));
    let refused = Command::new("sh").args(["-n", &path]).output().unwrap();
    assert!(!refused.status.success());
}
