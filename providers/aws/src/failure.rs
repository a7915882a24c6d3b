//! What went wrong with a call: one mapping from the SDK's errors to what the engine may do about them.
//!
//! A kind hands on a [`Failure`]; the provider adds what was being done and makes the contract's error of it.

use std::{error::Error, time::Duration};

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use standfast_contract::{ErrorClass, ProviderError};

use crate::clients::Site;

/// Between two tries of what waits for news to spread: IAM takes up to a minute.
const NEWS_PATIENCE: Duration = Duration::from_secs(15);

/// A failed call.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub trouble: Trouble,
    /// The permission that the call needs: `ec2:CreateVpc`.
    pub action: &'static str,
    pub message: String,
    /// Who called, where that is known.
    pub principal: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Throttled,
    /// Nobody answered: a name that does not resolve, a refused connection.
    Unreachable,
    /// The call may have taken effect: no answer, or one of the server's own faults.
    Lost,
    NotFound,
    /// Something else still needs it.
    InUse,
    /// Something else that does not go by itself needs it.
    Held,
    /// It is being changed, and takes no other call meanwhile.
    Busy,
    /// The same for so long that it may not end by itself.
    Stuck,
    /// One service of AWS has not heard yet of what another has just made.
    NotYet,
    NoCredentials,
    Expired,
    ClockSkew,
    Denied,
    Quota,
    /// It came to be and then failed by itself.
    Broken,
    /// The answer or the recorded inputs make no sense.
    Refused,
}

impl Failure {
    pub fn new(trouble: Trouble, action: &'static str, message: impl Into<String>) -> Self {
        Failure { trouble, action, message: message.into(), principal: None }
    }

    pub fn refused(action: &'static str, message: impl Into<String>) -> Self {
        Failure::new(Trouble::Refused, action, message)
    }

    /// An answer without what it must hold: what the call made has to be looked for.
    pub fn lost(action: &'static str) -> Self {
        Failure::new(Trouble::Lost, action, format!("{action} was answered without what it made"))
    }

    /// Says who called, so that whoever has to allow it need not ask.
    #[must_use]
    pub fn by(self, site: &Site) -> Self {
        Failure { principal: site.caller().map(|caller| caller.arn.clone()), ..self }
    }

    /// For the engine. `changing`: whether the call was to change something, so that a lost answer leaves it open
    /// whether it did.
    pub fn of(self, operation: impl Into<String>, changing: bool) -> ProviderError {
        let class = match self.trouble {
            Trouble::Throttled | Trouble::InUse | Trouble::Busy | Trouble::NotYet => ErrorClass::Transient,
            Trouble::Unreachable => ErrorClass::Unreachable,
            Trouble::Lost if changing => ErrorClass::Uncertain,
            Trouble::Lost => ErrorClass::Transient,
            _ => ErrorClass::Permanent,
        };
        let hint = match self.trouble {
            Trouble::NotFound => Some("It was removed by someone else: plan again.".to_owned()),
            Trouble::Unreachable => {
                Some("Look at the network, at the region's name, and at AWS_ENDPOINT_URL if it is set.".to_owned())
            }
            Trouble::NoCredentials => Some(
                "Sign in (`aws sso login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; \
                 `aws sts get-caller-identity` shows who you are."
                    .to_owned(),
            ),
            Trouble::Expired => Some(
                "Sign in again (`aws sso login`), then run the same command. EC2 says the same where this machine's \
                 clock is wrong."
                    .to_owned(),
            ),
            Trouble::ClockSkew => Some("Set this machine's clock; `timedatectl` shows whether it is kept.".to_owned()),
            Trouble::Denied => {
                let principal = self.principal.as_deref().unwrap_or("whoever runs this");
                let action = lacking(&self.message).unwrap_or(self.action);
                Some(format!("Allow `{action}` to {principal}, then run it again."))
            }
            Trouble::Quota => {
                Some("Ask for a higher quota (AWS console, Service Quotas), or remove what is not needed.".to_owned())
            }
            Trouble::Busy | Trouble::Stuck => {
                Some("AWS is changing it: run the same command again when that is done.".to_owned())
            }
            Trouble::InUse | Trouble::Held => Some(
                "See what still uses it: what standfast made is removed in order, what others made is theirs to \
                 remove. Then run the same command again."
                    .to_owned(),
            ),
            _ => None,
        };
        let mut error = ProviderError::new(class, operation, self.message);
        error.retry_after = (self.trouble == Trouble::NotYet).then_some(NEWS_PATIENCE);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Nothing, of what is not there or has been removed since it was listed.
pub(crate) fn unless_gone<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Err(failure) if failure.trouble == Trouble::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

/// For `map_err`: what a failed call of this action means.
pub(crate) fn failed<E>(action: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| match &error {
        SdkError::ServiceError(answer) => {
            let code = answer.err().code().unwrap_or_default();
            let status = answer.raw().status().as_u16();
            let said = answer.err().message().unwrap_or_default();
            let trouble = judge(code, said, status);
            Failure::new(trouble, action, say(action, code, said, status))
        }
        SdkError::ResponseError(_) | SdkError::TimeoutError(_) => {
            Failure::new(Trouble::Lost, action, format!("{action} got no usable answer: {}", chain(&error)))
        }
        _ => {
            let told = chain(&error);
            let trouble = if told.contains("redential") || told.contains("identity") {
                Trouble::NoCredentials
            } else if is_refused(&error) || told.contains("dns error") {
                Trouble::Unreachable
            } else if matches!(error, SdkError::ConstructionFailure(_)) {
                Trouble::Refused
            } else {
                Trouble::Lost
            };
            Failure::new(trouble, action, format!("{action} could not be called: {}", plainly(&told)))
        }
    }
}

/// Who is not signed in at all need not read where the SDK has looked for it.
fn plainly(told: &str) -> String {
    if told.contains("no credentials found in chain") {
        return "no credentials were found in the environment, in a profile or from the machine".to_owned();
    }
    told.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// The permission that AWS names, which may be another than the call's: of the tags, a role or a key that it needs too.
fn lacking(message: &str) -> Option<&str> {
    let (_, named) = message.split_once("is not authorized to perform: ")?;
    named.split_whitespace().next().filter(|permission| permission.contains(':'))
}

/// By AWS's code, by what it says where one code means several things, else by the answer's status. Codes: the services' lists of common errors, and
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.
fn judge(code: &str, said: &str, status: u16) -> Trouble {
    match code {
        "Throttling"
        | "Throttled"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "TooManyUpdates"
        | "PriorRequestNotComplete"
        | "ConcurrentModification"
        | "EntityTemporarilyUnmodifiable"
        | "SlowDown"
        | "EC2ThrottledException"
        | "ResourceContention"
        | "ConcurrentAccess"
        | "ScalingActivityInProgress" => Trouble::Throttled,
        // EC2 has the last for tokens too.
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Trouble::Expired,
        "RequestTimeTooSkewed" => Trouble::ClockSkew,
        // "Signature expired", "Signature not yet current"; else it was made with another key.
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            if said.starts_with("Signature ") {
                Trouble::ClockSkew
            } else {
                Trouble::NoCredentials
            }
        }
        // Of the credentials, or of a thing that they do not reach.
        "AuthFailure" if said.contains("permission") => Trouble::Denied,
        "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "InvalidAccessKeyId" => Trouble::NoCredentials,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "UnauthorizedAccess" => Trouble::Denied,
        "DependencyViolation"
        | "Resource.AlreadyAssociated"
        | "ResourceInUse"
        | "ResourceInUseException"
        | "ResourceInUseFault"
        | "DeleteConflict"
        | "CacheSubnetGroupInUse"
        | "InvalidCacheParameterGroupState"
        | "InvalidDBParameterGroupState"
        | "InvalidDBSubnetGroupStateFault"
        | "InvalidIPAddress.InUse" => Trouble::InUse,
        "InvalidCacheClusterState"
        | "InvalidDBClusterSnapshotStateFault"
        | "InvalidDBClusterStateFault"
        | "InvalidDBInstanceAutomatedBackupState"
        | "InvalidDBInstanceState"
        | "InvalidGlobalClusterStateFault"
        | "InvalidReplicationGroupState" => Trouble::Busy,
        // Something that the blueprint names, and not what is being looked at.
        "CertificateNotFound" | "SSLPolicyNotFound" => Trouble::Refused,
        "NatGatewayNotFound"
        | "Gateway.NotAttached"
        | "NoSuchEntity"
        | "NoSuchResourceException"
        | "ParameterNotFound"
        | "DashboardNotFoundError"
        | "ResourceNotFoundException" => Trouble::NotFound,
        _ if code.ends_with("NotFound") || code.ends_with(".NotFoundException") => Trouble::NotFound,
        _ if code.ends_with("NotFoundFault") || code == "NoSuchHostedZone" || code == "NoSuchHealthCheck" => {
            Trouble::NotFound
        }
        // `InstanceQuotaExceeded`, `NodeQuotaForClusterExceeded`.
        _ if code.contains("Quota") && code.contains("Exceeded") => Trouble::Quota,
        _ if code.ends_with("LimitExceeded")
            || code.starts_with("TooMany")
            || code == "LimitExceededFault"
            || code == "LimitExceededException" =>
        {
            Trouble::Quota
        }
        "InternalError"
        | "InternalFailure"
        | "InternalServiceError"
        | "ServiceUnavailable"
        | "Unavailable" => Trouble::Lost,
        // Done, perhaps: the SDK could not read what the answer says.
        _ if !(300..500).contains(&status) => Trouble::Lost,
        _ if status == 429 => Trouble::Throttled,
        _ => Trouble::Refused,
    }
}

/// "ec2:CreateVpc was denied: ...". A denial of EC2 carries a page of ciphertext, which helps nobody at a terminal.
fn say(action: &str, code: &str, said: &str, status: u16) -> String {
    let said = said.split(" Encoded authorization failure message").next().unwrap_or_default().trim();
    match (code, said) {
        ("", "") if status < 300 => format!(
            "{action} got an answer that cannot be read (status {status}): a proxy may answer in the place of AWS"
        ),
        ("", "") => format!("{action} was answered with status {status}"),
        ("", said) => format!("{action}: {said} (status {status})"),
        (code, "") => format!("{action}: {code}"),
        (code, said) => format!("{action}: {said} ({code})"),
    }
}

/// The error and everything below it, each once.
fn chain(error: &dyn Error) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(error) = next {
        let text = error.to_string();
        if told.last().is_none_or(|last| !last.contains(&text)) {
            told.push(text);
        }
        next = error.source();
    }
    if told.is_empty() { error.to_string() } else { told.join(": ") }
}

fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_may_be_done_about_it() {
        let cases = [
            ("RequestLimitExceeded", 503, Trouble::Throttled),
            ("PriorRequestNotComplete", 400, Trouble::Throttled),
            ("ConcurrentAccess", 400, Trouble::Throttled),
            ("ScalingActivityInProgress", 400, Trouble::Throttled),
            ("TooManyUpdates", 400, Trouble::Throttled),
            ("VpcLimitExceeded", 400, Trouble::Quota),
            ("InstanceQuotaExceeded", 400, Trouble::Quota),
            ("InvalidDBInstanceState", 400, Trouble::Busy),
            ("DBSubnetGroupNotFoundFault", 404, Trouble::NotFound),
            ("TooManyLoadBalancers", 400, Trouble::Quota),
            ("DependencyViolation", 400, Trouble::InUse),
            ("InvalidVpcID.NotFound", 400, Trouble::NotFound),
            ("LoadBalancerNotFound", 400, Trouble::NotFound),
            ("UnauthorizedOperation", 403, Trouble::Denied),
            ("ExpiredToken", 400, Trouble::Expired),
            ("RequestTimeTooSkewed", 403, Trouble::ClockSkew),
            ("InternalError", 500, Trouble::Lost),
            ("", 502, Trouble::Lost),
            ("", 200, Trouble::Lost),
            ("InvalidParameterValue", 400, Trouble::Refused),
        ];
        for (code, status, trouble) in cases {
            assert_eq!(judge(code, "", status), trouble, "{code} {status}");
        }
    }

    #[test]
    fn a_lost_answer_is_uncertain_only_where_something_was_to_change() {
        let lost = || Failure::new(Trouble::Lost, "ec2:CreateVpc", "no answer");
        assert_eq!(lost().of("create it", true).class, ErrorClass::Uncertain);
        assert_eq!(lost().of("look at it", false).class, ErrorClass::Transient);
    }

    #[test]
    fn a_denial_names_the_permission_and_leaves_the_ciphertext_out() {
        let said = "You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm";
        let text = say("ec2:CreateVpc", "UnauthorizedOperation", said, 403);
        let error = Failure::new(Trouble::Denied, "ec2:CreateVpc", text).of("create the network", true);
        assert_eq!(
            format!("{error}. {}", error.hint.as_deref().unwrap_or_default()),
            "could not create the network: ec2:CreateVpc: You are not authorized to perform this operation. \
             (UnauthorizedOperation). Allow `ec2:CreateVpc` to whoever runs this, then run it again."
        );
    }
}
