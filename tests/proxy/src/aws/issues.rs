//! Certificates that are issued when the domain is proven.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::{things, xml};
use crate::call::{Answer, Call};
use crate::rule::{Fate, Rule};

/// moto issues a requested certificate after a minute, whatever is in DNS. Here it is issued as soon as Route 53 has the
/// records that ACM asks for, and not before.
#[derive(Debug, Default)]
pub struct Issues(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Names of records that are there.
    proven: BTreeSet<String>,
    /// ARNs of certificates that have not been proven in time.
    late: BTreeSet<String>,
}

impl Issues {
    /// From now on this certificate has not been proven in time.
    pub fn give_up(&self, arn: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).late.insert(arn.to_owned());
    }
}

#[async_trait]
impl Rule for Issues {
    async fn after(&self, call: &Call, answer: &mut Answer) -> Fate {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match call.action.as_str() {
            action
                if action.starts_with("POST /")
                    && action.contains("/rrset")
                    && answer.status.is_success() =>
            {
                let body = String::from_utf8_lossy(&call.body);
                for change in body.split("<Change>").skip(1) {
                    let Some(name) = xml::text(change, "Name") else { continue };
                    let name = name.trim_end_matches('.').to_owned();
                    if xml::text(change, "Action") == Some("DELETE") {
                        known.proven.remove(&name);
                    } else {
                        known.proven.insert(name);
                    }
                }
            }
            "DescribeCertificate" => {
                let Ok(mut told) = serde_json::from_str::<Value>(&things::body(answer)) else {
                    return Fate::Deliver;
                };
                let certificate = &mut told["Certificate"];
                if certificate["Type"] == "AMAZON_ISSUED" {
                    let records =
                        certificate["DomainValidationOptions"].as_array().cloned().unwrap_or_default();
                    let name = |record: &Value| {
                        record["ResourceRecord"]["Name"]
                            .as_str()
                            .map(|name| name.trim_end_matches('.').to_owned())
                    };
                    let is_proven = records
                        .iter()
                        .all(|record| name(record).is_some_and(|it| known.proven.contains(&it)));
                    let is_late =
                        certificate["CertificateArn"].as_str().is_some_and(|arn| known.late.contains(arn));
                    certificate["Status"] = match (is_late, is_proven) {
                        (true, _) => "VALIDATION_TIMED_OUT",
                        (_, true) => "ISSUED",
                        _ => "PENDING_VALIDATION",
                    }
                    .into();
                    answer.body = told.to_string().into();
                }
            }
            _ => {}
        }
        Fate::Deliver
    }
}
