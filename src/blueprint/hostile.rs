//! Files that mean harm, or were mangled: refused fast, in little memory, never with a panic.

use std::{
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{Options, Problems, load, pipeline, read::FILE_SIZE_MAX};

const TIME_MAX: Duration = Duration::from_secs(1);
const MEMORY_MAX_KB: u64 = 100 << 10;

fn run(text: &str) -> Result<super::Blueprint, Problems> {
    pipeline::check(text, Path::new("/nowhere/shop.yaml"), &Options::default(), &|_| None)
}

/// Kilobytes, of `VmRSS` or `VmHWM`; 0 where the system does not tell.
fn memory_kb(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().unwrap_or_default()
}

/// Refused with a problem that holds `said`, within the limits.
fn refused(what: &str, text: &str, said: &str) {
    let before = memory_kb("VmRSS");
    let begun = Instant::now();
    let problems = run(text).expect_err(what);
    let elapsed = begun.elapsed();
    let grown = memory_kb("VmHWM").saturating_sub(before);
    let messages: Vec<_> = problems.diagnostics.iter().map(|one| one.message.as_str()).collect();
    assert!(messages.iter().any(|message| message.contains(said)), "{what}: {messages:?}");
    // Without optimization, and beside other tests, everything takes several times as long.
    assert!(elapsed < if cfg!(debug_assertions) { 15 * TIME_MAX } else { TIME_MAX }, "{what}: {elapsed:?}");
    assert!(grown < MEMORY_MAX_KB, "{what}: {grown} kB");
}

#[test]
fn what_grows_or_nests_without_end_is_refused() {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(laughs, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    refused("billion laughs", &laughs, "more than");
    let mut merges = String::from("a0: &a0 { k: v }\n");
    for level in 1..90 {
        writeln!(merges, "a{level}: &a{level} {{ <<: *a{0}, x: *a{0}, y: *a{0} }}", level - 1).unwrap();
    }
    refused("merged laughs", &merges, "more than");
    refused("alias in itself", "a: &a [*a]\n", "inside what it stands for");
    refused("brackets", &"[".repeat(1 << 20), "deep");
    refused("deep flow", &format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000)), "deep");
    refused("deep maps", &"{a: ".repeat(10_000), "deep");
    refused("dashes", &"- ".repeat(1 << 20), "deep");
    refused("question marks", &"? ".repeat(1 << 20), "deep");
    let stairs: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    refused("stairs", &stairs, "deep");
    let mut chain = String::from("a0: &a0 [[[[x]]]]\n");
    for level in 1..100 {
        writeln!(chain, "a{level}: &a{level} [[[*a{}]]]", level - 1).unwrap();
    }
    refused("chain of aliases", &chain, "deep");
    refused("many nodes", &format!("a: [{}]", "1,".repeat(1 << 20)), "more than");
    refused(
        "a large text many times",
        &format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), "*a,".repeat(50_000)),
        "more than",
    );
    refused("too long", &"# comment\n".repeat(FILE_SIZE_MAX / 10 + 1), "larger than 4 MiB");
}

#[test]
fn what_grows_while_it_is_checked_is_refused() {
    let head = "standfast: 1\nname: x\nregions: { a: { provider: sim, zones: 1 } }\n";
    let large = format!("{head}variables: {{ big: {{ default: {} }} }}\n", "x".repeat(1 << 20));
    let uses: String = (0..20_000).map(|_| "  - \"${variables.big}\"\n").collect();
    refused("a large variable many times", &format!("{large}removed:\n{uses}"), "variables put more");
    let tags: String = (0..20_000).map(|index| format!("      t{index}: x\n")).collect();
    let groups: String = (0..20_000).map(|index| format!("  g{index}: {{}}\n")).collect();
    let text = format!("{head}defaults:\n  dns:\n    tags:\n{tags}dns:\n{groups}");
    refused("large defaults many times", &text, "too much");
    // More mistakes than are told, each of which could be compared with thousands of names.
    let strange: String = (0..20_000).map(|index| format!("strange{index}: 1\n")).collect();
    refused("thousands of mistakes", &format!("{head}{strange}"), "unknown key");
    let hosts: String = (0..15_000)
        .map(|index| format!("host-number-{index}: 10.{}.{}.1, ", index / 250, index % 250))
        .collect();
    let named: String = (0..15_000).map(|index| format!("hots-number-{index}, ")).collect();
    let text = format!(
        "standfast: 1\nname: x\nregions: {{ a: {{ provider: ssh, zones: {{ z: {{ hosts: {{ {hosts} }} }} }} }} }}\nsession_stores: {{ s: {{ hosts: [{named}] }} }}\n"
    );
    refused("thousands of dangling names", &text, "has no host");
    let world = format!(
        "standfast: 1\nname: x\nregions: {{ a: {{ provider: ssh, zones: {{ z: {{ hosts: {{ {hosts} }} }} }} }} }}\n"
    );
    let baselines: String = (0..15_000).map(|index| format!("  b{index}: {{}}\n")).collect();
    refused(
        "every host thousands of times",
        &format!("{world}baselines:\n{baselines}"),
        "all baselines together",
    );
    let named: String = (0..15_000).map(|index| format!("host-number-{index}, ")).collect();
    let listeners: String = (1..5_000).map(|port| format!("{{ port: {port}, to: w }}, ")).collect();
    let front = format!("load_balancers: {{ f: {{ hosts: [{named}], listeners: [{listeners}] }} }}\n");
    refused("thousands of ports on thousands of hosts", &format!("{world}{front}"), "too many");
    let fronts: String = (0..3_000)
        .map(|index| format!("  f{index}: {{ hosts: [host-number-{index}], virtual_ip: 10.0.0.1, listeners: [{{ port: 80, to: w }}] }}\n"))
        .collect();
    let group = "autoscaling_groups: { w: { hosts: [host-number-9000], capacity: { min: 1, max: 1 }, port: 80, workload: { package: nginx } } }\n";
    refused(
        "thousands of virtual IPs",
        &format!("{world}{group}load_balancers:\n{fronts}"),
        "have the virtual IP",
    );
}

#[test]
fn files_that_cannot_be_blueprints_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    let said = |wanted: &str| {
        let begun = Instant::now();
        let problems = load(&path, &Options::default()).unwrap_err();
        assert!(problems.diagnostics[0].message.contains(wanted), "{:?}", problems.diagnostics[0]);
        assert!(begun.elapsed() < 5 * TIME_MAX);
    };
    said("there is no such file");
    // Sparse: 50 MB that take no space.
    std::fs::File::create(&path).unwrap().set_len(50_000_000).unwrap();
    said("larger than 4 MiB");
    std::fs::write(&path, b"name: \xff\xfe\n").unwrap();
    said("not UTF-8");
    let endless = load(Path::new("/dev/zero"), &Options::default()).unwrap_err();
    assert!(endless.diagnostics[0].message.contains("it is a device"));
}

const SEEDS: [&str; 4] = [
    include_str!("../../blueprints/quickstart.yaml"),
    include_str!("../../blueprints/shop.yaml"),
    include_str!("../../blueprints/shop-release.yaml"),
    "a: &a { b: [1, \"${variables.x}\", 'y'] }\nc: { <<: *a, d: |\n    text\n  }\n",
];

/// No panic, no hang, and every place within the text.
fn holds(text: &str) {
    let begun = Instant::now();
    if let Err(problems) = run(text) {
        assert!(!problems.diagnostics.is_empty());
        for one in &problems.diagnostics {
            assert!(text.get(one.span.clone()).is_some(), "{one:?}");
            assert!(one.related.iter().all(|related| text.get(related.span.clone()).is_some()), "{one:?}");
            assert!(!one.message.contains("no reason given"), "{text}");
        }
    }
    assert!(begun.elapsed() < 15 * TIME_MAX, "{:?}", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_survived(text in "\\PC*") {
        holds(&text);
    }

    #[test]
    fn any_bytes_that_are_text_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        holds(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_yaml_signs_are_survived(text in "[-\\[\\]{},:?&*!|>'\"%@`#\n\t ~<ab1$.=]{0,120}") {
        holds(&text);
    }

    /// Pieces of a good blueprint cut, doubled, swapped and overwritten.
    #[test]
    fn a_mangled_blueprint_is_survived(
        seed in 0..SEEDS.len(),
        edits in proptest::collection::vec((0u8..5, any::<u16>(), 0usize..40, any::<u16>(), "[-\\[\\]{},:&*!|>'\"#\n\t $a0]{0,4}"), 1..12),
    ) {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for (kind, at, length, other, insert) in edits {
            let at = usize::from(at) % (text.len() + 1);
            let end = (at + length).min(text.len());
            match kind {
                0 => drop(text.drain(at..end)),
                1 => {
                    let copy = text[at..end].to_vec();
                    let to = usize::from(other) % (text.len() + 1);
                    text.splice(to..to, copy);
                }
                2 => {
                    text.splice(at..end, insert.chars());
                }
                3 => {
                    text.splice(at..at, insert.chars());
                }
                _ => text.truncate(text.len().saturating_sub(length)),
            }
        }
        holds(&text.into_iter().collect::<String>());
    }

    /// The right keys with wrong values: past the syntax, into the rules.
    #[test]
    fn a_wrong_value_at_any_place_is_survived(
        seed in 0..3usize,
        picks in proptest::collection::vec((any::<u16>(), 0usize..24), 1..4),
    ) {
        const VALUES: [&str; 24] = [
            "[]", "{}", "~", "0", "-1", "99999999999999999999", "\"\"", "true", "yes", "0s", "1w", "100%", "10.77.0.11",
            "${secrets.x}", "${load_balancers.front.address}", "${variables.x}", "'${'", "[web1, web1]", "all", "web",
            "/", "*x", "!!str 5", "0777",
        ];
        let lines: Vec<&str> = SEEDS[seed].lines().collect();
        let mut text = lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        for (at, value) in picks {
            let at = usize::from(at) % text.len();
            if let Some((key, _)) = lines[at].split_once(": ") {
                text[at] = format!("{key}: {}", VALUES[value]);
            }
        }
        holds(&text.join("\n"));
    }
}
