//! The calls to S3.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use standfast_state::object::{Found, Listed, ObjectError, Objects};

use super::clock::Clock;
use super::failure::{explain, innermost};

/// How long one try of a call may take, in milliseconds, when it carries next to nothing.
const ATTEMPT_MS: u64 = 15_000;
/// And how much longer for what it carries: a slow line's bytes in a millisecond.
const SLOW_LINE: u64 = 128;
/// The most that one listing and one deletion take.
const KEYS_MAX: usize = 1_000;

/// The objects under a prefix of a bucket.
pub(super) struct S3Objects {
    client: Client,
    bucket: String,
    /// With a slash at its end, unless it is empty.
    prefix: String,
    place: String,
    clock: Arc<Clock>,
}

impl S3Objects {
    pub(super) fn new(
        client: Client,
        bucket: String,
        prefix: String,
        place: String,
        clock: Arc<Clock>,
    ) -> Self {
        let prefix = if prefix.is_empty() { prefix } else { prefix + "/" };
        Self { client, bucket, prefix, place, clock }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: impl FnOnce(PutObjectFluentBuilder) -> PutObjectFluentBuilder,
    ) -> Result<(), SdkError<PutObjectError, HttpResponse>> {
        let timeout = within(bytes.len());
        let put =
            self.client.put_object().bucket(&self.bucket).key(self.key(key)).body(ByteStream::from(bytes));
        condition(put).customize().config_override(timeout).send().await.map(drop)
    }
}

/// A limit for one try of a call with so many bytes.
fn within(bytes: usize) -> aws_sdk_s3::config::Builder {
    let limit = Duration::from_millis(ATTEMPT_MS + bytes as u64 / SLOW_LINE);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(limit).build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}

#[async_trait]
impl Objects for S3Objects {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn now(&self) -> SystemTime {
        self.clock.now()
    }

    async fn get(&self, key: &str) -> Result<Option<Found>, ObjectError> {
        let get = self.client.get_object().bucket(&self.bucket).key(self.key(key));
        match get.customize().config_override(within(0)).send().await {
            Ok(answer) => {
                let etag = answer.e_tag().unwrap_or_default().to_owned();
                let body = answer.body.collect().await;
                let bytes = body.map_err(|error| ObjectError::Unknown(innermost(&error)))?.into_bytes();
                Ok(Some(Found { bytes, etag }))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            Err(error) => Err(explain(&error)),
        }
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<(), ObjectError> {
        self.put(key, bytes, |put| put.if_none_match("*")).await.map_err(|error| explain(&error))
    }

    async fn put_if_match(&self, key: &str, bytes: Bytes, etag: &str) -> Result<(), ObjectError> {
        let put = self.put(key, bytes, |put| put.if_match(etag)).await;
        put.map_err(|error| match error.as_service_error().and_then(|error| error.meta().code()) {
            // The object that was to be replaced is not there any more.
            Some("NoSuchKey") => ObjectError::Precondition,
            _ => explain(&error),
        })
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>, ObjectError> {
        let list = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.key(prefix))
            .max_keys(i32::try_from(limit.min(KEYS_MAX)).unwrap_or(i32::MAX))
            .set_start_after((!after.is_empty()).then(|| self.key(after)));
        let answer = list.customize().config_override(within(0)).send().await;
        let answer = answer.map_err(|error| explain(&error))?;
        let listed = answer.contents().iter().filter_map(|object| {
            let key = object.key()?.strip_prefix(&self.prefix)?.to_owned();
            let modified = object.last_modified().and_then(|time| SystemTime::try_from(*time).ok());
            // Without a time it counts as new, and is kept.
            Some(Listed { key, modified: modified.unwrap_or_else(|| self.clock.now()) })
        });
        Ok(listed.collect())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), ObjectError> {
        for keys in keys.chunks(KEYS_MAX) {
            let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(self.key(key)).build());
            let objects: Result<Vec<_>, _> = objects.collect();
            let delete =
                objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
            let delete = delete.map_err(|error| ObjectError::Unknown(error.to_string()))?;
            let call = self.client.delete_objects().bucket(&self.bucket).delete(delete);
            let answer = call.customize().config_override(within(0)).send().await;
            let answer = answer.map_err(|error| explain(&error))?;
            if let Some(error) = answer.errors().first() {
                return Err(ObjectError::Unknown(error.message().unwrap_or("not deleted").to_owned()));
            }
        }
        Ok(())
    }
}
