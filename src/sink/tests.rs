//! How deliveries to one receiver proceed, whatever its sink is.

use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use super::testing::{Does, Double, people, programs};
use super::*;
use nearmiss_core::time::Minute;

/// Three deliveries to a receiver, whose sink is `double`; `stop` ends them.
fn three(
    receiver: &Receiver,
    double: &Double,
    stop: &CancellationToken,
) -> impl Stream<Item = Sent> + Unpin + use<> {
    let sink: Box<dyn Sink> = Box::new(double.clone());
    let sinks = BTreeMap::from([(receiver.id.clone(), sink)]);
    let senders = Arc::new(Senders::new(sinks, Links::default()));
    let one = |minute| Delivery {
        receiver: receiver.clone(),
        notification: Notification::Test(Minute(minute)),
    };
    let deadline = Deadline::after(Duration::from_secs(10), stop.clone().into());
    Box::pin(senders.deliver((1..=3).map(one).collect(), deadline))
}

fn ids(minutes: impl IntoIterator<Item = i64>) -> Vec<String> {
    minutes.into_iter().map(|minute| Notification::Test(Minute(minute)).id()).collect()
}

#[tokio::test(start_paused = true)]
async fn order_is_kept_and_what_was_refused_holds_nothing_back() {
    let double = Double::default();
    double.does([Does::Accepts, Does::Fails(ErrorKind::Refused)]);
    let sent: Vec<Sent> =
        three(&people("team"), &double, &CancellationToken::new()).collect().await;
    let outcomes: Vec<bool> = sent.iter().map(|one| one.outcome.is_ok()).collect();
    assert_eq!(outcomes, [true, false, true]);
    assert_eq!(double.tried(), ids(1..=3));
    assert_eq!(double.accepted(), ids([1, 3]));
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_is_not_sent_the_next_one() {
    use ErrorKind::{Credentials, Denied, Failed, Incomplete, Throttled, Unreachable};
    for kind in [Throttled, Unreachable, Denied, Credentials, Failed, Incomplete] {
        let double = Double::default();
        double.does([Does::Accepts, Does::Fails(kind)]);
        let sent = three(&programs("queue"), &double, &CancellationToken::new());
        assert_eq!(sent.collect::<Vec<_>>().await.len(), 2, "{kind:?}");
        assert_eq!(double.tried(), ids([1, 2]), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_ends_with_the_deadline() {
    let double = Double::default();
    double.does([Does::Hangs]);
    let sent: Vec<Sent> =
        three(&people("team"), &double, &CancellationToken::new()).collect().await;
    let error = sent[0].outcome.as_ref().unwrap_err();
    assert_eq!(error.to_string(), "double:Send: not taken within 10 s");
    assert_eq!((sent.len(), double.tried().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn when_the_daemon_is_to_stop_none_is_begun() {
    let (double, stop) = (Double::default(), CancellationToken::new());
    let mut sent = three(&people("team"), &double, &stop);
    assert!(sent.next().await.unwrap().outcome.is_ok());
    stop.cancel();
    assert!(sent.next().await.is_none());
    assert_eq!(double.tried(), ids([1]));
}

#[tokio::test(start_paused = true)]
async fn the_next_one_begins_when_the_one_before_was_handed_out_and_for_people_after_a_pause() {
    for (receiver, pauses) in [(people("team"), true), (programs("queue"), false)] {
        let double = Double::default();
        let mut sent = three(&receiver, &double, &CancellationToken::new());
        sent.next().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(double.tried(), ids([1]), "nobody asked for the next one");
        let soon = tokio::time::timeout(PAUSE / 2, sent.next()).await;
        assert_eq!(soon.is_err(), pauses, "{}", receiver.id);
        assert_eq!(double.tried().len(), if pauses { 1 } else { 2 });
    }
}

#[test]
fn a_config_names_one_sink_and_a_route_a_topic_or_a_sink() {
    const ARN: &str = "arn:aws:sns:eu-central-1:111122223333:a";
    let topic = |arn: Option<&str>, attributes| InlineTopic {
        topic_arn: arn.map(|arn| TopicArn::try_from(arn.to_owned()).unwrap()),
        role_arn: None,
        external_id: None,
        attributes,
        chat_configuration: None,
    };
    let named = super::named;
    let target = named(topic(Some(ARN), false), None).unwrap().unwrap();
    assert_eq!(target.receiver().id.as_str(), ARN);
    assert_eq!(named(topic(None, false), Some(target.clone())), Ok(Some(target.clone())));
    assert_eq!(named(topic(None, false), None), Ok(None));
    assert!(named(topic(None, true), None).unwrap_err().starts_with("expected topic_arn beside"));
    let both = named(topic(Some(ARN), false), Some(target));
    assert_eq!(both.unwrap_err(), "expected topic_arn or sink, found both");
}
