#!/usr/bin/env python3
"""`nearmiss run` with a plain config, by the clock on the wall: it warns before
the first 504, survives `kill -9`, and tells each piece of news exactly once.

Needs: libfaketime (Debian package `faketime`). Usage: real_time_run.py PATH_TO_NEARMISS

The daemon knows nothing of the simulator but AWS_ENDPOINT_URL. The simulator
has no clock: it answers for whatever minutes it is asked. So the story needs no
hour to be told: where the daemon is down "for n minutes", it is killed and
started again with a clock that is n minutes ahead, and must catch up. What it
tells must be what `nearmiss backtest` tells of the same minutes, to the minute,
in whatever pieces the daemon saw them.
"""

import datetime
import glob
import json
import pathlib
import subprocess
import time

import common
from common import claim, equal, ok, wait

NAME = "checkout"
COUNTERS = {"requests": "nearmiss_requests_total", "near_misses": "nearmiss_near_misses_total",
            "timeouts": "nearmiss_timeouts_total"}


class Expected:
    """The truth, by minute of the scenario, and what any reader of it expects."""

    def __init__(self, rows):
        self.rows = rows

    def window(self, minute, length):
        return self.rows[max(0, minute - length + 1):minute + 1]

    def near_miss(self, minute):
        """So many near misses in a quarter of an hour that nobody doubts them."""
        return sum(r["near_misses"] for r in self.window(minute, 15)) >= 50

    def critical(self, minute):
        """Within 5 minutes at least ten requests, and one in a hundred, ended in 504."""
        window = self.window(minute, 5)
        failed = sum(r["elb_504"] for r in window)
        return failed >= 10 and 100 * failed >= sum(r["samples"] + r["elb_504"] for r in window)

    def first(self, rule, start=0):
        return next(m for m in range(start, len(self.rows)) if rule(m))

    def last_bad(self):
        return max(m for m, r in enumerate(self.rows) if r["near_misses"] + r["elb_504"] > 0)


def ahead(env, minutes):
    """The environment of a process whose clock is so many minutes ahead."""
    if minutes == 0:
        return env
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
    if not library:
        common.fail("libfaketime is there", "/usr/lib/*/faketime/libfaketimeMT.so.1 (Debian package faketime)", "none")
    return env | {"LD_PRELOAD": library[0], "FAKETIME": f"+{minutes}m", "DONT_FAKE_MONOTONIC": "1"}


class Story:
    """The simulator, the daemon's files, and what was told so far."""

    def __init__(self, nearmiss):
        self.nearmiss = nearmiss
        self.sim = self.begun_shortly_before_the_first_504()
        self.start = self.sim.start // 60
        self.first_504 = self.sim.first_504(NAME)[1]
        rows = self.sim.truth(NAME, self.start, self.start + 90)
        self.expected = Expected(rows)
        home = pathlib.Path(common.directory("real-time"))
        self.config = home / "nearmiss.toml"
        self.config.write_text(f"""
[http]
listen = "127.0.0.1:0"
[poll]
schedule = "*/5 * * * * *"
[[gateway]]
load_balancer = "*"
region = "{common.REGION}"
[alert]
resolve_after = "10m"
[sink.sns]
topic_arn = "{common.TOPIC}"
[state]
path = "{home / 'state.json'}"
""", encoding="utf-8")
        self.env = common.aws_environment(self.sim.url)
        self.minutes_ahead = 0
        self.daemon = None

    def begun_shortly_before_the_first_504(self):
        """The first minute that a new daemon assesses is two before the present
        one: the newest that has been over for `delay` = 1 min. Wanted is the
        minute before the first 504, or one before that late in a minute. In
        which minute the first 504 comes hangs on start and seed, by a few
        minutes; the simulator says it, so several are tried."""
        tried = []
        for seed in range(7, 47):
            for before in range(28, 34):
                sim = common.Sim(self.nearmiss, f"-{before}m", seed=seed)
                said = wait("the simulator says when the first 504 comes", lambda: sim.first_504(NAME), 20)
                start = sim.start // 60
                expected = Expected(sim.truth(NAME, start, start + 40))
                present, second = divmod(int(time.time()), 60)
                first = present - start - 2
                in_time = said[1] - first == 2 or (said[1] - first == 1 and second < 50)
                if in_time and expected.near_miss(first) and expected.near_miss(first + 1):
                    ok(f"seed {seed} started {before} min ago has its first 504 in minute {said[1]}, at {said[0]}")
                    return sim
                tried.append((seed, before, said[1]))
                sim.kill()
        return common.fail("a start in the near-miss phase, shortly before the first 504", "one", tried)

    def begin(self):
        self.daemon = common.Daemon(self.nearmiss, str(self.config), ahead(self.env, self.minutes_ahead))
        wait("the daemon polls", lambda: self.daemon.polls() >= 1, 20)

    def assessed(self):
        """The newest assessed minute, of the scenario."""
        return self.newest(self.daemon.page())

    def newest(self, page):
        return int(common.value(page, "nearmiss_data_timestamp_seconds", gateway=NAME)) // 60 - self.start - 1

    def down_until(self, minute):
        """kill -9, and a new daemon when the newest readable minute is `minute`.
        Returns the page after its first poll."""
        self.daemon.kill()
        readable = int(time.time()) // 60 - self.start - 2
        self.minutes_ahead = minute - readable
        began = int(time.time()) // 60 + self.minutes_ahead
        self.begin()
        stamp = self.daemon.says(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):\d\d\S*Z\s+INFO nearmiss is running")
        shown = stamp and stamp.group(1) + "Z"
        if shown not in (common.utc(began), common.utc(began + 1)):
            common.fail("the daemon's clock is ahead (is the binary linked dynamically?)", common.utc(began), shown)
        wait(f"the daemon has caught up to minute {minute}", lambda: self.assessed() >= minute, 30)
        return self.daemon.page()

    def told(self):
        """[(reason, severity, minute of the scenario, episode id, machine JSON)]"""
        return [(m["reason"], m["severity"], self.minute_of(m["at"]), m["episode"]["id"], m)
                for _, _, m in self.sim.published()]

    def minute_of(self, at):
        every = {common.utc(self.start + m): m for m in range(-20, 120)}
        return every[at]

    def short(self):
        return [t[:3] for t in self.told()]

    def backtested(self, first, last):
        """What `nearmiss backtest` tells of the minutes `first` to `last`."""
        at = lambda minute: common.utc(self.start + minute).replace("Z", ":00Z")
        run = subprocess.run(
            [self.nearmiss, "backtest", "--config", str(self.config), "--from", at(first), "--to", at(last + 1),
             "--format", "json"], env=ahead(self.env, self.minutes_ahead), capture_output=True, text=True,
            timeout=120, check=False)
        equal("the backtest runs", (run.returncode, run.stderr), (0, ""))
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        minute = lambda said: int(datetime.datetime.fromisoformat(said["at"]).timestamp()) // 60 - 2 - self.start
        return [(s["reason"], s["severity"], minute(s)) for s in lines if s.get("gateway") == NAME]


def warning(story):
    expected = story.expected
    story.begin()
    told = wait("something is published", story.told, 10)
    first = told[0][2]  # it fires with the first minute that is assessed
    claim(f"the first poll is in the near-miss phase: it reads minute {first}, the first 504 comes in minute "
          f"{story.first_504}", expected.near_miss(first) and first < story.first_504,
          "a near-miss minute before the first 504", first)
    equal("a warning is published while not one 504 has happened", [t[:3] for t in told], [("firing", "warning", first)])
    equal("it was the near misses that gave rise to it", told[0][4]["rule"], "near_miss")
    value = common.value(story.daemon.page(), "nearmiss_detector_value", gateway=NAME, detector="at_limit")
    equal("the daemon has seen no 504 then", (value, told[0][4]["episode"]["timeouts"]), (0, 0))
    return first, told[0]


def killed_between(story, fired):
    story.daemon.kill()
    story.begin()
    story.daemon.polled(2)
    equal("after kill -9 and a new start nothing is told a second time", story.short(), [fired[:3]])
    wait("by the clock on the wall, the minute of the first 504 is assessed",
         lambda: story.assessed() >= story.first_504, 150)
    ok("by the clock on the wall, the minute of the first 504 is assessed")
    page = story.daemon.page()
    minute = story.newest(page)
    in_window = sum(r["elb_504"] for r in story.expected.window(minute, 30))
    equal(f"in minute {minute} the daemon sees the first 504s ({in_window})",
          common.value(page, "nearmiss_detector_value", gateway=NAME, detector="at_limit"), in_window)
    equal("so few are no news: still one notification", story.short(), [fired[:3]])
    return fired


def escalation(story, fired):
    critical = story.expected.first(story.expected.critical)
    story.down_until(critical + 2)
    told = story.short()
    equal(f"back from {story.minutes_ahead} minutes of kill -9, it tells the escalation",
          [told[0], *(t[:2] for t in told[1:])], [fired[:3], ("escalated", "critical")])
    # What was missed is told once the present is reached, as it stands then.
    claim(f"it became critical in minute {critical}, and is told as of minute {told[1][2]}",
          critical <= told[1][2] <= critical + 4, "soon after it", told[1][2])
    equal("in the same episode", story.told()[1][3], fired[3])
    equal("because of 504s", story.told()[1][4]["rule"], "at_limit")
    story.daemon.kill()
    story.begin()
    story.daemon.polled(2)
    equal("after another kill -9 it does not tell it again", len(story.told()), 2)


def end(story, fired, first):
    last = story.expected.last_bad()
    story.down_until(last + 9)
    told, page = story.told(), story.daemon.page()
    equal(f"minute {last} was the last bad one; as of minute {story.newest(page)} the end is not told", len(told), 2)
    equal("its episode is still open", common.value(page, "nearmiss_episode_severity", gateway=NAME), 3)
    story.down_until(last + 60)
    told = story.told()
    equal("after a quiet time the end is told", [t[:2] for t in told[2:]], [("resolved", "critical")])
    episode = told[2][4]["episode"]
    ended = story.minute_of(episode["ended"])
    tested = story.backtested(first, ended)
    equal("all of it is what a backtest tells of the same minutes", [t[:2] for t in story.short()], [t[:2] for t in tested])
    claim("and as of no earlier minutes", all(t[2] >= b[2] for t, b in zip(story.short(), tested, strict=True)), tested,
          story.short())
    equal("of the same episode", episode["id"], fired[3])
    began = common.epoch_minute(episode["began"])
    claim("it began in the quarter of an hour that led to it", first - 15 <= began - story.start <= first, first, began)
    truth = common.totals(story.sim.truth(NAME, began, story.start + ended + 1))
    equal("its figures are the truth of the whole episode, downtimes included",
          {COUNTERS[k]: episode[k] for k in COUNTERS}, truth)
    story.daemon.kill()
    story.begin()
    page = story.daemon.polled(2)
    equal("after a last kill -9 nothing more is told: one warning, one escalation, one end",
          [t[0] for t in story.told()], ["firing", "escalated", "resolved"])
    equal("no episode is open", common.value(page, "nearmiss_episode_severity", gateway=NAME), 0)
    return page


def counters(story, first, page):
    until = int(common.value(page, "nearmiss_data_timestamp_seconds", gateway=NAME)) // 60 - 1
    equal(f"over six kill -9 each settled minute was counted once: minutes {first + 1} to {until - story.start - 1}",
          {name: common.value(page, name, gateway=NAME) for name in COUNTERS.values()},
          common.totals(story.sim.truth(NAME, story.start + first + 1, until)))


def main():
    began = time.monotonic()
    story = Story(common.binary())
    first, fired = warning(story)
    killed_between(story, fired)
    escalation(story, fired)
    page = end(story, fired, first)
    counters(story, first, page)
    gateways = {m["gateway"]["name"] for _, _, m in story.sim.published()}
    equal("nobody else was talked about", gateways, {NAME})
    common.note(f"took {time.monotonic() - began:.0f} s")


main()
