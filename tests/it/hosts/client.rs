//! A steady client: so many requests a second, each on a connection of its own, whatever became of those before.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A request without an answer after this is lost.
const PATIENCE: Duration = Duration::from_secs(4);

/// Begins at once; [`Steady::stop`] ends it.
pub struct Steady {
    stop: Arc<AtomicBool>,
    pacer: JoinHandle<Tally>,
}

/// One request, by the seconds since the client began.
#[derive(Debug, Clone)]
pub struct Lost {
    pub sent_at: f64,
    pub why: String,
}

#[derive(Debug, Default)]
pub struct Tally {
    pub sent: usize,
    pub lost: Vec<Lost>,
    /// When answers of 200 came, seconds since the client began; sorted.
    answered_at: Vec<f64>,
    pub slowest: Duration,
}

impl Steady {
    pub fn start(address: IpAddr, port: u16, per_second: u32) -> Steady {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let pacer = std::thread::spawn(move || pace((address, port).into(), per_second, &stopped));
        Steady { stop, pacer }
    }

    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.pacer.join().unwrap()
    }
}

fn pace(at: SocketAddr, per_second: u32, stop: &AtomicBool) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let began = Instant::now();
    let mut requests = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let due = Duration::from_secs(1) * u32::try_from(requests.len()).unwrap() / per_second;
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let tally = Arc::clone(&tally);
        requests.push(std::thread::spawn(move || {
            let sent = Instant::now();
            let answer = get(at, "/", PATIENCE);
            let mut tally = tally.lock().unwrap();
            tally.sent += 1;
            tally.slowest = tally.slowest.max(sent.elapsed());
            match answer {
                Ok(_) => tally.answered_at.push(began.elapsed().as_secs_f64()),
                Err(why) => {
                    let sent_at = sent.duration_since(began).as_secs_f64();
                    tally.lost.push(Lost { sent_at, why });
                }
            }
        }));
    }
    for request in requests {
        request.join().unwrap();
    }
    let mut tally = std::mem::take(&mut *tally.lock().unwrap());
    tally.answered_at.sort_by(f64::total_cmp);
    tally
}

impl Tally {
    /// The longest time in which no answer came, seconds.
    pub fn longest_gap(&self) -> f64 {
        self.answered_at.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    }

    /// Seconds from the first lost request to the last.
    pub fn loss_window(&self) -> f64 {
        let at = || self.lost.iter().map(|lost| lost.sent_at);
        let first = at().fold(f64::INFINITY, f64::min);
        let last = at().fold(0.0, f64::max);
        (last - first).max(0.0)
    }

    pub fn tell(&self, of: &str) {
        println!(
            "{of}: {} requests sent, {} lost{}, longest time without an answer {:.2} s, slowest {:.2} s",
            self.sent,
            self.lost.len(),
            if self.lost.is_empty() { String::new() } else { format!(" within {:.1} s", self.loss_window()) },
            self.longest_gap(),
            self.slowest.as_secs_f64(),
        );
        for lost in self.lost.iter().take(5) {
            println!("    lost at {:.2} s: {}", lost.sent_at, lost.why);
        }
    }
}

/// The body of a page that is answered with 200.
pub fn get(at: SocketAddr, path: &str, patience: Duration) -> Result<String, String> {
    let said = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    let mut stream = TcpStream::connect_timeout(&at, patience).map_err(said("connect"))?;
    stream.set_read_timeout(Some(patience)).map_err(said("set up"))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(said("send"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(said("receive"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("cut off: `{answer}`"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "200" { Ok(body.to_owned()) } else { Err(format!("status {status}")) }
}
