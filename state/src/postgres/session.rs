//! One connection: made with patience, with its statements prepared once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::future::{MaybeDone, maybe_done};
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::failure::{Fault, is_lost, refused, translate, words};
use super::settings::Settings;
use crate::error::StoreError;

/// How long the server may work on one statement, waiting for other writers included, in milliseconds.
pub(super) const STATEMENT_TIMEOUT_MS: u64 = 30_000;

/// How long a server that went away is looked for, in milliseconds: longer than a restart takes.
pub(super) const RECONNECT_MS: u64 = 60_000;

/// The longest pause between two attempts to connect, in milliseconds.
const PAUSE_MAX_MS: u64 = 2_000;

/// How every session begins. A transaction whose client went away must not hold its rows for long; and a commit that
/// was answered must be on the disk, whatever the database's own setting is.
const SETUP: &str = "SET idle_in_transaction_session_timeout = '10s'; SET statement_timeout = '30s'; \
                     SELECT set_config('synchronous_commit', 'on', false) \
                     WHERE current_setting('synchronous_commit') = 'off'";

/// Whether to wait for a server that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Fail at once, unless the server says that it is just starting.
    First,
    /// It was there before: try for [`RECONNECT_MS`].
    Again,
}

/// One connection. Dropping it says goodbye to the server.
pub(super) struct Session {
    client: Client,
    connection: AbortHandle,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

/// A statement with its values, to be sent among others.
pub(super) struct Effect {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Box<dyn ToSql + Sync + Send>>,
}

/// `effect!(SQL, value, ...)`
macro_rules! effect {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        $crate::postgres::session::Effect { sql: $sql, values: vec![$(Box::new($value)),*] }
    };
}
pub(super) use effect;

impl Session {
    /// Connects. `operation` completes "could not ...".
    pub(super) async fn connect(
        settings: &Settings,
        patience: Patience,
        operation: &'static str,
    ) -> Result<Self, StoreError> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_millis(PAUSE_MAX_MS))
            .with_jitter()
            .without_max_times()
            .with_total_delay(Some(Duration::from_millis(RECONNECT_MS)));
        (|| Self::once(settings))
            .retry(pauses)
            .when(|error| match patience {
                Patience::Again => may_come_back(error),
                Patience::First => error.as_db_error().is_some() && is_lost(error),
            })
            .await
            .map_err(|error| refused(&error, operation, &settings.place, &settings.database()))
    }

    async fn once(settings: &Settings) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = settings.config.connect(settings.tls.clone()).await?;
        let connection = tokio::spawn(async move {
            // What it ends with, the next call on the client is told as well.
            let _ = connection.await;
        })
        .abort_handle();
        let session = Self { client, connection, statements: Mutex::default() };
        session.client.batch_execute(SETUP).await?;
        Ok(session)
    }

    /// Drops the connection without a word: the server may not be there to hear it.
    pub(super) fn discard(self) {
        self.connection.abort();
    }

    /// Whether it is known to be of no more use.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Several statements without values.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(sql).await?)
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Fault> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }

    /// Makes sure that these are prepared, so that they can be sent without a wait between them.
    pub(super) async fn prepare(&self, all: &[&'static str]) -> Result<(), Fault> {
        for sql in all {
            self.statement(sql).await?;
        }
        Ok(())
    }

    pub(super) async fn query(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query(&statement, values).await?)
    }

    pub(super) async fn query_one(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query_one(&statement, values).await?)
    }

    pub(super) async fn query_opt(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.query_opt(&statement, values).await?)
    }

    pub(super) async fn execute(
        &self,
        sql: &'static str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, Fault> {
        let statement = self.statement(sql).await?;
        Ok(self.client.execute(&statement, values).await?)
    }

    /// Sends all statements in order without waiting in between, then waits for all answers. The first failure wins;
    /// the server does none of those after it, since they are within one transaction.
    pub(super) async fn pipeline(&self, effects: Vec<Effect>) -> Result<(), Fault> {
        for effect in &effects {
            self.statement(effect.sql).await?;
        }
        let mut sent = Vec::with_capacity(effects.len());
        for Effect { sql, values } in effects {
            let statement = self.statement(sql).await?;
            let mut answer =
                Box::pin(maybe_done(async move { self.client.execute_raw(&statement, values).await }));
            // The first poll sends it, so that they reach the server in this order.
            let _ = futures::poll!(&mut answer);
            sent.push(answer);
        }
        for mut answer in sent {
            if matches!(*answer, MaybeDone::Future(_)) {
                answer.as_mut().await;
            }
            answer.as_mut().take_output().transpose()?;
        }
        Ok(())
    }
}

/// Whether a server that refused this may be on its way back.
fn may_come_back(error: &tokio_postgres::Error) -> bool {
    if error.as_db_error().is_some() {
        return is_lost(error);
    }
    // A certificate does not become better by waiting.
    !words(error).contains("certificate") && (is_lost(error) || error.to_string().contains("timeout"))
}

/// What a piece of work is done with: a session within a transaction, on one state.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) session: &'a Session,
    /// The state's row.
    pub(super) state: i64,
    /// Completes "could not ...".
    pub(super) operation: &'static str,
    pub(super) place: &'a str,
}

impl Context<'_> {
    /// The error for data that does not hold together.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> Fault {
        StoreError::Damaged {
            operation: self.operation,
            place: self.place.to_owned(),
            reason: reason.into(),
            backup: None,
        }
        .into()
    }

    /// The error for the caller, where trying again is no use.
    pub(super) fn explain(&self, fault: Fault) -> StoreError {
        explain(fault, self.operation, self.place)
    }
}

/// The error for the caller of `operation`, where trying again is no use.
pub(super) fn explain(fault: Fault, operation: &'static str, place: &str) -> StoreError {
    let place = place.to_owned();
    match fault {
        Fault::State(error) => error,
        Fault::Sql(error) => translate(&error, operation, &place),
        Fault::Lost(reason) => StoreError::Unreachable { operation, place, reason },
        Fault::Undone => StoreError::Busy { operation, place, waited_ms: STATEMENT_TIMEOUT_MS },
    }
}
