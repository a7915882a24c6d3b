//! A request and its answer as the rules see them.
//!
//! Service and action are read as AWS's SDKs write them: the service from the signature's scope, the action from the
//! form (`Action=`), the JSON protocols' `X-Amz-Target`, or the method and path of a REST call.

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

/// A request on its way to the service.
#[derive(Debug, Clone)]
pub struct Call {
    /// 1, 2, 3 and on since the proxy began.
    pub number: u64,
    /// The method.
    pub method: Method,
    /// Path and query as they came, still encoded.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Such as `s3` or `ec2`; empty for a request without a signature.
    pub service: String,
    /// Such as `RunInstances`; for a REST call of a service that is not known here `GET /path`.
    pub action: String,
}

/// An answer on its way back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that speak of the connection.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Call {
    pub(crate) fn new(number: u64, method: Method, target: String, headers: HeaderMap, body: Bytes) -> Self {
        let service = service(&headers);
        let action = action(&service, &method, &target, &headers, &body);
        Self { number, method, target, headers, body, service, action }
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, or of the form in the body, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?').map(|(_, query)| query);
        query.and_then(|query| form_value(query, name)).or_else(|| form_value(body_form(&self.body), name))
    }

    /// Every parameter of the form in the body, decoded.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let pairs = body_form(&self.body).split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
    }

    /// A header, when it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Answer {
    /// An answer with this status and body.
    pub fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }
}

/// `Authorization: AWS4-HMAC-SHA256 Credential=KEY/20260101/eu-west-1/s3/aws4_request, ...`
fn service(headers: &HeaderMap) -> String {
    let scope = || {
        let value = headers.get("authorization")?.to_str().ok()?;
        value.split_once("Credential=")?.1.split('/').nth(3)
    };
    scope().unwrap_or_default().to_owned()
}

fn action(service: &str, method: &Method, target: &str, headers: &HeaderMap, body: &Bytes) -> String {
    let header = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    if let Some(target) = header {
        return target.rsplit('.').next().unwrap_or(target).to_owned();
    }
    if let Some(action) = form_value(body_form(body), "Action") {
        return action;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if service == "s3"
        && let Some(action) = s3_action(method, path, query)
    {
        return action.to_owned();
    }
    format!("{method} {path}")
}

/// The operations of S3 that are told apart, with path-style addressing.
fn s3_action(method: &Method, path: &str, query: &str) -> Option<&'static str> {
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let of_bucket = path.trim_matches('/').split('/').count() == 1;
    Some(match (method.as_str(), of_bucket) {
        ("GET", true) if has("list-type") => "ListObjectsV2",
        ("POST", true) if has("delete") => "DeleteObjects",
        ("PUT", true) if query.is_empty() => "CreateBucket",
        ("HEAD", true) => "HeadBucket",
        ("GET", false) => "GetObject",
        ("HEAD", false) => "HeadObject",
        ("PUT", false) => "PutObject",
        ("DELETE", false) => "DeleteObject",
        _ => return None,
    })
}

/// The body, when it looks like a form.
fn body_form(body: &Bytes) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default();
    if text.starts_with(['{', '<']) { "" } else { text }
}

fn form_value(form: &str, name: &str) -> Option<String> {
    let value = form.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))?.1;
    Some(decoded(value))
}

fn decoded(value: &str) -> String {
    let value = value.replace('+', " ");
    percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, target: &str, headers: &[(&'static str, &str)], body: &'static str) -> Call {
        let headers = headers.iter().map(|(name, value)| {
            (
                hyper::header::HeaderName::from_static(name),
                hyper::header::HeaderValue::from_str(value).unwrap(),
            )
        });
        Call::new(1, method, target.to_owned(), headers.collect(), Bytes::from_static(body.as_bytes()))
    }

    fn signed(service: &str) -> (&'static str, String) {
        (
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/{service}/aws4_request, X"),
        )
    }

    #[test]
    fn every_protocol_shows_its_action() {
        let (name, value) = signed("ec2");
        let query =
            call(Method::POST, "/", &[(name, &value)], "Action=RunInstances&Name=a%20b+c&Version=2016");
        assert_eq!((query.service.as_str(), query.action.as_str()), ("ec2", "RunInstances"));
        assert_eq!(query.parameter("Name").as_deref(), Some("a b c"));
        let (name, value) = signed("secretsmanager");
        let target = ("x-amz-target", "secretsmanager.GetSecretValue");
        let json = call(Method::POST, "/", &[(name, &value), target], "{\"Action\":1}");
        assert_eq!((json.service.as_str(), json.action.as_str()), ("secretsmanager", "GetSecretValue"));
        let (name, value) = signed("route53");
        let rest = call(Method::GET, "/2013-04-01/hostedzone?maxitems=1", &[(name, &value)], "");
        assert_eq!(rest.action, "GET /2013-04-01/hostedzone");
        assert_eq!(call(Method::GET, "/moto-api/", &[], "").service, "");
    }

    #[test]
    fn objects_and_buckets_are_told_apart() {
        let (name, value) = signed("s3");
        for (method, target, action) in [
            (Method::PUT, "/bucket/a/b?x-id=PutObject", "PutObject"),
            (Method::PUT, "/bucket", "CreateBucket"),
            (Method::GET, "/bucket/?list-type=2&prefix=a%2F", "ListObjectsV2"),
            (Method::GET, "/bucket/a", "GetObject"),
            (Method::POST, "/bucket/?delete", "DeleteObjects"),
        ] {
            assert_eq!(call(method, target, &[(name, &value)], "").action, action, "{target}");
        }
    }
}
