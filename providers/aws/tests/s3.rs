//! States in S3, against moto and through the fault proxy: the suite, lost answers, a service that is away, refusals.
//!
//! Moto forgets everything when it ends, so a server that is killed is played by the proxy: it drops every connection and
//! refuses new ones for a while.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use standfast_aws::S3Kind;
use standfast_fault_proxy::{Call, Fault, Moto, Proxy};
use standfast_state::conformance::work::{assert_whole, begin, claimant, create};
use standfast_state::{OpenMode, StackId, StateUrl, Store, StoreError, StoreKind, conformance};

/// A new bucket, and the environment in which the SDK finds credentials.
fn bucket(moto: &Moto) -> String {
    static ENVIRONMENT: std::sync::Once = std::sync::Once::new();
    ENVIRONMENT.call_once(|| {
        for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            #[expect(unsafe_code, reason = "the SDK finds credentials in the environment")]
            // SAFETY: called once, before the first client of this process reads its environment.
            unsafe {
                std::env::set_var(key, "test");
            }
        }
    });
    moto.bucket()
}

fn url(bucket: &str, endpoint: &str) -> StateUrl {
    format!("s3://{bucket}/team/states?region=us-east-1&endpoint={endpoint}").parse().unwrap()
}

fn environment(name: &str) -> StackId {
    StackId::new("shop", Some(name))
}

async fn open(url: &StateUrl, stack: &StackId) -> Arc<dyn Store> {
    S3Kind.open(url, stack, OpenMode::Create).await.unwrap()
}

async fn conform(url: StateUrl) -> usize {
    conformance::run(move |stack: StackId| {
        let url = url.clone();
        Box::pin(async move { open(&url, &stack).await })
    })
    .await
}

fn is_conditional(call: &Call) -> bool {
    call.action == "PutObject"
        && (call.header("if-none-match").is_some() || call.header("if-match").is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_conforms() {
    let moto = Moto::shared();
    let bucket = bucket(moto);
    assert!(conform(url(&bucket, &moto.url())).await >= 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_while_answers_to_conditional_writes_are_lost() {
    let moto = Moto::shared();
    let bucket = bucket(moto);
    let proxy = Proxy::start(moto.address).unwrap();
    proxy.add("lost", Fault::lose_answer().on(is_conditional).every(4));
    conform(url(&bucket, &proxy.url())).await;
    assert!(proxy.struck("lost") > 50, "only {} answers were lost", proxy.struck("lost"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_while_calls_are_throttled_fail_and_get_lost() {
    let moto = Moto::shared();
    let bucket = bucket(moto);
    let proxy = Proxy::start(moto.address).unwrap();
    proxy.add("throttled", Fault::slow_down().every(11));
    proxy.add("failed", Fault::internal_error().every(13));
    proxy.add("dropped", Fault::drop_before().every(17));
    conform(url(&bucket, &proxy.url())).await;
    for rule in ["throttled", "failed", "dropped"] {
        assert!(proxy.struck(rule) > 20, "{rule}: only {}", proxy.struck(rule));
    }
}

/// The answer to each conditional write of a run is lost once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_answer_to_any_conditional_write_loses_nothing_and_doubles_nothing() {
    let moto = Moto::shared();
    let bucket = bucket(moto);
    let mut lost = 0;
    for at in 1.. {
        let proxy = Proxy::start(moto.address).unwrap();
        let store = open(&url(&bucket, &proxy.url()), &environment(&format!("at-{at}"))).await;
        proxy.add("lost", Fault::lose_answer().on(is_conditional).nth(at));
        let (lease, run) = begin(&*store).await;
        assert_eq!(lease.token, 1, "taken once");
        create(&*store, &lease, run, 4, 2).await;
        store.end_run(&lease, run, "done", "created 4").await.unwrap();
        store.release(lease).await.unwrap();
        if proxy.struck("lost") == 0 {
            break;
        }
        lost += 1;
        assert_whole(&*store, 4).await;
        assert_eq!(store.holder().await.unwrap(), None);
    }
    assert!(lost >= 10, "only {lost} answers were lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_that_goes_away_in_the_middle_of_a_run_is_waited_for() {
    let moto = Moto::shared();
    let bucket = bucket(moto);
    let proxy = Arc::new(Proxy::start(moto.address).unwrap());
    let store = open(&url(&bucket, &proxy.url()), &environment("away")).await;
    let (lease, run) = begin(&*store).await;
    let away = {
        let proxy = Arc::clone(&proxy);
        std::thread::spawn(move || {
            for goal in [20, 60] {
                while proxy.count("s3", "PutObject") < goal {
                    std::thread::sleep(Duration::from_millis(2));
                }
                proxy.sever();
                std::thread::sleep(Duration::from_secs(2));
                proxy.restore();
            }
        })
    };
    create(&*store, &lease, run, 400, 4).await;
    away.join().unwrap();
    store.end_run(&lease, run, "done", "").await.unwrap();
    store.release(lease).await.unwrap();
    assert_whole(&*store, 400).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_together_is_one_request() {
    let moto = Moto::shared();
    let bucket = bucket(moto);
    let proxy = Proxy::start(moto.address).unwrap();
    let store = open(&url(&bucket, &proxy.url()), &environment("few")).await;
    let (lease, run) = begin(&*store).await;
    proxy.forget();
    create(&*store, &lease, run, 100, 16).await;
    let requests = proxy.seen().len();
    assert!(requests < 60, "{requests} requests for 200 operations");
}

async fn refused(url: &str, mode: OpenMode) -> StoreError {
    let error = S3Kind.open(&url.parse().unwrap(), &environment("x"), mode).await.err().unwrap();
    assert!(error.hint().is_some(), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_may_refuse_has_a_name_and_a_next_move() {
    let moto = Moto::shared();
    let bucket = bucket(moto);
    let at = |bucket: &str, endpoint: &str| format!("s3://{bucket}/p?region=us-east-1&endpoint={endpoint}");
    let error = refused(&at("nowhere", &moto.url()), OpenMode::Create).await;
    assert!(
        error.to_string().starts_with("could not open the state: s3://nowhere/p is refused (NoSuchBucket"),
        "{error}"
    );
    let error = refused(&at(&bucket, &moto.url()), OpenMode::MustExist).await;
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    let error = refused(&at(&bucket, "http://127.0.0.1:1"), OpenMode::Create).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    open(&at(&bucket, &moto.url()).parse().unwrap(), &environment("y")).await;
    let error = refused(&at(&bucket, &moto.url()), OpenMode::MustExist).await;
    assert!(matches!(error, StoreError::NoSuchState { .. }), "{error}");
    let proxy = Proxy::start(moto.address).unwrap();
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    proxy.add("denied", Fault::answer(403.try_into().unwrap(), body).on(|call| call.action == "PutObject"));
    let store =
        S3Kind.open(&at(&bucket, &proxy.url()).parse().unwrap(), &environment("y"), OpenMode::Create).await;
    let error = store.unwrap().lock(&claimant("ann")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("could not lock the state: s3://{bucket}/p is refused (AccessDenied: Access Denied)")
    );
    assert!(error.hint().unwrap().contains("s3:PutObject"));
}
