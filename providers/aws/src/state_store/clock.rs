//! The service's clock, read from the `Date` of its answers (to the second, RFC 9110 section 6.6.1).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};

/// What the service's clock showed, and when that was.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<(SystemTime, Instant)>>);

/// Beyond this the service's clock has been set back.
const AHEAD_MAX: Duration = Duration::from_secs(5);

impl Clock {
    /// The service's time; this machine's before the first answer.
    pub(super) fn now(&self) -> SystemTime {
        let heard = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map_or_else(SystemTime::now, |(shown, at)| shown + at.elapsed())
    }

    /// An answer shows whole seconds, and is heard later than it was given: a guess that is a little ahead of it is nearer,
    /// and time does not go back.
    fn hear(&self, shown: SystemTime) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = heard.and_then(|(before, at)| (before + at.elapsed()).duration_since(shown).ok());
        if ahead.is_none_or(|ahead| ahead > AHEAD_MAX) {
            *heard = Some((shown, Instant::now()));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_unless_the_service_sets_its_clock_back() {
        let clock = Clock::default();
        let second = |number: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(number);
        let is_near = |second: SystemTime| {
            clock.now().duration_since(second).is_ok_and(|after| after < Duration::from_secs(1))
        };
        clock.hear(second(100));
        // An answer that took long.
        clock.hear(second(98));
        assert!(is_near(second(100)));
        // This machine was suspended.
        clock.hear(second(500));
        assert!(is_near(second(500)));
        clock.hear(second(300));
        assert!(is_near(second(300)));
    }
}
