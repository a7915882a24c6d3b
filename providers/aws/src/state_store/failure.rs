//! What a failed call to S3 means: whether it may have had an effect, whether to try again, and what the user can do.
//!
//! The codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use standfast_state::object::ObjectError;

pub(super) const SIGN_IN: &str = "sign in (`aws sso login`), or set AWS_PROFILE, `?profile=NAME` in the URL, or \
                                  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` tells who asks";
const SIGN_IN_AGAIN: &str = "sign in again (`aws sso login`), or renew the session token; then run again: \
                             what was in flight is in the journal and is looked up first";
const PERMISSIONS: &str = "allow s3:GetObject, s3:PutObject and s3:DeleteObject on the prefix and s3:ListBucket on the \
                           bucket (docs/state.md has the policy)";

/// The last of an error's causes: those before it only say that there is one.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// What a failed call means.
pub(super) fn explain<E>(error: &SdkError<E, HttpResponse>) -> ObjectError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => {
            ObjectError::Refused { reason: innermost(error), next_move: "check --state".into() }
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            ObjectError::Refused { reason: innermost(error), next_move: "check --state".into() }
        }
        SdkError::ServiceError(failure) => {
            let answer = failure.raw();
            let meta = failure.err().meta();
            let region = answer.headers().get("x-amz-bucket-region").map(str::to_owned);
            answered(
                answer.status().as_u16(),
                meta.code().unwrap_or(""),
                meta.message().unwrap_or(""),
                region,
            )
        }
        _ => ObjectError::Unknown(innermost(error)),
    }
}

/// What an answer means, by its status and S3's code.
fn answered(status: u16, code: &str, message: &str, region: Option<String>) -> ObjectError {
    let reason = match (code, message) {
        ("", _) => format!("status {status}"),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {}", message.trim_end_matches('.')),
    };
    let refused =
        |next_move: &str| ObjectError::Refused { reason: reason.clone(), next_move: next_move.into() };
    match (status, code) {
        (412, _) => ObjectError::Precondition,
        (_, "NoSuchBucket") => refused("check the bucket's name, or make it: `aws s3 mb s3://BUCKET`"),
        // Another conditional write to the same key was under way.
        (409, _)
        | (429 | 503, _)
        | (
            _,
            "SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "RequestTimeout",
        ) => ObjectError::Transient(reason),
        (500.., _) => ObjectError::Unknown(reason),
        (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => refused(SIGN_IN_AGAIN),
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken") => refused(SIGN_IN),
        (_, "RequestTimeTooSkewed") => refused("set this machine's clock"),
        (301 | 307, _)
        | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException") => {
            match region {
                Some(region) => {
                    refused(&format!("the bucket lies in {region}: add `?region={region}` to the URL"))
                }
                None => refused("the bucket lies in another region: add `?region=NAME` to the URL"),
            }
        }
        (403, _) => refused(PERMISSIONS),
        _ => refused("check --state, and that the service keeps to S3's conditional writes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_move(status: u16, code: &str, region: Option<&str>) -> String {
        match answered(status, code, "In S3's words.", region.map(str::to_owned)) {
            ObjectError::Refused { reason, next_move } => {
                assert_eq!(reason, format!("{code}: In S3's words"));
                next_move
            }
            other => panic!("{code}: {other:?}"),
        }
    }

    #[test]
    fn every_refusal_has_a_next_move() {
        assert!(next_move(403, "AccessDenied", None).contains("s3:PutObject"));
        assert!(next_move(404, "NoSuchBucket", None).contains("aws s3 mb"));
        assert!(next_move(400, "ExpiredToken", None).contains("sign in again"));
        assert!(next_move(403, "InvalidAccessKeyId", None).contains("aws sso login"));
        assert!(next_move(301, "PermanentRedirect", Some("eu-west-1")).contains("?region=eu-west-1"));
        assert!(next_move(400, "AuthorizationHeaderMalformed", None).contains("another region"));
        assert!(next_move(403, "RequestTimeTooSkewed", None).contains("clock"));
    }

    #[test]
    fn what_may_have_taken_effect_is_told_apart_from_what_surely_did_not() {
        assert_eq!(answered(412, "PreconditionFailed", "", None), ObjectError::Precondition);
        assert_eq!(answered(503, "SlowDown", "", None), ObjectError::Transient("SlowDown".into()));
        let conflict = answered(409, "ConditionalRequestConflict", "", None);
        assert_eq!(conflict, ObjectError::Transient("ConditionalRequestConflict".into()));
        assert_eq!(answered(500, "InternalError", "", None), ObjectError::Unknown("InternalError".into()));
        assert_eq!(answered(502, "", "", None), ObjectError::Unknown("status 502".into()));
    }
}
