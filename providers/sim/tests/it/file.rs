//! The world's file: torn lines, hands, compaction, and processes at the same time.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use standfast_contract::{Call, Provider, Value};
use standfast_sim::{Sim, World};

use crate::common::{context, node, node_call, read};

fn open(path: &Path) -> Sim {
    Sim::new(World::open(path).unwrap().into())
}

fn append(path: &Path, text: &str) {
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

#[tokio::test]
async fn what_was_done_is_there_for_the_next_process_and_for_one_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let (one, other) = (open(&path), open(&path));
    let made = one.create(&context(), &node_call("x", "t1")).await.unwrap();
    // The token is known to the other too, and ids go on.
    assert_eq!(other.create(&context(), &node_call("x", "t1")).await.unwrap(), made);
    assert_eq!(other.create(&context(), &node_call("y", "t2")).await.unwrap().id, "node-000002");
    assert_eq!(one.world().objects().unwrap(), open(&path).world().objects().unwrap());
    assert_eq!(one.world().len().unwrap(), 2);
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_a_whole_one_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    open(&path).create(&context(), &node_call("x", "t1")).await.unwrap();
    open(&path).create(&context(), &node_call("y", "t2")).await.unwrap();
    let whole = std::fs::read(&path).unwrap();
    let last = whole.len() - whole.iter().rev().skip(1).position(|byte| *byte == b'\n').unwrap() - 1;
    for cut in last..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let sim = open(&path);
        // Only the newline is missing: the line counts.
        let survives = cut == whole.len() - 1;
        assert_eq!(sim.world().len().unwrap(), 1 + usize::from(survives), "cut at {cut}");
        // The same token again makes it exactly once.
        sim.create(&context(), &node_call("y", "t2")).await.unwrap();
        assert_eq!(open(&path).world().len().unwrap(), 2);
        assert!(open(&path).world().duplicates().unwrap().is_empty());
    }
}

#[tokio::test]
async fn lines_by_hand_are_taken_and_wrong_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let sim = open(&path);
    let made = sim.create(&context(), &node_call("x", "t1")).await.unwrap();
    let address = node("x");
    append(
        &path,
        &format!("{{\"tamper\":{{\"address\":\"{address}\",\"attribute\":\"size\",\"value\":5}}}}\n"),
    );
    let seen = sim.read(&context(), &[read(&address, Some(&made.id))]).await;
    assert_eq!(seen[0].as_ref().unwrap().as_ref().unwrap().attributes["size"], Value::Int(5));

    append(&path, r#"{"fault":{"address":"*","verb":"create","kind":"refused","reason":"quota"}}"#);
    append(&path, "\n");
    let error = sim.create(&context(), &node_call("y", "t2")).await.unwrap_err();
    assert_eq!(error.reason, "quota");
    // It has hit once, also for the next process.
    open(&path).create(&context(), &node_call("y", "t2")).await.unwrap();

    append(&path, &format!("{{\"destroy\":{{\"address\":\"{address}\"}}}}\n"));
    assert_eq!(sim.world().len().unwrap(), 1);
    append(&path, "{\"tampr\":{}}\n");
    let error = World::open(&path).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("line 8") && error.contains("tampr"), "{error}");
    let error = sim.create(&context(), &node_call("z", "t3")).await.unwrap_err();
    assert!(error.reason.contains("line 8") && error.hint.is_some(), "{error:?}");
}

#[tokio::test]
async fn a_version_of_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    std::fs::write(&path, "{\"world\":{\"version\":2}}\n").unwrap();
    let error = World::open(&path).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("version 2"), "{error}");
}

#[tokio::test]
async fn a_file_of_dead_lines_is_written_anew_under_those_who_use_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let old = open(&path);
    old.create(&context(), &node_call("keep", "k")).await.unwrap();
    append(&path, "{\"fault\":{\"address\":\"*\",\"verb\":\"create\",\"kind\":\"refused\"}}\n");
    assert!(old.create(&context(), &node_call("x", "x")).await.is_err());
    for number in 0..1_000 {
        let mut call = node_call("x", &format!("t{number}"));
        call.id = Some(old.create(&context(), &call).await.unwrap().id);
        old.delete(&context(), &call).await.unwrap();
    }
    let before = std::fs::metadata(&path).unwrap().len();
    let fresh = open(&path);
    assert!(std::fs::metadata(&path).unwrap().len() < before / 100);
    assert!(!folder.path().join("world.new").exists());
    // Numbers go on, the spent fault stays spent, and the one that held the old file sees the new one.
    let made = old.create(&context(), &node_call("y", "y")).await.unwrap();
    assert_eq!(made.id, "node-001002");
    assert_eq!(fresh.world().objects().unwrap(), old.world().objects().unwrap());
    assert_eq!(open(&path).world().len().unwrap(), 2);
}

#[tokio::test]
async fn a_file_that_is_emptied_or_removed_is_an_empty_world() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let sim = open(&path);
    sim.create(&context(), &node_call("x", "t1")).await.unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(sim.world().is_empty().unwrap());
    sim.create(&context(), &node_call("x", "t1")).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(sim.world().is_empty().unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"world\":{\"version\":1}}\n");
}

/// Run by the test below in processes of its own.
#[tokio::test]
async fn worker() {
    let (Ok(path), Ok(name)) = (std::env::var("STANDFAST_SIM_WORLD"), std::env::var("STANDFAST_SIM_WORKER"))
    else {
        return;
    };
    if name == "churn" {
        return churn(Path::new(&path)).await;
    }
    let sim = open(Path::new(&path));
    for number in 0..300 {
        let mut call = node_call(&format!("{name}-{number}"), &format!("{name}-{number}"));
        // Half of the names are made by everyone, with the same token.
        if number % 2 == 0 {
            call = node_call(&format!("all-{number}"), &format!("all-{number}"));
        }
        let made = sim.create(&context(), &call).await.unwrap();
        if number % 3 == 0 {
            let update = Call { id: Some(made.id), changed: vec!["size".into()], ..call };
            sim.update(&context(), &update).await.unwrap();
        }
    }
}

/// Dead lines and nothing else, with openings between them that write the file anew.
async fn churn(path: &Path) {
    for _ in 0..30 {
        let sim = open(path);
        for number in 0..100 {
            let mut call = node_call("churn", &format!("churn-{number}"));
            call.id = Some(sim.create(&context(), &call).await.unwrap().id);
            sim.delete(&context(), &call).await.unwrap();
        }
    }
}

fn spawn(path: &Path, name: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::worker", "--nocapture"])
        .env("STANDFAST_SIM_WORLD", path)
        .env("STANDFAST_SIM_WORKER", name)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn processes_do_not_spoil_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let workers: Vec<_> = ["p", "q", "churn", "r"].into_iter().map(|name| spawn(&path, name)).collect();
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
    let world = World::open(&path).unwrap();
    assert_eq!(world.len().unwrap(), 150 + 3 * 150);
    assert!(world.duplicates().unwrap().is_empty());
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    assert!(lines < 6_000, "{lines} lines: it was written anew in between");
}

#[test]
fn a_killed_process_leaves_what_it_did_and_nothing_torn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    drop(World::open(&path).unwrap());
    append(&path, "{\"fault\":{\"address\":\"*\",\"verb\":\"create\",\"kind\":\"die_after\",\"nth\":10}}\n");
    append(&path, "{\"fault\":{\"address\":\"*\",\"verb\":\"update\",\"kind\":\"die_before\",\"nth\":3}}\n");
    assert!(!spawn(&path, "p").wait().unwrap().success(), "dies before its third update");
    assert_eq!(World::open(&path).unwrap().len().unwrap(), 7);
    assert!(!spawn(&path, "p").wait().unwrap().success(), "dies after its tenth create");
    assert_eq!(World::open(&path).unwrap().len().unwrap(), 10);
    assert!(spawn(&path, "p").wait().unwrap().success());
    let world = World::open(&path).unwrap();
    assert_eq!(world.len().unwrap(), 300);
    assert!(world.duplicates().unwrap().is_empty());
}
