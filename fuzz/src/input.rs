//! How a target takes its bytes apart, and how a seed puts them together.

/// What is left of an input. Where too little is left there are zeros, so that every input is one.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let (byte, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *byte
    }

    /// The next part, behind its length in two bytes; the last one may be shorter than it says.
    pub(crate) fn part(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        let (part, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        part
    }

    /// The next part, as far as it is text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.part()).into_owned()
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A part as [`Input::part`] reads it.
pub(crate) fn part(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a part of a seed is below 64 KiB");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Parts one behind the other.
pub(crate) fn parts<T: AsRef<[u8]>>(all: impl IntoIterator<Item = T>) -> Vec<u8> {
    all.into_iter()
        .flat_map(|bytes| part(bytes.as_ref()))
        .collect()
}

/// Text, as far as it is.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
