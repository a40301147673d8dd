//! A product key as everyone but the authority sees it: parsed, shown by its last group only.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::channel::{Channel, ProductGroup};
use super::layout::{self, Fields, GROUP_SYMBOLS, SYMBOLS, VERSION, Word};
use super::reed_solomon::{self, Verdict};
use super::symbols::{self, Place};
use crate::reason::{Refusal, key as reasons};

/// A product key that is well formed: 25 symbols, sound check symbols, a known version and channel.
/// Whether it is genuine only the authority can say ([`super::KeyRing::open`]).
///
/// The key is a secret: `Debug` and `Display` show its last group alone, the whole text comes only
/// from [`ProductKey::reveal`], comparison takes the same time for all keys, and memory is cleared
/// on drop.
#[derive(Clone)]
pub struct ProductKey {
    word: Word,
    channel: Channel,
    group: ProductGroup,
}

impl ProductKey {
    /// Bytes of the binary form.
    pub const BYTES: usize = 16;

    /// Reads a key as a person types or pastes it: case-blind; spaces, line ends and dashes
    /// anywhere; I and L for 1, O for 0.
    ///
    /// # Errors
    /// In this order: `SYMBOL` or `LENGTH` (what was read is no key), `ONE_WRONG` or
    /// `SEVERAL_WRONG` (mistyped, with the place where it can be told), `VERSION`, `CHANNEL`.
    pub fn parse(text: &str) -> Result<ProductKey, Refusal> {
        Self::judge(layout::from_symbols(&*symbols::read::<SYMBOLS>(text, 0)?))
    }

    /// Reads the binary form of [`ProductKey::to_bytes`].
    ///
    /// # Errors
    /// `LENGTH` when more than 125 bits are set, otherwise as [`ProductKey::parse`].
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Result<ProductKey, Refusal> {
        let word = Zeroizing::new(u128::from_be_bytes(*bytes));
        if *word >> (5 * SYMBOLS) != 0 {
            return Err(Refusal::new(
                reasons::LENGTH,
                "the bytes hold more than 125 bits",
            ));
        }
        Self::judge(word)
    }

    /// The key as one secret number of 125 bits, big-endian: for sealing it to an authority, and as
    /// the HMAC key that proves its possession.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::BYTES]> {
        Zeroizing::new(self.word.to_be_bytes())
    }

    /// The whole key as printed, five groups of five. Never log it, never put it into an error.
    pub fn reveal(&self) -> Zeroizing<String> {
        // Room for all of it at once: a string that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + SYMBOLS / GROUP_SYMBOLS));
        for (place, &symbol) in layout::to_symbols(&self.word).iter().enumerate() {
            if place > 0 && place % GROUP_SYMBOLS == 0 {
                text.push('-');
            }
            text.push(symbols::letter(symbol));
        }
        text
    }

    /// The last group: the only part that is ever shown. It tells nothing of the tag.
    pub fn last5(&self) -> Last5 {
        let symbols = layout::to_symbols(&self.word);
        let (_, last) = symbols
            .split_last_chunk()
            .expect("a key has more symbols than a group");
        Last5(*last)
    }

    /// The channel; readable without the authority's secret.
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// The product group; readable without the authority's secret.
    pub const fn group(&self) -> ProductGroup {
        self.group
    }

    /// The key without version, tag and check symbols, as installation IDs carry it.
    pub fn number(&self) -> KeyNumber {
        let printed_serial = Fields::unpack(&self.word).printed_serial;
        KeyNumber {
            channel: self.channel,
            group: self.group,
            printed_serial,
        }
    }

    /// Refuses a key of another product group than a policy names.
    ///
    /// # Errors
    /// `WRONG_PRODUCT`.
    pub fn require_group(&self, group: ProductGroup) -> Result<(), Refusal> {
        if self.group == group {
            return Ok(());
        }
        let detail = format!(
            "the key is of product group {}, needed is {group}",
            self.group
        );
        Err(Refusal::new(reasons::WRONG_PRODUCT, detail))
    }

    /// Refuses a key of a channel that does not serve the purpose.
    ///
    /// # Errors
    /// `WRONG_CHANNEL`.
    pub fn require_channel(&self, wanted: &[Channel]) -> Result<(), Refusal> {
        if wanted.contains(&self.channel) {
            return Ok(());
        }
        let names: Vec<&str> = wanted.iter().map(|channel| channel.name()).collect();
        let detail = format!(
            "the key is of channel {}, needed is {}",
            self.channel,
            names.join(" or ")
        );
        Err(Refusal::new(reasons::WRONG_CHANNEL, detail))
    }

    /// The fields, for the authority's check.
    pub(super) fn fields(&self) -> Fields {
        Fields::unpack(&self.word)
    }

    /// A key of the authority's making.
    pub(super) fn of_fields(channel: Channel, group: ProductGroup, fields: &Fields) -> ProductKey {
        ProductKey {
            word: fields.pack(),
            channel,
            group,
        }
    }

    fn judge(word: Word) -> Result<ProductKey, Refusal> {
        match reed_solomon::judge(&layout::to_symbols(&word)) {
            Verdict::Sound => {}
            Verdict::One(place) => {
                return Err(Refusal::new(reasons::ONE_WRONG, Place(place).to_string()));
            }
            Verdict::Several(pairs) => {
                return Err(Refusal::new(reasons::SEVERAL_WRONG, exchanged(&pairs)));
            }
        }
        let fields = Fields::unpack(&word);
        if fields.version != VERSION {
            let detail = format!("version {}, known is {VERSION}", fields.version);
            return Err(Refusal::new(reasons::VERSION, detail));
        }
        let channel = known_channel(fields.channel)?;
        Ok(ProductKey {
            word,
            channel,
            group: ProductGroup::of_low_bits(fields.group),
        })
    }
}

/// Says which neighbours may have changed places; more than three guesses help nobody.
fn exchanged(pairs: &[usize]) -> String {
    if pairs.is_empty() || pairs.len() > 3 {
        return "which ones cannot be told".to_string();
    }
    let places = pairs
        .iter()
        .map(|&place| format!("{} and the next", Place(place)));
    format!(
        "perhaps two changed places: {}",
        places.collect::<Vec<_>>().join("; or ")
    )
}

fn known_channel(code: u8) -> Result<Channel, Refusal> {
    Channel::from_code(code)
        .ok_or_else(|| Refusal::new(reasons::CHANNEL, format!("channel code {code}")))
}

impl PartialEq for ProductKey {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes()
            .as_slice()
            .ct_eq(other.to_bytes().as_slice())
            .into()
    }
}

impl Eq for ProductKey {}

impl FromStr for ProductKey {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<ProductKey, Refusal> {
        ProductKey::parse(text)
    }
}

/// The last group only: a key must not reach a log by way of a format string.
impl fmt::Display for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…-…-…-…-{}", self.last5())
    }
}

impl fmt::Debug for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The last group of a key: what tools show and what names a key in commands. No secret, and not
/// unique: among a few thousand keys two may share it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Last5([u8; GROUP_SYMBOLS]);

impl FromStr for Last5 {
    type Err = Refusal;

    /// Reads five symbols as forgivingly as a whole key.
    ///
    /// # Errors
    /// `SYMBOL`, `LENGTH`.
    fn from_str(text: &str) -> Result<Last5, Refusal> {
        Ok(Last5(*symbols::read(text, SYMBOLS - GROUP_SYMBOLS)?))
    }
}

impl fmt::Display for Last5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(
            &self
                .0
                .iter()
                .map(|&symbol| symbols::letter(symbol))
                .collect::<String>(),
        )
    }
}

impl fmt::Debug for Last5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key without version, tag and check symbols: 48 bits that name it and do not open anything.
/// Channel 3, group 13, printed serial 32, the most significant bit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyNumber {
    channel: Channel,
    group: ProductGroup,
    printed_serial: u32,
}

impl KeyNumber {
    /// Bytes of a key number: 48 bits.
    pub const BYTES: usize = 6;

    /// Reads the six bytes, big-endian.
    ///
    /// # Errors
    /// `CHANNEL` when the three channel bits name none.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Result<KeyNumber, Refusal> {
        let [head, group_low, serial @ ..] = *bytes;
        let channel = known_channel(head >> 5)?;
        let group = ProductGroup::of_low_bits(u16::from_be_bytes([head, group_low]));
        Ok(KeyNumber {
            channel,
            group,
            printed_serial: u32::from_be_bytes(serial),
        })
    }

    /// The six bytes, big-endian.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let number = u64::from(self.channel.code()) << 45
            | u64::from(self.group.get()) << 32
            | u64::from(self.printed_serial);
        let [_, _, bytes @ ..] = number.to_be_bytes();
        bytes
    }

    /// The channel.
    pub const fn channel(self) -> Channel {
        self.channel
    }

    /// The product group.
    pub const fn group(self) -> ProductGroup {
        self.group
    }

    /// The serial as the key shows it; only the authority can turn it into the counted one.
    pub const fn printed_serial(self) -> u32 {
        self.printed_serial
    }

    /// A number of the authority's making.
    pub(super) const fn new(channel: Channel, group: ProductGroup, printed_serial: u32) -> Self {
        KeyNumber {
            channel,
            group,
            printed_serial,
        }
    }
}
