//! The world as processes share it, and the hooks by which a test moves it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use standfast_contract::{Address, Context, Map, Stack, Value};

use crate::{
    fault::{Exposure, Fault, FaultKind, Struck, Subject, at_random},
    kinds::{self, Id},
    ledger::{Entry, Ledger},
    line::Line,
    log::{Log, WorldError, encode},
    settings::Settings,
};

/// A simulated world: in a file that several processes share, or in memory.
pub struct World {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ledger: Ledger,
    /// Where the log is, or will be.
    file: Option<PathBuf>,
    log: Option<Log>,
    buffer: Vec<u8>,
    /// `None`: nobody wants to know.
    calls: Option<Vec<CallRecord>>,
}

/// Something in the world, as a test sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct Object {
    pub id: String,
    pub kind: &'static str,
    pub address: Address,
    pub stack: Stack,
    pub token: String,
    pub inputs: Map,
    pub outputs: Map,
    pub drained: bool,
}

/// A call that reached the world.
#[derive(Clone, PartialEq, Debug)]
pub struct CallRecord {
    pub verb: String,
    /// An address, or a region for what asks a whole one. Of a page of reads: the first address.
    pub subject: String,
    /// How many resources it was about: more than 1 for a page of reads only.
    pub count: usize,
    pub fault: Option<FaultKind>,
}

impl World {
    /// The world of this file. Where there is none it is made when it is first needed: a stack that is all elsewhere leaves
    /// none behind.
    pub fn open(path: &Path) -> Result<World, WorldError> {
        let mut inner = Inner { file: Some(path.to_owned()), ..Inner::default() };
        if path.exists() {
            inner.reach()?;
        }
        Ok(World { inner: Mutex::new(inner) })
    }

    /// A world that ends with this process.
    pub fn memory() -> World {
        World { inner: Mutex::default() }
    }

    /// Keeps a record of every call from now on: [`World::calls`].
    pub fn record_calls(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).calls.get_or_insert_default();
    }

    /// The calls since [`World::record_calls`], in the order of their arrival.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).calls.clone().unwrap_or_default()
    }

    /// Adds a scripted fault.
    pub fn script(&self, fault: Fault) -> Result<(), WorldError> {
        self.turn(|turn| turn.write(Line::Fault(fault)))
    }

    /// Drift by hand: changes an attribute of whatever has this address. Null takes it away.
    ///
    /// `health` other than `healthy` makes a member or any other thing sick: health gates and probes see it, no plan does.
    pub fn tamper(
        &self,
        address: &Address,
        attribute: &str,
        value: impl Into<Value>,
    ) -> Result<(), WorldError> {
        let value = value.into();
        self.turn(|turn| {
            turn.must_exist(address)?;
            turn.write(Line::Tamper { address: address.clone(), attribute: attribute.to_owned(), value })
        })
    }

    /// Drift by hand: whatever has this address is gone, whoever refers to it.
    pub fn destroy(&self, address: &Address) -> Result<(), WorldError> {
        self.turn(|turn| {
            turn.must_exist(address)?;
            turn.write(Line::Destroy { address: address.clone() })
        })
    }

    /// Everything there is, by id.
    pub fn objects(&self) -> Result<Vec<Object>, WorldError> {
        self.turn(|turn| {
            Ok(turn.ledger.entries().into_iter().map(|(id, entry)| object(turn.ledger, id, entry)).collect())
        })
    }

    /// How many things there are.
    pub fn len(&self) -> Result<usize, WorldError> {
        self.turn(|turn| Ok(turn.ledger.len()))
    }

    pub fn is_empty(&self) -> Result<bool, WorldError> {
        Ok(self.len()? == 0)
    }

    /// What carries the same stack and address as another thing: made twice.
    pub fn duplicates(&self) -> Result<Vec<Object>, WorldError> {
        self.turn(|turn| {
            let twins = turn.ledger.duplicates();
            let ids = twins.into_iter().flat_map(|(_, _, ids)| ids.iter().copied());
            Ok(ids.filter_map(|id| Some(object(turn.ledger, id, turn.ledger.entry(id)?))).collect())
        })
    }

    /// What nobody has a record of.
    pub fn orphans(&self, recorded: &BTreeSet<Address>) -> Result<Vec<Object>, WorldError> {
        let mut objects = self.objects()?;
        objects.retain(|object| !recorded.contains(&object.address));
        Ok(objects)
    }

    /// Runs `body` alone: no other thread or process comes in between.
    pub(crate) fn turn<R>(
        &self,
        body: impl FnOnce(&mut Turn<'_>) -> Result<R, WorldError>,
    ) -> Result<R, WorldError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.reach()?;
        let Inner { ledger, log, buffer, calls, .. } = &mut *inner;
        match log {
            None => body(&mut Turn { ledger, log: None, buffer, calls }),
            Some(log) => {
                log.locked(ledger, |log, ledger| body(&mut Turn { ledger, log: Some(log), buffer, calls }))
            }
        }
    }
}

impl Inner {
    /// Opens or makes the log, where there is to be one.
    fn reach(&mut self) -> Result<(), WorldError> {
        if let (None, Some(file)) = (&self.log, &self.file) {
            let (log, ledger) = Log::open(file)?;
            (self.log, self.ledger) = (Some(log), ledger);
        }
        Ok(())
    }
}

fn object(ledger: &Ledger, id: Id, entry: &Entry) -> Object {
    let inputs = entry.inputs();
    Object {
        id: id.to_string(),
        kind: id.sim_kind().schema.name,
        address: entry.address.clone(),
        stack: ledger.stack_of(entry).clone(),
        token: entry.token.to_string(),
        outputs: kinds::outputs(id, entry.address.region(), &inputs),
        inputs,
        drained: entry.drained,
    }
}

/// What a call is, for the decision whether it fails.
pub(crate) struct Attempt<'a> {
    pub settings: Settings<'a>,
    pub context: &'a Context,
    pub subject: Subject<'a>,
    pub verb: &'a str,
    pub exposure: Exposure,
    /// What a fault's `when` is held against; `None`: what the world has.
    pub inputs: Option<&'a Map>,
    pub count: usize,
}

/// The world while nobody else has it.
pub(crate) struct Turn<'a> {
    pub ledger: &'a mut Ledger,
    log: Option<&'a mut Log>,
    buffer: &'a mut Vec<u8>,
    calls: &'a mut Option<Vec<CallRecord>>,
}

impl Turn<'_> {
    /// An effect: written first, so that whoever is killed next leaves it behind.
    pub fn write(&mut self, line: Line<'_>) -> Result<(), WorldError> {
        if let Some(log) = self.log.as_deref_mut() {
            self.buffer.clear();
            encode(self.buffer, &line).map_err(|error| WorldError::Change(error.to_string()))?;
            log.append(self.buffer)?;
        }
        self.ledger.apply(line).map_err(|error| WorldError::Change(error.to_string()))
    }

    /// Whether this call fails, and how. Recorded before it is told.
    pub fn strike(&mut self, attempt: &Attempt<'_>) -> Result<Option<Struck>, WorldError> {
        let struck = match self.scripted(attempt)? {
            Some(struck) => Some(struck),
            None => self.rolled(attempt)?,
        };
        self.record(attempt, struck.as_ref());
        Ok(struck)
    }

    /// Whether a page of reads fails as a whole. Scripted faults are met by its resources, one by one.
    pub fn struck_page(&mut self, attempt: &Attempt<'_>) -> Result<Option<Struck>, WorldError> {
        let struck = self.rolled(attempt)?;
        self.record(attempt, struck.as_ref());
        Ok(struck)
    }

    fn record(&mut self, attempt: &Attempt<'_>, struck: Option<&Struck>) {
        if let Some(calls) = self.calls {
            calls.push(CallRecord {
                verb: attempt.verb.to_owned(),
                subject: attempt.subject.as_str().to_owned(),
                count: attempt.count,
                fault: struck.map(|struck| struck.kind),
            });
        }
    }

    /// A scripted fault that this call meets.
    pub fn scripted(&mut self, attempt: &Attempt<'_>) -> Result<Option<Struck>, WorldError> {
        if self.ledger.faults.is_empty() {
            return Ok(None);
        }
        let current = match (attempt.inputs, &attempt.subject) {
            (None, Subject::Resource(address)) => self
                .ledger
                .marked(&attempt.context.stack, address)
                .last()
                .and_then(|id| self.ledger.entry(*id))
                .map(Entry::inputs),
            _ => None,
        };
        let attributes = attempt.inputs.or(current.as_ref());
        let attribute = |name: &str| attributes.and_then(|map| map.get(name)).cloned();
        let Some(at) = self.ledger.scripted(&attempt.subject, attempt.verb, &attribute) else {
            return Ok(None);
        };
        let scripted = &self.ledger.faults[at];
        let struck = Struck::scripted(&scripted.fault, attempt.settings);
        if !scripted.fault.forever || scripted.fired == 0 {
            let fired = scripted.fired + 1;
            self.write(Line::Fired { fault: at, fired })?;
        }
        // Where there is no effect, before and after it are one.
        let has_effect = !matches!(attempt.verb, "read" | "probe" | "preflight");
        if struck.kind == FaultKind::DieBefore || (struck.kind == FaultKind::DieAfter && !has_effect) {
            std::process::abort();
        }
        Ok(Some(struck))
    }

    fn rolled(&mut self, attempt: &Attempt<'_>) -> Result<Option<Struck>, WorldError> {
        let settings = attempt.settings;
        if settings.fault_rate <= 0.0 && settings.lost_answer_rate <= 0.0 {
            return Ok(None);
        }
        let subject = attempt.subject.as_str();
        let attempts = self.ledger.attempts(subject, attempt.verb);
        self.ledger.count_attempt(subject, attempt.verb, attempts + 1);
        let struck = at_random(settings, subject, attempt.verb, attempts, attempt.exposure);
        if struck.is_some() {
            // Kept, so that a later process does not meet the same dice again and again.
            self.write(Line::Failed {
                subject: subject.into(),
                verb: attempt.verb.into(),
                attempts: attempts + 1,
            })?;
        }
        Ok(struck)
    }

    fn must_exist(&self, address: &Address) -> Result<(), WorldError> {
        if self.ledger.has(address) {
            Ok(())
        } else {
            Err(WorldError::Change(format!("there is no {address} in it")))
        }
    }
}
