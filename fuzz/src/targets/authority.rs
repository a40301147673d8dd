//! The authority: its HTTP interface with any request, a host's request signed over any words, and
//! the files that hold its secrets.

use std::net::Ipv4Addr;
use std::sync::Arc;

use muster_authority::api::{Api, Call};
use muster_proto::authority::answer::Activation;
use muster_proto::authority::secret::{SecretFile, SecretKind};
use muster_proto::crypto::sha256;
use muster_proto::statement::request::Request;
use muster_proto::statement::{Claims, Draft, Envelope, Typ};

use super::wait;
use crate::estate::{Certified, Golden, NOW};
use crate::input::{Input, parts};

/// Ways in, by the input's first byte.
const CALL: u8 = 0;
const REQUEST: u8 = 1;
const SECRET: u8 = 2;
const WAYS: u8 = 3;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::of(bytes);
    match input.byte() % WAYS {
        CALL => call(&mut input),
        REQUEST => request(&mut input),
        _ => secret(input.byte(), input.rest()),
    }
}

fn call(input: &mut Input<'_>) {
    let (method, path, query) = (input.text(), input.text(), input.text());
    let body = input.rest();
    let api = Api::new(Arc::clone(&Certified::get().authority), Arc::new(|| NOW));
    let call = Call {
        method: &method,
        path: &path,
        query: (!query.is_empty()).then_some(&query),
        peer: Ipv4Addr::LOCALHOST.into(),
        body,
    };
    let response = wait(api.answer(call));
    assert!((200..600).contains(&response.status));
    if path == "/v1/certify" {
        assert_ne!(response.status, 200, "who holds no key was certified");
    }
}

/// Certifies nobody: no input holds a product key sealed to this authority.
fn request(input: &mut Input<'_>) {
    let authority = &Certified::get().authority;
    let (publisher, signer) = (authority.publisher_id(), &Golden::get().signers[4]);
    let mut bytes = signer.sign(Typ::Request, publisher, input.rest(), false);
    let claims = Envelope::decode(&bytes, Typ::Request).and_then(|it| it.claims::<Request>());
    if let Ok(mut request) = claims {
        request.key = signer.key.public();
        let draft = Draft::new(&request, publisher, signer.parent, &request.key);
        bytes = draft
            .clone()
            .finish(signer.key.sign(&draft.to_be_signed()), &[]);
    }
    let certified: Result<Activation, _> = wait(authority.certify(&bytes, None, NOW));
    assert!(certified.is_err(), "who holds no key was certified");
}

fn secret(how: u8, contents: &[u8]) {
    let mut file = contents.to_vec();
    if how & 1 == 1 {
        file.extend(sha256(contents));
    }
    for kind in [
        SecretKind::Root,
        SecretKind::Issuing,
        SecretKind::ProductKeys,
    ] {
        if let Ok(read) = SecretFile::decode(&file, kind) {
            assert_eq!(
                *read.encode(),
                file,
                "a secret file is not written as it was read"
            );
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let golden = Golden::get();
    let mut seeds = Vec::new();
    let request = golden.bytes("request-of-a-host");
    for (method, path, query, body) in [
        ("GET", "/v1/publisher", "", &[][..]),
        ("GET", "/openapi.json", "", &[]),
        ("GET", "/healthz", "", &[]),
        ("GET", "/v1/products/cad/policy", "", &[]),
        ("GET", "/v1/revocations", "from=7", &[]),
        ("POST", "/v1/certify", "", request),
    ] {
        seeds.push([vec![CALL], parts([method, path, query]), body.to_vec()].concat());
    }
    for vector in golden
        .vectors
        .iter()
        .filter(|vector| vector.check == "request")
    {
        if let Ok(envelope) = Envelope::decode_any(&vector.bytes) {
            assert_eq!(envelope.typ, Request::TYP);
            seeds.push([&[REQUEST][..], envelope.payload()].concat());
        }
    }
    let file = SecretFile {
        kind: SecretKind::Root,
        secrets: vec![
            zeroize::Zeroizing::new([1; 32]),
            zeroize::Zeroizing::new([2; 32]),
        ],
        label: "Contoso".to_owned(),
    };
    let file = file.encode();
    seeds.push([&[SECRET, 0][..], &file].concat());
    seeds.push([&[SECRET, 1][..], &file[..file.len() - 32]].concat());
    seeds
}
