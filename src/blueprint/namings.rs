//! Which component names which other, and where: for drawings, and for circles that are found later than here.

use standfast_contract::{
    Component, ComponentId, Section,
    outputs::{OF_DATABASES, offered},
};

use super::{
    Blueprint,
    diagnostic::{Diagnostic, Problems, Sink},
    names,
    node::{Kind, Node, Part, Span},
};

/// One component named by another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Naming {
    pub from: ComponentId,
    pub to: ComponentId,
    pub how: How,
    place: Span,
}

/// What for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum How {
    /// `depends_on`.
    Order,
    /// `${SECTION.NAME.OUTPUT}`.
    Output(String),
    /// Traffic goes there: of a listener, as `:443 /api/*`; of a DNS record, its name.
    Traffic(String),
}

impl Blueprint {
    /// Every naming, in the order of the file's components.
    pub fn namings(&self) -> Vec<Naming> {
        let mut found = Vec::new();
        for component in &self.components {
            let from = component.id();
            let Some(root) = self.origin.tree(&from) else { continue };
            let mut add = |to: &ComponentId, how: How, place: Span| {
                found.push(Naming { from: from.clone(), to: to.clone(), how, place });
            };
            if let Some(items) = root.get("depends_on").and_then(Node::as_list) {
                // In their order, because the checker made them from this list.
                items
                    .iter()
                    .zip(&component.common().depends_on)
                    .for_each(|(item, to)| add(to, How::Order, item.span));
            }
            outputs(root, &mut add);
            let place = |key: &str| self.origin.place(&from, key).unwrap_or(root.span);
            match component {
                Component::LoadBalancer(it) => {
                    for (at, listener) in it.listeners.iter().enumerate() {
                        let listed = root
                            .get("listeners")
                            .and_then(Node::as_list)
                            .and_then(|items| items.get(at)?.get("routes"))
                            .is_some();
                        for (number, route) in listener.routes.iter().enumerate() {
                            let key = match listed {
                                true => format!("listeners[{at}].routes[{number}].to"),
                                false => format!("listeners[{at}].to"),
                            };
                            let mut label = format!(":{}", listener.port);
                            for part in [&route.host, &route.path].into_iter().flatten() {
                                label.push(' ');
                                label.push_str(part);
                            }
                            add(&route.to, How::Traffic(label), place(&key));
                        }
                    }
                }
                Component::Dns(it) => {
                    for (at, record) in it.records.iter().enumerate() {
                        let key = format!("records[{at}].to");
                        add(&record.to, How::Traffic(record.name.clone()), place(&key));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// A reference to an output that there is not, at each of its places. `None` where nothing in the file says so.
    pub fn no_output(&self, of: &ComponentId, output: &str, known: &[String]) -> Option<Problems> {
        let sink = Sink::default();
        for naming in self.namings().iter().filter(|one| one.to == *of) {
            if matches!(&naming.how, How::Output(name) if name == output) {
                let known_names = known.iter().map(String::as_str);
                sink.push(
                    Diagnostic::error(naming.place, format!("{of} has no output `{output}`"))
                        .help_maybe(names::suggest(output, known_names, "outputs")),
                );
            }
        }
        (sink.errors() > 0).then(|| sink.into_problems(&self.path, &self.text))
    }

    /// Tells of references to outputs that no component of the kind has with its provider. What depends on more than that
    /// is found when everything is linked.
    pub(super) fn check_outputs(&self, sink: &Sink) {
        for naming in self.namings() {
            let How::Output(name) = &naming.how else { continue };
            let Some(of) = self.component(&naming.to) else { continue };
            let Some(region) = self.region(&of.common().region) else { continue };
            let known: Vec<&str> = offered(of.section(), &region.provider)
                .flat_map(|output| match output.name {
                    OF_DATABASES => self.databases_of(&region.name),
                    name => vec![name],
                })
                .collect();
            // Of what a provider does not build it says that itself.
            if !known.is_empty() && !known.contains(&name.as_str()) {
                let message = format!("{} has no output `{name}`", naming.to);
                let help = names::suggest(name, known.iter().copied(), "outputs");
                sink.push(Diagnostic::error(naming.place, message).help_maybe(help));
            }
        }
    }

    fn databases_of(&self, region: &str) -> Vec<&str> {
        let is_there =
            |one: &&Component| one.section() == Section::Databases && one.common().region == region;
        self.components.iter().filter(is_there).map(|one| one.common().name.as_str()).collect()
    }

    /// Components that wait for each other in a circle, at the places that make it one. The first and the last of
    /// `circle` are the same. `None` where nothing in the file says so.
    pub fn circle(&self, circle: &[ComponentId]) -> Option<Problems> {
        let namings = self.namings();
        let walk = circle.get(..circle.len().checked_sub(1)?)?;
        // Of a listener and its group either may have to be there first, so the naming backwards may be the reason.
        let reason = |at: usize| {
            let (from, to) = (&circle[at], &circle[at + 1]);
            let direct = namings.iter().filter(|one| (&one.from, &one.to) == (from, to));
            let back =
                namings.iter().filter(|one| (&one.from, &one.to) == (to, from)).find(|one| one.is_traffic());
            direct.min_by_key(|one| one.rank()).or(back)
        };
        let start = (0..walk.len()).filter_map(|at| Some((reason(at)?.rank(), at))).min()?.1;
        let turned: Vec<usize> = (0..walk.len()).map(|step| (start + step) % walk.len()).collect();
        let mut names: Vec<String> = turned.iter().map(|&at| walk[at].to_string()).collect();
        names.push(walk[start].to_string());
        let told = |at: usize| format!("{} waits for {}", circle[at], circle[at + 1]);
        let mut diagnostic = Diagnostic::error(
            reason(start)?.place,
            format!("these wait for each other: {}", names.join(" -> ")),
        )
        .label(told(start))
        .help("take one of these out of the circle");
        for &at in &turned[1..] {
            if let Some(naming) = reason(at) {
                diagnostic = diagnostic.related(naming.place, told(at));
            }
        }
        let sink = Sink::default();
        sink.push(diagnostic);
        Some(sink.into_problems(&self.path, &self.text))
    }
}

impl Naming {
    fn is_traffic(&self) -> bool {
        matches!(self.how, How::Traffic(_))
    }

    /// What somebody wrote to make one wait for the other comes before what is there for its own sake.
    fn rank(&self) -> (bool, Span) {
        (self.is_traffic(), self.place)
    }
}

/// Every `${SECTION.NAME.OUTPUT}` below a node.
fn outputs(node: &Node, add: &mut impl FnMut(&ComponentId, How, Span)) {
    match &node.kind {
        Kind::Template(parts) => {
            for part in parts {
                if let Part::Output { section, name, output } = part
                    && let Ok(to) = format!("{section}.{name}").parse()
                {
                    add(&to, How::Output(output.clone()), node.span);
                }
            }
        }
        Kind::List(items) => items.iter().for_each(|item| outputs(item, add)),
        Kind::Map(entries) => entries.values().for_each(|entry| outputs(&entry.value, add)),
        Kind::Null | Kind::Scalar(_) | Kind::Failed => {}
    }
}
