//! Idempotency: a token stands for one effect.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{refusal, xml};
use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule, Verdict};

/// EC2 answers a repeated client token with what it made the first time, and refuses it with other parameters; Route 53
/// refuses a caller reference that was used.
#[derive(Debug, Default)]
pub struct Tokens {
    /// By action and token.
    used: Mutex<BTreeMap<(String, String), Use>>,
}

/// The first use of a token.
#[derive(Debug)]
struct Use {
    asked: Vec<u8>,
    answer: Answer,
}

fn token(call: &Call) -> Option<(String, String)> {
    let token = match call.service.as_str() {
        "ec2" => call.parameter("ClientToken")?,
        "route53" => xml::text(std::str::from_utf8(&call.body).ok()?, "CallerReference")?.to_owned(),
        _ => return None,
    };
    Some((call.action.clone(), token))
}

#[async_trait]
impl Rule for Tokens {
    async fn before(&self, call: &mut Call) -> Verdict {
        let Some(token) = token(call) else { return Verdict::Pass };
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        match used.get(&token) {
            None => Verdict::Pass,
            Some(_) if call.service == "route53" => Verdict::Answer(refusal(
                call,
                if call.action.ends_with("hostedzone") {
                    "HostedZoneAlreadyExists"
                } else {
                    "HealthCheckAlreadyExists"
                },
                "the caller reference was used",
            )),
            Some(first) if first.asked == call.body => Verdict::Answer(first.answer.clone()),
            Some(_) => Verdict::Answer(refusal(
                call,
                "IdempotentParameterMismatch",
                "the client token was used with other parameters",
            )),
        }
    }

    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        if let Some(token) = token(call).filter(|_| answer.status.is_success()) {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.insert(token, Use { asked: call.body.to_vec(), answer: answer.clone() });
        }
        Fate::Deliver
    }
}
