//! A trial: somebody wants to see whether messages arrive.

use crate::detect::Severity;
use crate::render::words::MessageContent;
use crate::time::Minute;

/// The words of a trial.
pub fn words(at: Minute) -> MessageContent {
    let mut words = MessageContent::new("test", "test", Severity::Info);
    words.id = format!("test/{at}");
    words.thread = "test".into();
    words.at = Some(at);
    words.title = "[TEST] nearmiss: nothing is wrong".into();
    words.paragraphs = vec![
        "Somebody ran \"nearmiss check --send-test\": messages arrive where you read this."
            .to_owned(),
    ];
    words.facts = vec![("Told", at.to_string())];
    words
}
