//! Kinds whose work fits into a folder: made, read, changed by hand, changed by us, taken away.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use standfast_contract::{
    Call, Context, ErrorClass, Made, Map, Observed, Provider, ReadRequest, Sensitive, Stack, Value,
};
use standfast_ssh::SshProvider;

use super::server::Server;

struct Bench {
    server: Server,
    provider: SshProvider,
    context: Context,
}

impl Bench {
    fn new() -> Bench {
        let server = Server::start("");
        let marks = server.path("marks").display().to_string();
        let stack = Stack { name: "shop".into(), environment: "test".into() };
        Bench { provider: SshProvider::new().marks_root(marks), context: Context::quiet(stack), server }
    }

    fn call(&self, kind: &str, inputs: &Map, prior: &Map, outputs: &Map) -> Call {
        Call {
            address: format!("home/baselines.base/{kind}.here.one").parse().unwrap(),
            kind: kind.into(),
            place: Value::Map(self.server.place()),
            token: "token".into(),
            id: None,
            inputs: inputs.clone(),
            prior: prior.clone(),
            prior_outputs: outputs.clone(),
            changed: Vec::new(),
        }
    }

    async fn create(&self, kind: &str, inputs: &Map) -> Made {
        self.provider.create(&self.context, &self.call(kind, inputs, &Map::new(), &Map::new())).await.unwrap()
    }

    async fn update(&self, kind: &str, inputs: &Map, prior: &Map, made: &Made) -> Made {
        self.provider.update(&self.context, &self.call(kind, inputs, prior, &made.outputs)).await.unwrap()
    }

    async fn delete(&self, kind: &str, inputs: &Map, made: &Made) {
        self.provider.delete(&self.context, &self.call(kind, inputs, inputs, &made.outputs)).await.unwrap();
    }

    async fn read(&self, kind: &str, inputs: &Map, made: &Made) -> Option<Observed> {
        let request = ReadRequest {
            address: format!("home/baselines.base/{kind}.here.one").parse().unwrap(),
            kind: kind.into(),
            place: Arc::new(Value::Map(self.server.place())),
            id: Some(made.id.clone()),
            token: None,
            recorded: Some((Arc::new(inputs.clone()), Arc::new(made.outputs.clone()))),
            desired: Some(Arc::new(inputs.clone())),
        };
        self.provider.read(&self.context, &[request]).await.remove(0).unwrap()
    }
}

fn me(flag: &str) -> String {
    let output = std::process::Command::new("id").arg(flag).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn file(path: &Path, content: Value) -> Map {
    [
        ("path", Value::text(path.display().to_string())),
        ("content", content),
        ("owner", Value::Text(me("-un"))),
        ("group", Value::Text(me("-gn"))),
        ("mode", Value::text("0640")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

fn empty(folder: &Path) -> bool {
    !folder.exists()
}

/// Blanks at the ends of a name are part of it.
#[tokio::test]
async fn the_folders_on_the_way_go_with_the_file_whatever_their_names() {
    let bench = Bench::new();
    let above = bench.server.path(" above ");
    let inputs = file(&above.join("be low ").join("file "), Value::text("x"));
    let made = bench.create("file", &inputs).await;
    assert!(above.join("be low ").join("file ").exists());
    bench.delete("file", &inputs, &made).await;
    assert!(empty(&above), "{above:?}");
}

#[tokio::test]
async fn a_file_is_made_seen_changed_and_what_was_before_comes_back() {
    let bench = Bench::new();
    let path = bench.server.path("etc app's $x.conf");
    fs::write(&path, "as it was\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    let one = file(&path, Value::text("one 'two' $three\n\n"));
    let made = bench.create("file", &one).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "one 'two' $three\n\n");
    let seen = bench.read("file", &one, &made).await.unwrap();
    assert_eq!(seen.attributes, one, "unchanged: exactly the inputs");
    // The same create again, as after a lost answer.
    assert_eq!(bench.create("file", &one).await, made);

    fs::write(&path, "by hand\n").unwrap();
    let drifted = bench.read("file", &one, &made).await.unwrap();
    assert_eq!(drifted.attributes["content"], Value::text("by hand\n"));

    let two = file(&path, Value::text("two\n"));
    let made = bench.update("file", &two, &one, &made).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    // What was changed by hand was not lost.
    let saved: Vec<_> = fs::read_dir(bench.server.path("marks/shop.test/saved")).unwrap().flatten().collect();
    assert_eq!(fs::read_to_string(saved[0].path()).unwrap(), "by hand\n");

    // A host that is gone hides nothing of the others.
    let mut gone = bench.server.place();
    gone.insert("port".to_owned(), Value::Int(1));
    let places = [Value::Map(gone), Value::Map(bench.server.place())];
    let mut answers = bench.provider.find(&bench.context, &places).await;
    assert_eq!(answers.remove(0).unwrap_err().class, ErrorClass::Unreachable);
    let found = answers.remove(0).unwrap();
    assert_eq!((found.len(), &found[0].inputs, found[0].token.as_deref()), (1, &two, Some("token")));

    bench.delete("file", &two, &made).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "as it was\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o604);
    assert_eq!(bench.provider.find(&bench.context, &places[1..]).await.remove(0).unwrap(), []);
    // Gone already is success.
    bench.delete("file", &two, &made).await;
}

#[tokio::test]
async fn the_last_mark_goes_while_another_one_comes() {
    let bench = &Bench::new();
    let call = |name: &str| {
        let inputs = file(&bench.server.path(name), Value::text("x"));
        let mut call = bench.call("file", &inputs, &inputs, &Map::new());
        call.address = format!("home/baselines.base/file.here.{name}").parse().unwrap();
        call
    };
    let (one, two) = (call("one"), call("two"));
    bench.provider.create(&bench.context, &one).await.unwrap();
    for _ in 0..15 {
        for (goes, comes) in [(&one, &two), (&two, &one)] {
            let (gone, come) = futures::join!(
                bench.provider.delete(&bench.context, goes),
                bench.provider.create(&bench.context, comes)
            );
            gone.unwrap();
            come.unwrap();
        }
    }
    bench.provider.delete(&bench.context, &one).await.unwrap();
    assert!(empty(&bench.server.path("marks")), "no mark is left");
}

#[tokio::test]
async fn a_new_file_and_the_folders_on_its_way_go_again() {
    let bench = Bench::new();
    let path = bench.server.path("a/b/c.conf");
    let inputs = file(&path, Value::text("x"));
    let made = bench.create("file", &inputs).await;
    assert_eq!(fs::metadata(bench.server.path("a")).unwrap().permissions().mode() & 0o777, 0o755);
    bench.delete("file", &inputs, &made).await;
    assert!(empty(&bench.server.path("a")), "folders that were made are gone");
    assert!(empty(&bench.server.path("marks")), "no mark is left");
}

#[tokio::test]
async fn a_rejected_content_leaves_the_old_one_and_no_trace() {
    let bench = Bench::new();
    let path = bench.server.path("x.conf");
    let mut inputs = file(&path, Value::text("good\n"));
    for validate in ["grep -q good %s", &format!("grep -q good '{}'", path.display())] {
        inputs.insert("validate".into(), Value::text(validate));
        let made = bench.create("file", &inputs).await;
        let mut bad = inputs.clone();
        bad.insert("content".into(), Value::text("bad\n"));
        let call = bench.call("file", &bad, &inputs, &made.outputs);
        let error = bench.provider.update(&bench.context, &call).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(error.reason.contains("rejected"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "good\n");
        bench.delete("file", &inputs, &made).await;
        // A first create that is rejected leaves nothing at all.
        let call = bench.call("file", &bad, &Map::new(), &Map::new());
        assert!(bench.provider.create(&bench.context, &call).await.is_err());
        assert!(!path.exists() && empty(&bench.server.path("marks")));
    }
    let left: Vec<_> =
        fs::read_dir(bench.server.folder()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("standfast")), "{left:?}");
}

#[tokio::test]
async fn a_content_known_by_digest_only_comes_back_from_the_kept_copy() {
    let bench = Bench::new();
    let path = bench.server.path("secret");
    let seal = |text: &str| Value::Sensitive(vault().seal(text.to_owned().into()));
    let one = file(&path, seal("hunter1"));
    let made = bench.create("file", &one).await;
    let two = file(&path, seal("hunter2"));
    let made = bench.update("file", &two, &one, &made).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "hunter2");
    // As recorded: no text, only the digest.
    let Value::Sensitive(sensitive) = &one["content"] else { panic!() };
    let recorded = file(&path, Value::Sensitive(Sensitive::from_digest(sensitive.digest())));
    let made = bench.update("file", &recorded, &two, &made).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "hunter1");
    assert_eq!(bench.read("file", &recorded, &made).await.unwrap().attributes, recorded);
    let unknown = file(&path, Value::Sensitive(Sensitive::from_digest(&"0".repeat(64))));
    let call = bench.call("file", &unknown, &recorded, &made.outputs);
    let error = bench.provider.update(&bench.context, &call).await.unwrap_err();
    assert!(error.reason.contains("not kept"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "hunter1");
    // Nowhere in the marks but in the kept copies does the secret stand.
    let manifest = bench.server.path("marks/shop.test/manifest");
    for entry in fs::read_dir(manifest).unwrap().flatten() {
        assert!(!fs::read_to_string(entry.path()).unwrap().contains("hunter"));
    }
}

/// A secret that would end its quotes early, and what follows be read as something else, is refused without its text.
#[tokio::test]
async fn a_secret_with_a_quote_is_not_written_in_quotes() {
    let bench = Bench::new();
    let path = bench.server.path("env");
    let quoted = |secret: &str| {
        let seal = |text: String| Value::Sensitive(vault().seal(text.into()));
        let mut inputs = file(&path, seal(format!("A='{secret}'\n")));
        inputs.insert("quoted".into(), Value::List(vec![seal(secret.to_owned())]));
        inputs
    };
    let call = bench.call("file", &quoted("l1'\nINJECTED='yes"), &Map::new(), &Map::new());
    let error = bench.provider.create(&bench.context, &call).await.unwrap_err();
    assert!(error.reason.contains("single quote") && !error.to_string().contains("INJECTED"), "{error}");
    assert!(!path.exists());
    bench.create("file", &quoted("a \"plain\" $one")).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "A='a \"plain\" $one'\n");
}

#[tokio::test]
async fn a_large_local_file_is_streamed() {
    let bench = Bench::new();
    let local = bench.server.path("local.bin");
    let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(&local, &bytes).unwrap();
    let source = Map::from([
        ("path".to_owned(), Value::text(local.display().to_string())),
        ("digest".to_owned(), Value::text(blake3::hash(&bytes).to_hex().as_str())),
        ("size".to_owned(), Value::Int(bytes.len() as i64)),
    ]);
    let target = bench.server.path("target.bin");
    let mut inputs = file(&target, Value::Null);
    inputs.remove("content");
    inputs.insert("source".into(), Value::Map(source));
    let made = bench.create("file", &inputs).await;
    assert_eq!(fs::read(&target).unwrap(), bytes);
    assert_eq!(bench.read("file", &inputs, &made).await.unwrap().attributes, inputs);
    fs::write(&target, "x").unwrap();
    assert_ne!(bench.read("file", &inputs, &made).await.unwrap().attributes["source"], inputs["source"]);
    bench.delete("file", &inputs, &made).await;
}

#[tokio::test]
async fn a_folder_goes_only_when_it_was_made_here_and_is_empty() {
    let bench = Bench::new();
    let path = bench.server.path("data");
    let mut inputs = file(&path, Value::Null);
    inputs.remove("content");
    inputs.insert("mode".into(), Value::text("0750"));
    let made = bench.create("directory", &inputs).await;
    assert_eq!(bench.read("directory", &inputs, &made).await.unwrap().attributes, inputs);
    fs::write(path.join("precious"), "data").unwrap();
    bench.delete("directory", &inputs, &made).await;
    assert_eq!(fs::read_to_string(path.join("precious")).unwrap(), "data");
    // It is there now: not ours to take away.
    fs::remove_file(path.join("precious")).unwrap();
    let made = bench.create("directory", &inputs).await;
    bench.delete("directory", &inputs, &made).await;
    assert!(path.is_dir());
}

#[tokio::test]
async fn a_release_switches_forth_and_back_without_its_archive() {
    let bench = Bench::new();
    let root = bench.server.path("srv/shop");
    let inputs = |version: &str| {
        let bytes = archive(version);
        let local = bench.server.path(&format!("{version}.tar"));
        fs::write(&local, &bytes).unwrap();
        let archive = Map::from([
            ("path".to_owned(), Value::text(local.display().to_string())),
            ("digest".to_owned(), Value::text(blake3::hash(&bytes).to_hex().as_str())),
            ("size".to_owned(), Value::Int(bytes.len() as i64)),
        ]);
        Map::from([
            ("name".to_owned(), Value::text("shop")),
            ("archive".to_owned(), Value::Map(archive)),
            ("root".to_owned(), Value::text(root.display().to_string())),
        ])
    };
    let current = || fs::read_to_string(root.join("current/bin/run")).unwrap();
    let (one, two) = (inputs("one"), inputs("two"));
    let made = bench.create("release", &one).await;
    assert_eq!(current(), "one");
    let made = bench.update("release", &two, &one, &made).await;
    assert_eq!(current(), "two");
    fs::remove_file(bench.server.path("one.tar")).unwrap();
    let made = bench.update("release", &one, &two, &made).await;
    assert_eq!(current(), "one");
    assert_eq!(bench.read("release", &one, &made).await.unwrap().attributes, one);
    bench.delete("release", &one, &made).await;
    assert!(empty(&bench.server.path("srv")) && empty(&bench.server.path("marks")));
}

fn archive(content: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, "bin/run", content.as_bytes()).unwrap();
    builder.into_inner().unwrap()
}

fn vault() -> standfast_contract::Vault {
    struct None;
    impl standfast_contract::secret::SecretReader for None {
        fn read(
            &self,
            _: &standfast_contract::SecretSource,
        ) -> Result<secrecy::SecretString, standfast_contract::secret::SecretError> {
            unreachable!("no secret is fetched here")
        }
    }
    standfast_contract::Vault::new([7; 32], Box::new(None))
}
