//! The service's clock, read from the `Date` of its answers (to the second, RFC 9110 section 6.6.1).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

/// What the service's clock showed last, and when that was.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<(SystemTime, Instant)>>);

impl Clock {
    /// The service's time; this machine's before the first answer.
    pub(super) fn now(&self) -> SystemTime {
        let heard = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map_or_else(SystemTime::now, |(shown, at)| shown + at.elapsed())
    }

    fn hear(&self, shown: SystemTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((shown, Instant::now()));
    }
}

/// Listens to every answer of a client.
#[derive(Debug)]
pub(super) struct Listener(pub(super) Arc<Clock>);

impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "Listener"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let shown = context.response().headers().get("date");
        let parsed = shown.and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok());
        if let Some(time) = parsed.and_then(|time| SystemTime::try_from(time).ok()) {
            self.0.hear(time);
        }
        Ok(())
    }
}
