//! What AWS does and moto does not: rules to be added by name, so that a test says which behaviour it relies on.
//!
//! | rule | what it does to calls | AWS's own words |
//! |---|---|---|
//! | [`Late`] | what has just been made is not listed yet, and not known yet to what names it | [eventual consistency] |
//! | [`Slow`] | what was made is pending for a while, what was deleted is deleting | the states of each service |
//! | [`InUse`] | what something else needs is not deleted, and interfaces outlive what they were of | [dependencies] |
//! | [`Pages`] | lists come page by page | [pagination] |
//! | [`Issues`] | a certificate is issued when its records are in Route 53 | [DNS validation] |
//! | [`Ends`] | what moto cannot delete is deleted | |
//! | [`Tokens`] | a repeated token makes nothing new, and is refused with other parameters | [idempotency] |
//!
//! [eventual consistency]: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
//! [dependencies]: https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html
//! [pagination]: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html#api-pagination
//! [DNS validation]: https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
//! [idempotency]: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
//!
//! They read what moto writes: XML without spaces between elements. Rules that rewrite answers are added before those that
//! lose them. Deliberately absent: health of targets, quotas, and the JSON protocols but of
//! certificates.

mod ends;
mod in_use;
mod issues;
mod late;
mod pages;
mod slow;
mod things;
mod tokens;
mod xml;

pub use ends::Ends;
pub use in_use::InUse;
pub use issues::Issues;
pub use late::Late;
pub use pages::Pages;
pub use slow::Slow;
pub use tokens::Tokens;

use hyper::StatusCode;

use crate::call::{Answer, Call};

/// Whether a call is to change something: everything but looking, and asking who one is.
pub fn changes(call: &Call) -> bool {
    let looks = ["Describe", "Get", "List", "Assume", "GET ", "HEAD "];
    !call.service.is_empty() && !looks.iter().any(|verb| call.action.starts_with(verb))
}

/// A refusal in the words of the service's protocol.
fn refusal(call: &Call, code: &str, message: &str) -> Answer {
    let error = format!("<Code>{code}</Code><Message>{message}</Message>");
    let body = if call.service == "ec2" {
        format!("<Response><Errors><Error>{error}</Error></Errors><RequestID>proxy</RequestID></Response>")
    } else {
        format!(
            "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>proxy</RequestId></ErrorResponse>"
        )
    };
    let mut answer = Answer::new(StatusCode::BAD_REQUEST, body);
    answer.headers.insert("content-type", hyper::header::HeaderValue::from_static("text/xml"));
    answer
}

#[cfg(test)]
mod tests;
