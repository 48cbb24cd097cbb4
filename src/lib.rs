//! nearmiss tells people that their AWS load balancers are about to answer 504,
//! before they do, and why.
//!
//! # The one idea
//!
//! A poll is a function. Everything before [`nearmiss_core::assess`] fetches a
//! [`Snapshot`](nearmiss_core::series::snapshot::Snapshot); everything after it acts on a
//! [`Report`](nearmiss_core::Report). Only the edges touch the world, and what is
//! remembered between polls is one [`GatewayState`](nearmiss_core::state::GatewayState) per
//! gateway.
//!
//! ```text
//!   cron tick, Clock::now()          AWS  - or -  sim (the same wire)
//!         |                           ^ |
//!         v            ask from, to   | v
//!   daemon ---------------------->  edge::cloudwatch, edge::elb (by discovery)
//!    one loop, owns all state           | Snapshot: whole or nothing
//!         |     +----- analysis (pure) -v--------------------------------+
//!         |     | detectors -> Verdict -> episodes, which are in the     |
//!         |     |    Report and in the gateway's Ledger                  |
//!         |     | notify: Ledger, who was told what -> Desk::due -> News |
//!         |     | message: News -> Slack, mail, SMS, JSON                |
//!         |     +------| Report ---------------------------| News -------+
//!         |      edge::exporter                        edge::sink
//!         |      /metrics page                             | taken
//!         +-- SIGTERM ends the loop, SIGHUP      Ledger -> edge::state
//!             brings a config, edge::control
//!             what people say meanwhile
//! ```
//!
//! # Who may know whom (a test enforces each)
//!
//! - [`nearmiss_core`] knows nothing of the rest, does no IO, reads no clock.
//! - [`nearmiss_sim`] knows nothing of the rest: it is a witness, written from AWS's
//!   documents, that answers what AWS does not publish with a loud error.
//! - An [`edge`] knows `analysis`, its section of [`config`] and
//!   the ground that all stand on ([`edge::aws`], [`edge::net`], [`edge::time`]), but no sibling.
//! - [`daemon`], [`backtest`], [`diagnose`], [`chain`], [`probe`], [`discovery`], [`check`],
//!   [`cost`], [`policy`], [`report`] and [`silence`] join them; [`demo`] joins `daemon`
//!   and `sim`.
//!
//! # Invariants
//!
//! 1. The analysis cannot fail: missing data is a value, not an error.
//! 2. A snapshot is whole or nothing. An absent datapoint is zero only where
//!    CloudWatch marked its answer complete and the metric is a counter.
//! 3. Silence never resolves an alert, and absence is exported as absence.
//! 4. What was not delivered was not said; what happened is told, however late.
//! 5. Each settled minute is counted exactly once, over restarts too.
//! 6. No metric, log line or message about a gateway is built from anything but
//!    a report and a ledger.
//! 7. A poll does the same work whatever happened at the last one.
//! 8. Everything has a limit: windows, queries, pages, headers, message lengths.
//! 9. One deadline covers a poll from its tick to its publication, and every wait is
//!    under it; what AWS is asked holds nothing that people ask about meanwhile.
//! 10. The wall clock says which minute it is, corrected by AWS's; whether a poll is
//!     due, late or alive goes by the monotonic clock.
//!
//! # Decisions
//!
//! - **Every minute is assessed once, in order**, and not only the newest one at
//!   each poll. A missed tick, a slow machine or a restart then changes when
//!   something is found but not what, and an episode inside a gap is found like
//!   any other. What is told of it is decided once in a poll, when the present is
//!   reached, as things stand then.
//! - **What is to be told is computed and not queued.** An episode remembers which
//!   receiver took what; [`nearmiss_core::alerting`] is a function of that, the routes, the
//!   quiet times and the minute. So an outage needs no outbox, a restart loses
//!   nothing, and what became old news meanwhile is told as what it is now. Each
//!   delivery is saved before the next one; a crash between the two repeats one
//!   message, with the same id.
//! - **Quiet times keep back, they do not decide.** Episodes go on under a silence,
//!   and its end is when they are told, unless they are over by then.
//! - **Attributes or a text for each protocol**: SNS takes both in one call and then
//!   passes no attribute on. Topics for people get texts, FIFO topics and those
//!   with `attributes = true` get the JSON.
//! - **The daemon's own troubles are told only when they last**, over another way
//!   where the usual one is the trouble, and never as an episode of a gateway.
//! - **Counters are kept over restarts**, with the position up to which they
//!   count. Were they to start at zero, the minutes between the last scrape and
//!   the end of the process would be lost to Prometheus. The page is published
//!   after the state was saved, so that no scrape sees a value that could fall
//!   back.
//! - **Requests are counted as latency samples plus 504s**, and not as
//!   `RequestCount`: one metric less to pay for, and the two that remain say
//!   what was answered and what was not.
//! - **One episode per gateway**, with all its rules, because nobody wants two
//!   threads about one load balancer.
//! - **Calm gateways are read every few minutes** ([`nearmiss_core::gateway::polling`]), because
//!   CloudWatch bills requests and not minutes. Nothing is skipped by that.
//! - **Empty after traffic may be late.** A complete answer without datapoints looks
//!   the same when nobody came and when CloudWatch lags ([`nearmiss_core::series::arrival`]). At the
//!   end of what is known such minutes are waited for: ten minutes, or four hours where
//!   the traffic was steady - an hour where the account's other gateways have data. With
//!   data after them they are passed over, because the present must not wait.
//! - **What comes late is counted and assessed as it would have been in time**
//!   ([`nearmiss_core::late`]): whatever CloudWatch adds within a quarter of an hour, a metric
//!   that had nothing for four hours, minutes that were empty for 15 days. What that
//!   shows is added to the episodes. What CloudWatch takes away is only noticed, because
//!   neither a counter nor what people were told can be taken back.
//! - **The history is not stored but read**: quarters of an hour, because CloudWatch
//!   computes their percentiles over all requests, as no sum of minutes can. Only
//!   which of them were trouble is kept in the state.
//! - **AWS's clock counts** where this machine's differs by more than half a minute: of
//!   several accounts, what most say. An answer says what time it is, so that no position
//!   is moved before one came, and what was asked of the future is asked again.
//! - **A name is a gateway.** A load balancer that is deleted and made anew under its name
//!   goes on with what was remembered, because its labels and its users are the same.
//! - **Near misses have an upper bound only at the idle timeout.** Samples above
//!   it are legitimate (uploads, Lambda), and no 504 may be counted twice. A
//!   configured timeout below it is somebody else's limit, and what comes after
//!   it is late.
//! - **A near miss needs survivors.** Requests that fail to connect after 10 s
//!   leave no slow neighbours; so a minute counts as near only if at least a
//!   tenth of what is at risk was answered.
//! - **All load balancers of an account are listed**, even for one name: a call
//!   per 400 of them, one way to do it, and an error that can say what is there.
//! - **A diagnosis is a function of its evidence**, which is gathered once for an
//!   episode, side by side and within a deadline; what may not be read is said and
//!   never guessed. Causes are named only where figures show trouble: what is odd in
//!   the configuration alone is a note.
//! - **EC2, ECS, Lambda, `CloudFront` and API Gateway are asked only with the feature
//!   `full`.** aws-sdk-ec2 alone takes longer to compile than everything else, and
//!   who tries the demo needs none of it. A program without it says so, in the place
//!   of what it could have found.
//! - **The HTTP client of the SDKs is put together here** from hyper, rustls and hyper's
//!   proxy matcher: none that exists bounds an answer, leaves the connections that a
//!   firewall forgot, spares the metadata services the proxy and believes a server whose
//!   own certificate is in the CA bundle, as OpenSSL does.
//! - **Who nearmiss is for AWS is found out again** when a file of credentials changes,
//!   when AWS refuses it, and on SIGHUP; the SDK reads a profile once.
//! - **The program starts itself anew without variables that are set but empty**: the SDK
//!   reads the environment when and where it likes, and panics at some of them.
//! - **ring instead of aws-lc** for TLS, and no default features of the SDKs:
//!   most of the first build is AWS's code, and this keeps it near two minutes.
//! - **The simulator is part of the program**, because a tool that cannot be
//!   tried without an account will not be tried.

pub mod backtest;
pub mod chain;
pub mod check;
pub mod config;
pub mod cost;
pub mod daemon;
pub mod demo;
pub mod diagnose;
pub mod discovery;
pub mod edge;
pub mod policy;
pub mod probe;
pub mod report;
pub mod silence;
