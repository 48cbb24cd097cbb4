#!/usr/bin/env python3
"""`nearmiss run` while somebody sets the clock, by hours and days and back again,
while AWS hangs, and while nobody reads its log: it goes on polling, answers people
and ends when it is told to.

Needs: libfaketime (Debian package `faketime`). Usage: clock_set.py PATH_TO_NEARMISS

libfaketime reads the offset of the wall clock from a file at every call and leaves
the monotonic clock alone, as a step of NTP does.
"""

import fcntl
import glob
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import common
from common import claim, equal, get, wait

STEPS = ["-26h", "+0", "+3h", "+0", "+9d", "-40d", "+0", "-30s", "+0"]
STOPS_WITHIN = 5.0  # seconds, after SIGTERM
ANSWERS_WITHIN = 2.0  # seconds, on the control socket


def config(home, gateways='[[gateway]]\nload_balancer = "*"\n'):
    path = home / "nearmiss.toml"
    path.write_text(f"""
[http]
listen = "127.0.0.1:0"
[poll]
schedule = "*/2 * * * * *"
[control]
socket = "{home / 'control.sock'}"
[state]
path = "{home / 'state.json'}"
[sink.sns]
topic_arn = "{common.TOPIC}"
{gateways}region = "{common.REGION}"
""", encoding="utf-8")
    return str(path)


def home(name):
    return pathlib.Path(common.directory(name))


def stop(daemon):
    """SIGTERM; how long it took, and with which exit code."""
    daemon._expected_to_live = False
    began = time.monotonic()
    daemon.process.terminate()
    code = daemon.process.wait(60)
    took = time.monotonic() - began
    equal("it ends with exit code 0", code, 0)
    claim(f"it ends within {STOPS_WITHIN} s of SIGTERM", took < STOPS_WITHIN, f"< {STOPS_WITHIN}", took)
    daemon.kill()


def the_clock_is_set(nearmiss):
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
    claim("libfaketime is there (Debian package faketime)", bool(library), "a library", library)
    room = home("clock-set")
    offset = room / "offset"
    offset.write_text("+0\n", encoding="utf-8")
    sim = common.Sim(nearmiss, "-30m", scenario="healthy")
    env = common.aws_environment(sim.url) | {
        "LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1"}
    daemon = common.Daemon(nearmiss, config(room), env)

    def polls():
        page = daemon.page()
        return sum(common.value(page, "nearmiss_polls_total", outcome=o) or 0 for o in ("ok", "partial", "failed"))

    wait("it polls", lambda: polls() >= 2, 30)
    for step in STEPS:
        before = polls()
        offset.write_text(f"{step}\n", encoding="utf-8")
        wait(f"it goes on polling after the clock was set to {step}", lambda: polls() >= before + 2, 45)
        equal(f"/healthz at {step}", get(f"{daemon.url}/healthz")[0], 200)
    stop(daemon)
    sim.kill()


class Mute:
    """An AWS that takes every connection and never answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.held = []
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            self.held.append(self.listener.accept()[0])


def silence(nearmiss, path, env):
    """How long the daemon takes to answer a command."""
    began = time.monotonic()
    done = subprocess.run([nearmiss, "silence", "add", "*", "--for", "1h", "--config", path],
                          env=env, capture_output=True, text=True, timeout=60, check=False)
    took = time.monotonic() - began
    equal(f"`silence add` works ({done.stderr.strip()})", done.returncode, 0)
    claim(f"it is answered within {ANSWERS_WITHIN} s", took < ANSWERS_WITHIN, f"< {ANSWERS_WITHIN}", took)


def aws_hangs(nearmiss):
    aws = Mute()
    env = common.aws_environment(aws.url)
    room = home("aws-hangs")
    path = config(room)
    daemon = common.Daemon(nearmiss, path, env)
    wait("a poll waits for AWS", lambda: len(aws.held) > 0, 20)
    silence(nearmiss, path, env)
    equal("/healthz meanwhile", get(f"{daemon.url}/healthz")[0], 200)
    equal("/readyz meanwhile", get(f"{daemon.url}/readyz")[0], 503)
    stop(daemon)


def nobody_reads_the_log(nearmiss):
    sim = common.Sim(nearmiss, "-30m", scenario="healthy")
    room = home("nobody-reads")
    path = config(room)
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 512)
    except BlockingIOError:
        os.set_blocking(writer, True)
    port = common.free_port()
    text = pathlib.Path(path).read_text(encoding="utf-8").replace("127.0.0.1:0", f"127.0.0.1:{port}")
    pathlib.Path(path).write_text(text, encoding="utf-8")
    env = common.aws_environment(sim.url, RUST_LOG="trace")
    process = subprocess.Popen([nearmiss, "run", "--config", path], env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=writer, start_new_session=True,
                               preexec_fn=common._die_with_parent)
    url = f"http://127.0.0.1:{port}"
    try:
        wait("it serves", lambda: get(f"{url}/healthz")[0] == 200, 20)
        process.send_signal(signal.SIGHUP)
        polls = lambda: sum(v for n, _, v in common.metrics(get(f"{url}/metrics")[1]) if n == "nearmiss_polls_total")
        before = polls()
        wait("it goes on polling while nobody reads its log", lambda: polls() >= before + 3, 30)
        began = time.monotonic()
        process.terminate()
        equal("it ends when it is told to", process.wait(30), 0)
        took = time.monotonic() - began
        claim(f"within {STOPS_WITHIN} s", took < STOPS_WITHIN, f"< {STOPS_WITHIN}", took)
    finally:
        process.kill()
        os.close(reader)
        os.close(writer)


def resident(process):
    """KiB of memory that are resident."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0])


def reloads_leak_nothing(nearmiss):
    sim = common.Sim(nearmiss, "-30m", scenario="healthy")
    daemon = common.Daemon(nearmiss, config(home("reloads")), common.aws_environment(sim.url))
    wait("it polls", lambda: daemon.polls() >= 1, 30)

    def reload(times):
        for _ in range(times):
            known = daemon.err().count("the config was read again")
            daemon.process.send_signal(signal.SIGHUP)
            wait("the config is read again", lambda: daemon.err().count("the config was read again") > known, 30, 0.01)
        return resident(daemon.process)

    before, after = reload(50), reload(150)
    grown = after - before
    claim("150 reloads leak nothing", grown < 150 * 40, "less than 40 KiB each", f"{grown} KiB")
    stop(daemon)
    sim.kill()


def main():
    nearmiss = common.binary()
    the_clock_is_set(nearmiss)
    aws_hangs(nearmiss)
    nobody_reads_the_log(nearmiss)
    reloads_leak_nothing(nearmiss)


main()
