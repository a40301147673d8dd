//! What happened in a world, a line for each step: to a file where one is wanted, and always into a
//! digest, so that two runs can be compared without their logs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use muster_proto::crypto::sha256;

use crate::clock::START;

/// Bytes that go into the digest at once.
const BLOCK_BYTES: usize = 1 << 16;

/// The log of one world.
pub(crate) struct Log {
    file: Option<BufWriter<File>>,
    digest: [u8; 32],
    block: String,
    /// The first write that failed.
    failed: Option<io::Error>,
}

impl Log {
    /// A log into a file, or into the digest alone.
    pub(crate) fn new(path: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            file: path.map(File::create).transpose()?.map(BufWriter::new),
            digest: [0; 32],
            block: String::new(),
            failed: None,
        })
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, step: u64, now: u64, text: std::fmt::Arguments<'_>) {
        use std::fmt::Write as _;
        let at = self.block.len();
        writeln!(self.block, "{step} {} {text}", shown(now)).expect("a text takes every line");
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(&self.block.as_bytes()[at..])
        {
            self.failed.get_or_insert(error);
        }
        if self.block.len() >= BLOCK_BYTES {
            self.take_block();
        }
    }

    fn take_block(&mut self) {
        let mut bytes = self.digest.to_vec();
        bytes.extend(self.block.as_bytes());
        self.digest = sha256(&bytes);
        self.block.clear();
    }

    /// Ends the log; its digest.
    ///
    /// # Errors
    /// The file could not be written whole.
    pub(crate) fn finish(&mut self) -> io::Result<[u8; 32]> {
        self.take_block();
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)?;
        Ok(self.digest)
    }
}

/// A true time as days and hours since the start.
pub(crate) fn shown(now: u64) -> String {
    let passed = now.saturating_sub(START);
    let (days, rest) = (passed / 86_400, passed % 86_400);
    format!(
        "{days}d{:02}:{:02}:{:02}",
        rest / 3_600,
        rest / 60 % 60,
        rest % 60
    )
}
