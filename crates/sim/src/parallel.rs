//! Several threads: long work dealt out to them, and locks that outlive a panic.
//!
//! A window of weeks asks for tens of millions of requests. Its periods do not
//! depend on each other, so they are dealt out to a few threads; the result is
//! the same as on one.

use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Threads one piece of work takes at most.
const MAX_THREADS: usize = 4;

/// `work` applied to every item; on one thread unless it is `long`.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    long: bool,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    if !long || threads < 2 {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads).max(1);
    let work = &work;
    thread::scope(|scope| {
        let parts = items.chunks(share);
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let done =
            parts.into_iter().map(|part| part.join().unwrap_or_else(|why| resume_unwind(why)));
        done.flatten().collect()
    })
}

/// A lock that a panic elsewhere cannot take away.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_give_the_same_in_the_same_order() {
        for size in [0, 1, 2, 3, 7, 1_000] {
            let items: Vec<u32> = (0..size).collect();
            assert_eq!(map(&items, true, |n| n * 2), map(&items, false, |n| n * 2));
        }
    }
}
