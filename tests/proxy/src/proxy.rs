//! The server: forwards each call, asks the rules in the order in which they were added, and keeps count.
//!
//! It runs on a thread of its own, so that tests with and without a runtime use it alike.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule, Verdict};

/// What the proxy remembers of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Such as `s3`.
    pub service: String,
    /// Such as `PutObject`.
    pub action: String,
    /// Path and query.
    pub target: String,
    /// The status that went back; `None` when the connection was dropped.
    pub status: Option<u16>,
    /// The rule that kept the call or its answer from going through.
    pub rule: Option<String>,
}

struct Named {
    name: String,
    on: AtomicBool,
    struck: AtomicU64,
    rule: Box<dyn Rule>,
}

struct Shared {
    upstream: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    rules: Mutex<Vec<Arc<Named>>>,
    seen: Mutex<Vec<Seen>>,
    number: AtomicU64,
    /// True while nobody gets through; a change ends the connections that there are.
    severed: watch::Sender<bool>,
}

/// A running proxy; dropping it ends it.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    /// Starts before the service at `upstream`, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port or thread can be had.
    pub fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), upstream)
    }

    /// The same, listening at `address`.
    ///
    /// # Errors
    /// When the address is taken or no thread can be had.
    pub fn start_at(address: SocketAddr, upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::new(Shared {
            upstream,
            client: Client::builder(TokioExecutor::new()).build_http(),
            rules: Mutex::default(),
            seen: Mutex::default(),
            number: AtomicU64::new(0),
            severed: watch::Sender::new(false),
        });
        let (end, ended) = tokio::sync::oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("fault-proxy".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    _ = serve(listener, serving) => {}
                    _ = ended => {}
                }
            });
        })?;
        Ok(Self { address, shared, end: Some(end), thread: Some(thread) })
    }

    /// Its URL, such as `http://127.0.0.1:4567`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a rule, switched on.
    pub fn add(&self, name: &str, rule: impl Rule + 'static) -> &Self {
        let (on, struck) = (AtomicBool::new(true), AtomicU64::new(0));
        let named = Named { name: name.to_owned(), on, struck, rule: Box::new(rule) };
        lock(&self.shared.rules).push(Arc::new(named));
        self
    }

    /// Switches the rules of this name on or off.
    pub fn switch(&self, name: &str, on: bool) {
        for rule in lock(&self.shared.rules).iter().filter(|rule| rule.name == name) {
            rule.on.store(on, Ordering::SeqCst);
        }
    }

    /// How many calls the rules of this name kept from going through.
    pub fn struck(&self, name: &str) -> u64 {
        let rules = lock(&self.shared.rules);
        rules.iter().filter(|rule| rule.name == name).map(|rule| rule.struck.load(Ordering::SeqCst)).sum()
    }

    /// Ends every connection and refuses new ones, until [`restore`](Self::restore): a service that is away.
    pub fn sever(&self) {
        self.shared.severed.send_replace(true);
    }

    /// Lets calls through again.
    pub fn restore(&self) {
        self.shared.severed.send_replace(false);
    }

    /// Every call so far, in the order in which they ended.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// How many calls of this action there were.
    pub fn count(&self, service: &str, action: &str) -> usize {
        lock(&self.shared.seen).iter().filter(|seen| seen.service == service && seen.action == action).count()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        lock(&self.shared.seen).clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) -> std::io::Result<Infallible> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        // Out of file descriptors, say: it passes.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        if !*shared.severed.borrow() {
            tokio::spawn(connection(stream, Arc::clone(&shared)));
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut severed = shared.severed.subscribe();
    let service = service_fn(|request| handle(request, Arc::clone(&shared)));
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error is a connection that was dropped, by either side or by a rule.
        _ = served => {}
        _ = severed.wait_for(|severed| *severed) => {}
    }
}

/// Ends the connection without an answer: hyper does so when the service fails.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped by a rule")
    }
}

impl std::error::Error for Dropped {}

async fn handle(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let number = shared.number.fetch_add(1, Ordering::SeqCst) + 1;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let mut call = Call::new(number, parts.method, target, parts.headers, body);
    // A caller that has gone away takes back nothing that he has sent, and the rules must see what came of it.
    let passing = tokio::spawn(async move {
        let rules: Vec<Arc<Named>> = lock(&shared.rules).clone();
        let (answer, rule) = through(&mut call, &rules, &shared).await;
        lock(&shared.seen).push(Seen {
            service: call.service.clone(),
            action: call.action.clone(),
            target: call.target.clone(),
            status: answer.as_ref().map(|answer| answer.status.as_u16()),
            rule,
        });
        answer
    });
    let answer = passing.await.ok().flatten().ok_or(Dropped)?;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// Takes the call through the rules, to the service and back. Without an answer the connection is to be dropped;
/// the name is that of the rule which interfered.
async fn through(call: &mut Call, rules: &[Arc<Named>], shared: &Shared) -> (Option<Answer>, Option<String>) {
    let on = || rules.iter().filter(|named| named.on.load(Ordering::SeqCst));
    let struck = |named: &Named| {
        named.struck.fetch_add(1, Ordering::SeqCst);
        Some(named.name.clone())
    };
    for named in on() {
        match named.rule.before(call).await {
            Verdict::Pass => {}
            Verdict::Answer(answer) => return (Some(answer), struck(named)),
            Verdict::Drop => return (None, struck(named)),
        }
    }
    let Some(mut answer) = forward(call, shared).await else { return (None, None) };
    let mut rule = None;
    for named in on() {
        match named.rule.after(call, &mut answer).await {
            Fate::Deliver => {}
            Fate::Swap => rule = struck(named),
            Fate::Lose => return (None, struck(named)),
        }
    }
    (Some(answer), rule)
}

/// Asks the service. `None` when it cannot be reached.
async fn forward(call: &Call, shared: &Shared) -> Option<Answer> {
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = format!("http://{}{}", shared.upstream, call.target).parse().ok()?;
    *request.headers_mut() = without_connection(call.headers.clone());
    let response = shared.client.request(request).await.ok()?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let mut headers = parts.headers;
    // The length of an answer to HEAD is that of the body which it does not have.
    if call.method != hyper::Method::HEAD || parts.status == StatusCode::NOT_FOUND {
        headers = without_connection(headers);
    }
    Some(Answer { status: parts.status, headers, body })
}

/// Without the headers that speak of one connection, or of a length that a rule may change.
fn without_connection(mut headers: HeaderMap) -> HeaderMap {
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}
