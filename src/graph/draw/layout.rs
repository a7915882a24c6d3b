//! Where everything goes in the SVG. Pure numbers, in pixels.
//!
//! Components stand in rows, each above those that it needs. Inside a component its resources stand in columns by the
//! longest way to them from what they need, with a row of cells for each lane (host) where there is more than one.

use std::collections::{BTreeMap, HashMap};

use super::{Level, Link, Node, Picture, lane_label};

/// Of the monospaced letters, at 12 px.
pub const LETTER: f64 = 7.3;
pub const CHIP_HEIGHT: f64 = 40.0;
const CHIP_PAD: f64 = 12.0;
const CHIP_GAP: f64 = 8.0;
const COLUMN_GAP: f64 = 34.0;
const LANE_GAP: f64 = 14.0;
pub const BOX_PAD: f64 = 16.0;
pub const BOX_HEAD: f64 = 34.0;
/// Of each line of a card below its name.
pub const NOTE: f64 = 18.0;
const BOX_GAP: f64 = 28.0;
const ROW_GAP: f64 = 64.0;
pub const REGION_PAD: f64 = 22.0;
const REGION_HEAD: f64 = 54.0;
const REGION_GAP: f64 = 30.0;
/// A row of components is broken where it would become wider.
const ROW_WIDTH_MAX: f64 = 1500.0;
/// Between lines in the gutter left of the boxes.
pub const GUTTER: f64 = 12.0;
/// Space above and around everything.
pub const MARGIN: f64 = 24.0;
pub const CAPTION: f64 = 48.0;

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    pub fn right(&self) -> f64 {
        self.x + self.width
    }
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }
    pub fn middle(&self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
    pub fn meets(&self, other: &Rect) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
    fn moved(mut self, x: f64, y: f64) -> Self {
        self.x += x;
        self.y += y;
        self
    }
}

/// A row of a component's resources that are on one host.
pub struct Lane<'a> {
    pub label: &'a str,
    pub rect: Rect,
}

pub struct Layout<'a> {
    pub width: f64,
    pub height: f64,
    pub regions: Vec<(&'a str, Rect)>,
    /// By group.
    pub boxes: Vec<Rect>,
    /// By group; empty where all is on one lane.
    pub lanes: Vec<Vec<Lane<'a>>>,
    /// By node; empty at component level.
    pub chips: Vec<Rect>,
    /// The row of each group, counted over all regions; links between neighbours need no gutter.
    pub rows: Vec<usize>,
    /// Group links that go through the gutter, in the order of their lines from the boxes outwards.
    pub detours: Vec<Link>,
}

pub fn layout<'a>(picture: &Picture<'a>) -> Layout<'a> {
    let inner: Vec<Inner<'a>> = (0..picture.groups.len()).map(|group| inside(picture, group)).collect();
    let layers = layers(picture.groups.len(), &picture.group_links);
    let mut rows: Vec<usize> = vec![0; picture.groups.len()];
    let mut row = 0;
    let mut plan: Vec<(&str, Vec<Vec<usize>>)> = Vec::new();
    for (region, groups) in picture.regions() {
        let mut lines: Vec<Vec<usize>> = Vec::new();
        let mut by_layer: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        groups.iter().for_each(|&group| by_layer.entry(layers[group]).or_default().push(group));
        for groups in by_layer.into_values().rev() {
            let mut width = f64::INFINITY;
            for group in groups {
                width += inner[group].width + BOX_GAP;
                if width > ROW_WIDTH_MAX {
                    lines.push(Vec::new());
                    width = inner[group].width;
                    row += 1;
                }
                rows[group] = row;
                lines.last_mut().into_iter().for_each(|line| line.push(group));
            }
        }
        row += 1;
        plan.push((region, lines));
    }
    let neighbours = |link: &Link| rows[link.from] + 1 == rows[link.to];
    let mut detours: Vec<Link> =
        picture.group_links.iter().copied().filter(|link| !neighbours(link)).collect();
    // Short ones inside, long ones outside: fewer crossings.
    detours.sort_by_key(|link| (rows[link.from].abs_diff(rows[link.to]), *link));
    let caption = picture.caption.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    place(plan, inner, rows, detours, picture.nodes.len(), caption)
}

fn place<'a>(
    plan: Vec<(&'a str, Vec<Vec<usize>>)>,
    inner: Vec<Inner<'a>>,
    rows: Vec<usize>,
    detours: Vec<Link>,
    nodes: usize,
    caption: usize,
) -> Layout<'a> {
    let left = MARGIN + if detours.is_empty() { 0.0 } else { GUTTER * (detours.len() + 1) as f64 };
    let line_width =
        |line: &Vec<usize>| line.iter().map(|&one| inner[one].width + BOX_GAP).sum::<f64>() - BOX_GAP;
    let widest = plan.iter().flat_map(|region| &region.1).map(line_width).fold(220.0, f64::max);
    let mut boxes = vec![Rect::default(); inner.len()];
    let mut regions = Vec::new();
    let mut y = MARGIN + CAPTION;
    for (region, lines) in plan {
        let top = y;
        y += REGION_HEAD;
        for line in &lines {
            // Rows stand in the middle, so that links between them are short.
            let mut x = left + REGION_PAD + (widest - line_width(line)) / 2.0;
            let height = line.iter().map(|&group| inner[group].height).fold(0.0, f64::max);
            for &group in line {
                boxes[group] = Rect { x, y, width: inner[group].width, height: inner[group].height };
                x += inner[group].width + BOX_GAP;
            }
            y += height + ROW_GAP;
        }
        y += REGION_PAD - ROW_GAP;
        regions.push((region, Rect { x: left, y: top, width: widest + 2.0 * REGION_PAD, height: y - top }));
        y += REGION_GAP;
    }
    let mut chips = vec![Rect::default(); nodes];
    let mut lanes = Vec::with_capacity(inner.len());
    for (group, inner) in inner.into_iter().enumerate() {
        let at = boxes[group];
        for (node, chip) in inner.chips {
            chips[node] = chip.moved(at.x, at.y);
        }
        lanes.push(
            inner.lanes.into_iter().map(|lane| Lane { rect: lane.rect.moved(at.x, at.y), ..lane }).collect(),
        );
    }
    let height = (y - REGION_GAP).max(MARGIN + CAPTION) + MARGIN;
    let width = (left + widest + 2.0 * REGION_PAD).max(MARGIN + caption as f64 * LETTER) + MARGIN;
    Layout { width, height, regions, boxes, lanes, chips, rows, detours }
}

/// A component laid out by itself, from its own corner.
struct Inner<'a> {
    width: f64,
    height: f64,
    chips: Vec<(usize, Rect)>,
    lanes: Vec<Lane<'a>>,
}

fn inside<'a>(picture: &Picture<'a>, number: usize) -> Inner<'a> {
    let group = &picture.groups[number];
    let title = group.component.len() as f64 * LETTER + 2.0 * BOX_PAD + 8.0;
    if picture.level == Level::Components {
        let longest = group.notes.iter().map(|note| note.chars().count()).max().unwrap_or(0);
        return Inner {
            width: title.max(longest as f64 * LETTER + 2.0 * BOX_PAD).max(190.0),
            height: BOX_HEAD + NOTE * group.notes.len() as f64 + 10.0,
            chips: Vec::new(),
            lanes: Vec::new(),
        };
    }
    let first = group.nodes.start;
    let links: Vec<Link> = picture
        .links_inside(number)
        .map(|link| Link { from: link.from - first, to: link.to - first, soft: link.soft })
        .collect();
    let mut needs: HashMap<usize, Vec<usize>> = HashMap::new();
    picture.links_inside(number).for_each(|link| needs.entry(link.from).or_default().push(link.to));
    let depths = layers(group.nodes.len(), &links);
    let columns = depths.iter().max().map_or(0, |most| most + 1);
    let mut widths = vec![0.0f64; columns];
    // Cells by lane, then column.
    let mut cells: BTreeMap<&str, Vec<Vec<usize>>> = BTreeMap::new();
    for node in group.nodes.clone() {
        let one = &picture.nodes[node];
        let depth = depths[node - first];
        widths[depth] = widths[depth].max(chip_width(one));
        cells.entry(one.lane).or_insert_with(|| vec![Vec::new(); columns])[depth].push(node);
    }
    let several = cells.len() > 1;
    let label_width = if several {
        cells.keys().map(|lane| lane_label(lane).len()).max().unwrap_or(0) as f64 * LETTER + 20.0
    } else {
        0.0
    };
    let inner_width = widths.iter().sum::<f64>() + COLUMN_GAP * columns.saturating_sub(1) as f64;
    let width = (2.0 * BOX_PAD + label_width + inner_width + if several { BOX_PAD } else { 0.0 }).max(title);
    let (mut chips, mut lanes) = (Vec::new(), Vec::new());
    let mut y = BOX_HEAD;
    for (lane, columns) in cells {
        let most = columns.iter().map(Vec::len).max().unwrap_or(0) as f64;
        let height = most * (CHIP_HEIGHT + CHIP_GAP) - CHIP_GAP;
        let pad = if several { 8.0 } else { 0.0 };
        let mut x = BOX_PAD + label_width;
        let slots = slots(&columns, &needs, most);
        for (column, nodes) in columns.iter().enumerate() {
            for &node in nodes {
                let top = y + pad + slots.get(&node).copied().unwrap_or_default() * (CHIP_HEIGHT + CHIP_GAP);
                chips.push((node, Rect { x, y: top, width: widths[column], height: CHIP_HEIGHT }));
            }
            x += widths[column] + COLUMN_GAP;
        }
        if several {
            let rect = Rect { x: BOX_PAD, y, width: width - 2.0 * BOX_PAD, height: height + 2.0 * pad };
            lanes.push(Lane { label: lane_label(lane), rect });
        }
        y += height + 2.0 * pad + if several { LANE_GAP } else { 0.0 };
    }
    let height = y + BOX_PAD - if several { LANE_GAP } else { 0.0 };
    Inner { width, height, chips, lanes }
}

/// How far down each resource of a lane stands, in chips: level with what it needs, so that links run straight and
/// past other chips instead of behind them. `most` is how many chips stand in the fullest column.
fn slots(columns: &[Vec<usize>], needs: &HashMap<usize, Vec<usize>>, most: f64) -> HashMap<usize, f64> {
    let mut slots: HashMap<usize, f64> = HashMap::new();
    for nodes in columns {
        let level = |(at, &node): (usize, &usize)| {
            let needed = needs.get(&node).into_iter().flatten();
            let known: Vec<f64> = needed.filter_map(|needed| slots.get(needed).copied()).collect();
            let middle = at as f64 + (most - nodes.len() as f64) / 2.0;
            let wanted =
                if known.is_empty() { middle } else { known.iter().sum::<f64>() / known.len() as f64 };
            (wanted, node)
        };
        let mut column: Vec<(f64, usize)> = nodes.iter().enumerate().map(level).collect();
        column.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        // Pushed apart downwards, then back up from the floor.
        let mut least = 0.0f64;
        for one in &mut column {
            one.0 = one.0.max(least);
            least = one.0 + 1.0;
        }
        let mut greatest = most - 1.0;
        for one in column.iter_mut().rev() {
            one.0 = one.0.min(greatest);
            greatest = one.0 - 1.0;
        }
        slots.extend(column.into_iter().map(|(slot, node)| (node, slot)));
    }
    slots
}

fn chip_width(node: &Node<'_>) -> f64 {
    let letters = chip_label(node).chars().count().max(node.kind.len());
    letters as f64 * LETTER + 2.0 * CHIP_PAD
}

/// A resource's name without the host that its row names already.
pub fn chip_label<'a>(node: &Node<'a>) -> &'a str {
    let host = lane_label(node.lane);
    node.name.strip_prefix(host).and_then(|rest| rest.strip_prefix('.')).unwrap_or(node.name)
}

/// How many steps the longest way from each is to something that needs nothing. Where links go in a circle (components
/// may need each other, resources never do) the one that closes it does not count.
pub fn layers(count: usize, links: &[Link]) -> Vec<usize> {
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); count];
    // Hard ones first: if one must be left out, then one that is order only.
    for soft in [false, true] {
        links.iter().filter(|link| link.soft == soft).for_each(|link| needs[link.from].push(link.to));
    }
    let mut layer: Vec<Option<usize>> = vec![None; count];
    let mut open = vec![false; count];
    for start in 0..count {
        // Depth first without recursion: a chain may be as long as the graph.
        let mut stack = vec![(start, 0usize, 0usize)];
        while let Some((at, next, deepest)) = stack.pop() {
            if layer[at].is_some() {
                continue;
            }
            open[at] = true;
            match needs[at].get(next) {
                Some(&needed) if open[needed] => stack.push((at, next + 1, deepest)),
                Some(&needed) => match layer[needed] {
                    Some(depth) => stack.push((at, next + 1, deepest.max(depth + 1))),
                    None => stack.extend([(at, next, deepest), (needed, 0, 0)]),
                },
                None => {
                    layer[at] = Some(deepest);
                    open[at] = false;
                }
            }
        }
    }
    layer.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(from: usize, to: usize) -> Link {
        Link { from, to, soft: false }
    }

    #[test]
    fn each_stands_behind_everything_it_needs() {
        assert_eq!(layers(4, &[link(1, 0), link(2, 1), link(2, 0), link(3, 0)]), [0, 1, 2, 1]);
    }

    #[test]
    fn a_circle_ends() {
        let layers = layers(3, &[link(0, 1), link(1, 2), link(2, 0)]);
        assert_eq!(layers, [2, 1, 0]);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_does_not_overflow() {
        let links: Vec<Link> = (1..100_000).map(|at| link(at - 1, at)).collect();
        assert_eq!(layers(100_000, &links)[0], 99_999);
    }
}
