//! Chance that a seed decides, and blueprints made by it. Shared with the kill sweep.

use std::fmt::Write;

/// SplitMix64: small, good enough, the same everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }
    pub fn chance(&mut self, percent: u64) -> bool {
        self.roll() % 100 < percent
    }
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A blueprint's text. Components refer to earlier ones only: databases, stores, groups, balancers.
pub fn blueprint(dice: &mut Dice, faults: bool) -> String {
    let mut text = "standfast: 1\nname: shop\nregions:\n".to_owned();
    let regions: &[&str] = if dice.chance(40) { &["home", "away"] } else { &["home"] };
    for region in regions {
        let sim = if faults {
            format!("{{ seed: {}, faults: 8%, lost_answers: 8% }}", dice.roll() % 1000)
        } else {
            "{}".into()
        };
        let _ = writeln!(text, "  {region}: {{ provider: sim, zones: {}, sim: {sim} }}", 2);
    }
    let mut earlier: Vec<String> = Vec::new();
    let mut groups: Vec<(String, &str)> = Vec::new();
    for (section, noun, most) in [
        ("databases", "d", 3),
        ("session_stores", "s", 2),
        ("autoscaling_groups", "g", 3),
        ("load_balancers", "l", 2),
    ] {
        let mut body = String::new();
        let mut made = Vec::new();
        for number in 0..most {
            if dice.chance(35) || (section == "load_balancers" && groups.is_empty()) {
                continue;
            }
            let name = format!("{noun}{number}");
            let mut region = *dice.of(regions);
            let own = match section {
                "databases" => {
                    let storage = 10 * (1 + dice.below(3));
                    let replicas = dice.below(3);
                    let engine = dice.of(&["postgres", "mariadb"]);
                    format!(
                        "engine: {engine}, storage: {storage}GiB, replicas: {replicas}, deletion_protection: false"
                    )
                }
                "session_stores" => "engine: redis, deletion_protection: false".to_owned(),
                "autoscaling_groups" => {
                    groups.push((name.clone(), region));
                    format!(
                        "capacity: {{ min: 1, desired: {}, max: 5 }}, workload: {{ package: nginx, version: \"{}\" }}, \
                         port: {}, health_check: {{ path: / }}, update: {{ max_unavailable: {}, canary: {}, on_failure: {} }}",
                        1 + dice.below(5),
                        1 + dice.below(3),
                        8000 + dice.below(2),
                        1 + dice.below(2),
                        dice.below(2),
                        dice.of(&["rollback", "stop"])
                    )
                }
                _ => {
                    let (to, of) = dice.of(&groups).clone();
                    region = of;
                    format!(
                        "algorithm: {}, listeners: [{{ port: {}, to: {to} }}]",
                        dice.of(&["round_robin", "least_connections"]),
                        80 + dice.below(2)
                    )
                }
            };
            let mut depends = Vec::new();
            for _ in 0..2 {
                if !earlier.is_empty() && dice.chance(30) && section != "load_balancers" {
                    depends.push(dice.of(&earlier).clone());
                }
            }
            depends.sort();
            depends.dedup();
            let lifecycle = match dice.below(4) {
                0 => ", lifecycle: { create_before_destroy: true }",
                // A target group that goes first while members still refer to it cannot go.
                1 if section == "load_balancers" => "",
                1 => ", lifecycle: { create_before_destroy: false }",
                _ => "",
            };
            let _ = writeln!(
                body,
                "  {name}: {{ region: {region}, {own}, depends_on: [{}]{lifecycle} }}",
                depends.join(", ")
            );
            made.push(format!("{section}.{name}"));
        }
        if !body.is_empty() {
            let _ = write!(text, "{section}:\n{body}");
        }
        earlier.extend(made);
    }
    text
}
