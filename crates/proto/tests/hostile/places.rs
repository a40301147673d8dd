//! What each byte of a statement is, found by walking its CBOR: an altered bit is refused for a
//! reason that belongs to its place. Written from `docs/src/protocol/statements.md`, apart from the
//! reader under test.

use std::ops::Range;

/// The part of a statement that a byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Heads, tags and everything else that only frames the parts below.
    Frame,
    /// The protected header but for the two fields below: algorithm, type, labels.
    Header,
    /// The thumbprint of what it is signed under, in the protected header.
    Parent,
    /// The publisher id, in the protected header.
    Publisher,
    /// The claims.
    Claims,
    /// The signature.
    Signature,
    /// A plain value of a message that carries statements.
    Plain,
}

/// The part that every byte of a well-formed statement or message belongs to.
pub(crate) fn parts(bytes: &[u8]) -> Vec<Part> {
    let mut walk = Walk {
        bytes,
        parts: vec![Part::Frame; bytes.len()],
    };
    assert_eq!(walk.item(0), bytes.len(), "one item");
    walk.parts
}

/// The first two bytes of a COSE_Sign1: tag 18 and an array of four (RFC 9052 section 4.2).
const COSE_SIGN1: [u8; 2] = [0xd2, 0x84];

struct Walk<'a> {
    bytes: &'a [u8],
    parts: Vec<Part>,
}

impl Walk<'_> {
    /// Walks one item at `at`; returns where it ends.
    fn item(&mut self, at: usize) -> usize {
        if self.bytes[at..].starts_with(&COSE_SIGN1) {
            return self.statement(at);
        }
        let (major, value, next) = head(self.bytes, at);
        match major {
            2 | 3 => self.string(next..next + value),
            4 => (0..value).fold(next, |at, _| self.item(at)),
            5 => (0..2 * value).fold(next, |at, _| self.item(at)),
            6 => self.item(next),
            _ => next,
        }
    }

    /// A string holds a statement again, or a value.
    fn string(&mut self, content: Range<usize>) -> usize {
        if self.bytes[content.clone()].starts_with(&COSE_SIGN1) {
            assert_eq!(self.statement(content.start), content.end, "one statement");
        } else {
            self.parts[content.clone()].fill(Part::Plain);
        }
        content.end
    }

    fn statement(&mut self, at: usize) -> usize {
        let header = self.content(at + COSE_SIGN1.len());
        let claims = {
            let chain_end = self.item(header.end);
            self.content(chain_end)
        };
        let signature = self.content(claims.end);
        self.parts[header.clone()].fill(Part::Header);
        self.parts[field(self.bytes, &header, 32)].fill(Part::Parent);
        self.parts[field(self.bytes, &header, 16)].fill(Part::Publisher);
        self.parts[claims].fill(Part::Claims);
        self.parts[signature.clone()].fill(Part::Signature);
        signature.end
    }

    /// The content of the byte string whose head stands at `at`.
    fn content(&self, at: usize) -> Range<usize> {
        let (major, value, next) = head(self.bytes, at);
        assert_eq!(major, 2, "a byte string at {at}");
        next..next + value
    }
}

/// The one byte string of `length` bytes in a protected header.
fn field(bytes: &[u8], header: &Range<usize>, length: usize) -> Range<usize> {
    let (_, entries, mut at) = head(bytes, header.start);
    for _ in 0..2 * entries {
        let (major, value, next) = head(bytes, at);
        at = next + if matches!(major, 2 | 3) { value } else { 0 };
        if (major, value) == (2, length) {
            return next..at;
        }
    }
    panic!("no field of {length} bytes");
}

/// Major type, value and end of the head at `at` (RFC 8949 section 3).
fn head(bytes: &[u8], at: usize) -> (u8, usize, usize) {
    let (major, info) = (bytes[at] >> 5, usize::from(bytes[at] & 0x1f));
    let more = match info {
        0..=23 => return (major, info, at + 1),
        24..=27 => 1 << (info - 24),
        _ => panic!("a head that the profile forbids at {at}"),
    };
    let value = bytes[at + 1..at + 1 + more].iter();
    let value = value.fold(0, |value: usize, byte| (value << 8) | usize::from(*byte));
    (major, value, at + 1 + more)
}
