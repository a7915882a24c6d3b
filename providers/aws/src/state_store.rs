//! States in S3: `s3://BUCKET/PREFIX?region=…&endpoint=…&profile=…&snapshot=…`.
//!
//! What a state is made of is `standfast_state::object`'s matter. Here are only the URL, the calls (`objects`), the service's
//! clock (`clock`) and what each refusal means to the user (`failure`).
//!
//! Deliberately absent: encryption (objects are encrypted as the bucket has it) and making the bucket.

mod clock;
mod failure;
mod objects;

use std::sync::Arc;

use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::config::ProvideCredentials;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use standfast_state::object::{Objects, open_objects, open_snapshot};
use standfast_state::{OpenMode, StackId, StateUrl, Store, StoreError, StoreKind};
use std::time::Duration;

use clock::Clock;
use objects::S3Objects;

const CONNECT_TIMEOUT_MS: u64 = 3_100;
/// The store itself tries again for a minute; the SDK only once, for what it alone can mend (a clock that is wrong).
const SDK_ATTEMPTS_MAX: u32 = 2;
const SDK_PAUSE_MS: u64 = 50;

/// The kind of store behind `s3://`.
pub struct S3Kind;

#[async_trait]
impl StoreKind for S3Kind {
    fn schemes(&self) -> &'static [&'static str] {
        &["s3"]
    }

    fn example(&self) -> &'static str {
        "`s3://BUCKET/PREFIX`"
    }

    async fn open(
        &self,
        url: &StateUrl,
        stack: &StackId,
        mode: OpenMode,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let place = Place::read(url)?;
        let objects: Arc<dyn Objects> = Arc::new(connect(&place).await?);
        Ok(match place.snapshot {
            Some(number) => Arc::new(open_snapshot(objects, stack, number).await?),
            None => Arc::new(open_objects(objects, stack, mode).await?),
        })
    }
}

/// What a URL says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Place {
    bucket: String,
    /// Without slashes at its ends; may be empty.
    prefix: String,
    region: Option<String>,
    endpoint: Option<String>,
    profile: Option<String>,
    /// To look at an old snapshot instead of the state as it is.
    snapshot: Option<u64>,
}

impl Place {
    fn read(url: &StateUrl) -> Result<Self, StoreError> {
        let rest =
            url.rest().strip_prefix("//").ok_or_else(|| url.refuse("it is not `s3://BUCKET/PREFIX`"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() || bucket.contains(['@', ':']) {
            return Err(url.refuse(
                "it is not `s3://BUCKET/PREFIX`; who asks is a matter of `profile` or the environment",
            ));
        }
        let prefix = prefix.trim_matches('/').to_owned();
        let mut place = Self { bucket: bucket.to_owned(), prefix, ..Self::default() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
            match key {
                "region" => place.region = Some(value),
                "endpoint" => place.endpoint = Some(value),
                "profile" => place.profile = Some(value),
                "snapshot" => {
                    let number = value.parse().map_err(|_| url.refuse("its snapshot is not a number"))?;
                    place.snapshot = Some(number);
                }
                _ => {
                    let known = "region, endpoint, profile and snapshot";
                    return Err(url.refuse(format!("it has a parameter `{key}`; there are {known}")));
                }
            }
        }
        Ok(place)
    }

    /// As messages show it: without parameters.
    fn shown(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{}", self.bucket, self.prefix)
    }
}

/// A client for the place, with credentials that were found to be there.
async fn connect(place: &Place) -> Result<S3Objects, StoreError> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(SDK_ATTEMPTS_MAX)
                .with_initial_backoff(Duration::from_millis(SDK_PAUSE_MS)),
        )
        .timeout_config(
            TimeoutConfig::builder().connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS)).build(),
        );
    if let Some(profile) = &place.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &place.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let config = loader.load().await;
    let refused = |reason: String, next_move: &str| {
        let (operation, place, next_move) = ("open the state", place.shown(), next_move.to_owned());
        StoreError::Refused { operation, place, reason, next_move }
    };
    if config.region().is_none() {
        return Err(refused(
            "no region is set".into(),
            "add `?region=NAME` to the URL, or set AWS_REGION, or a region in the profile",
        ));
    }
    let Some(credentials) = config.credentials_provider() else {
        return Err(refused("there are no credentials".into(), failure::SIGN_IN));
    };
    // Asked for here, so that the answer is about them and not about the first call.
    if let Err(error) = credentials.provide_credentials().await {
        return Err(refused(failure::innermost(&error), failure::SIGN_IN));
    }
    let clock = Arc::new(Clock::default());
    let own_endpoint = place.endpoint.is_some() || config.endpoint_url().is_some();
    let config = aws_sdk_s3::config::Builder::from(&config)
        // Buckets of other servers have no name of their own in the DNS.
        .force_path_style(own_endpoint)
        .interceptor(clock::Listener(Arc::clone(&clock)))
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    Ok(S3Objects::new(client, place.bucket.clone(), place.prefix.clone(), place.shown(), clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Place, StoreError> {
        Place::read(&text.parse().unwrap())
    }

    #[test]
    fn a_url_names_a_bucket_a_prefix_and_how_to_get_there() {
        let place =
            read("s3://states/team/a/?region=eu-west-1&endpoint=http%3A%2F%2Fhere:9000&profile=ops").unwrap();
        let expected = Place {
            bucket: "states".into(),
            prefix: "team/a".into(),
            region: Some("eu-west-1".into()),
            endpoint: Some("http://here:9000".into()),
            profile: Some("ops".into()),
            snapshot: None,
        };
        assert_eq!(place, expected);
        assert_eq!(place.shown(), "s3://states/team/a");
        assert_eq!(read("s3://states").unwrap().shown(), "s3://states");
        assert_eq!(read("s3://states/x?snapshot=40").unwrap().snapshot, Some(40));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for url in [
            "s3:bucket",
            "s3:///prefix",
            "s3://key:secret@bucket/x",
            "s3://b/x?regoin=1",
            "s3://b?snapshot=x",
        ] {
            let error = read(url).unwrap_err();
            assert!(matches!(error, StoreError::Url { .. }), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
