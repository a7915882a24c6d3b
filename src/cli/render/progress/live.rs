//! A run for a person at a terminal: a bar for the whole, below it a row for each step in flight; what is over scrolls
//! away above.
//!
//! Events only change the [`Board`]; it is drawn at a fixed pace, so that a thousand events a second cost no more
//! drawing than one and nothing flickers.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    BATCH_EVENTS_MAX,
    board::{Board, Flight},
    tell::{Mark, Teller, Told},
};
use crate::{
    apply::Event,
    cli::{
        render::{fit, words},
        terminal::{self, BOLD, CYAN, DIM, GREEN, RED, YELLOW},
    },
};

const FRAME_EVERY: Duration = Duration::from_millis(80);
/// Steps in flight that get a row.
const ROWS_MAX: usize = 10;
/// Successes told in one frame before the rest is only counted: more than this nobody can read.
const DONE_LINES_MAX: usize = 100;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Whether stderr is a terminal that can be drawn on.
pub fn possible() -> bool {
    !ProgressDrawTarget::stderr().is_hidden()
}

pub async fn follow(events: &mut UnboundedReceiver<Event>, operations: HashSet<String>) {
    // Apart from the plan above and the report below.
    terminal::say_as_it_is("");
    let mut screen = Screen::new(ProgressDrawTarget::stderr_with_hz(30));
    let mut board = Board::new(Instant::now());
    let mut teller = Teller::new(operations);
    let mut frame = tokio::time::interval(FRAME_EVERY);
    frame.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            got = events.recv_many(&mut batch, BATCH_EVENTS_MAX) => {
                if got == 0 {
                    break;
                }
                let now = Instant::now();
                for event in batch.drain(..) {
                    board.take(&event, now);
                    teller.take(&event);
                }
            }
            _ = frame.tick() => screen.draw(&board, &teller.lines(), Instant::now()),
        }
    }
    screen.tell(&teller.lines());
    screen.clear();
    terminal::say_as_it_is("");
}

/// The bars on the terminal.
struct Screen {
    bars: MultiProgress,
    whole: ProgressBar,
    rows: Vec<ProgressBar>,
    frame: usize,
    row_style: ProgressStyle,
}

impl Screen {
    fn new(target: ProgressDrawTarget) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let row_style =
            ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let whole_style = ProgressStyle::with_template("{bar:28.green/black.bright} {wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━━━");
        let whole = bars.add(ProgressBar::new(1).with_style(whole_style));
        Screen { bars, whole, rows: Vec::new(), frame: 0, row_style }
    }

    fn draw(&mut self, board: &Board, told: &[Told], now: Instant) {
        self.tell(told);
        self.frame += 1;
        let spinner = SPINNER[self.frame % SPINNER.len()];
        let mut rows: Vec<String> =
            board.flights().take(ROWS_MAX).map(|(_, flight)| row(flight, spinner, now)).collect();
        let hidden = board.flights().len().saturating_sub(ROWS_MAX);
        if hidden > 0 {
            rows.push(format!("  {DIM}and {hidden} more{DIM:#}"));
        }
        // Rows are added and taken away only when their number changes, so that the others stay where they are.
        while self.rows.len() > rows.len() {
            if let Some(row) = self.rows.pop() {
                self.bars.remove(&row);
            }
        }
        while self.rows.len() < rows.len() {
            self.rows.push(self.bars.add(ProgressBar::new(1).with_style(self.row_style.clone())));
        }
        for (bar, row) in self.rows.iter().zip(rows) {
            bar.set_message(row);
        }
        self.whole.set_length(board.tasks.max(1) as u64);
        self.whole.set_position(board.over as u64);
        self.whole.set_message(whole(board, now));
    }

    /// Lines above the bars.
    fn tell(&self, told: &[Told]) {
        let mut done = told.iter().filter(|line| line.mark == Mark::Done).count();
        let cut = done.saturating_sub(DONE_LINES_MAX);
        let mut lines = Vec::new();
        done = 0;
        for line in told.iter().filter(|line| line.mark != Mark::Run) {
            done += usize::from(line.mark == Mark::Done);
            if line.mark == Mark::Done && done <= cut {
                if done == cut {
                    lines.push(format!("{GREEN}✓{GREEN:#} {} done", words::count(cut, "step")));
                }
                continue;
            }
            lines.push(scrolled(line));
        }
        if !lines.is_empty() {
            let columns = terminal::columns(&std::io::stderr());
            let _ = self.bars.println(fit(&lines.join("\n"), columns));
        }
    }

    fn clear(&self) {
        let _ = self.bars.clear();
    }
}

/// A line that scrolls away.
fn scrolled(told: &Told) -> String {
    let (style, mark) = match told.mark {
        Mark::Done => (GREEN, "✓"),
        Mark::Unchanged => (DIM, "="),
        Mark::Failed => (RED.bold(), "✗"),
        Mark::Blocked => (YELLOW, "○"),
        Mark::Notice | Mark::Run => (YELLOW, "!"),
    };
    let (first, rest) = told.text.split_once('\n').unwrap_or((&told.text, ""));
    // Address, then how long it took.
    let first = match first.rsplit_once("  ") {
        Some((head, elapsed)) => format!("{head}  {DIM}{elapsed}{DIM:#}"),
        None => first.to_owned(),
    };
    let mut line = format!("{style}{mark} {:<9}{style:#} {first}", told.verb);
    if !rest.is_empty() {
        line.push_str(&format!("\n  {}", rest.replace('\n', "\n  ")));
    }
    line
}

/// A step in flight.
fn row(flight: &Flight, spinner: &str, now: Instant) -> String {
    let runs = words::duration_whole(now.saturating_duration_since(flight.since));
    let style = if flight.undo { YELLOW } else { CYAN };
    let mut row = format!(
        "{style}{spinner}{style:#} {}  {style}{}{style:#} {DIM}{runs}{DIM:#}",
        flight.address, flight.doing
    );
    if !flight.text.is_empty() {
        row.push_str(&format!("  {DIM}{}{DIM:#}", words::one_line(&flight.text)));
    }
    row
}

/// "12 of 40  14s, about 20s left".
fn whole(board: &Board, now: Instant) -> String {
    let (over, tasks) = (words::thousands(board.over), words::thousands(board.tasks));
    let elapsed = words::duration_whole(now.saturating_duration_since(board.begun));
    let mut text = format!("{BOLD}{over} of {tasks}{BOLD:#}  {DIM}{elapsed}{DIM:#}");
    if let Some(left) = board.left(now) {
        text.push_str(&format!("{DIM}, about {} left{DIM:#}", words::duration_whole(left)));
    }
    if board.failed > 0 {
        text.push_str(&format!("  {RED}{} failed{RED:#}", board.failed));
    }
    if board.stopping {
        text.push_str(&format!("  {YELLOW}stopping{YELLOW:#}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;
    use crate::apply::Outcome;

    fn address(task: u32) -> String {
        format!("home/autoscaling_groups.web/file.web{task}.site")
    }

    fn started(task: u32) -> Event {
        Event::TaskStarted { task, address: address(task), doing: "creating".into(), undo: false }
    }

    fn ended(task: u32, outcome: Outcome, tasks_over: usize) -> Event {
        let elapsed = Duration::from_millis(1200);
        Event::TaskEnded {
            task,
            address: address(task),
            did: "created".into(),
            outcome,
            elapsed,
            tasks_over,
            tasks: 20,
        }
    }

    /// Draws events as if they had all come in one frame, a second after the start.
    fn draw(terminal: &InMemoryTerm, events: &[Event]) -> Screen {
        let mut screen = Screen::new(ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255));
        let (mut board, mut teller) = (Board::new(Instant::now()), Teller::default());
        let begun = board.begun;
        for event in events {
            board.take(event, begun);
            teller.take(event);
        }
        screen.draw(&board, &teller.lines(), begun + Duration::from_secs(1));
        screen
    }

    #[test]
    fn at_most_ten_rows_stand_below_the_bar() {
        let terminal = InMemoryTerm::new(30, 90);
        let events: Vec<Event> =
            std::iter::once(Event::Started { run: 1, tasks: 20 }).chain((0..16).map(started)).collect();
        let screen = draw(&terminal, &events);
        let shown = terminal.contents();
        assert_eq!(shown.matches("creating 1s").count(), ROWS_MAX, "{shown}");
        assert!(shown.contains("and 6 more") && shown.contains("0 of 20  1s"), "{shown}");
        screen.clear();
        assert_eq!(terminal.contents(), "", "the terminal is left as it was");
    }

    #[test]
    fn what_is_over_scrolls_away_above_the_bar() {
        let terminal = InMemoryTerm::new(30, 90);
        let failed =
            Outcome::Failed { error: "no space left\non device".into(), hint: Some("`df -h`".into()) };
        let events = [started(1), started(2), started(3), ended(1, Outcome::Done, 1), ended(2, failed, 2)];
        let _screen = draw(&terminal, &events);
        insta::assert_snapshot!(terminal.contents(), @r"
        ✓ created   home/autoscaling_groups.web/file.web1.site  1.2s
        ✗ failed    home/autoscaling_groups.web/file.web2.site  1.2s
            no space left
            on device
            hint: `df -h`
        ━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 2 of 20  1s  1 failed
        ⠙ home/autoscaling_groups.web/file.web3.site  creating 1s
        ");
    }

    #[test]
    fn more_successes_than_can_be_read_are_counted() {
        let terminal = InMemoryTerm::new(300, 90);
        let events: Vec<Event> = (0..150).map(|task| ended(task, Outcome::Done, task as usize)).collect();
        let _screen = draw(&terminal, &events);
        let shown = terminal.contents();
        assert!(shown.contains("50 steps done"), "{shown}");
        assert_eq!(shown.matches("created").count(), DONE_LINES_MAX);
    }
}
