//! The alphabet of product keys, and the forgiving reading of what a person typed or pasted.

use std::fmt;

use zeroize::Zeroizing;

use super::layout::GROUP_SYMBOLS;
use crate::limits::KEY_TEXT_BYTES_MAX;
use crate::reason::{Refusal, key as reasons};

/// The symbols in the order of their values: digits and letters without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A symbol's place as a person finds it: group and symbol, both counted from 1.
pub(super) struct Place(pub(super) usize);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, symbol) = (self.0 / GROUP_SYMBOLS + 1, self.0 % GROUP_SYMBOLS + 1);
        write!(f, "group {group}, symbol {symbol}")
    }
}

/// The letter or digit of a symbol; only its low five bits are looked at.
pub(super) fn letter(symbol: u8) -> char {
    char::from(ALPHABET[usize::from(symbol & 0x1F)])
}

/// Reads exactly `N` symbols. Case does not matter, spaces, line ends, dashes of every kind and
/// invisible characters may stand anywhere, I and L are read as 1, O as 0. `first` is the place of
/// the first symbol, for naming a wrong one.
///
/// # Errors
/// `SYMBOL` with the place for a character that is no symbol, `LENGTH` for another number of
/// symbols or a text longer than [`KEY_TEXT_BYTES_MAX`].
pub(super) fn read<const N: usize>(
    text: &str,
    first: usize,
) -> Result<Zeroizing<[u8; N]>, Refusal> {
    if text.len() > KEY_TEXT_BYTES_MAX {
        let detail = format!(
            "the text has {} bytes, at most {KEY_TEXT_BYTES_MAX}",
            text.len()
        );
        return Err(Refusal::new(reasons::LENGTH, detail));
    }
    let mut symbols = Zeroizing::new([0; N]);
    let mut count = 0;
    for character in text.chars().filter(|character| !is_filler(*character)) {
        if let Some(symbol) = symbols.get_mut(count) {
            *symbol = value(character).ok_or_else(|| refuse(character, first + count))?;
        }
        count += 1;
    }
    if count != N {
        return Err(Refusal::new(
            reasons::LENGTH,
            format!("{count} symbols read, {N} needed"),
        ));
    }
    Ok(symbols)
}

fn value(character: char) -> Option<u8> {
    let letter = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    // The alphabet has 32 letters: a place in it always fits.
    ALPHABET
        .iter()
        .zip(0u8..)
        .find_map(|(&symbol, value)| (char::from(symbol) == letter).then_some(value))
}

/// What stands between symbols without meaning anything: word processors turn dashes into longer
/// ones, mail programs add no-break spaces, editors a byte order mark.
fn is_filler(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '\u{AD}'
                | '\u{2010}'..='\u{2015}'
                | '\u{2212}'
                | '\u{FE58}'
                | '\u{FE63}'
                | '\u{FF0D}'
                | '\u{200B}'..='\u{200D}'
                | '\u{2060}'
                | '\u{FEFF}'
        )
}

/// Names the character: it is no symbol, so it is no part of the secret.
fn refuse(character: char, place: usize) -> Refusal {
    let place = Place(place);
    let detail = match character {
        'U' | 'u' => format!("{place}: the letter U is in no product key; look again, V?"),
        '!'..='~' => format!("{place}: '{character}' is in no product key"),
        other => format!(
            "{place}: the character U+{:04X} is in no product key",
            u32::from(other)
        ),
    };
    Refusal::new(reasons::SYMBOL, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_values_agree() {
        for symbol in 0..32 {
            assert_eq!(value(letter(symbol)), Some(symbol));
            assert_eq!(value(letter(symbol).to_ascii_lowercase()), Some(symbol));
        }
    }

    #[test]
    fn look_alikes_are_read_and_everything_else_is_refused() {
        for (typed, meant) in [('o', 0), ('O', 0), ('i', 1), ('I', 1), ('l', 1), ('L', 1)] {
            assert_eq!(value(typed), Some(meant));
        }
        for character in (0..=0x2_FFFFu32).filter_map(char::from_u32) {
            let known = character.is_ascii_alphanumeric() && !matches!(character, 'u' | 'U');
            assert_eq!(value(character).is_some(), known, "{character:?}");
        }
    }

    #[test]
    fn a_place_is_counted_from_one() {
        assert_eq!(Place(0).to_string(), "group 1, symbol 1");
        assert_eq!(Place(11).to_string(), "group 3, symbol 2");
        assert_eq!(Place(24).to_string(), "group 5, symbol 5");
    }

    #[test]
    fn long_texts_are_not_walked() {
        let text = "-".repeat(KEY_TEXT_BYTES_MAX + 1);
        let refusal = read::<25>(&text, 0).unwrap_err();
        assert_eq!(refusal.reason, reasons::LENGTH);
        assert!(refusal.detail.contains("at most"));
    }
}
