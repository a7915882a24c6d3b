//! A sealed state in its place: samples of old formats, rows that somebody exchanged, handles that an other key overtook,
//! and that nothing is left of what was replaced.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use standfast_state::conformance::sealing::Key;
use standfast_state::{
    Change, Export, Header, Identities, Intent, LockRequest, OpenMode, Opening, Outcome, ResourceRecord,
    RunStart, Seal, SealError, StackId, Store, StoreError, Wrapping, open_sqlite,
};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples");

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(open_sqlite(path, &StackId::new("shop", None), OpenMode::Create).unwrap())
}

fn claimant() -> LockRequest {
    LockRequest {
        owner: "ann".into(),
        host: "here".into(),
        process: std::process::id(),
        command: "apply".into(),
        lease_ms: 60_000,
    }
}

fn start() -> RunStart {
    RunStart {
        command: "apply".into(),
        owner: "ann-the-operator".into(),
        host: "here".into(),
        blueprint: Some("name: shop # a-telling-blueprint".into()),
        variables: "{\"release\":\"telling-variable\"}".into(),
        plan_id: Some("telling-plan".into()),
        summary: "a-telling-summary".into(),
    }
}

fn resource(address: &str, id: &str) -> ResourceRecord {
    ResourceRecord {
        address: address.into(),
        deposed: String::new(),
        kind: "telling-kind".into(),
        id: id.into(),
        provider: "telling-provider".into(),
        inputs_digest: "telling-digest".into(),
        dependencies: vec!["telling-dependency".into()],
        payload: "{\"a\":\"telling-payload\"}".into(),
    }
}

/// One of each thing, written through the store.
async fn fill(store: &Arc<dyn Store>) {
    let lease = store.lock(&claimant()).await.unwrap();
    store.consume_plan(&lease, "telling-plan").await.unwrap();
    let run = store.begin_run(&lease, &start()).await.unwrap();
    for (address, outcome) in [
        ("telling-address-a", Outcome::Done),
        ("telling-address-b", Outcome::Failed { message: "a-telling-failure".into() }),
        ("telling-address-c", Outcome::Unknown),
    ] {
        let intent = Intent {
            run,
            address: address.into(),
            deposed: String::new(),
            action: "telling-action".into(),
            token: "telling-token".into(),
            payload: "{\"b\":\"telling-intent\"}".into(),
        };
        let id = store.intend(&lease, &intent).await.unwrap();
        let put = Change::Put(resource(address, "telling-id"));
        store.settle(&lease, id, &outcome, &[put]).await.unwrap();
    }
    let depose = Change::Depose { address: "telling-address-a".into(), deposed: "telling-key".into() };
    store.record(&lease, &[depose]).await.unwrap();
    store.put_meta(Some(&lease), "digest_key", "a-telling-value").await.unwrap();
    store.end_run(&lease, run, "succeeded", "another-telling-summary").await.unwrap();
    store.release(lease).await.unwrap();
}

fn bytes_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(bytes_of(&entry.path()));
        } else {
            found.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap()));
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn sealed_error(error: &StoreError) -> &SealError {
    match error {
        StoreError::Sealed { error, .. } => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn nothing_that_tells_is_in_the_file_or_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let store = Key::default().open(open(&path)).await;
    fill(&store).await;
    // While it is open the log is there as well.
    let files = bytes_of(folder.path());
    assert!(files.iter().any(|(name, bytes)| name.ends_with("-wal") && holds(bytes, "sealed1.")));
    drop(store);
    for (name, bytes) in files.into_iter().chain(bytes_of(folder.path())) {
        assert!(!holds(&bytes, "telling"), "in {name}");
    }
}

#[tokio::test]
async fn nothing_is_left_of_what_was_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let raw = open(&path);
    fill(&raw).await;
    let lease = raw.lock(&claimant()).await.unwrap();
    // A second run, so that there are copies.
    raw.begin_run(&lease, &start()).await.unwrap();
    let plain = raw.export().await.unwrap();
    // More than what comes in its place: pages become free, with what was on them.
    let many = (0..500).map(|number| Change::Put(resource(&format!("many-{number}"), "telling-id")));
    raw.record(&lease, &many.collect::<Vec<_>>()).await.unwrap();
    let sealed = Seal::new(&Wrapping::Recipients(vec![Identities::generate().1])).unwrap();
    raw.import(&lease, &sealed.seal_export(&plain).unwrap()).await.unwrap();
    let telling =
        |files: &[(String, Vec<u8>)]| files.iter().filter(|(_, bytes)| holds(bytes, "telling")).count();
    assert!(telling(&bytes_of(folder.path())) >= 2, "else this test proves nothing");
    assert!(raw.wipe().await.unwrap().unwrap() >= 2);
    assert_eq!(telling(&bytes_of(folder.path())), 0);
    raw.release(lease).await.unwrap();
    assert_eq!(sealed.unseal_export(&raw.export().await.unwrap()).unwrap().resources, plain.resources);
}

/// Somebody who can write to the store and has no key exchanges what he finds there.
#[tokio::test]
async fn rows_that_were_exchanged_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let raw = open(&folder.path().join("shop.db"));
    let store = Key::default().open(Arc::clone(&raw)).await;
    fill(&store).await;
    let whole = raw.export().await.unwrap();
    let lease = raw.lock(&claimant()).await.unwrap();
    type Forge = fn(&mut Export);
    let forgeries: &[(&str, Forge)] = &[
        ("a record", |export| {
            let payload = export.resources[0].payload.clone();
            export.resources[0].payload = std::mem::replace(&mut export.resources[1].payload, payload);
        }),
        ("an old copy made current", |export| {
            let old = export.resources.iter_mut().find(|record| !record.deposed.is_empty()).unwrap();
            old.deposed = String::new();
        }),
        ("an intent", |export| {
            let journal = &mut export.runs[0].journal;
            let payload = journal[0].intent.payload.clone();
            journal[0].intent.payload = std::mem::replace(&mut journal[1].intent.payload, payload);
        }),
        ("a run's command", |export| export.runs[0].record.command = "destroy".into()),
        ("a run's closing line", |export| {
            export.runs[0].record.summary = export.runs[0].record.owner.clone();
        }),
        ("a reason", |export| {
            let reason = export.runs[0].record.summary.clone();
            export.runs[0].journal[1].outcome = Some(Outcome::Failed { message: reason });
        }),
        ("a value", |export| {
            let value = export.resources[0].payload.clone();
            export.meta.insert("digest_key".into(), value);
        }),
        ("a value under another key", |export| {
            let value = export.meta["digest_key"].clone();
            export.meta.insert("other_key".into(), value);
        }),
        ("a used plan", |export| export.used_plans[0].plan_id = export.meta["digest_key"].clone()),
        ("a text of another state", |export| {
            let (key, other) = (export.resources[0].payload[8..24].to_owned(), "0123456789abcdef");
            let body = export.resources[0].payload.rsplit_once('.').unwrap().1.to_owned();
            assert!(export.resources[0].payload.starts_with(&format!("sealed1.{key}.")));
            let sum = crc32fast::hash(format!("1.{other}.{body}").as_bytes());
            export.resources[0].payload = format!("sealed1.{other}.{sum:08x}.{body}");
        }),
        ("a blueprint", |export| {
            export.runs[0].blueprint = None;
            export.runs[0].record.blueprint_digest = None;
        }),
    ];
    for (what, forge) in forgeries {
        let mut forged = whole.clone();
        forge(&mut forged);
        assert_ne!(forged, whole, "{what}");
        raw.import(&lease, &forged).await.unwrap();
        let error = store.export().await.unwrap_err();
        assert!(matches!(sealed_error(&error), SealError::Tampered { .. }), "{what}: {error}");
        assert!(error.hint().unwrap().contains("who can write there"), "{error}");
    }
    raw.import(&lease, &whole).await.unwrap();
    store.export().await.unwrap();
}

/// A handle that was opened before another key was set neither reads nonsense nor writes with the old key.
#[tokio::test]
async fn a_handle_that_another_key_overtook_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let raw = open(&folder.path().join("shop.db"));
    let store = Key::default().open(Arc::clone(&raw)).await;
    fill(&store).await;
    let plain = store.export().await.unwrap();
    let other = Seal::new(&Wrapping::Recipients(vec![Identities::generate().1])).unwrap();
    let lease = raw.lock(&claimant()).await.unwrap();
    raw.import(&lease, &other.seal_export(&plain).unwrap()).await.unwrap();
    let overtaken = |error: StoreError| {
        assert!(matches!(sealed_error(&error), SealError::OtherKey { .. }), "{error}");
        assert!(error.hint().unwrap().contains("run again"), "{error}");
    };
    overtaken(store.snapshot().await.unwrap_err());
    overtaken(store.get_meta("digest_key").await.unwrap_err());
    // In clear by now, which is no damage either.
    raw.import(&lease, &plain).await.unwrap();
    overtaken(store.snapshot().await.unwrap_err());
    raw.release(lease).await.unwrap();
    overtaken(store.lock(&claimant()).await.unwrap_err());
    assert_eq!(raw.holder().await.unwrap(), None, "and the lock is given back");
}

/// The samples were sealed by the first build with this format, from `state-v1.db`.
#[tokio::test]
async fn what_the_first_format_sealed_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    fs::copy(format!("{SAMPLES}/state-v1.db"), &path).unwrap();
    let plain = open(&path).export().await.unwrap();
    let identity = folder.path().join("identity");
    fs::copy(format!("{SAMPLES}/sealed-v1.identity"), &identity).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&identity, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let passphrase = SecretString::from("a sample's passphrase".to_owned());
    for (name, opening) in [
        ("sealed-v1-passphrase.json", Opening::Passphrase(passphrase)),
        ("sealed-v1-recipients.json", Opening::Identities(Identities::read(&identity).unwrap())),
    ] {
        let text = fs::read_to_string(format!("{SAMPLES}/{name}")).unwrap();
        let sealed: Export = serde_json::from_str(&text).unwrap();
        let header = Header::parse(&sealed.meta["seal"]).unwrap();
        let seal = Seal::open(&header, &opening).unwrap();
        assert_eq!(seal.unseal_export(&sealed).unwrap(), plain, "{name}");
    }
}
