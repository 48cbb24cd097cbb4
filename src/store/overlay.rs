//! A file that is read as if it could be written: what is written to it is kept in memory.
//!
//! redb verifies the checksum of each page only of a database that it may repair. Whoever
//! only reads the state must verify it too, and must change nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// What is written is kept in pieces of this many bytes.
const PIECE: usize = 4096;

type Piece = Box<[u8; PIECE]>;

/// A file, and what it would have in other places.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    contents: Mutex<Contents>,
}

#[derive(Debug)]
struct Contents {
    length: u64,
    /// Up to where the file counts: it was cut off there.
    of_file: u64,
    written: BTreeMap<u64, Piece>,
}

impl Overlay {
    /// This file, with its first piece as it was read before.
    pub(super) fn new(file: File, first: &[u8]) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut piece = Box::new([0; PIECE]);
        for (to, byte) in piece.iter_mut().zip(first) {
            *to = *byte;
        }
        let written = BTreeMap::from([(0, piece)]);
        Ok(Self { file, contents: Mutex::new(Contents { length, of_file: length, written }) })
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file has of the piece with this number; zeros where it has nothing.
    fn of_file(&self, number: u64, of_file: u64) -> io::Result<Piece> {
        let mut piece = Box::new([0; PIECE]);
        let from = number * PIECE as u64;
        let there = usize::try_from(of_file.saturating_sub(from)).unwrap_or(PIECE).min(PIECE);
        self.file.read_exact_at(&mut piece[..there], from)?;
        Ok(piece)
    }
}

/// Where in which piece these bytes begin, and how many of them it has.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let piece = PIECE as u64;
    let end = offset.saturating_add(length as u64);
    let number = move |at: u64| at / piece;
    (number(offset)..=number(end.max(1) - 1)).filter_map(move |number| {
        let (first, last) = (number * piece, (number + 1) * piece);
        let (from, until) = (offset.max(first), end.min(last));
        let count = usize::try_from(until.checked_sub(from)?).ok()?;
        Some((number, usize::try_from(from - first).ok()?, count))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.contents().length)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut contents = self.contents();
        if len < contents.length {
            contents.of_file = contents.of_file.min(len);
            contents.written.split_off(&len.div_ceil(PIECE as u64));
            let (number, from) = (len / PIECE as u64, len % PIECE as u64);
            if let Some(piece) = contents.written.get_mut(&number) {
                piece[usize::try_from(from).unwrap_or(PIECE)..].fill(0);
            }
        }
        contents.length = len;
        Ok(())
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let contents = self.contents();
        if offset.saturating_add(out.len() as u64) > contents.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, from, count) in pieces(offset, out.len()) {
            let (here, rest) = out.split_at_mut(count);
            if let Some(piece) = contents.written.get(&number) {
                here.copy_from_slice(&piece[from..from + count]);
            } else {
                let piece = self.of_file(number, contents.of_file)?;
                here.copy_from_slice(&piece[from..from + count]);
            }
            out = rest;
        }
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let mut contents = self.contents();
        for (number, from, count) in pieces(offset, data.len()) {
            let (here, rest) = data.split_at(count);
            let mut piece = match contents.written.remove(&number) {
                Some(piece) => piece,
                None => self.of_file(number, contents.of_file)?,
            };
            piece[from..from + count].copy_from_slice(here);
            contents.written.insert(number, piece);
            data = rest;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    // Nobody else writes to it.

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut expected: Vec<u8> = (0..10_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let before = expected.clone();
        std::fs::write(&path, &before).unwrap();
        let overlay = Overlay::new(File::open(&path).unwrap(), &before[..PIECE]).unwrap();
        for (offset, length) in [(0, 1), (4090, 20), (8000, 2000), (4096, 4096), (5, 0)] {
            let data = vec![0xee; length];
            overlay.write(offset as u64, &data).unwrap();
            expected[offset..offset + length].copy_from_slice(&data);
        }
        // Cut off and made longer again, it has zeros there.
        for length in [9_500_usize, 12_000] {
            overlay.set_len(length as u64).unwrap();
            expected.resize(length, 0);
        }
        assert_eq!(overlay.len().unwrap(), 12_000);
        for (offset, length) in [(0, 12_000), (4095, 2), (9_400, 200), (7, 0)] {
            let mut out = vec![1; length];
            overlay.read(offset as u64, &mut out).unwrap();
            assert!(out == expected[offset..offset + length], "{offset} {length}");
        }
        assert!(overlay.read(11_999, &mut [0; 2]).is_err());
        assert!(std::fs::read(&path).unwrap() == before);
    }
}
