//! The local socket: what a product without privileges asks the machine's service, what it is
//! answered, and how often such visitors may cause an ask.
//!
//! Both messages are deterministic CBOR, each behind its length in two bytes. Nobody signs them and
//! nothing in them licenses: a product judges the state file by the root it was compiled with,
//! whatever the service says.

use std::collections::{BTreeMap, VecDeque};

use crate::cbor::{self, MapReader, MapWriter};
use crate::ids::{ProductId, PublisherId, steers};
use crate::limits::{
    LOCAL_ANSWER_BYTES_MAX, LOCAL_ASK_INTERVAL_SECONDS, LOCAL_ASKS_PER_HOUR,
    LOCAL_DETAIL_BYTES_MAX, LOCAL_REQUEST_BYTES_MAX, NAME_BYTES_MAX, REASON_CODE_BYTES_MAX,
};
use crate::reason::{Reason, Refusal, client as reasons, statement};
use crate::time::Span;

use super::LicenceState;

/// Bytes of the length before each message.
pub const LENGTH_BYTES: usize = 2;

const KIND: i64 = 0;
const PUBLISHER: i64 = 1;
const PRODUCT: i64 = 2;

const CODE: i64 = 1;
const DETAIL: i64 = 2;
const STATE: i64 = 3;
const ASKED_AGO: i64 = 4;

const REQUEST: &str = "muster-local-activate";
const ANSWER: &str = "muster-local-outcome";

/// The one thing a visitor may ask for: activate this product now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The publisher.
    pub publisher: PublisherId,
    /// The product.
    pub product: ProductId,
}

impl Request {
    /// The message with its length.
    pub fn encode(&self) -> Vec<u8> {
        let map = MapWriter::new()
            .put(KIND, REQUEST)
            .bytes(PUBLISHER, &self.publisher.0)
            .put(PRODUCT, self.product.as_str());
        with_length(&cbor::encode(&map.into_value()))
    }

    /// The length of the message that follows.
    ///
    /// # Errors
    /// `TOO_LARGE`.
    pub fn length(head: [u8; LENGTH_BYTES]) -> Result<usize, Refusal> {
        length(head, LOCAL_REQUEST_BYTES_MAX)
    }

    /// Reads a message without its length.
    ///
    /// # Errors
    /// What is wrong with it, by the profile of the protocol's CBOR; `WRONG_TYPE` for a request that
    /// this release does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut map = open("local request", bytes, LOCAL_REQUEST_BYTES_MAX, REQUEST)?;
        let request = Self {
            publisher: PublisherId(map.array(PUBLISHER, "publisher")?),
            product: map.id(PRODUCT, "product")?,
        };
        map.finish_exact()?;
        Ok(request)
    }
}

/// What came of it, or of the last ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The stable code of the reason; it may be one that this release does not know.
    pub code: String,
    /// What was seen, in one line.
    pub detail: String,
    /// The product's state as the service judges it; nothing where the request itself was refused.
    pub state: Option<LicenceState>,
    /// How long ago hosts were asked: zero where this request caused it or waited for it. Nothing
    /// where none was asked.
    pub asked_ago: Option<Span>,
}

impl Answer {
    /// The outcome for a product.
    pub fn outcome(state: LicenceState, reason: &Refusal, asked_ago: Option<Span>) -> Self {
        Self {
            code: reason.reason.code().to_owned(),
            detail: one_line(&reason.detail),
            state: Some(state),
            asked_ago,
        }
    }

    /// A request that the service does not take on.
    pub fn refused(refusal: &Refusal) -> Self {
        Self {
            code: refusal.reason.code().to_owned(),
            detail: one_line(&refusal.detail),
            state: None,
            asked_ago: None,
        }
    }

    /// Whether the service finds the product licensed.
    pub fn is_licensed(&self) -> bool {
        self.state == Some(LicenceState::Licensed)
    }

    /// The reason; `SERVICE_REASON_UNKNOWN` names a code of a newer release.
    pub fn reason(&self) -> Refusal {
        match Reason::find(&self.code) {
            Some(reason) => Refusal::new(reason, self.detail.clone()),
            None => {
                let detail = format!("{} {}", self.code, self.detail);
                Refusal::new(reasons::SERVICE_REASON_UNKNOWN, detail.trim_end())
            }
        }
    }

    /// The message with its length.
    pub fn encode(&self) -> Vec<u8> {
        let map = MapWriter::new()
            .put(KIND, ANSWER)
            .put(CODE, self.code.as_str())
            .put(DETAIL, self.detail.as_str())
            .put_opt(STATE, self.state.map(LicenceState::number))
            .put_opt(ASKED_AGO, self.asked_ago.map(Span::seconds));
        with_length(&cbor::encode(&map.into_value()))
    }

    /// The length of the message that follows.
    ///
    /// # Errors
    /// `TOO_LARGE`.
    pub fn length(head: [u8; LENGTH_BYTES]) -> Result<usize, Refusal> {
        length(head, LOCAL_ANSWER_BYTES_MAX)
    }

    /// Reads a message without its length.
    ///
    /// # Errors
    /// What is wrong with it, by the profile of the protocol's CBOR.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut map = open("local answer", bytes, LOCAL_ANSWER_BYTES_MAX, ANSWER)?;
        let answer = Self {
            code: map.line(CODE, "code", REASON_CODE_BYTES_MAX)?,
            detail: map.line(DETAIL, "detail", LOCAL_DETAIL_BYTES_MAX)?,
            state: map.uint_opt(STATE, "state")?.map(state).transpose()?,
            asked_ago: map
                .uint_opt(ASKED_AGO, "asked_ago")?
                .map(Span::from_seconds),
        };
        map.finish_exact()?;
        Ok(answer)
    }
}

fn state(number: u64) -> Result<LicenceState, Refusal> {
    LicenceState::from_number(number).ok_or_else(|| {
        let detail = format!("local answer.state is {number}");
        Refusal::new(statement::FIELD_WRONG, detail)
    })
}

/// Opens a message of a kind.
fn open(what: &'static str, bytes: &[u8], max: usize, kind: &str) -> Result<MapReader, Refusal> {
    within(bytes.len(), max)?;
    let mut map = MapReader::new(what, cbor::decode(bytes)?)?;
    if map.text(KIND, "kind", NAME_BYTES_MAX)? != kind {
        return Err(Refusal::new(
            statement::WRONG_TYPE,
            format!("it is no {what}"),
        ));
    }
    Ok(map)
}

fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("messages are far smaller than 64 KiB");
    [&length.to_be_bytes(), message].concat()
}

fn length(head: [u8; LENGTH_BYTES], max: usize) -> Result<usize, Refusal> {
    let length = usize::from(u16::from_be_bytes(head));
    within(length, max)?;
    Ok(length)
}

fn within(length: usize, max: usize) -> Result<(), Refusal> {
    if length > max {
        let detail = format!("{length} bytes, at most {max} are allowed");
        return Err(Refusal::new(statement::TOO_LARGE, detail));
    }
    Ok(())
}

/// A detail as one line that steers no terminal, cut to its limit.
fn one_line(detail: &str) -> String {
    let mut line = String::new();
    for symbol in detail.chars() {
        let symbol = if steers(symbol) { ' ' } else { symbol };
        if line.len() + symbol.len_utf8() > LOCAL_DETAIL_BYTES_MAX {
            break;
        }
        line.push(symbol);
    }
    line
}

/// How often visitors may cause an ask. One ask is for all products of a publisher, so this is
/// counted by publisher: not within [`LOCAL_ASK_INTERVAL_SECONDS`] of the last ask, whoever caused
/// that, and not when there were [`LOCAL_ASKS_PER_HOUR`] in the last hour. The service's own schedule
/// is not bound by it.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    asks: BTreeMap<PublisherId, VecDeque<Span>>,
}

impl Pace {
    /// Notes that a publisher's hosts are being asked; `now` is running time.
    pub fn note(&mut self, publisher: PublisherId, now: Span) {
        let hour = Span::from_hours(1);
        self.asks
            .retain(|_, asks| asks.back().is_some_and(|last| now.less(*last) < hour));
        let asks = self.asks.entry(publisher).or_default();
        asks.push_back(now);
        while asks.len() > LOCAL_ASKS_PER_HOUR {
            asks.pop_front();
        }
    }

    /// Whether a visitor may cause an ask now.
    pub fn admits(&self, publisher: PublisherId, now: Span) -> bool {
        let Some(asks) = self.asks.get(&publisher) else {
            return true;
        };
        let since = |ask: Option<&Span>| ask.map(|ask| now.less(*ask));
        let interval = Span::from_seconds(LOCAL_ASK_INTERVAL_SECONDS);
        let is_soon = since(asks.back()).is_some_and(|since| since < interval);
        let is_full = asks.len() >= LOCAL_ASKS_PER_HOUR
            && since(asks.front()).is_some_and(|since| since < Span::from_hours(1));
        !is_soon && !is_full
    }

    /// How long ago a publisher's hosts were asked, where that is known.
    pub fn since_last(&self, publisher: PublisherId, now: Span) -> Option<Span> {
        let last = self.asks.get(&publisher)?.back()?;
        Some(now.less(*last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(number: u8) -> PublisherId {
        PublisherId([number; 16])
    }

    #[test]
    fn visitors_cause_one_ask_a_minute_and_twelve_an_hour() {
        let mut pace = Pace::default();
        let at = Span::from_seconds;
        let (one, two) = (publisher(1), publisher(2));
        assert_eq!(pace.since_last(one, at(0)), None);
        let mut admitted = Vec::new();
        for second in 0..3_700 {
            if pace.admits(one, at(second)) {
                pace.note(one, at(second));
                admitted.push(second);
            }
        }
        let each_minute: Vec<u64> = (0..12).map(|number| number * 60).collect();
        assert_eq!(admitted[..12], each_minute);
        assert_eq!(
            admitted[12..],
            [3_600, 3_660],
            "the first have left the hour"
        );
        assert!(pace.admits(two, at(3_661)), "each publisher by itself");
        assert_eq!(pace.since_last(one, at(3_699)), Some(at(39)));
    }

    #[test]
    fn publishers_of_long_ago_take_no_memory() {
        let mut pace = Pace::default();
        for number in 0..=255 {
            pace.note(publisher(number), Span::from_hours(u64::from(number)));
        }
        assert_eq!(pace.asks.len(), 1);
    }

    #[test]
    fn a_detail_is_cut_to_one_line() {
        let long = "ä\n\u{1b}[2J".repeat(200);
        let refusal = Refusal::new(reasons::HOST_NONE, long);
        let answer = Answer::refused(&refusal);
        assert!(answer.detail.len() <= LOCAL_DETAIL_BYTES_MAX);
        let bytes = answer.encode();
        assert!(bytes.len() <= LENGTH_BYTES + LOCAL_ANSWER_BYTES_MAX);
        assert_eq!(Answer::decode(&bytes[LENGTH_BYTES..]).unwrap(), answer);
    }

    #[test]
    fn a_code_of_a_newer_release_is_named() {
        let mut answer = Answer::refused(&reasons::HOST_NONE.into());
        assert_eq!(answer.reason(), reasons::HOST_NONE.into());
        answer.code = "MUSTER-CLI-9999".into();
        let reason = answer.reason();
        assert_eq!(reason.reason, reasons::SERVICE_REASON_UNKNOWN);
        assert_eq!(reason.detail, "MUSTER-CLI-9999");
    }
}
