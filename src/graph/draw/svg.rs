//! SVG, drawn from a [`Layout`]. Nothing is loaded from anywhere; colours follow the reader's light or dark.

use std::{borrow::Cow, collections::HashMap, fmt::Write};

use super::{
    Level, Link, Picture,
    layout::{self, BOX_PAD, GUTTER, LETTER, Layout, MARGIN, REGION_PAD, Rect},
};

const CSS: &str = include_str!("svg.css");
/// Accents for kinds, as many as the style sheet has.
const ACCENTS: usize = 6;
/// Where on its line a label may stand, as a share of the way, the best first.
const PLACES: [f64; 5] = [0.5, 0.32, 0.68, 0.2, 0.8];
/// Of corners in lines.
const CORNER: f64 = 7.0;

pub fn write(picture: &Picture<'_>) -> String {
    let layout = layout::layout(picture);
    let mut drawing =
        Drawing { out: String::with_capacity(8192 + picture.nodes.len() * 512), picture, layout };
    drawing.head();
    drawing.regions();
    drawing.group_links();
    for group in 0..picture.groups.len() {
        drawing.group(group);
    }
    drawing.out.push_str("</svg>\n");
    drawing.out
}

struct Drawing<'a> {
    out: String,
    picture: &'a Picture<'a>,
    layout: Layout<'a>,
}

impl Drawing<'_> {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
        self.out.push('\n');
    }

    fn rect(&mut self, class: &str, rect: Rect, radius: f64) {
        let Rect { x, y, width, height } = rect;
        self.put(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="{radius}"/>"#
        ));
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        self.put(format_args!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(text)));
    }

    fn head(&mut self) {
        let (width, height) = (self.layout.width, self.layout.height);
        self.put(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" role="img">"#
        ));
        self.put(format_args!(
            "<title>{}</title>\n<style>\n{CSS}</style>\n<defs>",
            escaped(&self.picture.caption[0])
        ));
        for (id, class) in [("head", "head"), ("far-head", "far-head")] {
            self.put(format_args!(
                r#"<marker id="{id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path class="{class}" d="M0 0.6 7.4 4 0 7.4z"/></marker>"#
            ));
        }
        self.put(format_args!("</defs>"));
        self.rect("page", Rect { x: 0.0, y: 0.0, width, height }, 0.0);
        for (at, line) in self.picture.caption.iter().enumerate() {
            self.text("caption", MARGIN, MARGIN + 8.0 + 18.0 * at as f64, line);
        }
    }

    fn regions(&mut self) {
        for (name, rect) in self.layout.regions.clone() {
            self.rect("region", rect, 14.0);
            self.text("region-name", rect.x + REGION_PAD, rect.y + 25.0, name);
        }
    }

    /// Links between components: down from row to row, round through the gutter for all others.
    fn group_links(&mut self) {
        let detours: HashMap<Link, usize> =
            self.layout.detours.iter().enumerate().map(|(at, link)| (*link, at)).collect();
        let ports = Ports::new(&self.picture.group_links, &self.layout.boxes);
        let floors = self.floors();
        let mut labels = Vec::new();
        for link in self.picture.group_links.clone() {
            let (x1, x2) = ports.of(link);
            let y1 = self.layout.boxes[link.from].bottom();
            let y2 = self.layout.boxes[link.to].y - 2.0;
            let floor = floors[self.layout.rows[link.from]].max(y1);
            let (path, places) = match detours.get(&link) {
                None => {
                    // The bend lies in the gap between the rows, so that it crosses no box.
                    let reach = (y2 - floor) * 0.6;
                    let path = format!(
                        "M{x1:.1} {y1:.1} L{x1:.1} {floor:.1} C{x1:.1} {:.1} {x2:.1} {:.1} {x2:.1} {y2:.1}",
                        floor + reach,
                        y2 - reach
                    );
                    let ends = [(x1, floor), (x1, floor + reach), (x2, y2 - reach), (x2, y2)];
                    (path, PLACES.map(|share| bezier(ends, share)))
                }
                Some(&at) => {
                    let gutter =
                        self.layout.regions.first().map_or(MARGIN, |one| one.1.x) - GUTTER * (at + 1) as f64;
                    let apart = 9.0 + (at % 6) as f64 * 3.0;
                    let (below, above) = (floor + apart, y2 - apart);
                    let corners =
                        [(x1, y1), (x1, below), (gutter, below), (gutter, above), (x2, above), (x2, y2)];
                    (rounded(&corners), PLACES.map(|share| (gutter + (x1 - gutter) * share, below)))
                }
            };
            self.link("far", "far-head", link.soft, &path);
            labels.extend(self.picture.labels.get(&(link.from, link.to)).map(|label| (label, places)));
        }
        // Over all lines, so that none runs through a label, and none on another where there is room.
        let mut taken: Vec<Rect> = Vec::new();
        for (label, places) in labels {
            let width = label.chars().count() as f64 * LETTER + 6.0;
            let rects = places.map(|(x, y)| Rect { x: x - width / 2.0, y: y - 7.0, width, height: 14.0 });
            let free = rects.iter().find(|rect| !taken.iter().any(|other| rect.meets(other)));
            let rect = free.copied().unwrap_or(rects[0]);
            let (x, y) = rect.middle();
            self.rect("behind-use", rect, 4.0);
            self.text("use", x, y + 4.0, label);
            taken.push(rect);
        }
    }

    /// The lower end of each row of boxes.
    fn floors(&self) -> Vec<f64> {
        let mut floors = vec![0.0f64; self.layout.rows.iter().max().map_or(0, |most| most + 1)];
        for (rect, &row) in self.layout.boxes.iter().zip(&self.layout.rows) {
            floors[row] = floors[row].max(rect.bottom());
        }
        floors
    }

    fn link(&mut self, class: &str, head: &str, soft: bool, path: &str) {
        let dashed = if soft { " soft-link" } else { "" };
        self.put(format_args!(r#"<path class="{class}{dashed}" marker-end="url(#{head})" d="{path}"/>"#));
    }

    fn group(&mut self, number: usize) {
        let picture = self.picture;
        let group = &picture.groups[number];
        let rect = self.layout.boxes[number];
        self.put(format_args!("<g><title>{}/{}</title>", escaped(group.region), escaped(&group.component)));
        self.rect("box", rect, 10.0);
        let (section, name) = group.component.split_once('.').unwrap_or(("", &group.component));
        let (x, y) = (rect.x + BOX_PAD, rect.y + 23.0);
        self.put(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}"><tspan class="section">{}.</tspan><tspan class="name">{}</tspan></text>"#,
            escaped(section),
            escaped(name)
        ));
        if picture.level == Level::Components {
            for (at, note) in group.notes.iter().enumerate() {
                self.text("note", x, y + layout::NOTE * (at + 1) as f64 + 2.0, note);
            }
        } else {
            self.inside(number);
        }
        self.put(format_args!("</g>"));
    }

    fn inside(&mut self, number: usize) {
        for lane in std::mem::take(&mut self.layout.lanes[number]) {
            self.rect("lane", lane.rect, 8.0);
            self.text("host", lane.rect.x + 10.0, lane.rect.middle().1 + 4.0, lane.label);
        }
        for link in self.picture.links_inside(number) {
            let (from, to) = (self.layout.chips[link.from], self.layout.chips[link.to]);
            let ((x1, y1), (x2, y2)) = ((from.x, from.middle().1), (to.right() + 2.0, to.middle().1));
            let reach = ((x1 - x2) / 2.0).max(14.0);
            let path = format!(
                "M{x1:.1} {y1:.1} C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}",
                x1 - reach,
                x2 + reach
            );
            self.link("link", "head", link.soft, &path);
        }
        let picture = self.picture;
        for at in picture.groups[number].nodes.clone() {
            let (node, rect) = (&picture.nodes[at], self.layout.chips[at]);
            self.put(format_args!("<g><title>{}</title>", escaped(node.address)));
            self.rect("chip", rect, 6.0);
            let accent = Rect { x: rect.x + 5.0, y: rect.y + 9.0, width: 3.0, height: rect.height - 18.0 };
            self.rect(&format!("k{}", accent_of(node.kind)), accent, 1.5);
            self.text("kind", rect.x + 14.0, rect.y + 16.0, node.kind);
            self.text("label", rect.x + 14.0, rect.y + 31.0, layout::chip_label(node));
            self.put(format_args!("</g>"));
        }
    }
}

/// Where links leave and reach the boxes: side by side, in the order of where they go, so that they do not cross there.
struct Ports {
    leave: HashMap<Link, f64>,
    reach: HashMap<Link, f64>,
}

impl Ports {
    fn new(links: &[Link], boxes: &[Rect]) -> Self {
        let spread = |own: fn(&Link) -> usize, other: fn(&Link) -> usize| {
            let mut sides: HashMap<usize, Vec<Link>> = HashMap::new();
            links.iter().for_each(|link| sides.entry(own(link)).or_default().push(*link));
            let mut ports = HashMap::new();
            for (at, mut side) in sides {
                side.sort_by(|a, b| {
                    boxes[other(a)].middle().0.total_cmp(&boxes[other(b)].middle().0).then(a.cmp(b))
                });
                let rect = boxes[at];
                let gap = (rect.width * 0.6 / side.len() as f64).min(40.0);
                let first = rect.middle().0 - gap * (side.len() - 1) as f64 / 2.0;
                ports.extend(
                    side.into_iter().enumerate().map(|(place, link)| (link, first + gap * place as f64)),
                );
            }
            ports
        };
        Ports {
            leave: spread(|link| link.from, |link| link.to),
            reach: spread(|link| link.to, |link| link.from),
        }
    }

    fn of(&self, link: Link) -> (f64, f64) {
        let at = |ports: &HashMap<Link, f64>| ports.get(&link).copied().unwrap_or_default();
        (at(&self.leave), at(&self.reach))
    }
}

/// A point of a cubic curve.
fn bezier([a, b, c, d]: [(f64, f64); 4], share: f64) -> (f64, f64) {
    let rest = 1.0 - share;
    let (wa, wb, wc, wd) =
        (rest.powi(3), 3.0 * rest * rest * share, 3.0 * rest * share * share, share.powi(3));
    (wa * a.0 + wb * b.0 + wc * c.0 + wd * d.0, wa * a.1 + wb * b.1 + wc * c.1 + wd * d.1)
}

/// A path along points, corners rounded.
fn rounded(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (at, &(x, y)) in points.iter().enumerate() {
        let (Some(&before), Some(&after)) =
            (at.checked_sub(1).and_then(|at| points.get(at)), points.get(at + 1))
        else {
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { " L" });
            continue;
        };
        let (x1, y1) = towards((x, y), before);
        let (x2, y2) = towards((x, y), after);
        let _ = write!(path, " L{x1:.1} {y1:.1} Q{x:.1} {y:.1} {x2:.1} {y2:.1}");
    }
    path
}

/// A corner's radius from one point to another, at most half the way.
fn towards(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    let share = if length == 0.0 { 0.0 } else { (CORNER / length).min(0.5) };
    (from.0 + dx * share, from.1 + dy * share)
}

/// The same accent for the same kind, in every picture.
fn accent_of(kind: &str) -> usize {
    kind.bytes().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % ACCENTS
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"))
}
