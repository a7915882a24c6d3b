//! An endpoint in this process that gives the answers it was told to give, in AWS's own shapes, and keeps what it was
//! asked: for states, refusals and lost answers that no stand-in shows. The SDK's own one would build every SDK a second
//! time, with other features.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value as Json, json};
use standfast_contract::{Call, Context, Map, Stack};
use standfast_fault_proxy::cbor;

use crate::{
    clients::{Clients, Site},
    kinds::Job,
    place::Place,
};

/// An answer to one call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Status and body.
    Body(u16, Vec<u8>),
    /// A success that says nothing more, in the protocol that was spoken.
    Empty,
    /// Status, code and message, in the protocol that was spoken.
    Error(u16, &'static str, String),
    /// The call takes effect, and its connection ends without a word.
    Lost,
}

impl Answer {
    pub fn ok(body: impl Into<String>) -> Self {
        Answer::Body(200, body.into().into_bytes())
    }

    pub fn error(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Answer::Error(status, code, message.into())
    }

    /// In CBOR, which CloudWatch speaks.
    pub fn cbor(body: &Json) -> Self {
        Answer::Body(200, cbor::write(body))
    }
}

/// What services speak.
#[derive(Clone, Copy, Debug)]
enum Protocol {
    Ec2,
    Query,
    RestXml,
    Json,
    Cbor,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `CreateVpc`.
    pub action: String,
    /// Method, address and body.
    pub line: String,
    protocol: Protocol,
}

impl Asked {
    fn of(request: &HttpRequest) -> Self {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let header = |name: &str| request.headers().get(name);
        let last = |text: &str, of: char| text.rsplit(of).next().unwrap_or_default().to_owned();
        let host_and_path = request.uri().split_once("://").map_or("", |(_, rest)| rest);
        let (protocol, action) = if header("smithy-protocol").is_some() {
            (Protocol::Cbor, last(request.uri(), '/'))
        } else if let Some(target) = header("x-amz-target") {
            (Protocol::Json, last(target, '.'))
        } else if host_and_path.starts_with("route53.") {
            (Protocol::RestXml, route53_action(request.method(), host_and_path).to_owned())
        } else {
            let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
            let is_ec2 = host_and_path.starts_with("ec2.");
            (if is_ec2 { Protocol::Ec2 } else { Protocol::Query }, action.unwrap_or_default().to_owned())
        };
        Asked { action, line: format!("{} {} {body}", request.method(), request.uri()), protocol }
    }
}

/// Route 53 names no action: method and path do. <https://docs.aws.amazon.com/Route53/latest/APIReference/API_Operations.html>
fn route53_action(method: &str, host_and_path: &str) -> &'static str {
    let path = host_and_path.split('?').next().unwrap_or_default().trim_end_matches('/');
    match (method, path.split('/').skip(2).collect::<Vec<_>>().as_slice()) {
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("POST", ["hostedzone"]) => "CreateHostedZone",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("DELETE", ["hostedzone", _]) => "DeleteHostedZone",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["healthcheck"]) => "ListHealthChecks",
        ("POST", ["healthcheck"]) => "CreateHealthCheck",
        ("POST", ["healthcheck", _]) => "UpdateHealthCheck",
        ("DELETE", ["healthcheck", _]) => "DeleteHealthCheck",
        ("POST", ["tags", _]) => "ListTagsForResources",
        ("POST", ["tags", _, _]) => "ChangeTagsForResource",
        _ => "Unknown",
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>, <https://smithy.io/2.0/aws/protocols/>
fn refusal(protocol: Protocol, code: &str, message: &str) -> Vec<u8> {
    let text = match protocol {
        Protocol::Ec2 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{code}</Code>\
             <Message>{message}</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
        ),
        Protocol::Query | Protocol::RestXml => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r-1</RequestId></ErrorResponse>"
        ),
        Protocol::Json => json!({ "__type": code, "message": message }).to_string(),
        Protocol::Cbor => return cbor::write(&json!({ "__type": code, "message": message })),
    };
    text.into_bytes()
}

fn empty(protocol: Protocol, action: &str) -> Vec<u8> {
    match protocol {
        Protocol::Ec2 | Protocol::RestXml => format!("<{action}Response/>").into_bytes(),
        Protocol::Query => format!("<{action}Response><{action}Result/></{action}Response>").into_bytes(),
        Protocol::Json => b"{}".to_vec(),
        Protocol::Cbor => cbor::write(&json!({})),
    }
}

type Answers = Box<dyn FnMut(&Asked) -> Option<Answer> + Send>;

#[derive(Clone)]
pub(crate) struct Recorded {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorded")
    }
}

impl HttpConnector for Recorded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = Asked::of(&request);
        let answer = (self.answers.lock().unwrap())(&asked);
        let told = match answer {
            Some(Answer::Body(status, body)) => Ok((status, body)),
            Some(Answer::Empty) => Ok((200, empty(asked.protocol, &asked.action))),
            Some(Answer::Error(status, code, message)) => {
                Ok((status, refusal(asked.protocol, code, &message)))
            }
            Some(Answer::Lost) => {
                Err(ConnectorError::io(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()))
            }
            None => Err(ConnectorError::other(
                format!("no answer is recorded for {} now", asked.action).into(),
                None,
            )),
        };
        self.asked.lock().unwrap().push(asked);
        HttpConnectorFuture::ready(told.map(|(status, body)| {
            HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))
        }))
    }
}

impl HttpClient for Recorded {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A region with these answers.
pub(crate) fn site(answers: &[(u16, &str)]) -> (Site, Recorded) {
    in_order(answers.iter().map(|(status, body)| Answer::Body(*status, body.as_bytes().to_vec())))
}

/// A region with these answers in CBOR, which CloudWatch speaks.
pub(crate) fn site_of_cbor(answers: &[(u16, Json)]) -> (Site, Recorded) {
    in_order(answers.iter().map(|(status, body)| Answer::Body(*status, cbor::write(body))))
}

fn in_order(answers: impl Iterator<Item = Answer>) -> (Site, Recorded) {
    let mut answers: VecDeque<Answer> = answers.collect();
    site_that(move |_| answers.pop_front())
}

/// A region with these answers to calls of these actions in this order, and to no others.
pub(crate) fn scripted(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> (Site, Recorded) {
    let mut answers: VecDeque<_> = answers.into_iter().collect();
    site_that(move |asked| {
        answers.pop_front_if(|(action, _)| *action == asked.action).map(|(_, answer)| answer)
    })
}

/// A region that answers as it is told to, call by call.
pub(crate) fn site_that(answers: impl FnMut(&Asked) -> Option<Answer> + Send + 'static) -> (Site, Recorded) {
    let recorded = Recorded { answers: Arc::new(Mutex::new(Box::new(answers))), asked: Arc::default() };
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(SharedHttpClient::new(recorded.clone()))
        .build();
    let mut site = Site::of(&place(), &config);
    site.poll = Duration::from_millis(1);
    // Without the rate limit, which is a process's and goes by the real clock.
    site.change = Clients::new(config);
    (site, recorded)
}

impl Recorded {
    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        self.take().into_iter().map(|asked| asked.line).collect()
    }

    /// The same, by the names of the actions.
    pub fn actions(&self) -> Vec<String> {
        self.take().into_iter().map(|asked| asked.action).collect()
    }

    fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

pub(crate) fn place() -> Place {
    Place { location: "eu-west-1".into(), account: None, assume_role: None }
}

pub(crate) fn stack() -> Stack {
    Stack { name: "shop".into(), environment: "default".into() }
}

/// A context that notes what it is told.
pub(crate) fn context() -> (Context, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let progress = move |text: &str| notes.lock().unwrap().push(text.to_owned());
    (Context { progress: Arc::new(progress), ..Context::quiet(stack()) }, told)
}

/// A create, or where there is a `prior` an update, on a site.
pub(crate) fn with_job<T>(
    site: &Site,
    kind: &str,
    inputs: Map,
    prior: Map,
    then: impl AsyncFnOnce(&Job<'_>) -> T,
) -> impl Future<Output = T> {
    let keys = inputs.keys().chain(prior.keys());
    let differs = |key: &&String| !prior.is_empty() && inputs.get(*key) != prior.get(*key);
    let changed: BTreeSet<String> = keys.filter(differs).cloned().collect();
    let call = Call {
        changed: changed.into_iter().collect(),
        address: format!("refuge/databases.orders/{kind}.main").parse().unwrap(),
        kind: kind.into(),
        place: site.place.to_value(),
        token: "token".into(),
        id: None,
        inputs,
        prior,
        prior_outputs: Map::new(),
    };
    async move {
        let context = Context::quiet(stack());
        then(&Job { site, context: &context, call: &call }).await
    }
}
