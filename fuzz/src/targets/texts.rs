//! Texts that people write: ids, spans, addresses, names, URLs, zones, keys of DNS, configuration.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use muster::read::{Role, configuration as read};
use muster_host::Zone;
use muster_net::dns::{TsigKey, check_name, parse_server};
use muster_net::http::authority::check_url;
use muster_net::http::parse_listen;
use muster_proto::Refusal;
use muster_proto::client::discover::HostAddr;
use muster_proto::ids::{
    ClientId, Nonce, PoolId, ProductId, PublisherId, SiteId, StoreId, Thumbprint,
};
use muster_proto::key::Channel;
use muster_proto::limits::ID_BYTES_MAX;
use muster_proto::time::Span;

use crate::input::text;

pub(super) fn run(bytes: &[u8]) {
    let Some(text) = text(bytes) else {
        return;
    };
    same::<PublisherId>(text);
    same::<Thumbprint>(text);
    same::<ClientId>(text);
    same::<Nonce>(text);
    same::<StoreId>(text);
    same::<Span>(text);
    same::<Channel>(text);
    same::<HostAddr>(text);
    let products = same::<ProductId>(text).map(|id| id.to_string());
    let pools = same::<PoolId>(text).map(|id| id.to_string());
    let sites = same::<SiteId>(text).map(|id| id.to_string());
    for id in [products, pools, sites].into_iter().flatten() {
        assert!(id.len() <= ID_BYTES_MAX && !id.contains(char::is_control));
    }
    if let Ok(zone) = text.parse::<Zone>() {
        let written = format!("{},{},{}", zone.name, zone.priority, zone.weight);
        assert_eq!(written.parse(), Ok(zone));
    }
    if let Ok(name) = check_name(text) {
        assert_eq!(check_name(&name).as_ref(), Ok(&name));
    }
    if let Ok(server) = parse_server(text) {
        assert_eq!(parse_server(&server.to_string()), Ok(server));
    }
    if let Ok(address) = parse_listen(text) {
        assert_eq!(parse_listen(&address.to_string()), Ok(address));
    }
    if let Ok(key) = TsigKey::parse(text) {
        let again = TsigKey::parse(&key.to_bind()).expect("a key is read as it is written");
        assert_eq!(&*again.to_bind(), &*key.to_bind());
    }
    let _ = check_url(text);
}

/// What is read is shown as something that is read as the same.
fn same<T: FromStr<Err = Refusal> + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    assert_eq!(
        value.to_string().parse().as_ref(),
        Ok(&value),
        "of {text:?}"
    );
    Some(value)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "637358134fbbf95c80930e0a708c5239",
        "63:73:58:13:4f:bb:f9:5c:80:93:0e:0a:70:8c:52:39",
        "b09e49a21e453e82bfd3e2e219219ba09f0154bc4a1bcbfd2ce948a0d6f7bcd8",
        "cad",
        "contoso.cad-2",
        "15m",
        "1d12h",
        "4w",
        "kms-host",
        "kms.corp.test:1688",
        "[fd00::1]:1688",
        "192.0.2.1",
        "_muster-kms._tcp.corp.test.",
        "corp.test,10,20",
        "xn--bcher-kva.example",
        "bücher.example",
        "https://authority.contoso.test:8443/",
        "http://[::1]:8443",
        "0.0.0.0:1688",
        "[::]:1688",
        "key \"a.b\" { algorithm hmac-sha256; secret \"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"; };",
        "# c\nkey a { secret \"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"; algorithm hmac-sha512; }; // x",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// The configuration of each role, chosen by the first byte.
pub(super) fn configuration(bytes: &[u8]) {
    let mut input = crate::input::Input::of(bytes);
    let role = match input.byte() % 3 {
        0 => Role::Authority,
        1 => Role::Kms,
        _ => Role::Client,
    };
    if let Some(text) = text(input.rest())
        && let Err(rule) = read(role, text)
    {
        assert!(!rule.is_empty(), "a file is refused without a word");
    }
}

pub(super) fn configuration_seeds() -> Vec<Vec<u8>> {
    let samples = [
        include_str!("../../../examples/config/authority.toml"),
        include_str!("../../../examples/config/kms.toml"),
        include_str!("../../../examples/config/client.toml"),
    ];
    let mut seeds = Vec::new();
    for (role, sample) in samples.iter().enumerate() {
        seeds.push([&[role as u8][..], sample.as_bytes()].concat());
        // The samples hold most fields as comments.
        let fields = sample
            .lines()
            .map(|line| line.strip_prefix("# ").unwrap_or(line));
        let fields: Vec<&str> = fields.filter(|line| line.contains('=')).collect();
        seeds.push([&[role as u8][..], fields.join("\n").as_bytes()].concat());
        for field in fields {
            seeds.push([&[role as u8][..], field.as_bytes()].concat());
        }
    }
    seeds.push(b"\x01[dns]\nserver = \"192.0.2.1\"\nzones = [\"corp.test,1,2\"]\n".to_vec());
    seeds.retain(|seed| seed.len() <= 2_048);
    seeds
}
