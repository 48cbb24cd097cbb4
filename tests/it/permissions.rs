//! A permission that is missing loses what needs it, and nothing else; and that is said.

use nearmiss::inventory::{AccountRegion, Trouble};
use nearmiss_core::number::quantity::Span;

use crate::program::{config, program, sim, text};
use crate::world::{START, World, metric, poll};

const SPAN: u64 = 20;

/// Who is found by this config, whether that is all, and what is said.
async fn found(world: &World, text: &str) -> (Vec<String>, bool, Vec<String>) {
    let accounts = AccountRegion::of_config(&world.config(text), &world.base).await;
    let mut account = accounts.into_iter().next().unwrap();
    let span = Span::seconds(SPAN);
    account.refresh(START, span, span).await;
    let names = account.gateways.iter().map(|gateway| gateway.id.name.clone()).collect();
    (names, account.is_known(), account.troubles.iter().map(Trouble::to_string).collect())
}

const BY_TAGS: &str = "[[gateway]]\ntags = { team = \"*\" }\n";
const BY_NAME: &str = "[[gateway]]\nload_balancer = \"checkout\"\n";
const ROUTE: &str =
    "[[route]]\ntags = { team = \"a\" }\ntopic_arn = \"arn:aws:sns:eu-central-1:111122223333:a\"\n";

#[tokio::test]
async fn without_tags_only_what_goes_by_tags_is_lost() {
    let world = World::of("slow_burn", 7, "denied=elasticloadbalancing:DescribeTags").await;
    let only_checkout = ["checkout"];

    let (names, is_known, said) = found(&world, &format!("{BY_NAME}{ROUTE}")).await;
    assert_eq!(names, only_checkout);
    assert!(is_known, "who is watched does not hang on tags");
    assert!(said[0].starts_with("elasticloadbalancing:DescribeTags in eu-central-1: "), "{said:?}");
    assert!(
        said[0].contains("The tags of 1 load balancers are not known: routes, maintenance windows, silences and labels by tags do not fit them. Allow elasticloadbalancing:DescribeTags"),
        "{said:?}"
    );

    let (names, is_known, said) = found(&world, &format!("{BY_NAME}{BY_TAGS}")).await;
    assert_eq!(names, only_checkout);
    assert!(!is_known, "more may be there");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("load_balancer \"*\", tag team=* does not find them"), "{said:?}");

    let excluding =
        "[[gateway]]\nload_balancer = \"*\"\nexclude = [\"web\", { tags = { team = \"*\" } }]\n";
    let (names, _, said) = found(&world, excluding).await;
    assert_eq!(names, ["checkout", "search"]);
    assert!(said[0].contains("exclude does not leave them out by tags"), "{said:?}");
}

#[tokio::test]
async fn without_the_list_what_is_named_by_its_arn_is_watched() {
    let denied = "denied=elasticloadbalancing:DescribeLoadBalancers";
    let world = World::of("slow_burn", 7, denied).await;
    let arn = world.arn("checkout").await;
    let by_arn =
        format!("[[gateway]]\nload_balancer = \"{arn}\"\n[[gateway]]\nload_balancer = \"web\"\n");
    let (names, is_known, said) = found(&world, &by_arn).await;
    assert_eq!((names, is_known), (vec!["checkout".to_owned()], false));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("elasticloadbalancing:DescribeLoadBalancers"), "{said:?}");
}

#[tokio::test]
async fn without_attributes_what_has_a_timeout_is_watched() {
    let denied = "denied=elasticloadbalancing:DescribeLoadBalancerAttributes";
    let world = World::of("slow_burn", 7, denied).await;
    let fixed = "[[gateway]]\nload_balancer = \"checkout\"\ntimeout = \"60s\"\n";
    let (names, is_known, said) = found(&world, fixed).await;
    assert_eq!((names, is_known), (vec!["checkout".to_owned()], true));
    assert!(!said[0].contains("not watched"), "{said:?}");
    let (names, is_known, said) =
        found(&world, &format!("{fixed}[[gateway]]\nload_balancer = \"*\"\n")).await;
    assert_eq!((names, is_known), (vec!["checkout".to_owned()], false));
    assert!(
        said[0].contains("2 load balancers are not watched, because their idle timeout"),
        "{said:?}"
    );
}

/// The whole daemon: it reads minutes, and the trouble is on the page.
#[tokio::test]
async fn a_daemon_without_tags_watches_and_says_so() {
    let world = World::of("slow_burn", 7, "denied=elasticloadbalancing:DescribeTags").await;
    let mut daemon = world.daemon(&format!("{BY_NAME}{ROUTE}")).await;
    poll(&mut daemon, 0..2).await;
    assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), Some(1.0));
    let page = String::from_utf8(daemon.page().metrics.to_vec()).unwrap();
    assert!(page.contains("nearmiss_trouble{theme=\"discovery\"} 1"), "{page}");
}

/// What does not go by tags does not ask for them, and what counts does not fail by it.
#[test]
fn what_it_costs_is_known_without_tags() {
    let denied = "denied=elasticloadbalancing:DescribeTags";
    let (_sim, aws) = sim(&["--scenario", "healthy", "--faults", denied]);
    let directory = tempfile::tempdir().unwrap();
    let cost = |text: &str| {
        let path = config(directory.path(), text);
        let mut command = program();
        command.env("AWS_ENDPOINT_URL", format!("http://{aws}"));
        command.args(["cost", "--config", &path]).output().unwrap()
    };
    let named = "[[gateway]]\nload_balancer = \"*\"\n";
    let by_route = cost(&format!("{named}{ROUTE}"));
    assert_eq!(by_route.status.code(), Some(0), "{}", text(&by_route.stderr));
    assert!(text(&by_route.stderr).contains("elasticloadbalancing:DescribeTags"));
    assert_eq!(text(&cost(named).stderr), "");
    assert_eq!(cost(BY_TAGS).status.code(), Some(1), "how many there are is not known");
}
