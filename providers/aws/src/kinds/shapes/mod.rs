//! What no stand-in shows, of every kind: throttled, denied, on its way, failed, in use, gone, each in the shape in which
//! that service says it. A kind that has no row here fails.
//!
//! A row is what AWS answers while there is one thing of a kind; a [`World`] is a region that has it or not. What is
//! asked of the provider is the same for all.

mod create;
mod data;
mod delete;
mod network;
mod serving;
mod states;
mod watching;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, OnceLock},
};

use serde_json::Value as Json;
use standfast_contract::{Call, Map, Provider};

use crate::{
    expand,
    marks::{self, Tags},
    provider::AwsProvider,
    recorded::{Answer, Asked, Recorded, context, place, site_that, stack},
};

const TOKEN: &str = "0123456789abcdef";

/// How one service refuses, and how it writes tags.
struct Service {
    name: &'static str,
    /// Status, code, message.
    throttled: (u16, &'static str, &'static str),
    denied: (u16, &'static str),
    tag: fn(&str, &str) -> String,
    between: &'static str,
}

/// In answers `{state}` is the state, `{tags}` are the tags, `{token}` is the create's, `{version}` the newest of a launch
/// template, and every other word in braces
/// that input.
struct Shape {
    kind: &'static str,
    service: &'static Service,
    create: &'static str,
    delete: &'static str,
    made: String,
    /// What tells of it, the state first; where there is none, an empty list.
    listed: Vec<(&'static str, String)>,
    /// The same, asked for by its id; where there is none, an error.
    by_id: Vec<(&'static str, String)>,
    in_use: Option<Answer>,
    gone: Answer,
    is_cbor: bool,
}

impl Shape {
    fn new(
        kind: &'static str,
        service: &'static Service,
        create: &'static str,
        delete: &'static str,
        gone: (u16, &'static str),
    ) -> Self {
        Shape {
            kind,
            service,
            create,
            delete,
            made: String::new(),
            listed: Vec::new(),
            by_id: Vec::new(),
            in_use: None,
            gone: Answer::error(gone.0, gone.1, "it does not exist"),
            is_cbor: false,
        }
    }

    /// The query protocol: what the create tells under an element, and the list of such.
    fn query(self, element: &str, describe: &'static str, set: &str) -> Self {
        self.listed_as(element, describe, set, element)
    }

    /// The same, where they have another name in the list.
    fn listed_as(mut self, element: &str, describe: &'static str, set: &str, item: &str) -> Self {
        let list = format!("<{set}><{item}>{{it}}</{item}></{set}>");
        self.listed.push((describe, result(describe, &list)));
        self.answered(format!("<{element}>{{it}}</{element}>"))
    }

    /// The query protocol, where a create answers with a list too.
    fn members(mut self, set: &str, describe: &'static str) -> Self {
        let list = format!("<{set}><member>{{it}}</member></{set}>");
        self.listed.insert(0, (describe, result(describe, &list)));
        self.answered(list)
    }

    fn answered(mut self, made: String) -> Self {
        self.made = result(self.create, &made);
        self
    }

    fn of(mut self, it: impl AsRef<str>) -> Self {
        let answers = self.listed.iter_mut().map(|(_, answer)| answer);
        for answer in answers.chain([&mut self.made]) {
            *answer = answer.replace("{it}", it.as_ref());
        }
        self
    }

    fn told(mut self, action: &'static str, answer: impl Into<String>) -> Self {
        self.listed.push((action, answer.into()));
        self
    }

    fn by_id(mut self, action: &'static str, answer: impl Into<String>) -> Self {
        self.by_id.push((action, answer.into()));
        self
    }

    fn in_use(mut self, code: &'static str) -> Self {
        self.in_use = Some(Answer::error(400, code, "something still needs it"));
        self
    }

    /// `ec2:CreateVpc`.
    fn permission(&self, action: &str) -> String {
        format!("{}:{action}", self.service.name)
    }

    fn throttled(&self) -> Answer {
        let (status, code, message) = self.service.throttled;
        Answer::error(status, code, message)
    }

    /// As IAM has it said: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
    fn denied(&self, permission: &str) -> Answer {
        let (status, code) = self.service.denied;
        let ciphertext = if self.service.name == "ec2" {
            " Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm"
        } else {
            ""
        };
        let who = "User: arn:aws:iam::123456789012:user/jane is not authorized to perform";
        let why = format!("because no identity-based policy allows the {permission} action.");
        Answer::error(status, code, format!("{who}: {permission} on resource: * {why}{ciphertext}"))
    }
}

fn result(action: &str, result: &str) -> String {
    format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>")
}

fn shapes() -> Vec<Shape> {
    [network::shapes(), serving::shapes(), data::shapes(), watching::shapes()].into_iter().flatten().collect()
}

fn shape(kind: &str) -> Shape {
    shapes().into_iter().find(|shape| shape.kind == kind).unwrap()
}

/// A create of a kind as a blueprint asks for it.
fn call(kind: &str) -> Call {
    static WANTED: OnceLock<BTreeMap<String, Call>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let mut wanted = BTreeMap::new();
        for desired in expand::everything::resources() {
            let (kind, address) = (desired.kind, desired.address);
            wanted.entry(kind.clone()).or_insert_with(|| Call {
                address,
                kind,
                place: place().to_value(),
                token: TOKEN.into(),
                id: None,
                inputs: desired.inputs,
                prior: Map::new(),
                prior_outputs: Map::new(),
                changed: Vec::new(),
            });
        }
        wanted
    });
    wanted.get(kind).unwrap_or_else(|| panic!("no blueprint of `expand::everything` makes a {kind}")).clone()
}

/// A region with one thing of a kind, or none yet.
struct World {
    shape: Shape,
    call: Call,
    /// What the next calls of an action come to, before anything happens.
    next: VecDeque<(&'static str, Answer)>,
    /// Of the thing, look by look; the last one stays.
    states: VecDeque<&'static str>,
    is_there: bool,
    /// Of a launch template, how many it has.
    versions: usize,
}

impl World {
    fn new(kind: &str) -> Self {
        World {
            shape: shape(kind),
            call: call(kind),
            next: VecDeque::new(),
            states: [states::ready(kind)].into(),
            is_there: false,
            versions: 1,
        }
    }

    fn open(self) -> (AwsProvider, Recorded, Arc<Mutex<World>>) {
        let world = Arc::new(Mutex::new(self));
        let answering = Arc::clone(&world);
        let (site, recorded) = site_that(move |asked| Some(answering.lock().unwrap().answer(asked)));
        (AwsProvider::with(site), recorded, world)
    }

    /// The region and the thing that was made in it.
    async fn with_one(kind: &str) -> (AwsProvider, Recorded, Arc<Mutex<World>>, Call) {
        let (provider, recorded, world) = World::new(kind).open();
        let made = provider.create(&context().0, &call(kind)).await.unwrap();
        recorded.asked();
        (provider, recorded, world, Call { id: Some(made.id), ..call(kind) })
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let action = asked.action.as_str();
        if let Some((_, answer)) = self.next.pop_front_if(|(next, _)| *next == action) {
            self.is_there |= action == self.shape.create && matches!(answer, Answer::Lost);
            return answer;
        }
        // Route 53 changes records in both ways by one action.
        if action == self.shape.delete && (action != self.shape.create || asked.line.contains("DELETE")) {
            self.is_there = false;
            return Answer::Empty;
        }
        if action == self.shape.create {
            self.is_there = true;
            return self.written(&self.shape.made);
        }
        self.versions += usize::from(action == "CreateLaunchTemplateVersion");
        let find = |told: &[(&str, String)]| {
            told.iter().find(|(told, _)| *told == action).map(|(_, answer)| answer.clone())
        };
        match (find(&self.shape.listed), find(&self.shape.by_id)) {
            (Some(answer), _) if self.is_there => {
                let answer = self.written(&answer);
                if self.shape.listed[0].0 == action && self.states.len() > 1 {
                    self.states.pop_front();
                }
                answer
            }
            (_, Some(answer)) if self.is_there => self.written(&answer),
            (_, Some(_)) => self.shape.gone.clone(),
            _ => Answer::Empty,
        }
    }

    fn written(&self, answer: &str) -> Answer {
        let service = self.shape.service;
        let tags: Tags = marks::of_new(&stack(), &self.call.address, TOKEN, &self.call.inputs);
        let tags: Vec<String> = tags.iter().map(|(key, value)| (service.tag)(key, value)).collect();
        let mut answer = answer
            .replace("{tags}", &tags.join(service.between))
            .replace("{state}", self.states[0])
            .replace("{version}", &self.versions.to_string())
            .replace("{token}", TOKEN);
        for (key, value) in &self.call.inputs {
            answer = answer.replace(&format!("{{{key}}}"), &value.to_string());
        }
        match answer.as_str() {
            "" => Answer::Empty,
            json if self.shape.is_cbor => Answer::cbor(&serde_json::from_str::<Json>(json).unwrap()),
            _ => Answer::ok(answer),
        }
    }
}

#[test]
fn every_kind_has_a_row_and_a_blueprint_that_makes_it() {
    let rows: Vec<&str> = shapes().iter().map(|shape| shape.kind).collect();
    for works in super::all() {
        let kind = works.kind().name;
        assert_eq!(rows.iter().filter(|row| **row == kind).count(), 1, "{kind}");
        assert_eq!(call(kind).kind, kind);
    }
}
