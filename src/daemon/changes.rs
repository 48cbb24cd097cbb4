//! What the daemon's log says about gateways: each change once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tracing::{info, warn};

use nearmiss_core::gateway::Gateway;

/// New and deleted gateways, changed timeouts, timeouts that the config overrides.
pub(super) fn tell_changes(before: &[Arc<Gateway>], after: &[Arc<Gateway>]) {
    let known: HashMap<_, _> = before.iter().map(|gateway| (&gateway.id, gateway)).collect();
    for gateway in after {
        let name = &gateway.id.name;
        let old = known.get(&gateway.id);
        match old {
            None => info!(
                gateway = name,
                region = gateway.id.region,
                timeout = gateway.timeout.seconds,
                "watching"
            ),
            Some(old) if old.timeout.seconds.total_cmp(&gateway.timeout.seconds).is_ne() => {
                info!(
                    gateway = name,
                    before = old.timeout.seconds,
                    now = gateway.timeout.seconds,
                    "the timeout has changed"
                );
            }
            Some(_) => {}
        }
        let notified = old.and_then(|old| old.timeout.mismatch());
        if let Some(idle) = gateway.timeout.mismatch()
            && notified != Some(idle)
        {
            warn!(
                gateway = name,
                configured = gateway.timeout.seconds,
                idle_timeout = idle,
                "the load balancer's idle timeout is not the configured timeout; the configured one is used"
            );
        }
    }
    let left: BTreeSet<_> = after.iter().map(|gateway| &gateway.id).collect();
    for gateway in before.iter().filter(|gateway| !left.contains(&gateway.id)) {
        info!(gateway = gateway.id.name, region = gateway.id.region, "no longer watching");
    }
}
