//! The page that people scrape, and until when it counts as fresh.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Daemon, whole};
use crate::edge::exporter::{Exporter, Series};
use crate::edge::http::{self, Page};
use crate::edge::log;
use crate::edge::time::instant;
use crate::store::ScheduledMessage;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::time::Minute;

/// Data counts as stale this long after the next poll was due.
const STALE_AFTER: Duration = Duration::from_mins(5);

/// What is published.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) exporter: Exporter,
    listener: Option<TcpListener>,
    pages: watch::Sender<Arc<Page>>,
    fresh_until: Option<Instant>,
}

impl Publisher {
    /// With counters for these receivers.
    pub(super) fn new<'a>(
        listener: TcpListener,
        receivers: impl Iterator<Item = &'a Receiver>,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self {
            exporter: Exporter::new(receivers)?,
            listener: Some(listener),
            pages: watch::channel(Arc::default()).0,
            fresh_until: None,
        })
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(http::address)
    }

    pub(super) fn page(&self) -> Arc<Page> {
        Arc::clone(&self.pages.borrow())
    }

    pub(super) fn pages(&self) -> watch::Receiver<Arc<Page>> {
        self.pages.subscribe()
    }

    /// Serves the page until `stop`.
    pub(super) fn serve(&mut self, stop: &CancellationToken) {
        let Some(listener) = self.listener.take() else { return };
        let address = http::address(&listener).map(tracing::field::display);
        info!(address, "nearmiss is running");
        tokio::spawn(http::serve(listener, self.pages(), stop.clone()));
    }

    /// There is new data; the next is due after `pause`.
    pub(super) fn is_fresh(&mut self, pause: Duration) {
        self.fresh_until = patience(pause);
    }

    /// Renders the page of a poll that ended; the next is due after `pause`.
    fn publish(&self, series: &[Series], pause: Duration) {
        let metrics = self.exporter.render(series);
        self.pages.send_replace(Arc::new(Page {
            gzip: http::gzip(metrics.as_bytes()),
            metrics: metrics.into(),
            fresh_until: self.fresh_until,
            alive_until: patience(pause),
        }));
    }
}

/// Until when the next poll must have ended.
fn patience(pause: Duration) -> Option<Instant> {
    instant().checked_add(pause + STALE_AFTER)
}

impl Daemon {
    /// Renders the page. After the state was saved: a counter that was seen in
    /// a scrape must not fall back when the daemon is killed and starts again.
    pub(super) fn publish(&self, now: i64) {
        self.publish_deliveries(now);
        let series: Vec<Series> = self
            .poller
            .gateways()
            .map(|gateway| {
                let key = gateway.id.key();
                let ledger = self.memory.gateways.get(&key);
                let report = ledger.and_then(|ledger| self.poller.known(ledger, &key));
                Series { gateway, report, ledger }
            })
            .collect();
        self.publisher.publish(&series, self.config.poll.schedule.pause_after(now));
    }

    /// What the page says of deliveries.
    fn publish_deliveries(&self, now: i64) {
        let minute = Minute::containing(now);
        let waiting = &self.notifier.waiting;
        let longest = waiting.values().map(|since| now - since).max().unwrap_or(0);
        let exporter = &self.publisher.exporter;
        let telling = &exporter.telling;
        telling.pending.set(whole(waiting.len()));
        telling.oldest_pending.set(longest.max(0));
        telling.held.set(whole(self.held(minute)));
        let in_force = self.memory.silences.iter().filter(|silence| silence.until > minute);
        telling.silences.set(whole(in_force.count()));
        let digest =
            self.memory.sent.get(&ScheduledMessage::Digest).filter(|_| self.config.digest.enabled);
        telling.digest_sent.set(digest.copied().unwrap_or(0));
        exporter.heartbeat.set(now);
        exporter.dropped_log_lines(log::dropped());
    }
}
