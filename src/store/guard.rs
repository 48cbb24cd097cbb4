//! The wall around redb.
//!
//! redb promises errors only where it verifies the whole file before it goes on. A page that
//! is damaged while the daemon runs, or of which a checksum fits by chance, can make it panic,
//! in code of which we own nothing; and a state file that cannot be read must not end a
//! process that has everything that was in it in memory.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// What `work` returns, or what it panicked with. Whoever calls it uses nothing again that a
/// panic may have left halfway.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let before = take_hook();
        // The caller says in its own words what is wrong.
        set_hook(Box::new(move |info| {
            if !IS_INSIDE.get() {
                before(info);
            }
        }));
    });
    let was_inside = IS_INSIDE.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_INSIDE.set(was_inside);
    done.map_err(|panic| format!("redb cannot make sense of it: {}", text(panic.as_ref())))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}
