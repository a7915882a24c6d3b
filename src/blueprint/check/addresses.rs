//! Networks as they are written: whole, of their own, and such as hosts may have.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::{diagnostic::Diagnostic, node::Node, reader::Reader, scalar};

/// What no host may have, and what it is for. <https://www.iana.org/assignments/iana-ipv4-special-registry>
const SPECIAL: [(IpNet, &str); 8] = [
    (v4([0, 0, 0, 0], 8), "this host"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link-local addresses"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([240, 0, 0, 0], 4), "nothing yet"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 127), "loopback"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local addresses"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];
/// RFC 1918, and what providers share (RFC 6598).
const PRIVATE: [IpNet; 4] =
    [v4([10, 0, 0, 0], 8), v4([172, 16, 0, 0], 12), v4([192, 168, 0, 0], 16), v4([100, 64, 0, 0], 10)];
/// Some services of AWS use it inside: <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
const USED_BY_AWS: IpNet = v4([172, 17, 0, 0], 16);

const fn v4(octets: [u8; 4], prefix: u8) -> IpNet {
    let [a, b, c, d] = octets;
    IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(parts: [u16; 8], prefix: u8) -> IpNet {
    let [a, b, c, d, e, f, g, h] = parts;
    IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix))
}

/// The network at a key, where hosts shall be. `provider` is whose it is going to be.
pub fn network(reader: &Reader<'_>, key: &str, provider: Option<&str>) -> Option<IpNet> {
    let network = reader.cidr(key)?;
    let written = reader.text(key)?;
    if !written.contains('/') {
        reader.push(
            reader
                .error(key, format!("`{written}` is one address, and not a network"))
                .expected("a network such as `10.20.0.0/16`"),
        );
    } else if network != network.trunc() {
        reader.push(
            reader
                .error(key, format!("`{written}` is an address within a network"))
                .help(format!("did you mean `{}`?", network.trunc())),
        );
    } else if let Some((special, what)) = SPECIAL.iter().find(|(special, _)| overlap(special, &network)) {
        reader.push(
            reader
                .error(key, format!("hosts cannot have addresses of `{written}`"))
                .label(format!("{special} is for {what}"))
                .help("take a private network, such as `10.20.0.0/16`"),
        );
    } else if provider == Some("aws") {
        warn_of_aws(reader, key, &network);
    }
    Some(network)
}

/// From where a firewall lets in: one address, or a whole network, so that nobody lets in more than he meant.
pub fn check_source(reader: &Reader<'_>, node: &Node) {
    let Some(text) = node.as_scalar().map(|scalar| &scalar.text) else { return };
    if let Some(network) = scalar::network(text)
        && network != network.trunc()
    {
        reader.push(
            Diagnostic::error(node.span, format!("`{text}` is an address within a network")).help(format!(
                "say `{}` for all of it, or `{}` for the one",
                network.trunc(),
                network.addr()
            )),
        );
    }
}

fn warn_of_aws(reader: &Reader<'_>, key: &str, network: &IpNet) {
    let is_private = PRIVATE.iter().any(|private| private.contains(network));
    if matches!(network, IpNet::V4(_)) && !is_private {
        reader.push(
            reader
                .warning(
                    key,
                    format!("{network} is not private: others on the Internet may have these addresses"),
                )
                .label("what is there cannot be reached from within")
                .help("take a private network, such as `10.20.0.0/16`, unless these addresses are yours"),
        );
    }
    if overlap(&USED_BY_AWS, network) {
        reader.push(
            reader
                .warning(
                    key,
                    format!("{network} meets {USED_BY_AWS}, which some services of AWS use themselves"),
                )
                .help("take another one, such as `10.20.0.0/16`"),
        );
    }
}

/// Whether two networks have addresses in common.
pub fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}
