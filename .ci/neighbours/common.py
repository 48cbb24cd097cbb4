"""What the checks with real neighbours share: processes, waiting, HTTP, claims.

All traffic is on loopback and every port is chosen by the system. Every wait is
a condition with a deadline. Every child is killed at the end, also on failure:
when a check ends for whatever reason, and (through the kernel) when it is
killed itself.
"""

import atexit
import ctypes
import datetime
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

REGION = "eu-central-1"
ACCOUNT = "111122223333"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:nearmiss"
DEMO_START = "2026-01-05T09:00:00Z"  # where every `nearmiss demo` starts
DEMO_START_UNIX = 1_767_603_600

_PR_SET_PDEATHSIG = 1
_children = []
_libc = ctypes.CDLL(None, use_errno=True)
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


# --- claims -----------------------------------------------------------------

def ok(claim):
    print(f"ok  {claim}", flush=True)


def note(text):
    print(f"    {text}", flush=True)


def fail(claim, expected, found):
    print(f"FAILED  {claim}\n  expected: {expected}\n  found:    {found}", flush=True)
    for child in _children:
        tail = child.tail()
        if tail:
            print(f"  --- {child.name}, its last words ---\n{tail}", flush=True)
    sys.exit(1)


def claim(text, holds, expected, found):
    """One line for a claim that holds; the end for one that does not."""
    if not holds:
        fail(text, expected, found)
    ok(text)


def equal(text, found, expected):
    claim(text, found == expected, expected, found)


# --- waiting ----------------------------------------------------------------

def wait(what, condition, seconds, pause=0.05):
    """What `condition` returns as soon as that is true; the end when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        for child in _children:
            child.must_live()
        if time.monotonic() > deadline:
            fail(what, f"within {seconds} s", f"not yet: {found!r}")
        time.sleep(pause)


# --- processes --------------------------------------------------------------

def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """A process with its output in files; dead at the end, whatever happens."""

    def __init__(self, name, command, env=None, expected_to_live=True):
        self.name = name
        self._out = tempfile.NamedTemporaryFile(prefix=f"{name}-out-")
        self._err = tempfile.NamedTemporaryFile(prefix=f"{name}-err-")
        self._expected_to_live = expected_to_live
        self.process = subprocess.Popen(
            command, env=environment() if env is None else env, stdin=subprocess.DEVNULL,
            stdout=self._out, stderr=self._err, start_new_session=True,
            preexec_fn=_die_with_parent)
        _children.append(self)

    def out(self):
        with open(self._out.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def err(self):
        with open(self._err.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tail(self):
        return "\n".join((self.out() + self.err()).splitlines()[-12:])

    def says(self, pattern):
        return re.search(pattern, re.sub(r"\x1b\[[0-9;]*m", "", self.out() + self.err()))

    def must_live(self):
        if self._expected_to_live and self.process.poll() is not None:
            self._expected_to_live = False
            fail(f"{self.name} runs", "a running process", f"exit code {self.process.returncode}")

    def kill(self):
        """SIGKILL: no goodbye, no last save."""
        self._expected_to_live = False
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        if self in _children:
            _children.remove(self)


@atexit.register
def _kill_all():
    for child in list(_children):
        child.kill()


def _on_signal(number, _frame):
    sys.exit(128 + number)  # runs the exit handlers


for _signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_signal, _on_signal)


def environment(**more):
    """Ours without any AWS setting, proxy or log level, and what is added."""
    keep = {k: v for k, v in os.environ.items()
            if not k.upper().startswith(("AWS_", "NEARMISS_", "RUST_LOG"))
            and not k.lower().endswith("_proxy")}
    return keep | {"NO_PROXY": "*"} | more


def aws_environment(endpoint, **more):
    """Dummy credentials, one endpoint, and no file of the user's."""
    return environment(
        AWS_ENDPOINT_URL=endpoint, AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION,
        AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="dummy",
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="", **more)


def free_port():
    """A port that is free on loopback now, for a program that takes no 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def directory(prefix):
    """A directory that is gone at the end."""
    made = tempfile.TemporaryDirectory(prefix=f"{prefix}-", ignore_cleanup_errors=True)
    atexit.register(made.cleanup)
    return made.name


# --- HTTP -------------------------------------------------------------------

def get(url, timeout=10):
    """Status and body; (0, reason) when there is no answer at all."""
    try:
        with _opener.open(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def post(url, timeout=10):
    """The body of the answer to an empty POST."""
    with _opener.open(urllib.request.Request(url, data=b"", method="POST"), timeout=timeout) as answer:
        return answer.read().decode()


def get_json(url, timeout=60):
    status, body = get(url, timeout)
    if status != 200:
        fail(f"GET {url}", 200, f"{status}: {body[:300]}")
    return json.loads(body)


_LINE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def metrics(page):
    """The page as [(name, labels, value)]."""
    found = []
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = _LINE.match(line).groups()
            found.append((name, dict(_LABEL.findall(labels or "")), float(value)))
    return found


def value(page, name, **labels):
    """The one sample with this name and these labels, or None."""
    found = [v for n, l, v in metrics(page) if n == name and labels.items() <= l.items()]
    if len(found) > 1:
        fail(f"one sample of {name} {labels}", 1, found)
    return found[0] if found else None


# --- nearmiss ---------------------------------------------------------------

def binary():
    if len(sys.argv) != 2 or not os.access(sys.argv[1], os.X_OK):
        print(f"usage: {sys.argv[0]} PATH_TO_NEARMISS", file=sys.stderr)
        sys.exit(2)
    return os.path.abspath(sys.argv[1])


class Sim(Child):
    """`nearmiss sim` on a port of the system's choice."""

    def __init__(self, nearmiss, start, scenario="slow_burn", seed=7, region=REGION, more=()):
        super().__init__("sim", [
            nearmiss, "sim", "--scenario", scenario, "--seed", str(seed), "--region", region,
            "--account", ACCOUNT, "--listen", "127.0.0.1:0", "--start", start, *more])
        line = wait("the sim says where it listens", lambda: self.says(r"listening on (http://\S+)"), 30)
        self.url = line.group(1)
        wait("the sim answers", lambda: get(f"{self.url}/_sim/scenario")[0] == 200, 60)
        self.about = get_json(f"{self.url}/_sim/scenario")
        self.start = self.about["start"]

    def balancer(self, name):
        return next(b for b in self.about["load_balancers"] if b["name"] == name)

    def first_504(self, name):
        """As it prints it: (UTC minute, minute of the scenario)."""
        said = self.says(rf"(?m)^{name} +first 504: (\S+), minute (\d+) of the scenario$")
        return said and (said.group(1), int(said.group(2)))

    def truth(self, name, first, end):
        """What happened in the epoch minutes from `first` to before `end`."""
        if end <= first:
            return []
        rows = get_json(f"{self.url}/_sim/truth?load_balancer={name}&from={first * 60}&to={end * 60}")
        if [row["minute"] for row in rows] != list(range(first, end)):
            fail("the truth has every minute asked for", f"{first}..{end}", rows)
        return rows

    def published(self):
        """Every publication: (subject, {protocol: text}, machine JSON)."""
        found = []
        for one in get_json(f"{self.url}/_sim/published"):
            by_protocol = json.loads(one["message"])
            found.append((one["subject"], by_protocol, json.loads(by_protocol["sqs"])))
        return found


def totals(rows):
    """The truth as the three counters see it. Requests that a target answered
    leave a sample, and the others end in 504."""
    return {
        "nearmiss_requests_total": sum(r["samples"] + r["elb_504"] for r in rows),
        "nearmiss_near_misses_total": sum(r["near_misses"] for r in rows),
        "nearmiss_timeouts_total": sum(r["elb_504"] for r in rows),
    }


class Daemon(Child):
    """`nearmiss run` with a config as a user would write it."""

    def __init__(self, nearmiss, config, env):
        super().__init__("nearmiss", [nearmiss, "run", "--config", config], env)
        line = wait("the daemon says where it listens",
                    lambda: self.says(r"nearmiss is running.*?address=(?:Some\()?([\d.]+:\d+)"), 20)
        self.url = f"http://{line.group(1)}"

    def page(self):
        status, body = get(f"{self.url}/metrics")
        return body if status == 200 else ""

    def polls(self, outcome="ok"):
        return value(self.page(), "nearmiss_polls_total", outcome=outcome) or 0

    def next_minute(self, gateway):
        """The first epoch minute that is not assessed yet, or None."""
        at = value(self.page(), "nearmiss_data_timestamp_seconds", gateway=gateway)
        return None if at is None else int(at) // 60

    def polled(self, times=1):
        """Waits for that many more good polls; the page after them."""
        goal = self.polls() + times
        wait(f"the daemon polls {times} times", lambda: self.polls() >= goal, 60)
        return self.page()


def epoch_minute(text):
    """What nearmiss writes as an epoch minute."""
    return int(datetime.datetime.fromisoformat(text).timestamp()) // 60


def utc(minute):
    """An epoch minute as nearmiss writes it."""
    return datetime.datetime.fromtimestamp(minute * 60, datetime.UTC).strftime("%Y-%m-%dT%H:%MZ")
