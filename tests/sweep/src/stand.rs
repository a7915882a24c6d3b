//! A folder with a blueprint, a state and a world; commands in it; and what is wrong with what they left.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use standfast::plan::saved;
use standfast_sim::World;
use standfast_state::{OpenMode, Outcome, RunRecord, SealError, Snapshot, StackId, Store, open_sqlite};

use crate::{
    point::Passed,
    program::{self, EPITAPH, KILL_AT},
    scenario::{Deed, Line},
};

/// How commands are run and killed.
#[derive(Clone, Debug)]
pub enum Way {
    /// In this process: the future of a command is dropped.
    InProcess,
    /// This program started anew as the ordinary one: `kill -9`.
    Process(PathBuf),
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// `None`: it was killed.
    pub code: Option<u8>,
    pub passed: Passed,
    pub told: String,
}

/// A stack of its own.
pub struct Stand {
    folder: tempfile::TempDir,
    way: Way,
    parallelism: u16,
}

type Finding = String;

impl Stand {
    /// In memory where the machine has a place for it: thousands are made, and none has to outlive a power cut.
    pub fn new(way: &Way, parallelism: u16) -> Result<Stand, Finding> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.map_err(|error| format!("could not make a folder: {error}"))?;
        Ok(Stand { folder, way: way.clone(), parallelism })
    }

    /// Another with the same content.
    pub fn copy(&self) -> Result<Stand, Finding> {
        let copy = Stand::new(&self.way, self.parallelism)?;
        copy_all(self.folder.path(), copy.folder.path())
            .map_err(|error| format!("could not copy the folder: {error}"))?;
        Ok(copy)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn world_file(&self) -> PathBuf {
        self.path(".standfast/shop.world.jsonl")
    }

    /// Does what must succeed.
    pub fn perform(&self, deed: &Deed) -> Result<(), Finding> {
        let failed = |error: std::io::Error| format!("{deed:?}: {error}");
        match deed {
            Deed::Write(text) => fs::write(self.path("standfast.yaml"), text).map_err(failed),
            Deed::LoseState => fs::remove_file(self.path("shop.db")).map_err(failed),
            Deed::Meddle(line) => {
                fs::create_dir_all(self.path(".standfast")).map_err(failed)?;
                let mut file = fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(self.world_file())
                    .map_err(failed)?;
                if file.metadata().map_err(failed)?.len() == 0 {
                    file.write_all(b"{\"world\":{\"version\":1}}\n").map_err(failed)?;
                }
                file.write_all(format!("{line}\n").as_bytes()).map_err(failed)
            }
            Deed::Run(line) => {
                let ran = self.run(line, 0)?;
                self.expect(line, &ran)
            }
        }
    }

    /// Whether it ended as it should; else what it said, and what the journal has as failed.
    pub fn expect(&self, line: &Line, ran: &Ran) -> Result<(), Finding> {
        if ran.code.is_some_and(|code| line.codes.contains(&code)) {
            return Ok(());
        }
        let failed = self.store(async |store| {
            let Some(last) = store.runs(1).await.ok().and_then(|runs| Some(runs.first()?.id)) else {
                return Ok(Vec::new());
            };
            let journal = store.run(last).await.map_err(|error| error.to_string())?.journal;
            let failed = journal.into_iter().filter_map(|entry| match entry.outcome {
                Some(Outcome::Failed { message }) => Some(message),
                _ => None,
            });
            Ok(failed.collect())
        });
        Err(format!(
            "`{}` ended with {:?}: {} {:?}",
            line.text,
            ran.code,
            ran.told,
            failed?.unwrap_or_default()
        ))
    }

    /// Runs a command that is killed at a point; 0: it lives.
    pub fn run(&self, line: &Line, kill_at: u64) -> Result<Ran, Finding> {
        let folder = self.folder.path().display().to_string();
        let text = line.text.replace('@', &folder).replace(" N", &format!(" {}", self.parallelism));
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        words.extend(["--state".to_owned(), format!("swept:{folder}/shop.db")]);
        match &self.way {
            Way::InProcess => {
                words.insert(0, "standfast".to_owned());
                let (ended, passed) = program::drive(&words, kill_at)?;
                let told = match &ended {
                    Some(Err(error)) => error.message.clone(),
                    _ => String::new(),
                };
                let code = ended.map(|ended| ended.unwrap_or_else(|error| error.code));
                Ok(Ran { code, passed, told })
            }
            Way::Process(program) => {
                let epitaph = self.path("epitaph");
                let output = Command::new(program)
                    .args(&words)
                    .env(KILL_AT, kill_at.to_string())
                    .env(EPITAPH, &epitaph)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .output()
                    .map_err(|error| format!("could not start {}: {error}", program.display()))?;
                let code = output.status.code().map(|code| u8::try_from(code).unwrap_or(u8::MAX));
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                Ok(Ran { code, passed: program::read_epitaph(&epitaph), told })
            }
        }
    }

    fn store<T>(
        &self,
        look: impl AsyncFnOnce(&dyn Store) -> Result<T, Finding>,
    ) -> Result<Option<T>, Finding> {
        if !self.path("shop.db").exists() {
            return Ok(None);
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
        // Opening checks the file, reading checks every row.
        let opened = open_sqlite(self.path("shop.db"), &StackId::new("shop", None), OpenMode::MustExist);
        match opened {
            Ok(store) => runtime.block_on(look(&store)).map(Some),
            Err(standfast_state::StoreError::NoSuchState { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What the state holds, and its runs, newest first.
    pub fn look(&self) -> Result<Option<(Snapshot, Vec<RunRecord>)>, Finding> {
        self.store(async |store| {
            let snapshot = store.snapshot().await.map_err(|error| error.to_string())?;
            let runs = store.runs(1_000).await.map_err(|error| error.to_string())?;
            Ok((snapshot, runs))
        })
    }

    /// After a death: the state is whole, the history says which runs did not end, and the next plan tells everything
    /// that was in flight.
    pub fn check_death(&self, deaths_in_run: usize) -> Result<(), Finding> {
        let looked = self.look()?;
        let unended = looked.iter().flat_map(|(_, runs)| runs).filter(|run| run.ended.is_none()).count();
        if unended != deaths_in_run {
            return Err(format!("{unended} runs have no end in the history, not {deaths_in_run}"));
        }
        let open = looked.map(|(snapshot, _)| snapshot.open_intents).unwrap_or_default();
        // Within this process time is dear: what a plan does not tell, its apply does not settle, and that is seen.
        if open.is_empty() || matches!(self.way, Way::InProcess) {
            return Ok(());
        }
        let plan = Line { text: "plan @/standfast.yaml --out @/told.plan".to_owned(), codes: &[0] };
        self.perform(&Deed::Run(plan))?;
        let plan = saved::read(&self.path("told.plan"), |_| Err(SealError::NoPassphrase))
            .map_err(|error| error.to_string())?;
        for intent in open {
            if !plan.in_flight.iter().any(|told| told.intent == intent.id) {
                return Err(format!(
                    "the plan does not tell of `{} {}` in flight",
                    intent.intent.action, intent.intent.address
                ));
            }
        }
        Ok(())
    }

    /// At the end: the world holds exactly what the state knows, in service, and nothing is left to do.
    pub fn check_settled(&self) -> Result<(), Finding> {
        let (snapshot, _) = self.look()?.ok_or("the state is gone")?;
        let world = World::open(&self.world_file()).map_err(|error| error.to_string())?;
        let objects = world.objects().map_err(|error| error.to_string())?;
        let mut there: BTreeMap<&str, &str> = BTreeMap::new();
        for object in &objects {
            if there.insert(object.address.as_str(), &object.id).is_some() {
                return Err(format!("duplicate: {} exists twice", object.address));
            }
            // Where no load balancer has it there is no service to be left out of.
            if object.drained && object.inputs.contains_key("target_groups") {
                return Err(format!("left out of service: {}", object.address));
            }
        }
        for record in &snapshot.resources {
            match there.remove(record.address.as_str()) {
                Some(id) if id == record.id && record.deposed.is_empty() => {}
                Some(id) => {
                    return Err(format!(
                        "{} is {id}, and recorded as {} {}",
                        record.address, record.id, record.deposed
                    ));
                }
                None => return Err(format!("lost: {} is recorded and gone", record.address)),
            }
        }
        if let Some((address, id)) = there.first_key_value() {
            return Err(format!("orphan: {address} ({id}) is not recorded"));
        }
        if let Some(open) = snapshot.open_intents.first() {
            return Err(format!("still in flight: {} {}", open.intent.action, open.intent.address));
        }
        let plan = "plan @/standfast.yaml --detailed-exitcode";
        self.perform(&Deed::Run(Line { text: plan.to_owned(), codes: &[0] }))
    }
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            // Copies of earlier serials: of no use here.
            if entry.file_name() != "shop.backup" {
                fs::create_dir(&target)?;
                copy_all(&entry.path(), &target)?;
            }
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
