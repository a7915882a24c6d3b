//! A run while it runs: draws its events until there are no more.
//!
//! [`tell`] puts events into words, [`board`] keeps what is in flight; both are pure. [`live`] draws them on a terminal,
//! [`lines`] writes a line each for a log, [`json`] writes the events themselves for a program.

mod board;
mod json;
mod lines;
mod live;
mod tell;

use std::collections::HashSet;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::apply::Event;

/// How a run is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// On stderr, redrawn in place: for a person at a terminal.
    Live,
    /// On stderr, one line with its time for each event that matters: for a log.
    Plain,
    /// On stdout, one JSON object a line.
    Json,
}

/// Events taken from the channel at once.
const BATCH_EVENTS_MAX: usize = 4096;

/// Shows events until their sender is gone. Never fails: a reader that has gone away does not stop a run.
///
/// `operations` are the addresses of what is done around steps (drain, health): a person is not told that these are
/// blocked, because their resource is.
pub async fn follow(mut events: UnboundedReceiver<Event>, style: Style, operations: HashSet<String>) {
    match style {
        Style::Live if live::possible() => live::follow(&mut events, operations).await,
        Style::Live | Style::Plain => lines::follow(&mut events, operations).await,
        Style::Json => json::follow(&mut events).await,
    }
}
