//! Whatever AWS does, a poll ends by its deadline, commands are answered meanwhile, and a
//! stop is obeyed.
//!
//! AWS is a listener that accepts every connection and never answers, or the simulator
//! behind a door that closes. Only real time can show this; each test waits for what it
//! claims and no longer.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use nearmiss::config::Config;
use nearmiss::daemon::Daemon;
use nearmiss::edge::aws;
use nearmiss::edge::control::{self, Answer, Command};
use nearmiss::edge::time::{Clock, Stopwatch};
use nearmiss_core::alerting::Matcher;
use nearmiss_core::detect::Severity;
use nearmiss_core::pattern::Pattern;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::world::{ALL, REGION, START, World, metric, page};

/// An AWS that never answers, and a daemon that waits for it.
struct Silent {
    base: SdkConfig,
    config: Config,
    socket: PathBuf,
    connections: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    _directory: tempfile::TempDir,
}

async fn silent(poll: &str) -> Silent {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&connections);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let base = aws::loader()
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .load()
        .await;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[control]\nsocket = \"{}\"\n[state]\npath = \"{}\"\n\
         [sink.sns]\ntopic_arn = \"arn:aws:sns:{REGION}:111122223333:nearmiss\"\n{poll}\
         [[gateway]]\nload_balancer = \"arn:aws:elasticloadbalancing:{REGION}:111122223333:loadbalancer/app/web/50dc6c495c0c9188\"\ntimeout = \"60s\"\n\
         [[gateway]]\nload_balancer = \"*\"\n",
        socket.display(),
        directory.path().join("state.json").display(),
    );
    let config = Config::parse(&text, std::path::Path::new("test.toml")).unwrap();
    Silent { base, config, socket, connections, _directory: directory }
}

/// A connection that is accepted, and then nothing: no error, no end, only time.
#[tokio::test]
async fn a_poll_ends_by_its_deadline_when_no_answer_comes() {
    let aws = silent("[poll]\ndeadline = \"2s\"\n").await;
    let mut daemon = Daemon::start(aws.config, &aws.base).await.unwrap();
    let watch = Stopwatch::start();
    daemon.poll(1_767_603_605, &mut |_| {}).await;
    let took = watch.elapsed();
    assert!(took < Duration::from_millis(2_700), "{took:?}");
    let page = page(&daemon);
    assert!(page.contains("nearmiss_gateway_up{gateway=\"web\""), "{page}");
    assert!(page.contains("nearmiss_polls_total{outcome=\"failed\"} 1"), "{page}");
    assert!(aws.connections.load(std::sync::atomic::Ordering::Relaxed) > 0, "nobody was asked");
}

/// Two sockets at once: AWS keeps one waiting, and commands are answered on the other.
#[tokio::test]
async fn people_are_answered_and_a_stop_is_obeyed_while_a_poll_waits() {
    let Silent { base, config, socket, connections, _directory } = silent("").await;
    let daemon = Daemon::start(config, &base).await.unwrap();
    let stop = CancellationToken::new();
    let asks = async {
        while connections.load(std::sync::atomic::Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let watch = Stopwatch::start();
        let silence = Command::Silence {
            matcher: Matcher {
                gateway: Some(Pattern::try_from("*".to_owned()).unwrap()),
                ..Matcher::default()
            },
            at_most: Severity::Critical,
            seconds: 3_600,
            by: "test".into(),
            comment: String::new(),
        };
        let answer = control::ask(&socket, &silence).await.unwrap();
        let advice = match &answer {
            Answer::Silenced { advice, .. } => advice.as_deref(),
            _ => None,
        };
        assert_eq!(advice, Some("no gateway is found yet"), "{answer:?}");
        for command in [Command::Silences, Command::Report { days: 7 }] {
            let answer = control::ask(&socket, &command).await.unwrap();
            assert!(!matches!(answer, Answer::Refused(_)), "{command:?}: {answer:?}");
        }
        let took = watch.elapsed();
        assert!(took < Duration::from_secs(2), "answered after {took:?}");
        stop.cancel();
        Stopwatch::start()
    };
    let (ended, stopped) =
        futures::join!(daemon.run(Clock::System, stop.clone().into(), |_| {}), asks);
    ended.unwrap();
    let took = stopped.elapsed();
    assert!(took < Duration::from_secs(1), "ended {took:?} after it was told to");
}

/// Each service takes a request and never answers, while the others do: what hangs, and
/// whether gateways have data in spite of it. Those that are watched by their ARN have.
#[tokio::test]
async fn one_service_that_hangs_costs_a_poll_its_deadline_and_nobody_else_anything() {
    let cases = [
        ("cloudwatch:GetMetricData", 0.0),
        ("elasticloadbalancing:DescribeLoadBalancers", 1.0),
        ("elasticloadbalancing:DescribeLoadBalancerAttributes", 1.0),
        ("elasticloadbalancing:DescribeTargetGroups", 1.0),
        ("sns:Publish", 1.0),
    ];
    let arn = &World::arn("checkout").await;
    let polls = cases.map(|(action, up)| async move {
        let world = World::of("slow_burn", 7, &format!("hostile={action}/hang")).await;
        let more = format!(
            "[poll]\ndeadline = \"2s\"\n[[gateway]]\nload_balancer = \"{arn}\"\ntimeout = \"60s\"\n{ALL}"
        );
        let mut daemon = world.daemon(&more).await;
        for minute in [20, 21, 26] {
            world.clock.set(START + 60 * minute + 5);
            let watch = Stopwatch::start();
            daemon.poll(START + 60 * minute + 5, &mut |_| {}).await;
            let took = watch.elapsed();
            assert!(took < Duration::from_secs(3), "{action}: {took:?}");
        }
        assert_eq!(metric(&daemon, "nearmiss_gateway_up", "checkout"), Some(up), "{action}");
    });
    futures::future::join_all(polls).await;
}
