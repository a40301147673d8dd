//! Where each field of a product key stands: 125 bits, the most significant first, five to a symbol.
//!
//! ```text
//! symbols   0        1        2 3        4 5      5 … 17     18 19     20 … 24
//!          version  channel  group      serial   tag        check     serial
//! bits      3        3        13         high 7   64         10        low 25
//!           122..    119..    106..      99..     35..       25..      0..
//! ```
//!
//! The last group is the only one ever shown. It holds 25 bits of the printed serial and nothing
//! else: neither a symbol of the tag nor a check symbol, because each check symbol is an equation
//! over the tag's symbols and showing both would give away ten of its 64 bits.

use zeroize::Zeroizing;

/// Symbols of a key.
pub(super) const SYMBOLS: usize = 25;
/// Symbols of a group.
pub(super) const GROUP_SYMBOLS: usize = 5;
/// Where the two check symbols stand.
pub(super) const CHECK_PLACES: [usize; 2] = [18, 19];
/// The version of this layout; the check symbols and the version stand in every version where they
/// stand in this one, so that a mistyped key is told from a newer one.
pub(super) const VERSION: u8 = 1;

const SYMBOL_BITS: u32 = 5;
const VERSION_SHIFT: u32 = 122;
const CHANNEL_SHIFT: u32 = 119;
const GROUP_SHIFT: u32 = 106;
const SERIAL_HIGH_SHIFT: u32 = 99;
const TAG_SHIFT: u32 = 35;
const SERIAL_LOW_BITS: u32 = 25;
const SERIAL_LOW_MASK: u32 = (1 << SERIAL_LOW_BITS) - 1;

/// The 125 bits of a key, in the low bits of the number.
pub(super) type Word = Zeroizing<u128>;

/// The fields of a word; the check symbols are no field, they follow from the others.
pub(super) struct Fields {
    /// Three bits.
    pub(super) version: u8,
    /// Three bits.
    pub(super) channel: u8,
    /// Thirteen bits.
    pub(super) group: u16,
    /// The serial as the permutation gives it.
    pub(super) printed_serial: u32,
    /// The authority's tag.
    pub(super) tag: Zeroizing<u64>,
}

impl Fields {
    /// The word of these fields, closed by its check symbols.
    pub(super) fn pack(&self) -> Word {
        let open = Zeroizing::new(
            u128::from(self.version & 0x7) << VERSION_SHIFT
                | u128::from(self.channel & 0x7) << CHANNEL_SHIFT
                | u128::from(self.group & 0x1FFF) << GROUP_SHIFT
                | u128::from(self.printed_serial >> SERIAL_LOW_BITS) << SERIAL_HIGH_SHIFT
                | u128::from(*self.tag) << TAG_SHIFT
                | u128::from(self.printed_serial & SERIAL_LOW_MASK),
        );
        let mut symbols = to_symbols(&open);
        super::reed_solomon::close(&mut symbols);
        from_symbols(&symbols)
    }

    /// The fields of a word.
    pub(super) fn unpack(word: &Word) -> Fields {
        let serial_high = (**word >> SERIAL_HIGH_SHIFT) as u32 & 0x7F;
        Fields {
            version: (**word >> VERSION_SHIFT) as u8 & 0x7,
            channel: (**word >> CHANNEL_SHIFT) as u8 & 0x7,
            group: (**word >> GROUP_SHIFT) as u16 & 0x1FFF,
            printed_serial: serial_high << SERIAL_LOW_BITS | **word as u32 & SERIAL_LOW_MASK,
            tag: Zeroizing::new((**word >> TAG_SHIFT) as u64),
        }
    }
}

/// Cuts a word into its symbols, the first printed first.
pub(super) fn to_symbols(word: &Word) -> Zeroizing<[u8; SYMBOLS]> {
    let mut symbols = Zeroizing::new([0; SYMBOLS]);
    for (symbol, place) in symbols.iter_mut().rev().zip(0u32..) {
        *symbol = (**word >> (SYMBOL_BITS * place)) as u8 & 0x1F;
    }
    symbols
}

/// The word of 25 symbols.
pub(super) fn from_symbols(symbols: &[u8; SYMBOLS]) -> Word {
    let mut word = Zeroizing::new(0);
    for symbol in symbols {
        *word = *word << SYMBOL_BITS | u128::from(symbol & 0x1F);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(version: u8, channel: u8, group: u16, printed_serial: u32, tag: u64) -> Fields {
        Fields {
            version,
            channel,
            group,
            printed_serial,
            tag: Zeroizing::new(tag),
        }
    }

    #[test]
    fn fields_come_back() {
        for bits in [0u64, u64::MAX, 0x0123_4567_89AB_CDEF, 0xAAAA_AAAA_AAAA_AAAA] {
            let (small, serial) = (bits as u8 & 7, bits as u32);
            let packed = fields(small, !small & 7, bits as u16 & 0x1FFF, serial, bits).pack();
            let back = Fields::unpack(&packed);
            assert_eq!((back.version, back.channel), (small, !small & 7));
            assert_eq!(
                (back.group, back.printed_serial),
                (bits as u16 & 0x1FFF, serial)
            );
            assert_eq!(*back.tag, bits);
            assert_eq!(*from_symbols(&to_symbols(&packed)), *packed);
        }
    }

    /// Turning every bit of the tag, one after the other, leaves the last group as it is; turning a
    /// low bit of the printed serial does not.
    #[test]
    fn the_last_group_says_nothing_of_the_tag() {
        let last = |tag, serial| {
            let symbols = to_symbols(&fields(1, 2, 3, serial, tag).pack());
            <[u8; 5]>::try_from(&symbols[20..]).unwrap()
        };
        let base = last(0x0123_4567_89AB_CDEF, 0x89AB_CDEF);
        for bit in 0..64 {
            assert_eq!(last(0x0123_4567_89AB_CDEF ^ 1 << bit, 0x89AB_CDEF), base);
        }
        for bit in 0..25 {
            assert_ne!(last(0x0123_4567_89AB_CDEF, 0x89AB_CDEF ^ 1 << bit), base);
        }
    }
}
