//! Clients of one account and region.
//!
//! There are two of each service. Those that look are retried by the SDK. Those that change are not: a repeated create
//! may make a second thing, so the engine repeats it, after a look for what the first one made. Both share the SDK's
//! adaptive rate limit of their service, which slows down when AWS throttles.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, SdkConfig, retry::RetryConfig, sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use standfast_contract::ProviderError;
use tokio::sync::OnceCell;

use crate::{
    failure::{Failure, Trouble, failed},
    place::Place,
};

/// Tries of a call that looks, the first included.
const LOOK_TRIES_MAX: u32 = 6;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of one try: AWS answers in seconds or not at all.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);

/// Made when it is first used: a plan needs some of them, and each costs memory.
type Lazy<T> = LazyLock<T, Box<dyn FnOnce() -> T + Send>>;

fn lazy<T: 'static>(config: &Arc<SdkConfig>, new: fn(&SdkConfig) -> T) -> Lazy<T> {
    let config = Arc::clone(config);
    LazyLock::new(Box::new(move || new(&config)))
}

/// One client of each service.
pub(crate) struct Clients {
    pub acm: Lazy<aws_sdk_acm::Client>,
    pub asg: Lazy<aws_sdk_autoscaling::Client>,
    pub cloudwatch: Lazy<aws_sdk_cloudwatch::Client>,
    pub ec2: Lazy<aws_sdk_ec2::Client>,
    pub elasticache: Lazy<aws_sdk_elasticache::Client>,
    pub elb: Lazy<aws_sdk_elasticloadbalancingv2::Client>,
    pub iam: Lazy<aws_sdk_iam::Client>,
    pub quotas: Lazy<aws_sdk_servicequotas::Client>,
    pub rds: Lazy<aws_sdk_rds::Client>,
    pub route53: Lazy<aws_sdk_route53::Client>,
    pub sns: Lazy<aws_sdk_sns::Client>,
    pub ssm: Lazy<aws_sdk_ssm::Client>,
}

impl Clients {
    pub fn new(config: SdkConfig) -> Self {
        let config = Arc::new(config);
        Clients {
            acm: lazy(&config, aws_sdk_acm::Client::new),
            asg: lazy(&config, aws_sdk_autoscaling::Client::new),
            cloudwatch: lazy(&config, aws_sdk_cloudwatch::Client::new),
            ec2: lazy(&config, aws_sdk_ec2::Client::new),
            elasticache: lazy(&config, aws_sdk_elasticache::Client::new),
            elb: lazy(&config, aws_sdk_elasticloadbalancingv2::Client::new),
            iam: lazy(&config, aws_sdk_iam::Client::new),
            quotas: lazy(&config, aws_sdk_servicequotas::Client::new),
            rds: lazy(&config, aws_sdk_rds::Client::new),
            route53: lazy(&config, aws_sdk_route53::Client::new),
            sns: lazy(&config, aws_sdk_sns::Client::new),
            ssm: lazy(&config, aws_sdk_ssm::Client::new),
        }
    }
}

/// An account and region, with whom we are there.
pub(crate) struct Site {
    pub place: Place,
    pub look: Clients,
    pub change: Clients,
    sts: aws_sdk_sts::Client,
    caller: OnceCell<Caller>,
    /// How often a state that takes its time is asked for.
    pub poll: Duration,
    /// Ids of records in DNS that go when a new one of the same plan takes their place.
    displaced: Mutex<BTreeSet<String>>,
}

impl Site {
    /// Signs in, and refuses another account than the pinned one.
    pub async fn open(place: &Place) -> Result<Self, ProviderError> {
        let site = Site::of(place, &configure(place).await);
        if place.account.is_some() {
            site.check().await?;
        }
        Ok(site)
    }

    /// Calls nothing.
    pub fn of(place: &Place, config: &SdkConfig) -> Self {
        Site {
            place: place.clone(),
            look: Clients::new(config.clone()),
            change: Clients::new(
                config.to_builder().retry_config(RetryConfig::adaptive().with_max_attempts(1)).build(),
            ),
            sts: aws_sdk_sts::Client::new(config),
            caller: OnceCell::new(),
            poll: Duration::from_secs(2),
            displaced: Mutex::default(),
        }
    }

    /// Told before the first change of a plan, which alone knows both the old and the new.
    pub fn displace(&self, ids: BTreeSet<String>) {
        *self.displaced.lock().unwrap_or_else(PoisonError::into_inner) = ids;
    }

    pub fn is_displaced(&self, id: &str) -> bool {
        self.displaced.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Whether the credentials work, and for the pinned account.
    pub async fn check(&self) -> Result<(), ProviderError> {
        let caller = caller(&self.sts).await.map_err(|failure| {
            self.shut(&failure).unwrap_or_else(|| failure.of(signing_in(&self.place), false))
        })?;
        let checked = match &self.place.account {
            Some(pinned) => check_account(pinned, &caller.account),
            None => Ok(()),
        };
        // Somebody else may have asked at the same time, and got the same answer.
        let _ = self.caller.set(caller);
        checked
    }

    /// Where nobody is signed in, nothing else that is asked will be answered.
    pub fn shut(&self, failure: &Failure) -> Option<ProviderError> {
        let is_shut =
            matches!(failure.trouble, Trouble::NoCredentials | Trouble::Expired | Trouble::ClockSkew);
        let key = if self.place.account.is_some() { "account" } else { "location" };
        // Which call it was that could not be made is no matter.
        let message = match failure.message.split_once(" could not be called: ") {
            Some((_, why)) => why.to_owned(),
            None => failure.message.clone(),
        };
        let failure = Failure { message, ..failure.clone() };
        is_shut.then(|| match (&self.place.assume_role, refused_role(&failure.message)) {
            (Some(role), Some(why)) => ProviderError::permanent(
                signing_in(&self.place),
                format!("the role {role} is not given: {why}"),
            )
            .hint(
                "Its trust policy must name who you are (`aws sts get-caller-identity`), who must be allowed \
                 `sts:AssumeRole` on it.",
            )
            .shuts("assume_role"),
            _ => {
                let error = failure.clone().of(signing_in(&self.place), false).shuts(key);
                if failure.trouble == Trouble::NoCredentials { with_profile(error) } else { error }
            }
        })
    }

    #[cfg(test)]
    pub fn signed_in_as(&self, caller: Caller) {
        self.caller.set(caller).unwrap();
    }

    /// As whom we signed in, once that was asked.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }
}

/// Why STS gave no role, in the SDK's account of it.
fn refused_role(told: &str) -> Option<&str> {
    let (_, behind) = told.split_once("AccessDenied")?;
    let message = behind.split_once("message: \"").and_then(|(_, message)| message.split_once('"'));
    Some(message.map_or("access denied", |(message, _)| message))
}

/// The SDK looks elsewhere when there is no profile of the name.
fn with_profile(error: ProviderError) -> ProviderError {
    match std::env::var("AWS_PROFILE") {
        Ok(name) => error.hint(format!(
            "AWS_PROFILE is `{name}`: `aws configure list-profiles` shows whether there is such a one, \
             `aws sso login --profile {name}` signs in with it."
        )),
        Err(_) => error,
    }
}

fn signing_in(place: &Place) -> String {
    format!("sign in to AWS ({})", place.location)
}

fn check_account(pinned: &str, answers: &str) -> Result<(), ProviderError> {
    if pinned == answers {
        return Ok(());
    }
    Err(ProviderError::permanent(
        format!("work in AWS account {pinned}"),
        format!("the credentials are of account {answers}"),
    )
    .hint("Set AWS_PROFILE to a profile of that account, or correct `account` of the region. Nothing was touched.")
    .shuts("account"))
}

/// Credentials, profiles, endpoints by the SDK's own chain.
async fn configure(place: &Place) -> SdkConfig {
    let base = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new(place.location.clone()))
        .retry_config(RetryConfig::adaptive().with_max_attempts(LOOK_TRIES_MAX))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(TRY_TIMEOUT)
                .build(),
        )
        .load()
        .await;
    let Some(role) = &place.assume_role else { return base };
    let assumed = AssumeRoleProvider::builder(role).session_name("standfast").configure(&base).build().await;
    base.to_builder()
        .credentials_provider(aws_sdk_sts::config::SharedCredentialsProvider::new(assumed))
        .build()
}

/// Who the credentials are of.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub account: String,
    /// `arn:aws:sts::123456789012:assumed-role/deploy/jane`.
    pub arn: String,
}

async fn caller(sts: &aws_sdk_sts::Client) -> Result<Caller, Failure> {
    let answer = sts.get_caller_identity().send().await.map_err(failed("sts:GetCallerIdentity"))?;
    Ok(Caller { account: answer.account.unwrap_or_default(), arn: answer.arn.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_account_than_the_pinned_one_is_refused_by_both_numbers() {
        assert!(check_account("123456789012", "123456789012").is_ok());
        let error = check_account("123456789012", "210987654321").unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not work in AWS account 123456789012: the credentials are of account 210987654321"
        );
    }

    #[test]
    fn why_a_role_is_not_given_is_found_in_what_the_sdk_tells() {
        let told = r#"other: an error occurred while loading credentials: service error: unhandled error (AccessDenied): Error { code: "AccessDenied", message: "User: arn:aws:iam::123456789012:user/jane is not authorized to perform: sts:AssumeRole", aws_request_id: "1" }"#;
        assert_eq!(
            refused_role(told),
            Some("User: arn:aws:iam::123456789012:user/jane is not authorized to perform: sts:AssumeRole")
        );
        assert_eq!(refused_role("unhandled error (AccessDenied)"), Some("access denied"));
        assert_eq!(refused_role("no credentials were found in the environment"), None);
    }
}
