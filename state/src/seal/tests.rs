//! Every way in which a seal does not open, and that no flipped byte is taken for anything but damage.

use proptest::prelude::*;
use secrecy::SecretString;

use super::error::SealError;
use super::header::{Cost, Header};
use super::key::{Identities, Opening, Recipient, Wrapping};
use super::text::Seal;

/// Nothing worth guarding: a test pays it often.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

fn passphrase(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn by_passphrase() -> Seal {
    Seal::new(&Wrapping::Passphrase(passphrase("correct horse"), CHEAP)).unwrap()
}

fn opening(text: &str) -> Opening {
    Opening::Passphrase(passphrase(text))
}

fn for_recipients() -> (Seal, Opening, Opening) {
    let (ann, anns) = Identities::generate();
    let (bob, bobs) = Identities::generate();
    let seal = Seal::new(&Wrapping::Recipients(vec![anns, bobs])).unwrap();
    (seal, Opening::Identities(ann), Opening::Identities(bob))
}

fn what() -> String {
    "the text".to_owned()
}

/// With a checksum that fits: what a forger does.
fn forge_header(body: &str) -> String {
    format!("{body},\"checksum\":\"{}\"}}", blake3::hash(body.as_bytes()).to_hex())
}

fn body_of(header: &Header) -> &str {
    header.as_str().rsplit_once(",\"checksum\"").unwrap().0
}

/// The same for a text: `sealed1.KEY.CHECKSUM.BODY`.
fn forge_text(format: &str, key: &str, body: &str) -> String {
    let sum = crc32fast::hash(format!("{format}.{key}.{body}").as_bytes());
    format!("sealed{format}.{key}.{sum:08x}.{body}")
}

fn parts(sealed: &str) -> (String, String) {
    let parts: Vec<&str> = sealed.split('.').collect();
    (parts[1].to_owned(), parts[3].to_owned())
}

#[test]
fn a_text_comes_back_with_the_key_and_from_its_place_alone() {
    let seal = by_passphrase();
    let sealed = seal.seal(&["record", "a"], "ten. \u{fc}\0").unwrap();
    let again =
        Seal::open(&Header::parse(seal.header().as_str()).unwrap(), &opening("correct horse")).unwrap();
    assert_eq!(again.unseal(&["record", "a"], &sealed, what).unwrap(), "ten. \u{fc}\0");
    for place in [&["record", "b"][..], &["record"], &["recor", "da"], &["record", "a", ""], &[]] {
        let moved = again.unseal(place, &sealed, what);
        assert_eq!(moved, Err(SealError::Tampered { what: what() }), "{place:?}");
    }
    assert_ne!(seal.seal(&["record", "a"], "ten").unwrap(), seal.seal(&["record", "a"], "ten").unwrap());
    let other = by_passphrase().unseal(&["record", "a"], &sealed, what);
    assert_eq!(other, Err(SealError::OtherKey { what: what() }));
}

#[test]
fn what_must_be_found_again_comes_out_the_same_and_says_nothing() {
    let (seal, other) = (by_passphrase(), by_passphrase());
    let same = seal.seal_same(&["plan"], "plan-1").unwrap();
    assert_eq!(seal.seal_same(&["plan"], "plan-1").unwrap(), same);
    assert_eq!(seal.unseal(&["plan"], &same, what).unwrap(), "plan-1");
    assert_ne!(seal.seal_same(&["plan"], "plan-2").unwrap(), same);
    assert_ne!(seal.seal_same(&["blueprint"], "plan-1").unwrap(), same);
    let tag = seal.tag(&["address"], "home/unit.a");
    assert_eq!((tag.len(), &seal.tag(&["address"], "home/unit.a")), (40, &tag));
    assert_ne!(other.tag(&["address"], "home/unit.a"), tag);
}

#[test]
fn each_recipient_opens_it_and_nobody_else() {
    let (seal, ann, bob) = for_recipients();
    let sealed = seal.seal(&[], "ten").unwrap();
    let header = Header::parse(seal.header().as_str()).unwrap();
    for opening in [&ann, &bob] {
        assert_eq!(Seal::open(&header, opening).unwrap().unseal(&[], &sealed, what).unwrap(), "ten");
    }
    let (eve, _) = Identities::generate();
    let error = Seal::open(&header, &Opening::Identities(eve)).unwrap_err();
    assert!(matches!(&error, SealError::NoIdentityFits { recipients } if recipients.len() == 2), "{error}");
    let error = Seal::open(&header, &opening("correct horse")).unwrap_err();
    assert!(matches!(error, SealError::NoIdentity { .. }), "{error}");
}

#[test]
fn a_wrong_passphrase_a_forged_header_and_a_damaged_one_are_told_apart() {
    let seal = by_passphrase();
    let header = seal.header().as_str();
    let open =
        |text: &str, with: &str| Header::parse(text).and_then(|header| Seal::open(&header, &opening(with)));
    assert_eq!(open(header, "correct hors").unwrap_err(), SealError::WrongPassphrase);
    assert!(matches!(
        open(&header.replace("XChaCha", "XChaChb"), "").unwrap_err(),
        SealError::HeaderDamaged { .. }
    ));
    // The key of another state under this one's passphrase is bound to the header that it came in.
    let wrapped =
        |text: &str| text.split("\"wrapped\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let other = by_passphrase();
    let forged = body_of(seal.header()).replace(&wrapped(header), &wrapped(other.header().as_str()));
    let error = open(&forge_header(&forged), "correct horse").unwrap_err();
    assert!(matches!(error, SealError::Tampered { .. }), "{error}");
    let forged = body_of(seal.header()).replace(seal.header().key_id(), other.header().key_id());
    let error = open(&forge_header(&forged), "correct horse").unwrap_err();
    assert!(matches!(error, SealError::Tampered { .. }), "{error}");
    // A forger cannot make the machine work itself to death.
    let forged = body_of(seal.header()).replace("\"memory_kib\":8", "\"memory_kib\":4000000000");
    let error = open(&forge_header(&forged), "correct horse").unwrap_err();
    assert!(matches!(error, SealError::Tampered { .. }), "{error}");
    let later = body_of(seal.header()).replace("\"standfast_seal\":1", "\"standfast_seal\":2,\"more\":[]");
    let error = Header::parse(&forge_header(&later)).unwrap_err();
    assert_eq!(error, SealError::Newer { found: 2, supported: 1 });
    // An earlier format than the first is none, and one header has one text.
    for (from, to) in [("_seal\":1", "_seal\":0"), ("\"wrap\":", "\"wrap\": ")] {
        let error = Header::parse(&forge_header(&body_of(seal.header()).replace(from, to))).unwrap_err();
        assert!(matches!(error, SealError::HeaderDamaged { .. }), "{error}");
    }
    let forged = body_of(seal.header()).replace("\"wrap\"", "\"wrop\"");
    let error = Header::parse(&forge_header(&forged)).unwrap_err();
    assert!(matches!(error, SealError::HeaderDamaged { .. }), "{error}");
}

#[test]
fn a_damaged_text_a_forged_one_and_a_later_one_are_told_apart() {
    let seal = by_passphrase();
    let sealed = seal.seal(&[], "ten").unwrap();
    let (key, body) = parts(&sealed);
    let open = |text: &str| seal.unseal(&[], text, what).unwrap_err();
    assert!(matches!(open("ten"), SealError::Damaged { .. }));
    assert!(matches!(open(&sealed[..sealed.len() - 1]), SealError::Damaged { .. }));
    assert!(matches!(open(""), SealError::Damaged { .. }));
    for format in ["0", "01", "+1", "one"] {
        assert!(matches!(open(&forge_text(format, &key, &body)), SealError::Damaged { .. }), "{format}");
    }
    assert_eq!(open(&forge_text("2", &key, &body)), SealError::Newer { found: 2, supported: 1 });
    assert_eq!(
        open(&forge_text("1", &key.replace(key.chars().next().unwrap(), "x"), &body)),
        SealError::OtherKey { what: what() }
    );
    for body in ["", "AA", "ten!", &format!("{body}AA"), &body[..40]] {
        assert_eq!(open(&forge_text("1", &key, body)), SealError::Tampered { what: what() }, "{body}");
    }
}

#[test]
fn nothing_shows_a_key() {
    let seal = by_passphrase();
    assert_eq!(format!("{seal:?}"), format!("Seal({})", seal.header().key_id()));
    let shown = format!("{:?}", opening("correct horse"));
    assert!(!shown.contains("horse"), "{shown}");
    let (identity, _) = Identities::generate();
    assert_eq!(format!("{identity:?}"), "Identities(1)");
    let error = "AGE-SECRET-KEY-1QQQQQ".parse::<Recipient>().unwrap_err();
    assert!(!error.to_string().contains("1QQQQQ"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_key_file_is_private_and_says_something() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let read = super::read_passphrase;
    use secrecy::ExposeSecret;
    assert_eq!(
        read(&file("a", "correct horse\nnot this\n", 0o600)).unwrap().expose_secret(),
        "correct horse"
    );
    assert!(matches!(read(&file("b", "x", 0o640)), Err(SealError::Exposed { mode: 0o640, .. })));
    assert!(matches!(read(&file("c", "x", 0o604)), Err(SealError::Exposed { .. })));
    assert!(matches!(read(&file("d", "\n", 0o600)), Err(SealError::KeyFile { .. })));
    assert!(matches!(read(&folder.path().join("none")), Err(SealError::KeyFile { .. })));
    assert!(matches!(Identities::read(&file("e", "# nothing\n", 0o600)), Err(SealError::KeyFile { .. })));
    assert!(matches!(Identities::read(&file("f", "ten\n", 0o600)), Err(SealError::KeyFile { .. })));
    let (_, recipient) = Identities::generate();
    let list = file("g", &format!("# ann\n{recipient}\n\n"), 0o644);
    assert_eq!(Recipient::read_list(&list).unwrap(), [recipient]);
    assert!(matches!(Recipient::read_list(&file("h", "ten\n", 0o644)), Err(SealError::Recipient { .. })));
}

/// Replaces one byte of a text by another, as long as it stays text.
fn flip(text: &str, at: usize, to: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let at = at % bytes.len();
    if bytes[at] == to {
        return None;
    }
    bytes[at] = to;
    String::from_utf8(bytes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_flipped_byte_of_a_header_is_damage(at: usize, to in 0u8..128, recipients: bool) {
        let seal = if recipients { for_recipients().0 } else { by_passphrase() };
        if let Some(flipped) = flip(seal.header().as_str(), at, to) {
            let parsed = Header::parse(&flipped);
            prop_assert!(matches!(parsed, Err(SealError::HeaderDamaged { .. })), "{:?}", parsed);
        }
    }

    #[test]
    fn a_flipped_byte_of_a_text_is_damage(at: usize, to in 0u8..128, text in ".{0,40}") {
        let seal = by_passphrase();
        if let Some(flipped) = flip(&seal.seal(&["p"], &text).unwrap(), at, to) {
            let opened = seal.unseal(&["p"], &flipped, what);
            prop_assert!(matches!(opened, Err(SealError::Damaged { .. })), "{:?}", opened);
        }
    }

    #[test]
    fn a_forged_header_never_opens(at: usize, to in 0u8..128, recipients: bool) {
        let (seal, opening) = if recipients {
            let (seal, ann, _) = for_recipients();
            (seal, ann)
        } else {
            (by_passphrase(), opening("correct horse"))
        };
        if let Some(forged) = flip(body_of(seal.header()), at, to) {
            // Not two ways to write the same: a key may be named with an escape, and means no other then.
            let opened = Header::parse(&forge_header(&forged)).and_then(|header| Seal::open(&header, &opening));
            prop_assert!(opened.is_err(), "{forged}");
        }
    }

    #[test]
    fn a_forged_text_never_opens(at: usize, to in 0u8..128, text in ".{0,40}") {
        let seal = by_passphrase();
        let (key, body) = parts(&seal.seal(&["p"], &text).unwrap());
        if let Some(body) = flip(&body, at, to) {
            let opened = seal.unseal(&["p"], &forge_text("1", &key, &body), what);
            prop_assert_eq!(opened, Err(SealError::Tampered { what: what() }));
        }
    }

    #[test]
    fn anything_at_all_is_refused_in_order(text in ".{0,200}") {
        let seal = by_passphrase();
        prop_assert!(Header::parse(&text).is_err());
        prop_assert!(Header::parse(&forge_header(&text)).is_err());
        prop_assert!(seal.unseal(&[], &text, what).is_err());
    }
}
