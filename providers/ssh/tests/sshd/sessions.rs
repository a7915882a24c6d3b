//! Connections: what is checked, how failures read, what survives.

use std::{
    fs,
    time::{Duration, Instant},
};

use futures::future::join_all;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use standfast_contract::{ErrorClass, Value};
use standfast_ssh::{script::Script, session::Remote};

use super::server::{Server, fingerprint, keygen};

fn says(words: &str) -> Script {
    let mut script = Script::reads();
    script.set("WORDS", words).main("sect words; printf '%s' \"$WORDS\" >&3");
    script
}

#[tokio::test]
async fn noise_around_an_answer_is_not_the_answer() {
    let server = Server::start(
        "ForceCommand printf 'Welcome!\\n#end 0\\n'; echo mail waits >&2; sh -c \"$SSH_ORIGINAL_COMMAND\"; echo bye",
    );
    let answer = Remote::default().run(&server.with(&[]), "say", &says("it's\n$HOME")).await.unwrap();
    assert_eq!(answer.text("words").as_deref(), Some("it's\n$HOME"));
    assert_eq!(answer.stderr, "");
}

#[tokio::test]
async fn an_unknown_host_key_stops_with_its_fingerprint_and_the_way_to_accept_it() {
    let server = Server::start("");
    fs::write(server.path("known"), "").unwrap();
    let error = Remote::default().run(&server.with(&[]), "say", &says("x")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(error.reason.contains(&fingerprint(&server.path("host.pub"))), "{error}");
    let hint = error.hint.unwrap();
    assert!(hint.contains(&format!("StrictHostKeyChecking=ask -p {}", server.port)), "{hint}");
    assert_eq!(fs::read_to_string(server.path("known")).unwrap(), "", "nothing was accepted on its own");
}

#[tokio::test]
async fn a_changed_host_key_is_an_alarm_with_both_fingerprints() {
    let server = Server::start("");
    keygen(&server.path("former"));
    let key = fs::read_to_string(server.path("former.pub")).unwrap();
    fs::write(server.path("known"), format!("[127.0.0.1]:{} {key}", server.port)).unwrap();
    let error = Remote::default().run(&server.with(&[]), "say", &says("x")).await.unwrap_err();
    for part in [
        "HAS CHANGED",
        &fingerprint(&server.path("host.pub")),
        &fingerprint(&server.path("former.pub")),
        &format!("{}:1", server.path("known").display()),
    ] {
        assert!(error.reason.contains(part), "{part} is not in: {error}");
    }
    assert!(error.hint.unwrap().contains("ssh-keygen -R"));
}

#[tokio::test]
async fn a_refused_user_hears_which_key_was_tried() {
    let server = Server::start("");
    let stranger = server.path("stranger").display().to_string();
    let place = server.with(&[("identity_file", Value::text(&stranger))]);
    let error = Remote::default().run(&place, "say", &says("x")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(error.reason.contains("refused user") && error.reason.contains(&stranger), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let server = Server::start("");
    let place = server.with(&[("port", Value::Int(1))]);
    let began = Instant::now();
    let error = Remote::default().run(&place, "say", &says("x")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable);
    assert!(
        error.reason.contains("127.0.0.1 port 1") && error.reason.contains("Connection refused"),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// Two thousand nasty texts over the wire, each exactly itself on the other side.
#[tokio::test]
async fn any_text_survives_the_way_to_a_remote_shell() {
    let server = Server::start("");
    let (remote, place) = (Remote::default(), server.with(&[]));
    let mut runner = TestRunner::new(Config::default());
    let text = prop_oneof!["[^\u{0}]{0,60}", "[-'\"$`\\\\(){}\n\t *?!#~;&|<>%=]{0,40}"];
    for _ in 0..10 {
        let texts: Vec<String> = (0..200).map(|_| text.new_tree(&mut runner).unwrap().current()).collect();
        let mut script = Script::reads();
        for (at, text) in texts.iter().enumerate() {
            script.set(&format!("T{at}"), text).main(&format!("sect t{at}; printf '%s' \"$T{at}\" >&3"));
        }
        let answer = remote.run(&place, "say", &script).await.unwrap();
        for (at, text) in texts.iter().enumerate() {
            assert_eq!(answer.bytes(&format!("t{at}")), Some(text.as_bytes()));
        }
    }
}

#[tokio::test]
async fn more_work_than_the_server_allows_sessions_waits_its_turn() {
    let server = Server::start("MaxSessions 2");
    let (remote, place) = (Remote::default(), server.with(&[]));
    let mut script = Script::reads();
    script.main("sleep 0.1; sect done");
    let answers = join_all((0..7).map(|_| remote.run(&place, "wait", &script))).await;
    for answer in answers {
        assert!(answer.unwrap().bytes("done").is_some());
    }
}

#[tokio::test]
async fn a_reading_script_is_tried_again_when_the_connection_dies() {
    let server = Server::start("");
    let witness = server.path("witness").display().to_string();
    let mut script = Script::reads();
    script
        .set("WITNESS", &witness)
        .main("[ -e \"$WITNESS\" ] || { : >\"$WITNESS\"; kill -9 $PPID; sleep 5; }; sect again");
    let answer = Remote::default().run(&server.with(&[]), "look", &script).await.unwrap();
    assert!(answer.bytes("again").is_some());
}

#[tokio::test]
async fn a_changing_script_whose_answer_is_lost_is_uncertain_and_not_tried_again() {
    let server = Server::start("");
    let count = server.path("count").display().to_string();
    let mut script = Script::changes();
    script.set("COUNT", &count).main("echo once >>\"$COUNT\"; kill -9 $PPID; sleep 5");
    let error = Remote::default().run(&server.with(&[]), "change", &script).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Uncertain, "{error}");
    assert_eq!(fs::read_to_string(&count).unwrap(), "once\n");
}

#[tokio::test]
async fn a_second_process_finds_the_first_ones_connection() {
    let server = Server::start("");
    let place = server.with(&[]);
    let first = Remote::default();
    first.run(&place, "say", &says("x")).await.unwrap();
    first.close().await;
    // No new connection could be made any more.
    fs::write(server.path("authorized"), "").unwrap();
    Remote::default().run(&place, "say", &says("y")).await.unwrap();
    assert!(Remote::default().run_fresh(&place, "say", &says("z")).await.is_err());
}

#[tokio::test]
async fn a_daemon_that_keeps_the_channel_open_does_not_keep_us() {
    let server = Server::start("");
    let mut script = Script::changes();
    script.main("sleep 20 & sect done");
    let began = Instant::now();
    Remote::default().run(&server.with(&[]), "start", &script).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_silent_script_ends_at_its_time_out() {
    let server = Server::start("");
    let mut script = Script::reads();
    script.timeout(Duration::from_millis(300)).main("sleep 20");
    let error = Remote::default().run(&server.with(&[]), "wait", &script).await.unwrap_err();
    assert!(error.reason.contains("gave no answer"), "{error}");
}

/// A plan asks for facts, for what is there and for what stands in the way: of a dead host one wait is enough.
#[tokio::test]
async fn a_host_that_was_not_reached_is_not_waited_for_again() {
    let server = Server::start("");
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i64::from(silent.local_addr().unwrap().port());
    let place = server.with(&[("port", Value::Int(port)), ("connect_timeout_ms", Value::Int(1000))]);
    let remote = Remote::default();
    let begun = Instant::now();
    let first = remote.run(&place, "say", &says("x")).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3), "one wait, not four: {:?}", begun.elapsed());
    assert_eq!(first.class, ErrorClass::Unreachable, "{first}");
    let begun = Instant::now();
    let script = says("x");
    let all = join_all((0..20).map(|_| remote.run(&place, "say", &script))).await;
    assert!(all.into_iter().all(|again| again.unwrap_err().to_string() == first.to_string()));
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    // The next command asks anew.
    remote.close().await;
    drop(silent);
    let refused = remote.run(&place, "say", &says("x")).await.unwrap_err();
    assert_ne!(refused.to_string(), first.to_string());
}
