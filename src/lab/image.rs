//! The host image: built once with mmdebstrap, kept in the cache under the digest of its recipe, shared by all labs.
//!
//! It is built in a folder beside its final place and renamed when whole, so an interrupted build is never taken for
//! an image; a lock lets one build run at a time.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::command::{not_started, run};
use super::error::LabError;
use super::event::LabEvent;
use super::mounts;
use super::recipe::{self, RECIPE, STEPS};
use super::roots::{Roots, lock, require_space, write_whole};

/// Download, unpacked tree and packages together take about 0.5 GiB while building.
const BUILD_SPACE_BYTES: u64 = 2 << 30;
/// A build takes about a minute; a mirror that stalls must not hold the lab for ever.
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
const LOG_TAIL_LINES: usize = 15;
const IMAGE_PREFIX: &str = "image-";
const BUILDING_PREFIX: &str = "building-";

/// Where the image with this digest is, built or not.
pub(super) fn path(roots: &Roots, digest: &str) -> PathBuf {
    roots.cache.join(format!("{IMAGE_PREFIX}{digest}"))
}

/// Finds the image of today's recipe or builds it; returns its digest and whether it was built.
pub(super) fn ensure(roots: &Roots, on_event: &mut dyn FnMut(LabEvent)) -> Result<(String, bool), LabError> {
    let digest = RECIPE.digest();
    let image = path(roots, &digest);
    if image.is_dir() {
        on_event(LabEvent::ImageCached);
        return Ok((digest, false));
    }
    std::fs::create_dir_all(&roots.cache).map_err(LabError::io("make the image cache", &roots.cache))?;
    let lock = lock(&roots.cache.join("lock"), || on_event(LabEvent::ImageAwaited))?;
    if image.is_dir() {
        on_event(LabEvent::ImageCached);
        return Ok((digest, false));
    }
    remove_unfinished(roots)?;
    require_space(&roots.cache, BUILD_SPACE_BYTES, "building the host image")?;
    let started = Instant::now();
    let workshop = roots.cache.join(format!("{BUILDING_PREFIX}{digest}"));
    std::fs::create_dir(&workshop).map_err(LabError::io("make a folder to build the image in", &workshop))?;
    let built = build(&workshop, &lock, on_event).and_then(|root| {
        std::fs::rename(&root, &image).map_err(LabError::io("put the image in its place", &image))
    });
    let cleaned = mounts::remove_tree(&workshop);
    built.and(cleaned)?;
    on_event(LabEvent::ImageBuilt { took: started.elapsed() });
    Ok((digest, true))
}

/// What a killed build left. Called with the lock held.
fn remove_unfinished(roots: &Roots) -> Result<(), LabError> {
    for folder in folders(roots, BUILDING_PREFIX)? {
        mounts::remove_tree(&folder)?;
    }
    Ok(())
}

fn folders(roots: &Roots, prefix: &str) -> Result<Vec<PathBuf>, LabError> {
    let entries = match std::fs::read_dir(&roots.cache) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LabError::io("list the image cache", &roots.cache)(error)),
    };
    let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    Ok(named.map(|entry| entry.path()).collect())
}

/// Removes all images and what killed builds left; refuses while `used` (digests with the lab that uses each) or a
/// mount says that one is needed.
pub(super) fn purge(roots: &Roots, used: &[(String, String)]) -> Result<usize, LabError> {
    if !roots.cache.is_dir() {
        return Ok(0);
    }
    let _lock = lock(&roots.cache.join("lock"), || {})?;
    let images = folders(roots, IMAGE_PREFIX)?;
    let mounted = mounts::mounts()?;
    for image in &images {
        let lower = format!("lowerdir={}", image.display());
        if let Some(mount) =
            mounted.iter().find(|mount| mount.options.split(',').any(|option| option == lower))
        {
            return Err(LabError::ImageInUse { by: mount.at.display().to_string() });
        }
        if let Some((_, lab)) = used.iter().find(|(digest, _)| path(roots, digest) == *image) {
            return Err(LabError::ImageInUse { by: format!("lab `{lab}`") });
        }
    }
    for image in &images {
        mounts::remove_tree(image)?;
    }
    remove_unfinished(roots)?;
    Ok(images.len())
}

fn build(workshop: &Path, lock: &File, on_event: &mut dyn FnMut(LabEvent)) -> Result<PathBuf, LabError> {
    let root = workshop.join("root");
    let apt_options = workshop.join("apt.conf");
    let dump = run("read the machine's apt settings", Command::new("apt-config").arg("dump"))?;
    std::fs::write(&apt_options, recipe::download_settings(&dump))
        .map_err(LabError::io("write", &apt_options))?;
    // A proxy's password may stand in it.
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&apt_options, private).map_err(LabError::io("protect", &apt_options))?;
    let sources = machine_sources(workshop)?;

    let text =
        |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| LabError::BadPath { path: path.into() });
    let sources = sources.as_deref().map(text).transpose()?;
    let arguments = RECIPE.mmdebstrap_arguments(&text(&apt_options)?, sources.as_deref(), &text(&root)?);
    mmdebstrap(&arguments, lock, on_event)?;
    step(STEPS.len() - 2, on_event);
    index_packages(&root)?;
    step(STEPS.len() - 1, on_event);
    finish(&root)?;
    Ok(root)
}

fn step(index: usize, on_event: &mut dyn FnMut(LabEvent)) {
    on_event(LabEvent::ImageStep { step: index + 1, of: STEPS.len(), label: STEPS[index].0 });
}

/// Writes the machine's own mirrors of our suite to a file, if it has any.
fn machine_sources(workshop: &Path) -> Result<Option<PathBuf>, LabError> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", recipe::INDEX_FORMAT, "Created-By: Packages"]);
    let targets = run("read the machine's apt sources", &mut command)?;
    let Some(list) = recipe::sources(&targets, recipe::keyring().exists()) else { return Ok(None) };
    let path = workshop.join("sources.list");
    std::fs::write(&path, list).map_err(LabError::io("write", &path))?;
    Ok(Some(path))
}

fn mmdebstrap(arguments: &[String], lock: &File, on_event: &mut dyn FnMut(LabEvent)) -> Result<(), LabError> {
    // A build must not outlive us for long, and while it does, the next one must wait: it clears this one's folder.
    // So the builder is told when we die, and its standard input is the lock, held until its last process is gone.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM", "mmdebstrap"])
        .args(arguments)
        .env("LC_ALL", "C")
        .env("DEBIAN_FRONTEND", "noninteractive");
    let held = lock.try_clone().map_err(|error| not_started("build the host image", &command, &error))?;
    command.stdin(held).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started("build the host image", &command, &error))?;
    let (lines, log) = channel();
    let stderr = child.stderr.take();
    std::thread::spawn(move || {
        for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok)
        {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
    let (tail, in_time) = follow(&log, on_event);
    if !in_time {
        terminate(&mut child);
        let why = format!("mmdebstrap took longer than {} minutes", BUILD_LIMIT.as_secs() / 60);
        return Err(LabError::ImageBuild { why, tail });
    }
    let status = child.wait().map_err(|error| not_started("build the host image", &command, &error))?;
    if status.success() {
        Ok(())
    } else {
        Err(LabError::ImageBuild { why: format!("mmdebstrap: {status}"), tail })
    }
}

/// Reads the log to its end and tells the steps; returns the last lines and whether the end came in time.
fn follow(log: &Receiver<String>, on_event: &mut dyn FnMut(LabEvent)) -> (String, bool) {
    let deadline = Instant::now() + BUILD_LIMIT;
    let mut tail: Vec<String> = Vec::new();
    loop {
        match log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(index) = recipe::step_of(&line) {
                    step(index, on_event);
                }
                if tail.len() == LOG_TAIL_LINES {
                    tail.remove(0);
                }
                tail.push(line);
            }
            Err(end) => return (tail.join("\n"), end == RecvTimeoutError::Disconnected),
        }
    }
}

/// SIGTERM first: mmdebstrap then unmounts what it mounted. The tree is released before it is removed in any case.
fn terminate(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let gone = || matches!(child.try_wait(), Ok(Some(_)));
    if !super::process::wait_until(Duration::from_secs(10), gone) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Moves what apt downloaded to the package folder and writes the index of it.
fn index_packages(root: &Path) -> Result<(), LabError> {
    let archives = root.join("var/cache/apt/archives");
    let folder = root.join(recipe::PACKAGE_FOLDER.trim_start_matches('/'));
    std::fs::create_dir_all(&folder).map_err(LabError::io("make the package folder", &folder))?;
    let mut names: Vec<String> = Vec::new();
    let entries =
        std::fs::read_dir(&archives).map_err(LabError::io("list the downloaded packages", &archives))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".deb") {
            let to = folder.join(&name);
            std::fs::rename(entry.path(), &to).map_err(LabError::io("move a package", &to))?;
            names.push(name);
        }
    }
    names.sort();
    let sums = run("digest the packages", Command::new("sha256sum").current_dir(&folder).args(&names))?;
    let mut index = String::new();
    for (sha256, name) in recipe::sha256_lines(&sums)? {
        let file = folder.join(name);
        let size_bytes = std::fs::metadata(&file).map_err(LabError::io("measure a package", &file))?.len();
        let mut read = Command::new("dpkg-deb");
        let control = run("read a package", read.arg("--field").arg(&file))?;
        index.push_str(&recipe::stanza(&control, name, size_bytes, sha256));
    }
    let path = folder.join("Packages");
    write_whole(&path, index.as_bytes())?;
    let sum =
        run("digest the package index", Command::new("sha256sum").current_dir(&folder).arg("Packages"))?;
    let digest = recipe::sha256_lines(&sum)?.first().map_or("", |(digest, _)| *digest).to_owned();
    write_whole(&folder.join("Release"), recipe::release_file(index.len(), &digest).as_bytes())
}

/// From a fresh Debian to the image: settings, networkd on, nothing in it that hosts must not share.
fn finish(root: &Path) -> Result<(), LabError> {
    for file in RECIPE.removed {
        let path = root.join(file);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LabError::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    for (file, content) in RECIPE.files {
        let path = root.join(file);
        // A leftover link would lead the write out of the image.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, content).map_err(LabError::io("write", &path))?;
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, readable).map_err(LabError::io("set the mode of", &path))?;
    }
    let units = root.join("etc/systemd/system");
    for unit in RECIPE.masked {
        let path = units.join(unit);
        let _ = std::fs::remove_file(&path);
        symlink("/dev/null", &path).map_err(LabError::io("mask a unit", &path))?;
    }
    let mut enable = Command::new("chroot");
    enable.arg(root).args(["systemctl", "enable", "systemd-networkd.service", "ssh.service"]);
    run("turn the hosts' network on", &mut enable)?;
    clear(&root.join("var/lib/apt/lists"))?;
    clear(&root.join("var/cache/apt"))?;
    let mut update = Command::new("chroot");
    update.arg(root).args(["apt-get", "-qq", "update"]);
    run("read the package folder", &mut update)?;
    Ok(())
}

/// Empties a folder of files, keeping its folders, as apt wants its own to exist.
fn clear(folder: &Path) -> Result<(), LabError> {
    let entries = std::fs::read_dir(folder).map_err(LabError::io("clear", folder))?;
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
        std::fs::remove_file(entry.path()).map_err(LabError::io("clear", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Roots) {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots { state: folder.path().join("labs"), cache: folder.path().join("cache") };
        for name in ["image-aaaa/etc", "image-bbbb/etc", "building-cccc/root"] {
            std::fs::create_dir_all(roots.cache.join(name)).unwrap();
        }
        (folder, roots)
    }

    fn kept(roots: &Roots) -> Vec<String> {
        let entries = std::fs::read_dir(&roots.cache).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_purge_takes_images_and_unfinished_ones() {
        let (_folder, roots) = cache();
        assert_eq!(purge(&roots, &[("dddd".into(), "shop".into())]).unwrap(), 2);
        assert_eq!(kept(&roots), ["lock"]);
    }

    #[test]
    fn an_image_in_use_stops_a_purge_before_it_begins() {
        let (_folder, roots) = cache();
        let error = purge(&roots, &[("bbbb".into(), "shop".into())]).unwrap_err();
        assert!(error.to_string().contains("in use by lab `shop`"), "{error}");
        assert_eq!(kept(&roots), ["building-cccc", "image-aaaa", "image-bbbb", "lock"]);
    }

    #[test]
    fn the_log_becomes_steps_and_its_end_is_kept() {
        let (lines, log) = channel();
        for line in ["I: running apt-get update...", "Get:1 x", "I: extracting archives..."] {
            lines.send(line.to_owned()).unwrap();
        }
        (0..20).for_each(|n| lines.send(format!("E: {n}")).unwrap());
        drop(lines);
        let mut steps = Vec::new();
        let (tail, in_time) = follow(&log, &mut |event| match event {
            LabEvent::ImageStep { step, of, label } => steps.push((step, of, label)),
            other => panic!("{other:?}"),
        });
        assert_eq!(steps, [(1, 8, "reading package lists"), (3, 8, "unpacking")]);
        assert!(in_time);
        assert_eq!(tail.lines().count(), LOG_TAIL_LINES);
        assert!(tail.ends_with("E: 19"), "{tail}");
    }
}
