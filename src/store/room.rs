//! A file that keeps the room that it once took: a disk that becomes full does not affect
//! what fits in it.
//!
//! redb gives room back when it needs less, and takes it again with the next large commit,
//! which a full disk would refuse. Here it is kept, and given to redb again when it asks:
//! as zeros, which redb expects.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// The size of the pieces in which zeros are written, bytes.
const PIECE: usize = 64 * 1024;

/// A file, and how much of it redb uses.
#[derive(Debug)]
pub(super) struct Roomy {
    backend: FileBackend,
    file: File,
    used: AtomicU64,
}

impl Roomy {
    /// This file; at first all of it is in use.
    pub(super) fn new(file: File) -> Result<Self, DatabaseError> {
        let used = file.metadata()?.len().into();
        Ok(Self { file: file.try_clone()?, backend: FileBackend::new(file)?, used })
    }

    /// Overwrites what is there with zeros, from the first to before the second byte.
    fn clear(&self, mut from: u64, until: u64) -> io::Result<()> {
        let zeros = vec![0; PIECE];
        while from < until {
            let length = usize::try_from(until - from).unwrap_or(PIECE).min(PIECE);
            self.backend.write(from, &zeros[..length])?;
            from += length as u64;
        }
        Ok(())
    }

    /// Makes the file longer, with its blocks allocated from now on.
    fn extend(&self, from: u64, until: u64) -> io::Result<()> {
        match fallocate(&self.file, FallocateFlags::empty(), from, until - from) {
            // Some file systems guarantee nothing.
            Err(Errno::NOTSUP | Errno::NOSYS) => self.backend.set_len(until),
            reserved => Ok(reserved?),
        }
    }
}

impl StorageBackend for Roomy {
    fn len(&self) -> io::Result<u64> {
        Ok(self.used.load(Ordering::Acquire))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (used, there) = (self.len()?, self.backend.len()?);
        self.clear(used, len.min(there))?;
        if len > there {
            self.extend(there, len)?;
        }
        self.used.store(len, Ordering::Release);
        Ok(())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.backend.write(offset, data)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.backend.sync_data()
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, from: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(from, end)
    }

    fn try_lock_shared_range(
        &self,
        from: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(from, end)
    }

    fn lock_range(&self, from: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(from, end)
    }

    fn lock_shared_range(&self, from: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(from, end)
    }

    fn unlock_range(&self, from: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(from, end)
    }

    fn query_lock_range(&self, from: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(from, end)
    }
}
