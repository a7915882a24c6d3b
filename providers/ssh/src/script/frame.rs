//! The frame around a script's answer: what lies between two lines with a random nonce is ours, the rest is noise.
//!
//! A host may greet with a banner, a login shell may chatter, a connection may end in the middle. So a script says
//! `#NONCE begin`, names each part of its answer with a line `#NONCE NAME`, and says `#NONCE end STATUS` last. A nonce
//! cannot be guessed by whatever the host prints, and an answer without its end is no answer.

/// One part of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    pub name: String,
    pub body: Vec<u8>,
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub sections: Vec<Section>,
    pub status: i32,
}

/// What arrived so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrived {
    /// Nothing of ours.
    Nothing,
    /// The script has begun and has not said its end.
    Begun,
    Whole(Frame),
}

/// Takes the bytes of a stream apart.
pub fn parse(stream: &[u8], nonce: &str) -> Arrived {
    let marker = format!("\n#{nonce} ");
    let mut marks = find_all(stream, marker.as_bytes()).into_iter().peekable();
    let mut begun = false;
    let mut sections = Vec::new();
    while let Some(at) = marks.next() {
        let name_at = at + marker.len();
        let Some(line_end) = stream[name_at..].iter().position(|byte| *byte == b'\n') else { break };
        let name = String::from_utf8_lossy(&stream[name_at..name_at + line_end]).into_owned();
        let body_end = marks.peek().copied().unwrap_or(stream.len()).max(name_at + line_end + 1);
        let body = stream.get(name_at + line_end + 1..body_end).unwrap_or_default().to_vec();
        match name.strip_prefix("end ") {
            Some(status) if begun => {
                return match status.parse() {
                    Ok(status) => Arrived::Whole(Frame { sections, status }),
                    Err(_) => Arrived::Begun,
                };
            }
            _ if name == "begin" => begun = true,
            _ if begun => sections.push(Section { name, body }),
            _ => {}
        }
    }
    if begun { Arrived::Begun } else { Arrived::Nothing }
}

/// What a stream holds between its begin and its end (or where it stops), without the markers.
pub fn inside(stream: &[u8], nonce: &str) -> Vec<u8> {
    let begin = format!("\n#{nonce} begin\n");
    let end = format!("\n#{nonce} end ");
    let from = find_all(stream, begin.as_bytes()).first().map_or(0, |at| at + begin.len());
    let rest = &stream[from..];
    let to = find_all(rest, end.as_bytes()).first().copied().unwrap_or(rest.len());
    rest[..to].to_vec()
}

/// Whether the end marker's line is complete: looked for in the tail only, so that reading stays linear.
pub fn ends(stream: &[u8], nonce: &str) -> bool {
    let tail = &stream[stream.len().saturating_sub(nonce.len() + 32)..];
    let marker = format!("\n#{nonce} end ");
    find_all(tail, marker.as_bytes()).last().is_some_and(|at| tail[at + marker.len()..].contains(&b'\n'))
}

fn find_all(haystack: &[u8], needle: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = haystack[at..].iter().position(|byte| *byte == needle[0]) {
        at += next;
        if haystack[at..].starts_with(needle) {
            found.push(at);
            at += needle.len();
        } else {
            at += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(sections: &[(&str, &[u8])], status: i32) -> Vec<u8> {
        let mut stream = b"Welcome!\n#n0nce end 7\nnoise\n#n0nce begin\n".to_vec();
        for (name, body) in sections {
            stream.extend(format!("\n#n0nce {name}\n").into_bytes());
            stream.extend_from_slice(body);
        }
        stream.extend(format!("\n#n0nce end {status}\n").into_bytes());
        stream
    }

    #[test]
    fn noise_before_is_dropped_and_sections_come_apart() {
        let stream = framed(&[("a", b"one\ntwo\n"), ("b", b""), ("c 1", b"\n\n")], 3);
        let Arrived::Whole(frame) = parse(&stream, "n0nce") else { panic!("not whole") };
        assert_eq!(frame.status, 3);
        let found: Vec<_> = frame.sections.iter().map(|s| (s.name.as_str(), s.body.as_slice())).collect();
        assert_eq!(found, [("a", b"one\ntwo\n".as_slice()), ("b", b""), ("c 1", b"\n\n")]);
    }

    #[test]
    fn an_answer_cut_anywhere_is_no_answer() {
        let stream = framed(&[("a", b"body")], 0);
        for length in 0..stream.len() {
            assert!(!matches!(parse(&stream[..length], "n0nce"), Arrived::Whole(_)), "cut at {length}");
        }
        let begin = stream.windows(5).position(|window| window == b"begin").unwrap();
        for length in begin..stream.len() {
            assert!(!ends(&stream[begin..length], "n0nce"), "cut at {length}");
        }
        assert!(ends(&stream, "n0nce"));
    }

    proptest! {
        #[test]
        fn any_body_comes_back(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let stream = framed(&[("x", &body)], 0);
            let Arrived::Whole(frame) = parse(&stream, "n0nce") else { panic!("not whole") };
            prop_assert_eq!(&frame.sections[0].body, &body);
        }
    }
}
