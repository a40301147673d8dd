//! Many small inputs in one file, so that a corpus is one file to keep: each behind its length in
//! four bytes, big-endian.

/// Takes a pack apart; nothing where it is cut.
pub fn unpack(mut pack: &[u8]) -> Option<Vec<&[u8]>> {
    let mut inputs = Vec::new();
    while !pack.is_empty() {
        let (length, rest) = pack.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (input, rest) = rest.split_at_checked(length)?;
        inputs.push(input);
        pack = rest;
    }
    Some(inputs)
}
