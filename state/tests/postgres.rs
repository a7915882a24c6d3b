//! The PostgreSQL store, against a server of the tests' own: the suite, lost answers, a killed server, what a server
//! may refuse.

#![cfg(all(feature = "postgres", unix))]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod pg;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pg::proxy::{Cut, Proxy};
use pg::{environment, open};
use standfast_state::conformance::work::{assert_whole, begin, claimant, create};
use standfast_state::conformance::{self, cluster::Cluster, sealing::Key};
use standfast_state::{OpenMode, StackId, Store, StoreError, open_postgres};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_conforms() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.database());
    let cases = conformance::run(move |stack: StackId| {
        let url = url.clone();
        Box::pin(async move {
            let store: Arc<dyn Store> = Arc::new(open(&url, &stack).await.unwrap());
            store
        })
    })
    .await;
    assert!(cases >= 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sealed_postgres_conforms() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.database());
    let key = Arc::new(Key::default());
    conformance::run(move |stack: StackId| {
        let (url, key) = (url.clone(), Arc::clone(&key));
        Box::pin(async move { key.open(Arc::new(open(&url, &stack).await.unwrap())).await })
    })
    .await;
}

/// The store passes the suite as a whole while every fifth `COMMIT` loses its connection.
async fn conforms_under(cut: Cut) {
    let cluster = Cluster::shared();
    let database = cluster.database();
    // The schema is made in peace: opening is not what is tried again.
    drop(open(&cluster.url(&database), &environment("first")).await.unwrap());
    let proxy = Proxy::start(cluster.port(), cut, u32::MAX).await;
    proxy.arm(5);
    let url = format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", proxy.port);
    conformance::run(move |stack: StackId| {
        let url = url.clone();
        Box::pin(async move {
            let store: Arc<dyn Store> = Arc::new(open(&url, &stack).await.unwrap());
            store
        })
    })
    .await;
    assert!(proxy.cuts() > 50, "only {} of {} commits were cut: {cut:?}", proxy.cuts(), proxy.seen());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_while_commits_do_not_arrive() {
    conforms_under(Cut::Before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_while_the_answers_to_commits_are_lost() {
    conforms_under(Cut::After).await;
}

/// Every `COMMIT` of a run is cut once, before and after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_at_any_commit_loses_nothing_and_doubles_nothing() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    drop(open(&cluster.url(&database), &environment("first")).await.unwrap());
    let mut cuts = 0;
    for cut in [Cut::Before, Cut::After] {
        for at in 1.. {
            let proxy = Proxy::start(cluster.port(), cut, 1).await;
            let url = format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", proxy.port);
            let store = open(&url, &environment(&format!("{cut:?}-{at}"))).await.unwrap();
            proxy.arm(at);
            let (lease, run) = begin(&store).await;
            assert_eq!(lease.token, 1, "taken once");
            create(&store, &lease, run, 6, 2).await;
            store.end_run(&lease, run, "done", "created 6").await.unwrap();
            store.release(lease).await.unwrap();
            if proxy.cuts() == 0 {
                break;
            }
            cuts += 1;
            assert_whole(&store, 6).await;
            assert_eq!(store.holder().await.unwrap(), None);
        }
    }
    println!("{cuts} cuts");
    assert!(cuts >= 16, "only {cuts} cuts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_in_the_middle_of_a_run_loses_nothing_and_doubles_nothing() {
    let cluster = Arc::new(Cluster::start("fsync = off", |_| {}));
    let database = cluster.database();
    let store = open(&cluster.url(&database), &environment("killed")).await.unwrap();
    let (lease, run) = begin(&store).await;
    let killer = {
        let cluster = Arc::clone(&cluster);
        let database = database.clone();
        std::thread::spawn(move || {
            let mut kills = 0;
            for goal in [100, 400, 700] {
                let recorded = "SELECT count(*) FROM standfast.resources";
                while cluster.sql(&database, recorded).parse::<u32>().unwrap() < goal {
                    std::thread::sleep(Duration::from_millis(2));
                }
                cluster.kill();
                std::thread::sleep(Duration::from_millis(300));
                cluster.launch();
                kills += 1;
            }
            kills
        })
    };
    create(&store, &lease, run, 1_500, 8).await;
    assert_eq!(killer.join().unwrap(), 3);
    store.end_run(&lease, run, "done", "").await.unwrap();
    store.release(lease).await.unwrap();
    assert_whole(&store, 1_500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_is_there_in_sql() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let store = open(&cluster.url(&database), &environment("sql")).await.unwrap();
    let (lease, run) = begin(&store).await;
    create(&store, &lease, run, 2, 1).await;
    store.end_run(&lease, run, "converged", "created 2").await.unwrap();
    let history = "SELECT stack, environment, run, command, owner, result, variables->>'release', blueprint
                   FROM standfast.history";
    assert_eq!(cluster.sql(&database, history), "shop|sql|1|apply|ann|converged|1.4.2|name: shop");
    let operations = "SELECT owner, action, address, outcome, payload->'size' FROM standfast.operations
                      WHERE address LIKE '%r00001' AND at > now() - interval '1 hour'";
    assert_eq!(cluster.sql(&database, operations), "ann|create|home/unit.r00001|done|3");
    let recorded = "SELECT id, payload#>>'{outputs,port}' FROM standfast.recorded ORDER BY address LIMIT 1";
    assert_eq!(cluster.sql(&database, recorded), "i-0|80");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_make_the_same_schema_and_state_at_once() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.database());
    let opened = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(
            async move { open(&url, &environment("one")).await.unwrap().head().await.unwrap().lineage },
        )
    });
    let mut lineages = Vec::new();
    for one in opened.collect::<Vec<_>>() {
        lineages.push(one.await.unwrap());
    }
    lineages.dedup();
    assert_eq!(lineages.len(), 1, "one state came of it");
}

async fn refused(url: &str, mode: OpenMode) -> StoreError {
    let error = open_postgres(&url.parse().unwrap(), &environment("x"), mode).await.err().unwrap();
    assert!(error.hint().is_some(), "{error}");
    assert!(!error.to_string().contains("hush"), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_may_refuse_has_a_name_and_a_next_move() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let url = cluster.url(&database);

    let error = refused("postgres://ann:hush@127.0.0.1:1/states", OpenMode::Create).await;
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().starts_with(
        "could not open the state: the server of the state postgres://ann@127.0.0.1:1/states cannot be reached"
    ));
    let error = refused(&cluster.url("nowhere"), OpenMode::Create).await;
    assert!(matches!(&error, StoreError::NoDatabase { database, .. } if database == "nowhere"), "{error}");
    let error = refused(&format!("{url}?sslmode=require"), OpenMode::Create).await;
    assert!(matches!(error, StoreError::NotTrusted { .. } | StoreError::NoTls { .. }), "{error}");
    let tcp = format!("postgres://postgres@127.0.0.1:{}/{database}", cluster.port());
    let error = refused(&format!("{tcp}?sslmode=require"), OpenMode::Create).await;
    assert!(matches!(error, StoreError::NoTls { .. }), "{error}");

    assert!(matches!(refused(&url, OpenMode::MustExist).await, StoreError::Missing { .. }));
    cluster.sql(&database, "CREATE ROLE bob LOGIN");
    let bob = url.replace("postgres@", "bob@");
    let error = refused(&bob, OpenMode::Create).await;
    assert!(matches!(error, StoreError::NotAllowed { .. }), "{error}");
    cluster.sql(&database, "CREATE SCHEMA standfast AUTHORIZATION bob");
    let store = open(&bob, &environment("first")).await.expect("as the hint says");
    drop(store);

    let error = refused(&url, OpenMode::MustExist).await;
    match error {
        StoreError::NoSuchState { found, .. } => assert_eq!(found, [environment("first")]),
        other => panic!("{other}"),
    }
    cluster.sql(&database, "INSERT INTO standfast.schema_version (version) VALUES (99)");
    let error = refused(&url, OpenMode::Create).await;
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");

    let other = cluster.database();
    cluster.sql(&other, "CREATE SCHEMA standfast CREATE TABLE songs (title text)");
    let error = refused(&cluster.url(&other), OpenMode::Create).await;
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_needs_no_right_to_write() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let store = open(&cluster.url(&database), &environment("x")).await.unwrap();
    let (lease, run) = begin(&store).await;
    create(&store, &lease, run, 3, 1).await;
    store.put_meta(None, "digest_key", "k").await.unwrap();
    cluster.sql(
        &database,
        "CREATE ROLE looker LOGIN; GRANT USAGE ON SCHEMA standfast TO looker;
         GRANT SELECT ON ALL TABLES IN SCHEMA standfast TO looker",
    );
    let looker = cluster.url(&database).replace("postgres@", "looker@");
    let store = open_postgres(&looker.parse().unwrap(), &environment("x"), OpenMode::ReadOnly).await.unwrap();
    assert_eq!(store.snapshot().await.unwrap().resources.len(), 3);
    assert_eq!(store.get_or_insert_meta("digest_key", "other").await.unwrap(), "k");
    let error = store.lock(&claimant("looker")).await.unwrap_err();
    assert!(matches!(error, StoreError::NotAllowed { operation: "lock the state", .. }), "{error}");
}

/// A key and a certificate for `localhost`, signed by itself.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("server.key"))
        .arg("-out")
        .arg(folder.join("server.crt"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encryption_and_passwords_are_what_the_url_asks_for() {
    let files = tempfile::tempdir().unwrap();
    let root = files.path().join("root.crt");
    let cluster = Cluster::start("fsync = off\nssl = on", |data| {
        certificate(data);
        std::fs::copy(data.join("server.crt"), &root).unwrap();
        let access = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), access).unwrap();
    });
    let database = cluster.database();
    cluster.sql(&database, "CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'hush'");
    let port = cluster.port();
    let at = |host: &str, rest: &str| format!("postgres://ann:hush@{host}:{port}/{database}?{rest}");
    let encrypted = || {
        let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                   WHERE ssl AND application_name = 'standfast'";
        cluster.sql(&database, sql)
    };
    let trusted = format!("sslmode=verify-full&sslrootcert={}", root.display());
    for rest in ["sslmode=prefer", "sslmode=require", &trusted] {
        let store = open(&at("localhost", rest), &environment("x")).await.unwrap();
        assert_eq!(store.head().await.unwrap().serial, 0);
        assert_eq!(encrypted(), "2", "{rest}: both connections");
        assert!(!store.describe().contains("hush"));
        drop(store);
        while encrypted() != "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let error = refused(&at("127.0.0.1", &trusted), OpenMode::Create).await;
    assert!(matches!(error, StoreError::NotTrusted { .. }), "another name: {error}");
    certificate(files.path());
    let foreign = format!("sslmode=verify-full&sslrootcert={}", files.path().join("server.crt").display());
    let error = refused(&at("localhost", &foreign), OpenMode::Create).await;
    assert!(matches!(error, StoreError::NotTrusted { .. }), "another authority: {error}");
    let error = refused(&at("localhost", "sslmode=disable"), OpenMode::Create).await;
    assert!(matches!(error, StoreError::LoginRefused { .. }), "not encrypted: {error}");

    let wrong = at("localhost", "sslmode=require").replace("hush", "guess");
    let error = refused(&wrong, OpenMode::Create).await;
    assert!(matches!(error, StoreError::LoginRefused { .. }), "wrong password: {error}");
    let error = refused(&wrong.replace(":guess", ""), OpenMode::Create).await;
    assert!(matches!(error, StoreError::LoginRefused { .. }), "no password: {error}");
}
