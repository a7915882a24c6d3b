//! An endpoint that gives recorded answers in order and keeps what it was asked: for states, refusals and shapes that no
//! stand-in shows. The SDK's own one would build every SDK a second time, with other features.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
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
use serde_json::Value as Json;
use standfast_contract::{Call, Context, Map, Stack};
use standfast_fault_proxy::cbor;

use crate::{clients::Site, kinds::Job, place::Place};

/// Status and body.
type Answer = (u16, Vec<u8>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Recorded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        self.asked.lock().unwrap().push(format!("{} {} {asked}", request.method(), request.uri()));
        let answer = match self.answers.lock().unwrap().pop_front() {
            Some((status, body)) => {
                let status = StatusCode::try_from(status).unwrap();
                Ok(HttpResponse::new(status, SdkBody::from(body)))
            }
            None => Err(ConnectorError::other("no answer is recorded".into(), None)),
        };
        HttpConnectorFuture::ready(answer)
    }
}

impl HttpClient for Recorded {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A region with these answers.
pub(crate) fn site(answers: &[(u16, &str)]) -> (Site, Recorded) {
    site_of_bytes(answers.iter().map(|(status, body)| (*status, body.as_bytes().to_vec())))
}

/// A region with these answers in CBOR, which CloudWatch speaks.
pub(crate) fn site_of_cbor(answers: &[(u16, Json)]) -> (Site, Recorded) {
    site_of_bytes(answers.iter().map(|(status, body)| (*status, cbor::write(body))))
}

fn site_of_bytes(answers: impl Iterator<Item = Answer>) -> (Site, Recorded) {
    let recorded = Recorded::default();
    recorded.answers.lock().unwrap().extend(answers);
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(SharedHttpClient::new(recorded.clone()))
        .build();
    let place = Place { location: "eu-west-1".into(), account: None, assume_role: None };
    (Site::of(&place, &config), recorded)
}

impl Recorded {
    /// What was asked since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

pub(crate) fn stack() -> Stack {
    Stack { name: "shop".into(), environment: "default".into() }
}

/// A create, or where there is a `prior` an update, on a site.
pub(crate) fn with_job<T>(
    site: &Site,
    kind: &str,
    inputs: Map,
    prior: Map,
    then: impl AsyncFnOnce(&Job<'_>) -> T,
) -> impl Future<Output = T> {
    let call = Call {
        address: format!("refuge/databases.orders/{kind}.main").parse().unwrap(),
        kind: kind.into(),
        place: site.place.to_value(),
        token: "token".into(),
        id: None,
        inputs,
        prior,
        prior_outputs: Map::new(),
        changed: Vec::new(),
    };
    async move {
        let context = Context::quiet(stack());
        then(&Job { site, context: &context, call: &call }).await
    }
}
