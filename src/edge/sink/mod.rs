//! Where news go. What no receiver has taken was not said.

mod log;
mod sns;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use futures::stream::{self, Stream};

use super::aws::{AwsError, ErrorKind, Usage};
use super::time::Deadline;
use crate::config::Topic;
use nearmiss_core::alerting::Receiver;
use nearmiss_core::notification::Delivery;
use nearmiss_core::render::{Links, Message};
pub use sns::{GET_TOPIC, PUBLISH, SnsTopic};

/// Amazon Q Developer takes ten messages a second, and drops the others.
const PAUSE: Duration = Duration::from_millis(150);

/// All receivers: the topics of the config, and the log.
#[derive(Debug, Default)]
pub struct Sinks {
    topics: BTreeMap<Receiver, SnsTopic>,
    links: Links,
}

/// What became of a parcel.
#[derive(Debug)]
pub struct Sent {
    /// Which one.
    pub parcel: Delivery,
    /// Whether its receiver took it.
    pub outcome: Result<(), AwsError>,
    /// What that took.
    pub usage: Usage,
}

impl Sinks {
    /// The topics that a config names.
    pub async fn connect(
        topics: impl Iterator<Item = &Topic>,
        links: Links,
        base: &SdkConfig,
    ) -> Self {
        let mut known = BTreeMap::new();
        for topic in topics {
            if let std::collections::btree_map::Entry::Vacant(new) = known.entry(topic.receiver()) {
                new.insert(SnsTopic::connect(topic, base).await);
            }
        }
        Self { topics: known, links }
    }

    /// Delivers the parcels of one receiver in their order, until all are sent, the
    /// receiver cannot be reached, or `deadline` has passed. What was refused is no
    /// reason to hold back the next. When the daemon is to stop, none is begun.
    pub fn deliver<'a>(
        &'a self,
        parcels: Vec<Delivery>,
        deadline: &'a Deadline,
    ) -> impl Stream<Item = Sent> + 'a {
        let start = (parcels.into_iter(), true, false);
        stream::unfold(start, move |(mut parcels, goes_on, pauses)| async move {
            if pauses && parcels.len() > 0 {
                deadline.run(tokio::time::sleep(PAUSE)).await;
            }
            let parcel = parcels.next().filter(|_| goes_on && !deadline.is_cut_short())?;
            let mut usage = Usage::default();
            let late = deadline.left();
            let sent = deadline.run(self.send(&parcel, &mut usage)).await;
            let outcome = sent.unwrap_or_else(|| {
                let said = format!("not taken within {} s", late.as_secs());
                Err(AwsError::incomplete(PUBLISH, "", said))
            });
            let refused = |fault: &AwsError| fault.problem == ErrorKind::Refused;
            let goes_on = outcome.as_ref().err().is_none_or(refused);
            let is_topic = self.topics.contains_key(&parcel.receiver);
            let pauses = is_topic && !parcel.receiver.is_for_programs();
            Some((Sent { parcel, outcome, usage }, (parcels, goes_on, pauses)))
        })
    }

    async fn send(&self, parcel: &Delivery, usage: &mut Usage) -> Result<(), AwsError> {
        if let Some(topic) = self.topics.get(&parcel.receiver) {
            let message = Message::of(&parcel.news, &self.links);
            topic.publish(&message, &parcel.news, usage).await?;
        }
        log::write(parcel);
        Ok(())
    }
}
