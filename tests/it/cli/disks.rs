//! A full disk, wherever it fills up: what was promised is kept, and when there is room the next run goes on.
//!
//! Disks are small tmpfs, which only root may mount: elsewhere these tests say so and pass, unless they must not.
#![cfg(test)]

use std::process::Command;

use super::{Ran, SHOP, Sandbox, snapshot};

/// A small disk in a folder of the sandbox, taken away when it is dropped.
struct Disk(std::path::PathBuf);

impl Disk {
    fn mount(sandbox: &Sandbox, folder: &str, kib: u32) -> Option<Disk> {
        if !rustix::process::geteuid().is_root() {
            assert!(std::env::var_os("STANDFAST_REQUIRE_LAB").is_none(), "a small disk needs root");
            println!("no small disk here: it needs root");
            return None;
        }
        let path = sandbox.path(folder);
        std::fs::create_dir_all(&path).unwrap();
        let disk = Disk(path);
        disk.tool("mount", &["-t", "tmpfs", "-o", &format!("mode=0700,size={kib}k"), "tmpfs"]);
        Some(disk)
    }

    fn grow(&self) {
        self.tool("mount", &["-o", "remount,size=16m"]);
    }

    fn tool(&self, tool: &str, arguments: &[&str]) {
        assert!(Command::new(tool).args(arguments).arg(&self.0).status().unwrap().success(), "{tool}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.0).status();
    }
}

/// From the first page to the last write of an apply: each size stops it elsewhere.
const SIZES_KIB: [u32; 16] = [4, 40, 64, 72, 100, 120, 140, 180, 200, 220, 240, 260, 280, 300, 340, 400];

fn says_no_space(ran: &Ran) {
    assert!(ran.stderr.contains("no space is left"), "{}", ran.shown());
    assert!(ran.stderr.contains("hint: free some space and run again"), "{}", ran.shown());
    assert!(!ran.stderr.contains("panicked"), "{}", ran.shown());
}

#[test]
fn the_states_disk_fills_up_and_the_next_run_goes_on() {
    let (mut at_once, mut midway) = (Vec::new(), Vec::new());
    for kib in SIZES_KIB {
        let sandbox = Sandbox::new(SHOP);
        let Some(disk) = Disk::mount(&sandbox, "disk", kib) else { return };
        let line = "apply --auto-approve --parallelism 1 --state sqlite:disk/shop.db";
        let ran = sandbox.run(line);
        let made = sandbox.world_file().exists() && !sandbox.world().is_empty().unwrap();
        if ran.code != Some(0) {
            let ran = ran.code(1);
            says_no_space(&ran);
            if made { midway.push(ran) } else { at_once.push(ran) }
        }
        // Still full: the state can be looked at when it is there at all.
        if made {
            sandbox.run("state list --state sqlite:disk/shop.db").code(0);
        }
        disk.grow();
        sandbox.run(line).code(0);
        assert_eq!(sandbox.world().duplicates().unwrap(), [], "{kib} KiB");
        assert_eq!(sandbox.world().len().unwrap(), 10, "{kib} KiB");
        let plan = sandbox.plan("--state sqlite:disk/shop.db");
        assert_eq!(plan.steps(), Vec::<String>::new(), "{kib} KiB");
        assert!(plan.0["in_flight"].as_array().is_none_or(Vec::is_empty), "{kib} KiB: {}", plan.0);
    }
    println!("{} before anything, {} in the midst", at_once.len(), midway.len());
    assert!(at_once.len() >= 4 && midway.len() >= 2, "{} and {}", at_once.len(), midway.len());
    snapshot("disk-full-at-once", &[at_once.remove(0)]);
}

/// All that is not written by hand lies there: the state, its copies and the simulated world.
#[test]
fn the_folders_disk_fills_up_and_the_next_run_goes_on() {
    for kib in SIZES_KIB {
        let sandbox = Sandbox::new(SHOP);
        let Some(disk) = Disk::mount(&sandbox, ".standfast", kib) else { return };
        let ran = sandbox.run("apply --auto-approve");
        if ran.code != Some(0) {
            let ran = ran.code(1);
            let said = ran.stderr.contains("no space is left") || ran.stderr.contains("No space left");
            assert!(said, "{kib} KiB: {}", ran.shown());
        }
        disk.grow();
        sandbox.run("apply --auto-approve").code(0);
        sandbox.assert_settled();
    }
}

#[test]
fn a_plan_that_has_no_room_is_not_half_written() {
    let sandbox = Sandbox::new(SHOP);
    let Some(disk) = Disk::mount(&sandbox, "disk", 4) else { return };
    let mut ran = sandbox.run("plan --out disk/next.plan").code(1);
    ran.stdout.clear();
    assert_eq!(std::fs::read_dir(sandbox.path("disk")).unwrap().count(), 0, "nothing half-written");
    snapshot("disk-full-plan", &[ran]);
    disk.grow();
    sandbox.ok("plan --out disk/next.plan");
    sandbox.ok("apply disk/next.plan");
    sandbox.assert_settled();
}
