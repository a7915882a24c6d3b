use super::*;

#[test]
fn a_file_is_a_certificate_a_chain_and_a_key_in_any_order() {
    let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let key = block("EC PRIVATE KEY", "k");
    let chain = block("CERTIFICATE", "b") + &block("CERTIFICATE", "c");
    let pem = format!("Bag\n{key}{}{chain}{}", block("CERTIFICATE", "a"), block("DH PARAMETERS", "d"));
    assert_eq!(Bundle::of(&pem).unwrap(), Bundle { certificate: block("CERTIFICATE", "a"), chain, key });
}

#[test]
fn a_file_that_cannot_serve_is_refused_by_what_it_lacks() {
    let key = "-----BEGIN PRIVATE KEY-----\nk\n-----END PRIVATE KEY-----\n";
    let certificate = "-----BEGIN CERTIFICATE-----\na\n-----END CERTIFICATE-----\n";
    let cases = [
        (key.to_owned(), "has no certificate"),
        (certificate.to_owned(), "has no private key"),
        (
            format!("{certificate}{}", key.replace("PRIVATE", "ENCRYPTED PRIVATE")),
            "has a private key with a passphrase",
        ),
        (format!("{certificate}-----BEGIN PRIVATE KEY-----\nk"), "has a `PRIVATE KEY` without an end"),
    ];
    for (pem, why) in cases {
        let failure = Bundle::of(&pem).unwrap_err();
        assert!(failure.message.contains(why), "{}", failure.message);
        assert!(!failure.message.contains("\nk"), "{}", failure.message);
    }
}
