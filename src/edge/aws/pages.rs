//! Answers in pages: every page of them, and a limit.
//!
//! A token that comes twice, or more pages than there can be, means that the answer does
//! not end. An empty token is none.

use std::collections::HashSet;
use std::error::Error as StdError;

use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::fault::AwsError;

/// Counts the pages of an answer.
#[derive(Debug)]
pub struct Pages {
    most: usize,
    seen: HashSet<String>,
}

impl Pages {
    /// Of an answer with at most this many pages.
    #[must_use]
    pub fn at_most(most: usize) -> Self {
        Self { most, seen: HashSet::new() }
    }

    /// The token of the page after this one, from the one that this page has; `None` at the
    /// end.
    ///
    /// # Errors
    /// Why the answer does not end.
    pub fn turn(&mut self, token: Option<&str>) -> Result<Option<String>, String> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
        if !self.seen.insert(token.to_owned()) {
            return Err("the answer has no end: a page leads back to one before it".to_owned());
        }
        if self.seen.len() >= self.most {
            let most = self.most;
            return Err(format!("the answer has more than the {most} pages that there can be"));
        }
        Ok(Some(token.to_owned()))
    }
}

/// All items of an answer in at most `most` pages, or the first `enough` of them. `take`
/// splits a page into its items and the token of the next one.
///
/// # Errors
/// When a page does not come, or the answer does not end.
pub async fn collect<P, T, E>(
    (action, region): (&'static str, &str),
    (most, enough): (usize, usize),
    mut pages: PaginationStream<Result<P, SdkError<E, HttpResponse>>>,
    take: impl Fn(P) -> (Vec<T>, Option<String>),
) -> Result<Vec<T>, AwsError>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let mut turned = Pages::at_most(most);
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let (items, token) = take(page.map_err(|error| AwsError::of(action, region, &error))?);
        all.extend(items);
        if all.len() >= enough {
            all.truncate(enough);
            break;
        }
        let next = turned.turn(token.as_deref());
        if next.map_err(|said| AwsError::incomplete(action, region, said))?.is_none() {
            break;
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pages of these tokens are read, and how that ends.
    fn read<'a>(most: usize, tokens: impl IntoIterator<Item = &'a str>) -> (usize, Option<String>) {
        let mut pages = Pages::at_most(most);
        let mut read = 0;
        for token in tokens {
            read += 1;
            match pages.turn(Some(token)) {
                Ok(Some(_)) => {}
                Ok(None) => return (read, None),
                Err(said) => return (read, Some(said)),
            }
        }
        (read, Some("not over".to_owned()))
    }

    #[test]
    fn an_answer_ends_or_is_none() {
        assert_eq!(read(3, ["a", "b", ""]), (3, None), "empty is none");
        assert_eq!(Pages::at_most(1).turn(None), Ok(None));
        let (pages, said) = read(100, ["a", "a"]);
        assert_eq!((pages, said.unwrap().contains("leads back")), (2, true));
        let (pages, said) = read(100, ["a", "b", "c", "a"]);
        assert_eq!((pages, said.unwrap().contains("leads back")), (4, true), "in a circle");
        let tokens: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let (pages, said) = read(10, tokens.iter().map(String::as_str));
        assert_eq!((pages, said.unwrap().contains("more than the 10 pages")), (10, true));
    }
}
