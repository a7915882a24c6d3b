//! A run for a log: one line with its time for everything that ended or went wrong, and a sign of life for what takes
//! long. Steps that begin and end within a moment get no line for their beginning.

use std::{
    collections::{HashMap, HashSet},
    io::Write,
    time::{Duration, Instant},
};

use anstyle::Style;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    BATCH_EVENTS_MAX,
    board::Board,
    tell::{Mark, Teller, Told},
};
use crate::{
    apply::Event,
    cli::{
        render::words,
        terminal::{CYAN, DIM, GREEN, RED, YELLOW},
    },
};

/// How often what is in flight is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A step that runs for so long is told to be running; then again after twice that, and so on. News of it is told no
/// more often than this either.
const RUNNING_AFTER: Duration = Duration::from_secs(5);
/// The longest time without a sign of life.
const RUNNING_AGAIN_MAX: Duration = Duration::from_secs(60);

pub async fn follow(events: &mut UnboundedReceiver<Event>, operations: HashSet<String>) {
    let mut lines = Lines::new(Instant::now());
    lines.teller = Teller::new(operations);
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            biased;
            got = events.recv_many(&mut batch, BATCH_EVENTS_MAX) => {
                if got == 0 {
                    break;
                }
                let now = Instant::now();
                batch.drain(..).for_each(|event| lines.take(&event, now));
            }
            _ = look.tick() => lines.look(Instant::now()),
        }
        write(&lines.lines());
    }
}

fn write(lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let time = jiff::ZonedDateTime::now().strftime("%H:%M:%S").to_string();
    let mut text = String::new();
    for line in lines {
        // The time stands in front of each, so that a log can be searched for any line of an error.
        for part in line.lines() {
            text.push_str(&format!("{DIM}{time}{DIM:#}  {part}\n"));
        }
    }
    let mut stderr = anstream::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// Events to lines, without their times of day.
struct Lines {
    board: Board,
    teller: Teller,
    running: Vec<String>,
    said: HashMap<u64, Said>,
}

/// What was last told of a step in flight; times are since it began.
#[derive(Default)]
struct Said {
    at: Duration,
    again_at: Duration,
    text: String,
}

impl Lines {
    fn new(now: Instant) -> Self {
        Lines { board: Board::new(now), teller: Teller::default(), running: Vec::new(), said: HashMap::new() }
    }

    fn take(&mut self, event: &Event, now: Instant) {
        self.board.take(event, now);
        self.teller.take(event);
    }

    /// Tells of what has been running for long.
    fn look(&mut self, now: Instant) {
        for (number, flight) in self.board.flights() {
            let runs = now.saturating_duration_since(flight.since);
            let said = self.said.entry(number).or_default();
            let news = flight.text != said.text;
            if runs < said.at + RUNNING_AFTER || (runs < said.again_at && !news) {
                continue;
            }
            *said = Said {
                at: runs,
                again_at: (runs * 2).min(runs + RUNNING_AGAIN_MAX),
                text: flight.text.clone(),
            };
            let mut text = format!("{}  {}", flight.address, words::duration(runs));
            if !flight.text.is_empty() {
                text.push_str(&format!("  {}", words::one_line(&flight.text)));
            }
            self.running.push(laid_out(DIM, &flight.doing, &text));
        }
        self.said.retain(|number, _| self.board.is_in_flight(*number));
    }

    fn lines(&mut self) -> Vec<String> {
        let told = self.teller.lines();
        std::mem::take(&mut self.running).into_iter().chain(told.iter().map(line)).collect()
    }
}

fn line(told: &Told) -> String {
    let style = match told.mark {
        Mark::Done => GREEN,
        Mark::Unchanged => DIM,
        Mark::Failed => RED,
        Mark::Blocked | Mark::Notice => YELLOW,
        Mark::Run => CYAN,
    };
    laid_out(style, &told.verb, &told.text)
}

fn laid_out(style: Style, verb: &str, text: &str) -> String {
    format!("{style}{verb:<9}{style:#} {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::Outcome;

    fn plain(lines: &mut Lines) -> Vec<String> {
        lines.lines().iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_long_step_shows_signs_of_life_and_a_short_one_only_its_end() {
        let zero = Instant::now();
        let at = |seconds| zero + Duration::from_secs(seconds);
        let mut lines = Lines::new(zero);
        for task in 0..2 {
            let address = format!("home/load_balancers.front/package.lb{task}.haproxy");
            lines.take(&Event::TaskStarted { task, address, doing: "creating".into(), undo: false }, zero);
        }
        lines.take(
            &Event::TaskEnded {
                task: 0,
                address: "home/load_balancers.front/package.lb0.haproxy".into(),
                did: "created".into(),
                outcome: Outcome::Done,
                elapsed: Duration::from_millis(300),
                tasks_over: 1,
                tasks: 2,
            },
            zero,
        );
        let mut all = plain(&mut lines);
        for second in 1..=20 {
            if second == 7 {
                let text = "unpacking haproxy".to_owned();
                lines.take(&Event::Progress { task: 1, address: String::new(), text }, at(second));
            }
            lines.look(at(second));
            all.extend(plain(&mut lines));
        }
        insta::assert_snapshot!(all.join("\n"), @r"
        created   home/load_balancers.front/package.lb0.haproxy  0.3s
        creating  home/load_balancers.front/package.lb1.haproxy  5.0s
        creating  home/load_balancers.front/package.lb1.haproxy  10s  unpacking haproxy
        creating  home/load_balancers.front/package.lb1.haproxy  20s  unpacking haproxy
        ");
    }
}
