//! A proxy between the store and its server that cuts the connection at a `COMMIT`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Where it cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets the `COMMIT`.
    Before,
    /// The server answers, and the answer is lost.
    After,
}

/// A running proxy.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    cut: Cut,
    /// Every so many `COMMIT`s; 0 for never.
    every: AtomicU32,
    /// `COMMIT`s seen since it was armed.
    seen: AtomicU32,
    cuts: AtomicU32,
    /// No more cuts than that.
    cuts_max: u32,
}

impl Proxy {
    pub async fn start(server_port: u16, cut: Cut, cuts_max: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (every, seen, cuts) = Default::default();
        let shared = Arc::new(Shared { cut, every, seen, cuts, cuts_max });
        let own = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server_port)).await.unwrap();
                tokio::spawn(join(client, server, Arc::clone(&own)));
            }
        });
        Self { port, shared }
    }

    /// From now on, cuts at every `every`th `COMMIT`.
    pub fn arm(&self, every: u32) {
        self.shared.seen.store(0, Ordering::SeqCst);
        self.shared.every.store(every, Ordering::SeqCst);
    }

    pub fn seen(&self) -> u32 {
        self.shared.seen.load(Ordering::SeqCst)
    }

    pub fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn is_due(&self) -> bool {
        let every = self.every.load(Ordering::SeqCst);
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        let due = every > 0 && seen.is_multiple_of(every) && self.cuts.load(Ordering::SeqCst) < self.cuts_max;
        self.cuts.fetch_add(u32::from(due), Ordering::SeqCst);
        due
    }
}

async fn join(client: TcpStream, server: TcpStream, shared: Arc<Shared>) {
    // Small messages one after the other: each must go at once.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (withhold, withheld) = watch::channel(false);
    // Whichever side ends first takes the other with it: both sockets are dropped.
    tokio::select! {
        () = requests(from_client, to_server, shared, withhold) => {}
        () = answers(from_server, to_client, withheld) => {}
    }
}

/// Passes messages on: a length with itself in it, after a type byte but for the first one
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    shared: Arc<Shared>,
    withhold: watch::Sender<bool>,
) {
    let mut first = true;
    loop {
        let mut message = Vec::new();
        if !first {
            let Ok(kind) = client.read_u8().await else { return };
            message.push(kind);
        }
        first = false;
        let Ok(length) = client.read_u32().await else { return };
        message.extend(length.to_be_bytes());
        let head = message.len();
        message.resize(head + length as usize - 4, 0);
        if client.read_exact(&mut message[head..]).await.is_err() {
            return;
        }
        let due = message.starts_with(b"Q") && message[head..] == *b"COMMIT\0" && shared.is_due();
        if due && shared.cut == Cut::Before {
            return;
        }
        if due {
            withhold.send_replace(true);
        }
        if server.write_all(&message).await.is_err() {
            return;
        }
    }
}

async fn answers(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, withheld: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16_384];
    loop {
        match server.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            // The answer is there, so that the server has done it; and nobody hears of it.
            Ok(_) if *withheld.borrow() => return,
            Ok(length) => {
                if client.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
