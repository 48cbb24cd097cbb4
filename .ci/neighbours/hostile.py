#!/usr/bin/env python3
"""`nearmiss run` against answers that no AWS would give, each kind from each service
that it calls: it stays small, on time and quiet, and nobody else suffers.

Needs: cc. Usage: hostile.py PATH_TO_NEARMISS

A case is a daemon and two simulators. That of one Region is hostile; that of the other,
which all cases share, answers well and has an incident to tell. A crossroads between
them sends each request to the Region that it is signed for. A case ends with claims
about memory, time, log and the gateways that the fault does not concern.

The watchdog is fed by polls that end, and by nothing else. A poll that cannot end needs
a disk that hangs: a library in front of libc holds fsync and fdatasync, and moves the monotonic clock
so that nobody waits for minutes.
"""

import concurrent.futures
import dataclasses
import datetime
import mmap
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unicodedata

import common
from common import claim, equal, get, note, wait

OTHER_REGION = "eu-west-1"  # of the gateways that are not concerned
OTHER_TOPIC = f"arn:aws:sns:{OTHER_REGION}:{common.ACCOUNT}:others"
START = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=31)).strftime("%Y-%m-%dT%H:%M:00Z")
SICK = "svc-00007"  # which has an incident there
LINKED = "444455556666"  # an account that is looked into with a role
WORKERS = 8  # cases at once: most of them wait
DEADLINE = 3  # seconds that a poll may take
POLLS = 3
ANSWERS_WITHIN = 2.0  # seconds, on the control socket
STOPS_WITHIN = 5.0  # seconds, after SIGTERM
MEMORY_MARGIN = 64  # MiB above the daemon that has no faults
LINES_A_CALL = 2  # about one call that fails, in one poll: two gateways may fail in two ways
LONGEST_LINE = 2_500  # characters
OTHER_LINES = 20  # of the log that are not about a trouble: the start, the incidents

# What is broken and known to be: a case and what does not hold in it. It is shown at each
# run, and fails nothing. Whatever is mended is to be taken off.
MANY = "DescribeLoadBalancerAttributes attribute:idle_timeout.timeout_seconds, 200 load balancers"
UNIQUE = "no request ids in its log: each would make the same trouble another one"
SAID = "it says that something is wrong"
KNOWN = set()

GET = "cloudwatch:GetMetricData"
LIST = "elasticloadbalancing:DescribeLoadBalancers"
ATTRIBUTES = "elasticloadbalancing:DescribeLoadBalancerAttributes"
TAGS = "elasticloadbalancing:DescribeTags"
GROUPS = "elasticloadbalancing:DescribeTargetGroups"
HEALTH = "elasticloadbalancing:DescribeTargetHealth"
PUBLISH = "sns:Publish"
ROLE = "sts:AssumeRole"

# Calls that do not wait for one another, so that one daemon meets the fault in all of them.
TOGETHER = [[GET], [LIST], [TAGS, ROLE], [ATTRIBUTES], [PUBLISH, GROUPS]]
# What any answer may suffer.
ANY = ["hang", "slow", "endless", "cut", "stall", "empty", "malformed", "garbage", "html", "type:text/csv",
       "status:204", "status:418", "status:503", "redirect:301", "loop:307", "huge:7", "huge:24",
       "error:InternalFailure", "error:Throttling", "error:AccessDenied", "error:ExpiredToken", "ok_error:AccessDenied"]
# What figures may.
FIGURES = ["values:fewer", "values:more", "values:NaN", "values:inf", "values:-1", "values:1e308", "times:outside",
           "times:unaligned", "times:1970", "times:2100", "ids:unknown", "ids:extra", "ids:duplicate", "ids:none",
           "messages:3000", "code:InternalError", "code:PartialData", "code:Forbidden", "code:Nonsense",
           "without:Values", "without:Timestamps", "without:StatusCode", "without:MetricDataResults",
           "set:Id=", "token:empty", "token:same", "token:new"]
# What lists and single answers may: the actions, and what happens to them.
FIELDS = [([HEALTH], kind) for kind in ["hang", "endless", "cut", "garbage", "huge:7", "error:AccessDenied"]]
FIELDS += [([LIST], kind) for kind in [
    "token:same", "token:new", "names:control", "names:raw", "names:rtl", "names:long", "without:LoadBalancerArn",
    "set:LoadBalancerArn=arn:aws:nonsense", "without:Type"]]
FIELDS += [([TAGS, GROUPS], kind) for kind in ["names:control", "names:raw", "names:rtl", "names:long", "token:new"]]
FIELDS += [([ATTRIBUTES], f"attribute:idle_timeout.timeout_seconds{text}")
           for text in ["", "=", "=0", "=NaN", "=1e400"]]
FIELDS += [([PUBLISH], "without:MessageId"), ([PUBLISH], "set:MessageId=")]
FIELDS += [([ROLE], kind) for kind in ["without:Credentials", "without:SecretAccessKey", "set:Expiration=0"]]

# What an answer may have without being wrong, or what costs nobody anything.
HARMLESS = ["type:text/csv", "token:empty", "messages:3000", "times:unaligned", "huge:7", "huge:12",
            "without:SecretAccessKey", "set:Expiration=0"]
# What loses a label or a part of a diagnosis, and is no trouble.
ADORNS = {TAGS, GROUPS, HEALTH}


@dataclasses.dataclass
class Case:
    """Some calls, what happens to all answers to them, how many load balancers there are, and
    whether that begins only when they are known."""
    actions: list
    kind: str
    many: int = 2
    later: bool = False

    @property
    def name(self):
        calls = "+".join(action.split(":")[1] for action in self.actions) or "nothing"
        many = f", {self.many} load balancers" if self.many > 2 else ""
        return f"{calls} {self.kind}{many}{', later' if self.later else ''}"

    def faults(self):
        faults = [f"hostile={action}/{self.kind}" for action in self.actions]
        return ",".join(faults + ([f"linked={LINKED}"] if ROLE in self.actions else []))

    def simulator(self, nearmiss):
        """What is called because of an incident needs one."""
        if {PUBLISH, GROUPS, HEALTH} & set(self.actions):
            return common.Sim(nearmiss, "-126m", scenario="c06_hang", more=["--faults", self.faults()])
        more = ["--faults", self.faults(), "--load-balancers", str(self.many)]
        return common.Sim(nearmiss, START, scenario="fleet", more=more)


def cases():
    for actions in TOGETHER:
        yield from (Case(actions, kind) for kind in ANY)
    yield from (Case([GET], kind) for kind in FIGURES)
    yield from (Case(actions, kind) for actions, kind in FIELDS)
    # One fault in many places is still one fault.
    yield Case([ATTRIBUTES], "attribute:idle_timeout.timeout_seconds", 200)
    yield Case([ATTRIBUTES], "huge:7", 200)
    yield Case([GET], "values:fewer", 200)
    yield Case([GET], "huge:12", 200)
    # What was known stays.
    for kind in ["hang", "cut", "stall", "empty", "malformed", "garbage", "html", "status:204", "loop:307", "huge:24",
                 "ok_error:AccessDenied", "token:same", "token:new"]:
        yield Case([LIST], kind, later=True)
    for kind in ["hang", "malformed", "empty", "garbage"]:
        yield from (Case([action], kind, later=True) for action in [TAGS, ATTRIBUTES])


# --- the crossroads ----------------------------------------------------------

class Crossroads:
    """Sends each request to the simulator of the Region that it is signed for, and the
    bytes of the answer back as they come."""

    SIGNED_FOR = re.compile(rb"Credential=[^/]+/\d+/([^/]+)/")
    LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")

    def __init__(self, ways):
        self.ways = {}
        for region, url in ways.items():
            self.lead(region, url)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def lead(self, region, url):
        self.ways[region.encode()] = int(url.rsplit(":", 1)[1])

    def take(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def pass_on(self, client):
        with client:
            try:
                request = self.request(client)
                region = self.SIGNED_FOR.search(request)
                if region is None:
                    return
                with socket.create_connection(("127.0.0.1", self.ways[region.group(1)])) as there:
                    there.sendall(request.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
                    self.back(there, client)
            except OSError:
                pass  # the daemon has had enough, or the simulator is gone

    def request(self, client):
        request = b""
        while b"\r\n\r\n" not in request:
            request += self.more(client)
        head = request.partition(b"\r\n\r\n")[0]
        length = self.LENGTH.search(head)
        while len(request) < len(head) + 4 + int(length.group(1) if length else 0):
            request += self.more(client)
        return request

    @staticmethod
    def more(client):
        found = client.recv(65_536)
        if not found:
            raise OSError("it ended")
        return found

    @staticmethod
    def back(there, client):
        while True:
            ready, _, _ = select.select([there, client], [], [])
            if client in ready:
                return  # it says no more, so that it has gone
            part = there.recv(262_144)
            if not part:
                return
            client.sendall(part)


# --- a case ------------------------------------------------------------------

def explicit(sim, name, region):
    """A gateway that says everything: Elastic Load Balancing is not asked about it."""
    return f'[[gateway]]\nload_balancer = "{sim.balancer(name)["arn"]}"\ntimeout = "60s"\nregion = "{region}"\n'


def config(home, gateways):
    path = home / "nearmiss.toml"
    path.write_text(f"""
[http]
listen = "127.0.0.1:0"
[metrics]
tag_labels = ["team"]
[poll]
schedule = "* * * * * *"
deadline = "{DEADLINE}s"
[discovery]
refresh = "1s"
[control]
socket = "{home / 'control.sock'}"
[state]
path = "{home / 'state.json'}"
[sink.sns]
topic_arn = "{common.TOPIC}"
[[route]]
gateway = "{SICK}"
topic_arn = "{OTHER_TOPIC}"
{gateways}""", encoding="utf-8")
    return str(path)


@dataclasses.dataclass
class Ending:
    """What a case came to: figures, and what did not hold."""
    name: str
    figures: dict = dataclasses.field(default_factory=dict)
    wrong: list = dataclasses.field(default_factory=list)

    def must(self, what, holds, expected, found):
        if not holds:
            self.wrong.append((what, expected, found))


def by(seconds, condition):
    """What `condition` is as soon as it is true, or at the end."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def peak(process):
    """MiB of memory that were resident at most."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def run(nearmiss, case, well, calm=None):
    """One case. `well` is the simulator of the other Region, `calm` what is hostile later."""
    ending = Ending(case.name)
    sim = case.simulator(nearmiss)
    names = [one["name"] for one in sim.about["load_balancers"]]
    ways = Crossroads({common.REGION: calm.url if case.later else sim.url, OTHER_REGION: well.url})
    with tempfile.TemporaryDirectory(prefix="nearmiss-hostile-", ignore_cleanup_errors=True) as room:
        gateways = f'[[gateway]]\nload_balancer = "*"\nregion = "{common.REGION}"\n'
        if names != ["site"]:  # which must be found
            gateways += explicit(sim, names[0], common.REGION)
        gateways += explicit(well, SICK, OTHER_REGION)
        if ROLE in case.actions:
            gateways += f'[[gateway]]\nload_balancer = "*"\nregion = "{common.REGION}"\n'
            gateways += f'role_arn = "arn:aws:iam::{LINKED}:role/nearmiss"\n'
        env = common.aws_environment(ways.url)
        path = config(pathlib.Path(room), gateways)
        daemon = common.Daemon(nearmiss, path, env)
        try:
            if case.later:
                by(20, lambda: is_up(daemon, names[1]))
                ways.lead(common.REGION, sim.url)
            it_polls(ending, daemon)
            it_answers(ending, nearmiss, path, env)
            safe = names if case.later else names[:1] if GET not in case.actions else []
            others_do_not_suffer(ending, daemon, [SICK, *safe])
            was_hostile(ending, sim, case)
            it_is_said(ending, daemon, case)
            ending.figures["MiB"] = round(peak(daemon.process), 1)
        finally:
            it_stops(ending, daemon)
            its_log_is_quiet(ending, daemon.err())
            daemon.kill()
            sim.kill()
            ways.close()
    return ending


def count(daemon):
    """Polls that have ended."""
    return common.value(daemon.page(), "nearmiss_poll_duration_seconds_count") or 0


def it_polls(ending, daemon):
    goal = count(daemon) + POLLS
    by(POLLS * (DEADLINE + 2) + 20, lambda: count(daemon) >= goal)
    page = daemon.page()
    polls = common.value(page, "nearmiss_poll_duration_seconds_count") or 0
    ending.figures["polls"] = int(polls)
    ending.must(f"it polls {POLLS} times", polls >= goal, goal, polls)
    within = common.value(page, "nearmiss_poll_duration_seconds_bucket", le="5") or 0
    ending.must(f"each poll ends by its deadline of {DEADLINE} s", within == polls, f"{polls} within 5 s", within)
    mean = common.value(page, "nearmiss_poll_duration_seconds_sum") / max(polls, 1)
    ending.figures["s a poll"] = round(mean, 2)
    age = time.time() - (common.value(page, "nearmiss_heartbeat_timestamp_seconds") or 0)
    ending.must("the heartbeat goes on", age < 2 * DEADLINE + 3, f"< {2 * DEADLINE + 3} s", age)
    status = get(f"{daemon.url}/healthz")[0]
    ending.must("/healthz", status == 200, 200, status)


def it_answers(ending, nearmiss, path, env):
    began = time.monotonic()
    done = subprocess.run([nearmiss, "silence", "list", "--config", path], env=env, capture_output=True,
                          text=True, timeout=120, check=False)
    took = time.monotonic() - began
    ending.figures["s to answer"] = round(took, 2)
    ending.must("`silence list` works", done.returncode == 0, 0, done.stderr)
    ending.must("it is answered soon", took < ANSWERS_WITHIN, f"< {ANSWERS_WITHIN} s", took)


def labels(name):
    return {"account": common.ACCOUNT, "gateway": name, "region": OTHER_REGION if name == SICK else common.REGION}


def is_up(daemon, name):
    return common.value(daemon.page(), "nearmiss_gateway_up", **labels(name))


def others_do_not_suffer(ending, daemon, names):
    for name in names:
        up = by(10, lambda: is_up(daemon, name))
        ending.must(f"{name} is up", up == 1, 1, up)
        at = common.value(daemon.page(), "nearmiss_data_timestamp_seconds", **labels(name)) or 0
        ending.must("its data is fresh", time.time() - at < 300, "< 300 s", time.time() - at)
    told = lambda: sum(value for name, labels, value in common.metrics(daemon.page())
                       if name == "nearmiss_notifications_total" and labels["outcome"] == "delivered"
                       and labels["receiver"] == "others")
    ending.must("another receiver is told", by(10, told) >= 1, ">= 1", told())


def was_hostile(ending, sim, case):
    asked = {one["operation"] for one in common.get_json(f"{sim.url}/_sim/requests")}
    for action in case.actions:
        operation = action.split(":")[1]
        ending.must(f"{operation} was called", operation in asked, operation, sorted(asked))


def it_is_said(ending, daemon, case):
    """What was not read is not taken for read."""
    harmless = case.kind in HARMLESS or ADORNS >= set(case.actions)
    said = lambda: [name for name, labels, value in common.metrics(daemon.page())
                    if name == "nearmiss_trouble" and value == 1]
    ending.must(SAID, harmless or by(5, said), "a trouble", "none")


def it_stops(ending, daemon):
    daemon._expected_to_live = False
    began = time.monotonic()
    daemon.process.terminate()
    try:
        code = daemon.process.wait(30)
    except subprocess.TimeoutExpired:
        code = "none"
    took = time.monotonic() - began
    ending.figures["s to stop"] = round(took, 2)
    ending.must("it ends with exit code 0", code == 0, 0, code)
    ending.must("it ends soon after SIGTERM", took < STOPS_WITHIN, f"< {STOPS_WITHIN} s", took)


LINE = re.compile(r"\d{4}-\d\d-\d\dT\S+Z +(TRACE|DEBUG|INFO|WARN|ERROR) ")
# What changes the direction of writing, and lines that are none for a terminal.
TURNS = set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def call_of(line):
    """What a line is about: a call in a Region, as a rule."""
    return re.sub(r": .*", "", line.split("ERROR ", 1)[-1])


def at_once(lines):
    """The most lines that were written in a row, without a pause: of one poll."""
    times = [datetime.datetime.fromisoformat(line.split(" ", 1)[0]) for line in lines]
    row = most = 1
    for before, after in zip(times, times[1:]):
        row = row + 1 if after - before < datetime.timedelta(milliseconds=20) else 1
        most = max(most, row)
    return most


def its_log_is_quiet(ending, log):
    lines = log.split("\n")[:-1]
    longest = max(map(len, lines), default=0)
    odd = sorted({f"U+{ord(c):04X}" for line in lines for c in line
                  if unicodedata.category(c) == "Cc" or c in TURNS or c == "\ufffd"})
    ending.must("no control characters in its log", not odd, "none", odd)
    forged = [line[:200] for line in lines if not LINE.match(line)]
    ending.must("each line of its log is one", not forged, "a time and a level first", forged[:3])
    ending.must("no line of its log is too long", longest <= LONGEST_LINE, LONGEST_LINE, longest)
    about = {}
    for line in lines:
        theme = re.search(r' theme="([a-z ]+)"$', line)
        about.setdefault(theme.group(1) if theme else "", []).append(line)
    others = about.pop("", [])
    stopped = [line for line in lines if "not done within 0 s" in line]
    ending.must("what a stop cuts off is no trouble", not stopped, "none", stopped[:1])
    unique = [line for line in lines if "request_id" in line]
    ending.must(UNIQUE, not unique, "none", unique[:1])
    polls = ending.figures.get("polls", 0) + DEADLINE  # with those since the page was read
    for theme, said in about.items():
        most = max(at_once([line for line in said if call in line]) for call in map(call_of, said))
        ending.figures["a call and poll"] = max(most, ending.figures.get("a call and poll", 0))
        ending.must(f"few lines a poll about {theme}", most <= LINES_A_CALL, LINES_A_CALL, [most, *said[:3]])
        again = len(said) - len(set(line[line.index("Z"):] for line in said))
        most = polls // 2
        ending.must(f"{theme}: the same is not said at every poll", again <= most, f"<= {most} again", again)
    others = [line for line in others if "history is being read" not in line]
    most = OTHER_LINES + 2 * len([line for line in others if " watching " in line])
    ending.must("nothing else fills its log", len(others) <= most, most, [len(others), *others[-3:]])
    ending.figures |= {"lines": len(lines), "of trouble": sum(map(len, about.values())), "longest": longest}


def told(ending, bound):
    """One line about a case; whether it is as it should be."""
    memory = ending.figures.get("MiB", 0)
    ending.must("its memory is bounded", memory < bound, f"< {bound:.0f} MiB", memory)
    known = [one for one in ending.wrong if (ending.name, one[0]) in KNOWN]
    wrong = [one for one in ending.wrong if one not in known]
    figures = ", ".join(f"{value} {name}" for name, value in ending.figures.items())
    print(f"{'FAILED' if wrong else 'ok'}  {ending.name}: {figures}", flush=True)
    for what, expected, found in wrong:
        print(f"  {what}\n    expected: {expected}\n    found:    {str(found)[:1500]}", flush=True)
    for what, _, found in known:
        print(f"  KNOWN: {what}: {str(found)[:200]}", flush=True)
    return not wrong


def the_history_is_read_once(nearmiss):
    """Also of a gateway that has an incident just now: each time is fourteen days."""
    ending = Ending("an incident")
    sim = common.Sim(nearmiss, "-126m", scenario="c06_hang")
    with tempfile.TemporaryDirectory(prefix="nearmiss-hostile-", ignore_cleanup_errors=True) as room:
        gateways = f'[[gateway]]\nload_balancer = "*"\nregion = "{common.REGION}"\n'
        daemon = common.Daemon(nearmiss, config(pathlib.Path(room), gateways), common.aws_environment(sim.url))
        by(40, lambda: count(daemon) >= 2 * POLLS)
        ending.figures["MiB"] = round(peak(daemon.process), 1)
        read = daemon.err().count("history is being read")
        ending.figures |= {"polls": int(count(daemon)), "times the history is read": read}
        ending.must("the history is read once", read <= 2, "<= 2 times", read)
        daemon.kill()
        sim.kill()
    return ending


def answers_no_aws_would_give(nearmiss, meanwhile):
    """All cases, and something else `meanwhile`."""
    more = ["--load-balancers", "10", "--faults", f"topic={OTHER_TOPIC.rsplit(':', 1)[1]}"]
    well = common.Sim(nearmiss, "-36m", scenario="fleet", region=OTHER_REGION, more=more)
    calm = common.Sim(nearmiss, START, scenario="fleet", more=["--load-balancers", "2"])
    plain = run(nearmiss, Case([], "type:text/csv"), well)
    bound = plain.figures["MiB"] + MEMORY_MARGIN
    fine = told(plain, bound)
    todo = [case for case in cases() if re.search(os.environ.get("HOSTILE_CASES", ""), case.name)]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        incident = pool.submit(the_history_is_read_once, nearmiss)
        running = [pool.submit(run, nearmiss, case, well, calm) for case in todo]
        meanwhile()
        for ended in [incident, *running]:
            fine &= told(ended.result(), bound)
    well.kill()
    calm.kill()
    claim(f"{len(todo)} kinds of answers do no harm (below {bound:.0f} MiB)", fine, "no failure", "see above")


# --- the watchdog --------------------------------------------------------------

DISK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Whether the disk hangs, and seconds by which the monotonic clock is ahead. */
static const volatile long *lever;

__attribute__((constructor)) static void find(void) {
    int file = open(getenv("LEVER"), O_RDONLY);
    lever = mmap(NULL, 2 * sizeof(long), PROT_READ, MAP_SHARED, file, 0);
}

static int held(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    while (lever[0]) usleep(10000);
    return real(file);
}

int fsync(int file) { return held("fsync", file); }

int fdatasync(int file) { return held("fdatasync", file); }

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(which, now);
    if (which == CLOCK_MONOTONIC && lever) now->tv_sec += lever[1];
    return done;
}
"""


class Lever:
    """Holds the disk, and moves the monotonic clock."""

    def __init__(self, room):
        source, self.library, file = room / "disk.c", room / "disk.so", room / "lever"
        source.write_text(DISK, encoding="utf-8")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.library, source, "-ldl"], check=True)
        file.write_bytes(bytes(16))
        with open(file, "r+b") as opened:
            self.memory = mmap.mmap(opened.fileno(), 16)
        self.environment = {"LD_PRELOAD": str(self.library), "LEVER": str(file)}

    def set(self, holds, ahead):
        self.memory[:] = struct.pack("ll", holds, ahead)


class Manager:
    """What systemd hears."""

    def __init__(self, room):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(room / "notify"))
        self.environment = {"NOTIFY_SOCKET": str(room / "notify"), "WATCHDOG_USEC": "300000000"}
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            self.heard.append(self.socket.recv(4096).decode())

    def fed(self):
        return self.heard.count("WATCHDOG=1")


def watched(nearmiss, faults):
    """A daemon with a manager, a disk and one gateway."""
    room = pathlib.Path(common.directory("nearmiss-watchdog"))
    sim = common.Sim(nearmiss, "-30m", scenario="healthy", more=["--faults", faults])
    lever, manager = Lever(room), Manager(room)
    gateways = explicit(sim, "storefront", common.REGION)
    path = config(room, gateways + f'[[gateway]]\nload_balancer = "*"\nregion = "{common.REGION}"\n')
    env = common.aws_environment(sim.url) | lever.environment | manager.environment
    daemon = common.Daemon(nearmiss, path, env)
    add = [nearmiss, "silence", "add", "nobody", "--for", "1h", "--config", path]
    silence = lambda: subprocess.Popen(add, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return sim, lever, manager, daemon, silence


def fed_at_most_once_a_poll(manager, daemon, polls, seconds):
    before, fed = count(daemon), manager.fed()
    wait(f"{polls} polls end", lambda: count(daemon) >= before + polls, seconds)
    fed, after = manager.fed() - fed, count(daemon) - before
    claim(f"the watchdog is fed once a poll ({fed} times in {after:.0f} polls)", polls - 1 <= fed <= after + 1,
          f"{polls - 1} to {after + 1}", fed)


def a_poll_that_cannot_end_feeds_nothing(nearmiss):
    sim, lever, manager, daemon, silence = watched(nearmiss, "")
    wait("it is ready", lambda: manager.heard, 30)
    equal("the first that systemd hears", manager.heard[0], "READY=1")
    fed_at_most_once_a_poll(manager, daemon, 4, 40)
    lever.set(1, 0)
    asking = silence()  # a poll in which nothing changed would need no disk
    held = lambda: daemon.page() and time.sleep(3) is None
    wait("the disk hangs", held, 10)
    before, fed = count(daemon), manager.fed()
    time.sleep(4)
    equal("no poll ends while the disk hangs", count(daemon), before)
    equal("the watchdog is not fed meanwhile", manager.fed(), fed)
    equal("/healthz before its time is over", get(f"{daemon.url}/healthz")[0], 200)
    lever.set(1, 280)
    equal("/healthz 280 s later", get(f"{daemon.url}/healthz")[0], 200)
    lever.set(1, 320)
    status, body = get(f"{daemon.url}/healthz")
    equal(f"/healthz 320 s later: {body.strip()}", status, 503)
    equal("the watchdog is still not fed", manager.fed(), fed)
    lever.set(0, 320)
    fed_at_most_once_a_poll(manager, daemon, 2, 40)
    asking.wait(10)
    equal("/healthz when the disk works again", get(f"{daemon.url}/healthz")[0], 200)
    ending = Ending("watchdog")
    it_stops(ending, daemon)
    equal("it stops", ending.wrong, [])
    wait("systemd hears that it stops", lambda: manager.heard[-1] == "STOPPING=1", 5)
    daemon.kill()
    sim.kill()


def polls_that_take_their_whole_time_feed_it(nearmiss):
    sim, _, manager, daemon, _ = watched(nearmiss, "hostile=*/hang")
    wait("it is ready", lambda: manager.heard, 30)
    began = time.monotonic()
    fed_at_most_once_a_poll(manager, daemon, 3, 40)
    note(f"a poll took {(time.monotonic() - began) / 3:.1f} s")
    equal("/healthz while every call hangs", get(f"{daemon.url}/healthz")[0], 200)
    equal("/readyz meanwhile", get(f"{daemon.url}/readyz")[0], 503)
    daemon.kill()
    sim.kill()


def main():
    nearmiss = common.binary()
    began = time.monotonic()

    def watchdog():
        polls_that_take_their_whole_time_feed_it(nearmiss)
        a_poll_that_cannot_end_feeds_nothing(nearmiss)

    answers_no_aws_would_give(nearmiss, watchdog)
    note(f"{time.monotonic() - began:.0f} s")


main()
