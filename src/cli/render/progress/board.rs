//! What is in flight, and how far the run is. Pure: the time is given.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use super::tell;
use crate::apply::{Event, Outcome};

/// Earlier than this nothing is said of the time left.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);
/// With fewer steps over nothing is said of the time left.
const ESTIMATE_STEPS_MIN: usize = 3;

/// One step that runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Flight {
    pub address: String,
    pub doing: String,
    pub undo: bool,
    pub since: Instant,
    /// What it last said of itself.
    pub text: String,
}

pub struct Board {
    pub begun: Instant,
    pub over: usize,
    pub tasks: usize,
    pub failed: usize,
    pub stopping: bool,
    /// By the order in which they began: the oldest first, so that rows keep their places.
    flights: BTreeMap<u64, Flight>,
    numbers: HashMap<u32, u64>,
    next: u64,
}

impl Board {
    pub fn new(now: Instant) -> Self {
        Board {
            begun: now,
            over: 0,
            tasks: 0,
            failed: 0,
            stopping: false,
            flights: BTreeMap::new(),
            numbers: HashMap::new(),
            next: 0,
        }
    }

    pub fn take(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Started { tasks, .. } => self.tasks = *tasks,
            Event::TaskStarted { task, address, doing, undo } => {
                let flight = Flight {
                    address: address.clone(),
                    doing: tell::doing(doing).to_owned(),
                    undo: *undo,
                    since: now,
                    text: String::new(),
                };
                self.flights.insert(self.next, flight);
                self.numbers.insert(*task, self.next);
                self.next += 1;
            }
            Event::Progress { task, text, .. } => self.say(*task, text.clone()),
            Event::Retrying { task, attempt, .. } => self.say(*task, format!("try {attempt}")),
            Event::TaskEnded { task, outcome, tasks_over, tasks, .. } => {
                if let Some(number) = self.numbers.remove(task) {
                    self.flights.remove(&number);
                }
                (self.over, self.tasks) = (*tasks_over, *tasks);
                self.failed += usize::from(matches!(outcome, Outcome::Failed { .. }));
            }
            Event::Stopping { .. } => self.stopping = true,
            Event::Blocked { .. } | Event::RollingBack { .. } | Event::NoWayBack { .. } | Event::Ended(_) => {
            }
        }
    }

    fn say(&mut self, task: u32, text: String) {
        if let Some(flight) = self.numbers.get(&task).and_then(|number| self.flights.get_mut(number)) {
            flight.text = text;
        }
    }

    pub fn flights(&self) -> impl ExactSizeIterator<Item = (u64, &Flight)> {
        self.flights.iter().map(|(number, flight)| (*number, flight))
    }

    pub fn is_in_flight(&self, number: u64) -> bool {
        self.flights.contains_key(&number)
    }

    /// How long the rest takes if it goes on as until now; `None` while that is a guess.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let elapsed = now.saturating_duration_since(self.begun);
        if elapsed < ESTIMATE_AFTER
            || self.over < ESTIMATE_STEPS_MIN
            || self.over >= self.tasks
            || self.stopping
        {
            return None;
        }
        Some(elapsed.mul_f64((self.tasks - self.over) as f64 / self.over as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(task: u32) -> Event {
        Event::TaskStarted { task, address: format!("a{task}"), doing: "creating".into(), undo: false }
    }

    fn ended(task: u32, tasks_over: usize) -> Event {
        Event::TaskEnded {
            task,
            address: format!("a{task}"),
            did: "created".into(),
            outcome: Outcome::Done,
            elapsed: Duration::ZERO,
            tasks_over,
            tasks: 10,
        }
    }

    #[test]
    fn what_began_first_stays_first() {
        let now = Instant::now();
        let mut board = Board::new(now);
        for event in [started(7), started(2), started(5), ended(2, 1)] {
            board.take(&event, now);
        }
        board.take(&Event::Progress { task: 5, address: "a5".into(), text: "half".into() }, now);
        let rows: Vec<String> =
            board.flights().map(|(_, flight)| format!("{} {}", flight.address, flight.text)).collect();
        assert_eq!(rows, ["a7 ", "a5 half"]);
        assert_eq!((board.over, board.tasks), (1, 10));
    }

    #[test]
    fn the_time_left_is_told_only_when_it_means_something() {
        let now = Instant::now();
        let mut board = Board::new(now);
        board.take(&ended(0, 2), now);
        assert_eq!(board.left(now + Duration::from_secs(20)), None, "too few steps");
        board.take(&ended(1, 5), now);
        assert_eq!(board.left(now + Duration::from_secs(2)), None, "too early");
        assert_eq!(board.left(now + Duration::from_secs(20)), Some(Duration::from_secs(20)));
    }
}
