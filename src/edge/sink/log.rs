//! The log: every notification is a line in it, whoever else is told.

use tracing::{info, warn};

use crate::analysis::Notice;
use crate::analysis::alert::Reason;

/// Writes a notification as one line.
pub fn write(notice: &Notice) {
    let gateway = &notice.gateway.id.name;
    let (rule, severity, why) = (notice.rule(), notice.episode.severity, notice.why());
    match notice.reason {
        Reason::Firing | Reason::Escalated => {
            warn!(gateway, %rule, %severity, reason = notice.reason.name(), at = %notice.at, "{why}");
        }
        Reason::Resolved => {
            info!(gateway, %rule, %severity, reason = notice.reason.name(), at = %notice.at, "{why}");
        }
    }
}
