//! What is done on hosts that is no resource: drain and undrain, health gates, probes, facts, preflight.

pub mod drain;
pub mod facts;
pub mod health;
pub mod preflight;
pub mod probe;
mod virtual_ip;

use std::time::Duration;

use standfast_contract::{Context, ErrorClass, Map, Operation, ProviderError, Value};
use tokio::time::timeout;

use crate::session::{Remote, place::Place};

/// Does one operation, at most for as long as it says.
pub(crate) async fn run(
    remote: &Remote,
    context: &Context,
    operation: &Operation,
) -> Result<(), ProviderError> {
    let limit = Duration::from_millis(operation.timeout_ms.max(1));
    let work = async {
        match operation.verb.as_str() {
            "drain" => drain::drain(remote, context, operation).await,
            "undrain" => drain::undrain(remote, context, operation).await,
            // These keep their own time, so that the failure says what was seen last.
            "health" if operation.inputs.contains_key("hosts") => {
                virtual_ip::gate(remote, context, operation, limit).await
            }
            "health" => health::gate(remote, context, operation, limit).await,
            verb => Err(ProviderError::permanent(
                format!("do {}", operation.address),
                format!("the ssh provider has no operation `{verb}`"),
            )),
        }
    };
    timeout(limit + Duration::from_secs(20), work).await.unwrap_or_else(|_| {
        Err(ProviderError::new(
            ErrorClass::Uncertain,
            format!("do {}", operation.address),
            format!("it was not done after {} s", limit.as_secs()),
        ))
    })
}

/// A number of milliseconds in inputs.
pub(crate) fn millis(inputs: &Map, key: &str, default: u64) -> Duration {
    let ms = inputs.get(key).and_then(Value::as_int).and_then(|ms| u64::try_from(ms).ok());
    Duration::from_millis(ms.unwrap_or(default))
}

/// A port in inputs: a number, or the first of the list that a service says it binds.
pub(crate) fn port(inputs: &Map, key: &str) -> Option<u16> {
    let value = inputs.get(key)?;
    let number = value.as_int().or_else(|| value.as_list()?.first()?.as_int())?;
    u16::try_from(number).ok()
}

/// The places in a list of inputs.
pub(crate) fn places(inputs: &Map, key: &str) -> Result<Vec<Place>, ProviderError> {
    inputs.get(key).and_then(Value::as_list).unwrap_or_default().iter().map(Place::parse).collect()
}
