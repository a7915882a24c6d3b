//! The proxy before a small server that counts what reaches it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use standfast_fault_proxy::{Answer, Call, Fate, Fault, Proxy, Rule, Verdict};

/// A server that answers every request with its number.
fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            // Requests of these tests fit into one segment.
            if stream.read(&mut request).unwrap_or(0) > 0 {
                let body = (count.fetch_add(1, Ordering::SeqCst) + 1).to_string();
                let head =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        }
    });
    (address, served)
}

/// What came back: the status line's number and the body, or nothing.
fn ask(proxy: &Proxy, target: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(proxy.address).unwrap();
    stream
        .write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().unwrap();
    Some((status, answer.rsplit("\r\n\r\n").next().unwrap().to_owned()))
}

#[test]
fn an_answer_is_lost_after_its_effect_and_a_dropped_call_has_none() {
    let (upstream, served) = server();
    let proxy = Proxy::start(upstream).unwrap();
    assert_eq!(ask(&proxy, "/a"), Some((200, "1".into())));
    proxy.add("lost", Fault::lose_answer().on(|call| call.path() == "/lost"));
    assert_eq!(ask(&proxy, "/lost?x=1"), None);
    assert_eq!(served.load(Ordering::SeqCst), 2, "it took effect");
    proxy.add("dropped", Fault::drop_before().on(|call| call.path() == "/dropped"));
    assert_eq!(ask(&proxy, "/dropped"), None);
    assert_eq!(served.load(Ordering::SeqCst), 2, "it never arrived");
    proxy.switch("lost", false);
    assert_eq!(ask(&proxy, "/lost"), Some((200, "3".into())));
    assert_eq!((proxy.struck("lost"), proxy.struck("dropped")), (1, 1));
    let seen: Vec<_> = proxy.seen().into_iter().map(|seen| (seen.target, seen.status, seen.rule)).collect();
    let expected = [
        ("/a", Some(200), None),
        ("/lost?x=1", None, Some("lost")),
        ("/dropped", None, Some("dropped")),
        ("/lost", Some(200), None),
    ];
    let owned = expected.map(|(target, status, rule)| (target.to_owned(), status, rule.map(str::to_owned)));
    assert_eq!(seen, owned);
}

#[test]
fn rules_strike_every_nth_the_nth_or_by_a_seed_that_repeats() {
    let (upstream, served) = server();
    let statuses = |fault: Fault| {
        let proxy = Proxy::start(upstream).unwrap();
        proxy.add("fault", fault);
        (0..12).map(|_| ask(&proxy, "/").unwrap().0).collect::<Vec<_>>()
    };
    let struck = |statuses: &[u16]| {
        let numbered = statuses.iter().enumerate();
        numbered.filter(|(_, status)| **status != 200).map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert_eq!(struck(&statuses(Fault::slow_down().every(5))), [4, 9]);
    assert_eq!(struck(&statuses(Fault::internal_error().nth(3))), [2]);
    let chance = || statuses(Fault::slow_down().chance(40, 7));
    let first = chance();
    assert_eq!(first, chance());
    assert!(first.contains(&200) && first.contains(&503), "{first:?}");
    assert!(served.load(Ordering::SeqCst) > 12);
}

#[test]
fn a_service_that_is_away_comes_back_and_latency_is_time() {
    let (upstream, _) = server();
    let proxy = Proxy::start(upstream).unwrap();
    proxy.sever();
    assert_eq!(ask(&proxy, "/"), None);
    proxy.restore();
    assert!(ask(&proxy, "/").is_some());
    proxy.add("slow", Fault::latency(Duration::from_millis(80)));
    let begun = Instant::now();
    assert!(ask(&proxy, "/").is_some());
    assert!(begun.elapsed() >= Duration::from_millis(80));
}

#[test]
fn a_late_answer_is_waited_for_when_the_call_has_taken_effect() {
    let (upstream, served) = server();
    let proxy = Proxy::start(upstream).unwrap();
    proxy.add("late", Fault::late_answer(Duration::from_secs(1)));
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let asked = scope.spawn(|| ask(&proxy, "/"));
        while served.load(Ordering::SeqCst) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(5), "it does not arrive");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!asked.is_finished(), "it has arrived, and its answer waits");
        assert_eq!(asked.join().unwrap(), Some((200, "1".into())));
        assert!(begun.elapsed() >= Duration::from_secs(1));
    });
}

#[test]
fn a_call_goes_on_when_its_caller_has_gone() {
    let (upstream, served) = server();
    let proxy = Proxy::start(upstream).unwrap();
    proxy.add("slow", Fault::latency(Duration::from_millis(200)));
    let mut stream = TcpStream::connect(proxy.address).unwrap();
    stream.write_all(b"GET /left HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    drop(stream);
    let begun = Instant::now();
    while proxy.seen().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it was dropped with its caller");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((served.load(Ordering::SeqCst), proxy.seen()[0].status), (1, Some(200)));
}

/// A service whose things are pending at first: what a test of a provider adds.
struct Pending(AtomicUsize);

#[async_trait]
impl Rule for Pending {
    async fn before(&self, call: &mut Call) -> Verdict {
        match call.path() {
            "/forbidden" => Verdict::Answer(Answer::new(403.try_into().unwrap(), "no")),
            _ => Verdict::Pass,
        }
    }

    async fn after(&self, _: &Call, answer: &mut Answer) -> Fate {
        if self.0.fetch_add(1, Ordering::SeqCst) < 2 {
            answer.body = "pending".into();
        }
        Fate::Deliver
    }
}

#[test]
fn a_rule_of_the_tests_own_rewrites_answers() {
    let (upstream, served) = server();
    let proxy = Proxy::start(upstream).unwrap();
    proxy.add("pending", Pending(AtomicUsize::new(0)));
    let bodies: Vec<String> = (0..3).map(|_| ask(&proxy, "/").unwrap().1).collect();
    assert_eq!(bodies, ["pending", "pending", "3"]);
    assert_eq!(ask(&proxy, "/forbidden"), Some((403, "no".into())));
    assert_eq!(served.load(Ordering::SeqCst), 3);
}
