//! The page that is scraped, and until when it counts as fresh.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::whole;
use crate::config::Metrics;
use crate::edge::exporter::Exporter;
use crate::edge::http::{self, Served};
use crate::edge::log;
use crate::edge::time::instant;
use crate::metrics::{Known, Rendered};
use nearmiss_core::alerting::Receiver;

/// How long after the next poll was due data counts as stale.
const STALE_AFTER: Duration = Duration::from_mins(5);

/// What is published.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) exporter: Exporter,
    listener: Option<TcpListener>,
    served: watch::Sender<Arc<Served>>,
    fresh_until: Option<Instant>,
}

/// What the page says of notifications.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deliveries {
    /// How many their receivers have not accepted yet.
    pub(super) pending: usize,
    /// Since when the oldest of them has waited, seconds since the Unix epoch.
    pub(super) pending_since: Option<i64>,
    /// How many episodes are muted.
    pub(super) muted: usize,
    /// How many silences are in force.
    pub(super) silences: usize,
    /// When the capacity report was last delivered, where that is enabled; seconds since
    /// the Unix epoch.
    pub(super) digest_sent: Option<i64>,
}

impl Publisher {
    /// With counters for these receivers; served by this listener, if there is one.
    pub(super) fn new<'a>(
        listener: Option<TcpListener>,
        receivers: impl Iterator<Item = &'a Receiver>,
        options: &Metrics,
    ) -> Result<Self, prometheus::Error> {
        let mut publisher = Self {
            exporter: Exporter::new(receivers)?,
            listener,
            served: watch::channel(Arc::default()).0,
            fresh_until: None,
        };
        publisher.exporter.options.clone_from(options);
        Ok(publisher)
    }

    /// Continues with another config. What was counted stays.
    pub(super) fn follow<'a>(
        &mut self,
        receivers: impl Iterator<Item = &'a Receiver>,
        options: &Metrics,
    ) {
        self.exporter.notifications.know(receivers);
        self.exporter.options.clone_from(options);
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(http::address)
    }

    /// The latest page as text.
    pub(super) fn page(&self) -> Rendered {
        let page = Arc::clone(&self.served.borrow().page);
        page.rendered()
    }

    /// What is served, whenever that changes.
    pub(super) fn served(&self) -> watch::Receiver<Arc<Served>> {
        self.served.subscribe()
    }

    /// Serves the page until `stop`.
    pub(super) fn serve(&mut self, stop: &CancellationToken) {
        let Some(listener) = self.listener.take() else { return };
        let address = http::address(&listener).map(tracing::field::display);
        info!(address, "nearmiss is running");
        tokio::spawn(http::serve(listener, self.served(), stop.clone()));
    }

    /// There is new data; the next is due after `pause`.
    pub(super) fn is_fresh(&mut self, pause: Duration) {
        self.fresh_until = patience(pause);
    }

    /// Notes how notifications stand at `now`, seconds since the Unix epoch.
    pub(super) fn note_deliveries(&self, deliveries: Deliveries, now: i64) {
        let Deliveries { pending, pending_since, muted, silences, digest_sent } = deliveries;
        let notifications = &self.exporter.notifications;
        notifications.pending.set(whole(pending));
        notifications.oldest_pending.set(pending_since.map_or(0, |since| (now - since).max(0)));
        notifications.muted.set(whole(muted));
        notifications.silences.set(whole(silences));
        notifications.digest_sent.set(digest_sent.unwrap_or(0));
    }

    /// Publishes what is known when the poll of `now` ends; the next is due after `pause`.
    /// The state must have been saved: a counter that was scraped must not fall back when
    /// the daemon is killed and starts again.
    pub(super) fn publish<'a>(
        &self,
        known: impl Iterator<Item = Known<'a>>,
        now: i64,
        pause: Duration,
    ) {
        self.exporter.heartbeat.set(now);
        self.exporter.dropped_log_lines(log::dropped());
        self.served.send_replace(Arc::new(Served {
            page: Arc::new(self.exporter.page(known)),
            fresh_until: self.fresh_until,
            alive_until: patience(pause),
        }));
    }
}

/// By when the next poll must have ended.
fn patience(pause: Duration) -> Option<Instant> {
    instant().checked_add(pause + STALE_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::gateway;

    /// After half a minute's pause.
    const PAUSE: Duration = Duration::from_secs(30);
    const NOW: i64 = 1_767_603_600;

    fn publisher(options: &str) -> Publisher {
        Publisher::new(None, [Receiver::log()].iter(), &options_of(options)).unwrap()
    }

    fn options_of(text: &str) -> Metrics {
        toml::from_str(text).unwrap()
    }

    /// Publishes that these gateways are watched, and nothing else.
    fn publish(publisher: &Publisher, names: &[&str]) {
        let gateways: Vec<_> = names.iter().map(|name| gateway(name)).collect();
        let known = gateways.iter().map(|gateway| Known { gateway, report: None, state: None });
        publisher.publish(known, NOW, PAUSE);
    }

    /// The lines of the latest page that begin with this prefix.
    fn lines(publisher: &Publisher, start: &str) -> Vec<String> {
        let page = String::from_utf8(publisher.page().metrics.to_vec()).unwrap();
        page.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    #[test]
    fn a_page_shows_the_poll_that_ended_and_nothing_of_the_next() {
        let publisher = publisher("");
        assert_eq!(lines(&publisher, ""), [""; 0], "nothing before the first poll");
        publisher.exporter.polls.with_label_values(&["ok"]).inc();
        publish(&publisher, &["web", "pay"]);
        let polls = "nearmiss_polls_total{outcome=\"ok\"}";
        publisher.exporter.polls.with_label_values(&["ok"]).inc();
        assert_eq!(lines(&publisher, polls), [format!("{polls} 1")]);
        assert_eq!(lines(&publisher, "nearmiss_gateways "), ["nearmiss_gateways 2"]);
        publish(&publisher, &["pay"]);
        assert_eq!(lines(&publisher, polls), [format!("{polls} 2")]);
        let up = lines(&publisher, "nearmiss_gateway_up{");
        assert!(up.len() == 1 && up[0].contains("\"pay\""), "a gateway that is gone: {up:?}");
    }

    #[test]
    fn what_is_published_counts_as_fresh_only_after_a_good_poll() {
        let mut publisher = publisher("");
        let until = |publisher: &Publisher| {
            let served = publisher.served();
            let served = served.borrow();
            (served.fresh_until, served.alive_until)
        };
        assert_eq!(until(&publisher), (None, None));
        publish(&publisher, &[]);
        let (fresh, alive) = until(&publisher);
        assert!(fresh.is_none() && alive > instant().checked_add(STALE_AFTER));
        publisher.is_fresh(PAUSE);
        publish(&publisher, &[]);
        let (fresh, bad) = (until(&publisher).0, until(&publisher));
        publish(&publisher, &[]);
        assert!(fresh.is_some() && until(&publisher).0 == fresh, "a poll that failed adds nothing");
        assert!(until(&publisher).1 >= bad.1);
    }

    #[test]
    fn deliveries_are_shown_as_they_stand() {
        let publisher = publisher("");
        let deliveries = Deliveries {
            pending: 3,
            pending_since: Some(NOW - 90),
            muted: 2,
            silences: 1,
            digest_sent: Some(NOW - 600),
        };
        let names = [
            "nearmiss_notifications_pending",
            "nearmiss_notification_oldest_pending_seconds",
            "nearmiss_notifications_held",
            "nearmiss_silences",
            "nearmiss_digest_last_sent_timestamp_seconds",
        ];
        for (deliveries, values) in [
            (deliveries, [3, 90, 2, 1, NOW - 600]),
            (Deliveries { pending_since: Some(NOW + 5), ..deliveries }, [3, 0, 2, 1, NOW - 600]),
            (Deliveries::default(), [0; 5]),
        ] {
            publisher.note_deliveries(deliveries, NOW);
            publish(&publisher, &[]);
            for (name, value) in names.iter().zip(values) {
                let line = format!("{name} {value}");
                assert_eq!(lines(&publisher, &format!("{name} ")), [line]);
            }
        }
        let heartbeat = "nearmiss_heartbeat_timestamp_seconds ";
        assert_eq!(lines(&publisher, heartbeat), [format!("{heartbeat}{NOW}")]);
    }

    #[test]
    fn another_config_holds_for_the_next_page_and_keeps_what_was_counted() {
        let mut publisher = publisher("drop = [\"process_*\"]");
        publisher.exporter.polls.with_label_values(&["ok"]).inc();
        publish(&publisher, &["web"]);
        assert_eq!(lines(&publisher, "process_"), [""; 0]);
        let near = "nearmiss_near_seconds{";
        assert_eq!(lines(&publisher, near).len(), 1);
        let options = "drop = [\"nearmiss_near_*\"]\ntag_labels = [\"team\"]";
        publisher.follow([Receiver::log()].iter(), &options_of(options));
        assert_eq!(lines(&publisher, near).len(), 1, "the page is the one of its poll");
        publish(&publisher, &["web"]);
        assert_eq!(lines(&publisher, near), [""; 0]);
        assert!(lines(&publisher, "nearmiss_gateway_info{")[0].contains("tag_team=\""));
        assert!(!lines(&publisher, "process_").is_empty());
        let polls = "nearmiss_polls_total{outcome=\"ok\"} 1";
        assert_eq!(lines(&publisher, polls), [polls]);
    }
}
