//! Ctrl-C, SIGTERM and the loss of the terminal, for commands that hold the state's lock.
//!
//! They are heard from before the lock is taken until the command has ended: before the run begins one of them ends the
//! command with nothing changed and the lock given back, after that the run decides ([`crate::apply`]). Commands that
//! only look have nothing to give back and die of a signal as any other program.

use std::time::Duration;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{error::CliError, exit};
use crate::apply::Interrupt;

/// How long a state may take to hear of the end when somebody wishes to stop at once.
const HURRY: Duration = Duration::from_secs(3);

/// Both ends of the wish to stop. A lost lease is one, too.
pub struct Interrupts {
    pub sender: watch::Sender<Interrupt>,
    pub receiver: watch::Receiver<Interrupt>,
}

impl Interrupts {
    /// Hears the signals from now on: the first finishes what is in flight, the second stops at once.
    pub fn listen() -> Result<Interrupts, CliError> {
        let deaf = |error: std::io::Error| CliError::new(format!("could not listen for signals: {error}"));
        let mut int = signal(SignalKind::interrupt()).map_err(deaf)?;
        let mut term = signal(SignalKind::terminate()).map_err(deaf)?;
        let mut hup = signal(SignalKind::hangup()).map_err(deaf)?;
        let (sender, receiver) = watch::channel(Interrupt::None);
        let heard = sender.clone();
        tokio::spawn(async move {
            for level in [Interrupt::Finish, Interrupt::Now] {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                    _ = hup.recv() => {}
                }
                // A lost lease has said more than a first signal does.
                heard.send_if_modified(|now| std::mem::replace(now, level.max(*now)) < level);
            }
        });
        Ok(Interrupts { sender, receiver })
    }

    /// Does what comes before the first change, unless somebody wishes to stop.
    pub async fn or_stop<T>(&self, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
        let mut receiver = self.receiver.clone();
        tokio::select! {
            biased;
            _ = receiver.wait_for(|level| *level > Interrupt::None) => {
                Err(stopped())
            }
            done = work => done,
        }
    }

    /// Does what comes after the last change. Who wished to stop at once waits a little for it and no longer: a shared state
    /// may not answer, and what it has not heard the next run finds out.
    pub async fn hurry<T, E: Into<CliError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, CliError> {
        let mut receiver = self.receiver.clone();
        let late = async {
            let _ = receiver.wait_for(|level| *level >= Interrupt::Now).await;
            tokio::time::sleep(HURRY).await;
        };
        tokio::select! {
            biased;
            done = work => done.map_err(Into::into),
            () = late => Err(CliError::new("stopped at once: the state did not answer any more")
                .hint("run again: the journal holds what was in flight")
                .code(exit::INTERRUPTED)),
        }
    }
}

/// A signal came before the run began.
pub fn stopped() -> CliError {
    CliError::new("stopped before anything was changed").code(exit::INTERRUPTED)
}

#[cfg(test)]
mod tests {
    use std::{future, time::Instant};

    use super::*;

    #[tokio::test]
    async fn who_wishes_to_stop_at_once_waits_for_no_state() {
        let (sender, receiver) = watch::channel(Interrupt::None);
        let interrupts = Interrupts { sender, receiver };
        let hangs = || future::pending::<Result<(), CliError>>();
        for level in [Interrupt::None, Interrupt::Finish] {
            let _ = interrupts.sender.send(level);
            let waits = tokio::time::timeout(HURRY * 2, interrupts.hurry(hangs())).await;
            assert!(waits.is_err(), "{level:?} waits");
        }
        let _ = interrupts.sender.send(Interrupt::Now);
        let begun = Instant::now();
        let stopped = interrupts.hurry(hangs()).await.unwrap_err();
        assert_eq!(stopped.code, exit::INTERRUPTED);
        assert!(begun.elapsed() >= HURRY, "what answers in time is heard");
        let heard = interrupts.hurry(future::ready(Ok::<_, CliError>(7))).await;
        assert_eq!(heard.unwrap(), 7);
    }
}
