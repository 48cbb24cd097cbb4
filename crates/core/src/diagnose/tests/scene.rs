//! Made-up evidence: a healthy gateway in ECS behind two zones, and figures that are
//! counted from sampled requests.
//!
//! A fault is a change of a [`Shape`], minute by minute, and of the configuration; what
//! CloudWatch would have made of it is counted here as AWS describes it (a request that
//! timed out leaves no sample).

use crate::gateway::evidence::Measure;
use std::collections::BTreeMap;

use crate::diagnose::evidence::*;
use crate::diagnose::series::real;
use crate::time::Minute;

/// 2026-01-05T00:00Z.
pub const FIRST: Minute = Minute(29_459_520);

/// A small deterministic generator (`SplitMix64`).
pub struct Dice(pub u64);

impl Dice {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.bits() >> 32).unwrap()) / 4_294_967_296.0
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        let place = self.bits() % u64::try_from(of.len()).unwrap();
        of[usize::try_from(place).unwrap()]
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.unit().max(1e-12), self.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0.0);
        while product > limit {
            product *= self.unit();
            count += 1.0;
        }
        count
    }
}

/// What a gateway is like, whatever happens to it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub seed: u64,
    pub timeout: f64,
    pub targets: usize,
    /// Requests per second.
    pub rate: f64,
    pub before: i64,
    pub since: i64,
    pub is_known: bool,
}

impl Setting {
    /// One of many, by seed.
    pub fn drawn(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0xA5A5);
        Self {
            seed,
            timeout: dice.pick(&[5.0, 20.0, 30.0, 60.0, 60.0, 60.0, 120.0, 300.0]),
            targets: dice.pick(&[3, 4, 4, 6, 8]),
            rate: dice.pick(&[0.5, 2.0, 8.0, 30.0, 100.0, 500.0]),
            before: dice.pick(&[20, 40, 60, 110]),
            since: dice.pick(&[12, 20, 35, 60]),
            is_known: dice.chance(0.5),
        }
    }

    pub fn plain() -> Self {
        Self {
            seed: 7,
            timeout: 60.0,
            targets: 4,
            rate: 20.0,
            before: 60,
            since: 25,
            is_known: true,
        }
    }
}

/// What requests meet with in one minute.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Minutes since the fault; negative before it.
    pub at: i64,
    pub traffic: f64,
    /// Seconds that every request waits.
    pub delay: f64,
    /// Share, median and sigma of the slow requests.
    pub slow: (f64, f64, f64),
    /// Share of requests that are never answered.
    pub silent: f64,
    /// Share that stall in the body: a sample and a 504.
    pub stalled: f64,
    pub connect: f64,
    pub refused: f64,
    pub tls: f64,
    pub closed: f64,
    pub empty: f64,
    pub rejected: f64,
    pub own_errors: f64,
    pub healthy: f64,
    pub unhealthy: f64,
    pub anomalous: f64,
    pub fail_open: bool,
    pub lambda_user: f64,
    pub lambda_internal: f64,
    /// The idle timeout in this minute.
    pub idle: f64,
}

/// Evidence in the making.
pub struct Scene {
    pub setting: Setting,
    pub dice: Dice,
    pub evidence: Evidence,
}

impl Scene {
    pub fn healthy(setting: Setting) -> Self {
        let end = setting.before + setting.since;
        let evidence = Evidence {
            gateway: "site".to_owned(),
            timeout: setting.timeout,
            configured_timeout: None,
            near: 0.8,
            began: None,
            figures: asked(FIRST, FIRST.plus(end)),
            load_balancer: Ok(load_balancer(setting.timeout)),
            target_groups: Ok(vec![target_group("web", setting.targets)]),
            left_out: 0,
            network: network(setting.targets),
            services: Ok(vec![service()]),
            functions: Ok(vec![]),
        };
        Self { setting, dice: Dice(setting.seed), evidence }
    }

    /// The minute at which the fault begins.
    pub fn fault(&self) -> Minute {
        FIRST.plus(self.setting.before)
    }

    /// Seconds since the epoch, by minutes since the fault.
    pub fn second(&self, minute: i64) -> i64 {
        self.fault().plus(minute).start()
    }

    pub fn group(&mut self) -> &mut TargetGroup {
        &mut self.evidence.target_groups.as_mut().unwrap()[0]
    }

    pub fn targets(&mut self) -> &mut Vec<Target> {
        self.group().targets.as_mut().unwrap()
    }

    pub fn service(&mut self) -> &mut Service {
        &mut self.evidence.services.as_mut().unwrap()[0]
    }

    pub fn stop(&mut self, minute: i64, code: &str, reason: &str, exit: i32, why: &str) {
        let (stopping, stopped) = (self.second(minute) + 20, self.second(minute) + 65);
        let task = StoppedTask {
            id: format!("task{minute}"),
            stopping: Some(stopping),
            stopped: Some(stopped),
            code: code.to_owned(),
            reason: reason.to_owned(),
            exits: vec![(Some(exit), why.to_owned())],
        };
        self.service().stopped.as_mut().unwrap().push(task);
    }

    /// Counts all minutes; `fault` changes the shape of each, also before the fault.
    pub fn run(&mut self, fault: impl Fn(&mut Shape, &mut Dice)) {
        let targets = f64::from(u32::try_from(self.setting.targets).unwrap());
        for at in -self.setting.before..self.setting.since {
            let mut shape = Shape {
                at,
                traffic: 1.0,
                delay: 0.0,
                slow: (0.03, 3.0, 0.5),
                silent: 0.0,
                stalled: 0.0,
                connect: 0.0,
                refused: 0.0,
                tls: 0.0,
                closed: 0.0,
                empty: 0.0,
                rejected: 0.0,
                own_errors: 0.001,
                healthy: targets,
                unhealthy: 0.0,
                anomalous: 0.0,
                fail_open: false,
                lambda_user: 0.0,
                lambda_internal: 0.0,
                idle: self.setting.timeout,
            };
            fault(&mut shape, &mut self.dice);
            self.count(&shape);
        }
        if self.setting.is_known {
            self.evidence.began = Some(self.fault().plus(1));
        }
    }

    fn count(&mut self, shape: &Shape) {
        let requests = self.dice.poisson(self.setting.rate * 60.0 * shape.traffic);
        let drawn = requests.min(400.0);
        let weight = if drawn > 0.0 { requests / drawn } else { 0.0 };
        let scale = (self.setting.timeout / 60.0).min(1.0);
        let mut tally: BTreeMap<Measure, f64> = BTreeMap::new();
        let mut latencies = Vec::new();
        let mut left = drawn;
        while left >= 1.0 {
            left -= 1.0;
            request(shape, scale, &mut self.dice, &mut latencies, &mut tally);
        }
        for count in tally.values_mut() {
            *count = (*count * weight).round();
        }
        // A target was chosen for all but those that got 503.
        let empty = tally.get(&Measure::Elb503).copied().unwrap_or(0.0);
        tally.insert(Measure::Requests, requests - empty);
        latencies.sort_by(f64::total_cmp);
        let number = real(latencies.len());
        let quantile = |share: f64| {
            let rank = share * (number - 1.0);
            latencies
                .iter()
                .zip(0..)
                .find(|(_, place)| f64::from(*place) >= rank - 0.5)
                .map(|l| *l.0)
        };
        let mut record = |measure, value| {
            self.evidence.figures.record(
                &Scope::All,
                measure,
                self_minute(shape.at, self.setting),
                value,
            );
        };
        for (measure, share) in [
            (Measure::P50, 0.5),
            (Measure::P90, 0.9),
            (Measure::P99, 0.99),
            (Measure::Maximum, 1.0),
        ] {
            if let Some(value) = quantile(share) {
                record(measure, value);
            }
        }
        record(Measure::Samples, (number * weight).round());
        record(Measure::Sum, latencies.iter().sum::<f64>() * weight);
        let near = latencies.iter().filter(|l| **l > 0.8 * shape.idle && **l <= shape.idle).count();
        record(Measure::NearMisses, (real(near) * weight).round());
        for (measure, value) in tally {
            record(measure, value);
        }
        record(Measure::Rejected, shape.rejected);
        let group = Scope::TargetGroup("web".to_owned());
        for (measure, value) in [
            (Measure::Healthy, shape.healthy),
            (Measure::Unhealthy, shape.unhealthy),
            (Measure::Anomalous, shape.anomalous),
            (Measure::FailOpen, if shape.fail_open { requests } else { 0.0 }),
            (Measure::Requests, requests - empty),
        ] {
            let minute = self_minute(shape.at, self.setting);
            self.evidence.figures.record(&group, measure, minute, value);
        }
    }
}

fn self_minute(at: i64, setting: Setting) -> Minute {
    FIRST.plus(setting.before + at)
}

/// One request: what it adds to the counts, and its latency, if it leaves one.
fn request(
    shape: &Shape,
    scale: f64,
    dice: &mut Dice,
    latencies: &mut Vec<f64>,
    tally: &mut BTreeMap<Measure, f64>,
) {
    let mut add = |measure| *tally.entry(measure).or_insert(0.0) += 1.0;
    let (part, median, sigma) = shape.slow;
    let slow = dice.chance(part);
    let own = if slow {
        dice.lognormal(median * scale, sigma)
    } else {
        dice.lognormal(0.25 * scale, 0.7)
    };
    let latency = own + shape.delay;
    let fate = dice.unit();
    let fates = [
        (shape.empty, vec![Measure::Elb503], false),
        (shape.connect, vec![Measure::Elb504, Measure::ConnectionErrors], false),
        (shape.refused, vec![Measure::Elb502, Measure::ConnectionErrors], false),
        (shape.tls, vec![Measure::Elb504, Measure::TlsErrors], false),
        (shape.closed, vec![Measure::Elb502], false),
        (shape.silent, vec![Measure::Elb504], false),
        (shape.stalled, vec![Measure::Elb504], true),
        (shape.own_errors, vec![Measure::Target5xx], true),
        (shape.lambda_user, vec![Measure::Elb502, Measure::LambdaUserErrors], false),
        (shape.lambda_internal, vec![Measure::Elb504, Measure::LambdaInternalErrors], false),
    ];
    let mut below = 0.0;
    for (share, measures, leaves_sample) in fates {
        below += share;
        if fate < below {
            measures.into_iter().for_each(&mut add);
            if leaves_sample {
                latencies.push(latency.min(shape.idle));
            }
            return;
        }
    }
    if latency > shape.idle {
        add(Measure::Elb504);
    } else {
        latencies.push(latency);
    }
}

fn asked(first: Minute, end: Minute) -> Figures {
    use Measure::*;
    let mut figures = Figures::between(first, end);
    for measure in [
        Requests,
        Samples,
        Sum,
        NearMisses,
        Elb504,
        Elb502,
        Elb503,
        Elb4xx,
        Target5xx,
        ConnectionErrors,
        TlsErrors,
        Rejected,
        LambdaUserErrors,
        LambdaInternalErrors,
    ] {
        figures.ask(Scope::All, measure, Some(0.0));
    }
    for measure in [P50, P90, P99, Maximum] {
        figures.ask(Scope::All, measure, None);
    }
    for measure in [Healthy, Unhealthy, Anomalous] {
        figures.ask(Scope::TargetGroup("web".to_owned()), measure, None);
    }
    for measure in [FailOpen, Requests] {
        figures.ask(Scope::TargetGroup("web".to_owned()), measure, Some(0.0));
    }
    figures
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const ACCOUNT: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012";

fn load_balancer(idle: f64) -> LoadBalancer {
    let zone = |letter: &str| Zone {
        name: format!("eu-central-1{letter}"),
        subnet: format!("subnet-public-{letter}"),
    };
    LoadBalancer {
        name: "site".to_owned(),
        arn: format!("{ACCOUNT}:loadbalancer/app/site/50dc6c495c0c9188"),
        state: "active".to_owned(),
        vpc: "vpc-1".to_owned(),
        security_groups: vec!["sg-lb".to_owned()],
        zones: vec![zone("a"), zone("b")],
        attributes: Ok(texts(&[
            ("idle_timeout.timeout_seconds", &format!("{idle:.0}")),
            ("access_logs.s3.enabled", "true"),
        ])),
    }
}

/// The targets' addresses alternate between two zones.
pub fn address(index: usize) -> String {
    format!("10.0.{}.{}", 10 + index % 2, 20 + index)
}

pub fn target_group(name: &str, targets: usize) -> TargetGroup {
    let target = |index: usize| Target {
        id: address(index),
        port: Some(8080),
        zone: Some(format!("eu-central-1{}", ["a", "b"][index % 2])),
        state: "healthy".to_owned(),
        anomalous: Some(false),
        ..Target::default()
    };
    TargetGroup {
        name: name.to_owned(),
        arn: format!("{ACCOUNT}:targetgroup/{name}/6d0ecf831eec9f09"),
        kind: TargetKind::Ip,
        protocol: "HTTP".to_owned(),
        port: Some(8080),
        vpc: Some("vpc-1".to_owned()),
        health_check: HealthCheck {
            enabled: true,
            protocol: "HTTP".to_owned(),
            port: "traffic-port".to_owned(),
            path: "/healthz".to_owned(),
            interval: 30,
            timeout: 5,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
            matcher: "200".to_owned(),
        },
        attributes: Ok(texts(&[("deregistration_delay.timeout_seconds", "300")])),
        receives: Some(true),
        targets: Ok((0..targets).map(target).collect()),
    }
}

fn interface(id: &str, address: String, subnet: &str, group: &str, is_node: bool) -> Interface {
    Interface {
        id: format!("eni-{id}"),
        addresses: vec![address],
        subnet: subnet.to_owned(),
        security_groups: vec![group.to_owned()],
        status: "in-use".to_owned(),
        instance: None,
        is_node,
    }
}

pub fn network(targets: usize) -> Network {
    let permission = |block: &str, group: &str| Permission {
        protocol: if group.is_empty() { "-1" } else { "tcp" }.to_owned(),
        ports: (!group.is_empty()).then_some((8080, 8080)),
        blocks: if block.is_empty() { vec![] } else { vec![block.to_owned()] },
        groups: if group.is_empty() { vec![] } else { vec![group.to_owned()] },
        has_prefix_list: false,
    };
    let group = |name: &str, ingress| SecurityGroup {
        name: name.to_owned(),
        ingress: vec![ingress],
        egress: vec![permission("0.0.0.0/0", "")],
    };
    let subnet = |letter: &str, block: &str, table: &str| Subnet {
        zone: format!("eu-central-1{letter}"),
        blocks: vec![block.to_owned()],
        acl: Some(format!("acl-{table}-{letter}")),
        route_table: Some(format!("rtb-{table}-{letter}")),
    };
    let subnets = [
        ("subnet-public-a", subnet("a", "10.0.0.0/24", "public")),
        ("subnet-public-b", subnet("b", "10.0.1.0/24", "public")),
        ("subnet-private-a", subnet("a", "10.0.10.0/24", "private")),
        ("subnet-private-b", subnet("b", "10.0.11.0/24", "private")),
    ];
    let entry = |egress, number, allow| AclEntry {
        number,
        egress,
        allow,
        protocol: -1,
        ports: None,
        block: "0.0.0.0/0".to_owned(),
    };
    let acl = || Acl {
        entries: vec![
            entry(true, 100, true),
            entry(false, 100, true),
            entry(true, 32_767, false),
            entry(false, 32_767, false),
        ],
    };
    let names = ["public-a", "public-b", "private-a", "private-b"];
    let local = || Route {
        destination: "10.0.0.0/16".to_owned(),
        target: "local".to_owned(),
        is_blackhole: false,
    };
    let nodes = [
        interface("lb-a", "10.0.0.7".to_owned(), "subnet-public-a", "sg-lb", true),
        interface("lb-b", "10.0.1.7".to_owned(), "subnet-public-b", "sg-lb", true),
    ];
    let task = |index: usize| {
        let subnet = ["subnet-private-a", "subnet-private-b"][index % 2];
        interface(&format!("task-{index}"), address(index), subnet, "sg-web", false)
    };
    Network {
        security_groups: Ok(BTreeMap::from([
            ("sg-lb".to_owned(), group("lb", permission("0.0.0.0/0", ""))),
            ("sg-web".to_owned(), group("web", permission("", "sg-lb"))),
        ])),
        subnets: Ok(subnets.into_iter().map(|(id, subnet)| (id.to_owned(), subnet)).collect()),
        acls: Ok(names.iter().map(|name| (format!("acl-{name}"), acl())).collect()),
        route_tables: Ok(names.iter().map(|name| (format!("rtb-{name}"), vec![local()])).collect()),
        vpc_blocks: Ok(vec!["10.0.0.0/16".to_owned()]),
        interfaces: Ok(nodes.into_iter().chain((0..targets).map(task)).collect()),
    }
}

fn service() -> Service {
    Service {
        cluster: "shop".to_owned(),
        name: "web".to_owned(),
        target_groups: vec![format!("{ACCOUNT}:targetgroup/web/6d0ecf831eec9f09")],
        deployments: vec![Deployment {
            status: "PRIMARY".to_owned(),
            rollout: "COMPLETED".to_owned(),
            created: FIRST.start() - 864_000,
            updated: FIRST.start() - 863_000,
        }],
        containers: Ok(vec![Container { name: "app".to_owned(), stop_timeout: None }]),
        stopped: Ok(vec![]),
    }
}
