//! What there is in the world: a value that lines are applied to.
//!
//! Pure: no file, no clock. Inputs are kept as JSON text, a third of the memory of the parsed form, and parsed when
//! they are looked at.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry as Slot},
    sync::Arc,
};

use serde_json::value::RawValue;
use standfast_contract::{Address, Map, Stack, Value};

use crate::{
    fault::{Scripted, Subject},
    kinds::{self, Id, KINDS},
    line::{FORMAT_VERSION, Line, MadeLine},
};

/// A thing in the world.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Index of the stack whose mark it carries.
    stack: u16,
    pub address: Address,
    pub token: Arc<str>,
    pub digest: u64,
    refers: Box<[Id]>,
    inputs: Box<RawValue>,
    pub drained: bool,
}

impl Entry {
    /// A text that is no object (nobody writes one) reads as no attributes.
    pub fn inputs(&self) -> Map {
        serde_json::from_str(self.inputs.get()).unwrap_or_default()
    }
}

/// What carries one mark: nearly always one thing, then without an allocation of its own.
#[derive(Debug)]
enum Marked {
    One(Id),
    Many(Vec<Id>),
}

impl Marked {
    fn ids(&self) -> &[Id] {
        match self {
            Marked::One(id) => std::slice::from_ref(id),
            Marked::Many(ids) => ids,
        }
    }
}

/// Why a line cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadLine {
    #[error("format version {0} is not known to this program")]
    Version(u32),
    #[error("there is no {0} at this point of the file")]
    NoSuch(String),
    #[error("there is no fault number {0} at this point of the file")]
    NoFault(usize),
}

#[derive(Default)]
pub(crate) struct Ledger {
    stacks: Vec<Stack>,
    entries: HashMap<Id, Entry>,
    marks: HashMap<(u16, Address), Marked>,
    tokens: HashMap<Arc<str>, Id>,
    /// How many refer to a thing.
    referred: HashMap<Id, u32>,
    counted: BTreeMap<u8, u32>,
    pub faults: Vec<Scripted>,
    attempts: HashMap<(Box<str>, Box<str>), u32>,
}

impl Ledger {
    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.entries.reserve(more);
        self.marks.reserve(more);
        self.tokens.reserve(more);
    }

    pub fn entry(&self, id: Id) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Everything, in the order of its ids.
    pub fn entries(&self) -> Vec<(Id, &Entry)> {
        let mut all: Vec<_> = self.entries.iter().map(|(id, entry)| (*id, entry)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    pub fn stack_of(&self, entry: &Entry) -> &Stack {
        &self.stacks[usize::from(entry.stack)]
    }

    /// What carries this mark, the first made first.
    pub fn marked(&self, stack: &Stack, address: &Address) -> &[Id] {
        self.stacks
            .iter()
            .position(|known| known == stack)
            .and_then(|at| self.marks.get(&(index(at), address.clone())))
            .map_or(&[], Marked::ids)
    }

    /// The marks that more than one thing carries.
    pub fn duplicates(&self) -> Vec<(&Stack, &Address, &[Id])> {
        let twins = self.marks.iter().filter(|(_, marked)| marked.ids().len() > 1);
        let mut all: Vec<_> = twins
            .map(|((stack, address), marked)| (&self.stacks[usize::from(*stack)], address, marked.ids()))
            .collect();
        all.sort_unstable_by_key(|(_, address, _)| *address);
        all
    }

    pub fn attempts(&self, subject: &str, verb: &str) -> u32 {
        if self.attempts.is_empty() {
            return 0;
        }
        self.attempts.get(&(subject.into(), verb.into())).copied().unwrap_or(0)
    }

    pub fn count_attempt(&mut self, subject: &str, verb: &str, attempts: u32) {
        self.attempts.insert((subject.into(), verb.into()), attempts);
    }

    /// The first scripted fault that hits this call. Every script sees the call and counts it.
    pub fn scripted(
        &mut self,
        subject: &Subject<'_>,
        verb: &str,
        attribute: &dyn Fn(&str) -> Option<Value>,
    ) -> Option<usize> {
        let mut first = None;
        for (at, scripted) in self.faults.iter_mut().enumerate() {
            if first.is_none() && scripted.hits(subject, verb, attribute) {
                first = Some(at);
            }
        }
        first
    }

    /// What a client token has made.
    pub fn made_with(&self, token: &str) -> Option<Id> {
        self.tokens.get(token).copied()
    }

    /// The id that the next thing of a kind gets.
    pub fn next_id(&self, kind: u8) -> Id {
        Id { kind, number: self.counted.get(&kind).copied().unwrap_or(0) + 1 }
    }

    pub fn is_referred_to(&self, id: Id) -> bool {
        self.referred.contains_key(&id)
    }

    /// One of those that refer to it.
    pub fn referrer(&self, id: Id) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.refers.contains(&id))
    }

    /// Takes a line over. On an error nothing is changed.
    pub fn apply(&mut self, line: Line<'_>) -> Result<(), BadLine> {
        match line {
            Line::World { version: FORMAT_VERSION } => {}
            Line::World { version } => return Err(BadLine::Version(version)),
            Line::Made(made) => self.insert(made),
            Line::Changed(changed) => {
                self.change(changed.id, changed.refers.into(), changed.inputs.to_owned())?;
            }
            Line::Gone { id } => {
                self.remove(id).ok_or_else(|| BadLine::NoSuch(id.to_string()))?;
            }
            Line::Moved { id, address } => {
                if !self.entries.contains_key(&id) {
                    return Err(BadLine::NoSuch(id.to_string()));
                }
                self.mark_anew(id, address);
            }
            Line::Drained { id, drained } => {
                let entry = self.entries.get_mut(&id).ok_or_else(|| BadLine::NoSuch(id.to_string()))?;
                entry.drained = drained;
            }
            Line::Tamper { address, attribute, value } => {
                for id in self.at(&address)? {
                    let mut inputs = self.entries.get(&id).map(Entry::inputs).unwrap_or_default();
                    if value == Value::Null {
                        inputs.remove(&attribute);
                    } else {
                        inputs.insert(attribute.clone(), value.clone());
                    }
                    let refers = kinds::references(id.sim_kind(), &inputs);
                    if let Ok(raw) = serde_json::value::to_raw_value(&inputs) {
                        self.change(id, refers.into(), raw)?;
                    }
                }
            }
            Line::Destroy { address } => {
                for id in self.at(&address)? {
                    self.remove(id);
                }
            }
            Line::Fault(fault) => self.faults.push(Scripted::new(fault)),
            Line::Fired { fault, fired } => {
                self.faults.get_mut(fault).ok_or(BadLine::NoFault(fault))?.fired = fired;
            }
            Line::Failed { subject, verb, attempts } => self.count_attempt(&subject, &verb, attempts),
            Line::Counted { id } => self.count(id),
        }
        Ok(())
    }

    /// The lines that make an equal ledger.
    pub fn for_each_line<E>(&self, mut write: impl FnMut(&Line<'_>) -> Result<(), E>) -> Result<(), E> {
        write(&Line::World { version: FORMAT_VERSION })?;
        for (id, entry) in self.entries() {
            let stack = self.stack_of(entry);
            write(&Line::Made(MadeLine {
                id,
                address: entry.address.clone(),
                stack: (&stack.name).into(),
                environment: (&stack.environment).into(),
                token: (&*entry.token).into(),
                digest: entry.digest,
                refers: entry.refers.to_vec(),
                inputs: &entry.inputs,
            }))?;
            if entry.drained {
                write(&Line::Drained { id, drained: true })?;
            }
        }
        for (kind, number) in &self.counted {
            write(&Line::Counted { id: Id { kind: *kind, number: *number } })?;
        }
        // A spent fault keeps its place: another process knows the later ones by their numbers.
        for (at, scripted) in self.faults.iter().enumerate() {
            write(&Line::Fault(scripted.fault.clone()))?;
            if scripted.fired > 0 {
                write(&Line::Fired { fault: at, fired: scripted.fired })?;
            }
        }
        let mut attempts: Vec<_> = self.attempts.iter().collect();
        attempts.sort_unstable();
        for ((subject, verb), attempts) in attempts {
            write(&Line::Failed {
                subject: (&**subject).into(),
                verb: (&**verb).into(),
                attempts: *attempts,
            })?;
        }
        Ok(())
    }

    /// How many lines that would be, about.
    pub fn live_lines(&self) -> usize {
        1 + self.entries.len() + KINDS.len() + 2 * self.faults.len() + self.attempts.len()
    }

    pub fn has(&self, address: &Address) -> bool {
        self.at(address).is_ok()
    }

    fn at(&self, address: &Address) -> Result<Vec<Id>, BadLine> {
        let stacks = 0..index(self.stacks.len());
        let ids: Vec<_> = stacks
            .filter_map(|stack| self.marks.get(&(stack, address.clone())))
            .flat_map(|marked| marked.ids().iter().copied())
            .collect();
        if ids.is_empty() { Err(BadLine::NoSuch(address.to_string())) } else { Ok(ids) }
    }

    fn insert(&mut self, made: MadeLine<'_>) {
        let stack = match self
            .stacks
            .iter()
            .position(|known| known.name == made.stack && known.environment == made.environment)
        {
            Some(at) => at,
            None => {
                self.stacks.push(Stack {
                    name: made.stack.into_owned(),
                    environment: made.environment.into_owned(),
                });
                self.stacks.len() - 1
            }
        };
        let stack = index(stack);
        self.count(made.id);
        let token: Arc<str> = made.token.as_ref().into();
        self.tokens.insert(token.clone(), made.id);
        self.mark(stack, made.address.clone(), made.id);
        let refers: Box<[Id]> = made.refers.into();
        self.refer(&refers, 1);
        self.entries.insert(
            made.id,
            Entry {
                stack,
                address: made.address,
                token,
                digest: made.digest,
                refers,
                inputs: made.inputs.to_owned(),
                drained: false,
            },
        );
    }

    fn change(&mut self, id: Id, refers: Box<[Id]>, inputs: Box<RawValue>) -> Result<(), BadLine> {
        let entry = self.entries.get_mut(&id).ok_or_else(|| BadLine::NoSuch(id.to_string()))?;
        entry.inputs = inputs;
        let before = std::mem::replace(&mut entry.refers, refers.clone());
        if before != refers {
            // Where it is registered now nobody has drained it.
            entry.drained = false;
            self.refer(&before, -1);
            self.refer(&refers, 1);
        }
        Ok(())
    }

    fn remove(&mut self, id: Id) -> Option<()> {
        let entry = self.entries.remove(&id)?;
        self.refer(&entry.refers, -1);
        self.tokens.remove(&entry.token);
        self.unmark(entry.stack, entry.address, id);
        Some(())
    }

    /// A thing that is called otherwise from now on.
    fn mark_anew(&mut self, id: Id, address: Address) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let stack = entry.stack;
        let before = std::mem::replace(&mut entry.address, address.clone());
        self.unmark(stack, before, id);
        self.mark(stack, address, id);
    }

    fn mark(&mut self, stack: u16, address: Address, id: Id) {
        match self.marks.entry((stack, address)) {
            Slot::Vacant(slot) => {
                slot.insert(Marked::One(id));
            }
            Slot::Occupied(mut slot) => {
                let mut ids = slot.get().ids().to_vec();
                ids.push(id);
                slot.insert(Marked::Many(ids));
            }
        }
    }

    fn unmark(&mut self, stack: u16, address: Address, id: Id) {
        if let Slot::Occupied(mut slot) = self.marks.entry((stack, address)) {
            let rest: Vec<Id> = slot.get().ids().iter().copied().filter(|one| *one != id).collect();
            match rest.as_slice() {
                [] => {
                    slot.remove();
                }
                [one] => *slot.get_mut() = Marked::One(*one),
                _ => *slot.get_mut() = Marked::Many(rest),
            }
        }
    }

    fn refer(&mut self, ids: &[Id], by: i32) {
        for id in ids {
            let count = self.referred.entry(*id).or_default();
            *count = count.saturating_add_signed(by);
            if *count == 0 {
                self.referred.remove(id);
            }
        }
    }

    fn count(&mut self, id: Id) {
        let counted = self.counted.entry(id.kind).or_default();
        *counted = id.number.max(*counted);
    }
}

/// Of a stack. A world holds a handful.
fn index(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        admit::Refusal,
        fault::{Fault, FaultKind},
    };

    fn lines(ledger: &Ledger) -> Vec<String> {
        let mut lines = Vec::new();
        let collect = |line: &Line<'_>| serde_json::to_string(line).map(|line| lines.push(line));
        ledger.for_each_line(collect).unwrap();
        lines
    }

    fn of(lines: &[impl AsRef<str>]) -> Ledger {
        let mut ledger = Ledger::default();
        for line in lines {
            ledger.apply(serde_json::from_str(line.as_ref()).unwrap()).unwrap();
        }
        ledger
    }

    const MADE: &str = r#"{"made":{"id":"node-000007","address":"home/baselines.b/node.x","stack":"s","environment":"e","token":"t","digest":18446744073709551615,"inputs":{"name":"x"}}}"#;
    const ABOVE: &str = r#"{"made":{"id":"node-000008","address":"home/baselines.b/node.y","stack":"s","environment":"e","token":"u","digest":2,"refers":["node-000007"],"inputs":{"below":"node-000007"}}}"#;

    #[test]
    fn its_lines_make_an_equal_one() {
        let mut ledger = of(&[MADE, ABOVE]);
        let tamper = Line::Tamper {
            address: "home/baselines.b/node.x".parse().unwrap(),
            attribute: "size".into(),
            value: Value::Int(3),
        };
        let id: Id = "node-000007".parse().unwrap();
        for line in [
            tamper,
            Line::Drained { id, drained: true },
            Line::Fault(Fault::new("*", "create", FaultKind::Hang).nth(3).times(2)),
            Line::Fault(Fault::new("home", "read", FaultKind::Unreachable).forever()),
            Line::Fired { fault: 1, fired: 1 },
            Line::Failed { subject: "home/x".into(), verb: "create".into(), attempts: 4 },
        ] {
            ledger.apply(line).unwrap();
        }
        let written = lines(&ledger);
        assert!(written.iter().any(|line| line.contains(r#""size":3"#)), "{written:#?}");
        assert_eq!(lines(&of(&written)), written);
        assert!(written.len() <= ledger.live_lines());
    }

    #[test]
    fn a_referrer_that_lets_go_makes_deletion_possible() {
        let mut ledger = of(&[MADE, ABOVE]);
        let (below, above): (Id, Id) = ("node-000007".parse().unwrap(), "node-000008".parse().unwrap());
        assert!(matches!(ledger.admit_delete(below), Err(Refusal::DependencyViolation { .. })));
        let inputs = RawValue::from_string("{}".into()).unwrap();
        ledger
            .apply(Line::Changed(crate::line::ChangedLine { id: above, refers: vec![], inputs: &inputs }))
            .unwrap();
        assert_eq!(ledger.admit_delete(below), Ok(true));
        ledger.apply(Line::Gone { id: below }).unwrap();
        assert_eq!(ledger.admit_delete(below), Ok(false));
        assert_eq!(ledger.apply(Line::Gone { id: below }), Err(BadLine::NoSuch("node-000007".into())));
    }
}
