#!/usr/bin/env python3
"""A real Prometheus scrapes `nearmiss demo`, and what it stored is the truth.

Needs: prometheus and promtool. Usage: prometheus_scrape.py PATH_TO_NEARMISS
"""

import json
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.parse

import common
from common import claim, equal, wait

SICK = "checkout"
COUNTERS = ["nearmiss_requests_total", "nearmiss_near_misses_total", "nearmiss_timeouts_total"]
CLOCK = "nearmiss_data_timestamp_seconds"
LASTS = 80  # seconds of the demo, one scenario minute each
DAY_SPEED = 600  # simulated seconds per second
DAY_LASTS = 24 * 3600 // DAY_SPEED + 8  # seconds: a day and a little
DASHBOARD = pathlib.Path(__file__).resolve().parents[2] / "grafana" / "nearmiss.json"

# Panels that may be empty while all is well, by a part of their expression, and
# why. Everything else must have data.
EMPTY_IS_FINE = {
    "> 1200": "no gateway's data is more than 20 minutes old",
    "nearmiss_forecast_seconds": "nothing grows towards the timeout for hours here",
}


class Prometheus(common.Child):
    """It scrapes one target every second."""

    def __init__(self, target):
        home = pathlib.Path(common.directory("prometheus"))
        config = home / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            "scrape_configs:\n"
            "  - job_name: nearmiss\n"
            f"    static_configs: [{{targets: ['{target}']}}]\n", encoding="utf-8")
        port = common.free_port()
        super().__init__("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"])
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, expression):
        """The result of an instant query; an error is the end."""
        query = urllib.parse.urlencode({"query": expression})
        status, body = common.get(f"{self.url}/api/v1/query?{query}")
        if status != 200:
            common.fail(f"Prometheus understands {expression}", 200, f"{status}: {body}")
        return json.loads(body)["data"]["result"]

    def ready(self):
        return common.get(f"{self.url}/-/ready")[0] == 200

    def samples(self, gateway):
        """[(clock minute, {counter: value})], one for each scrape."""
        by_time = {}
        for name in [CLOCK, *COUNTERS]:
            for series in self.ask(f'{name}{{gateway="{gateway}"}}[5m]'):
                for at, text in series["values"]:
                    by_time.setdefault(at, {})[name] = int(float(text))
        whole = (row for _, row in sorted(by_time.items()) if len(row) == 1 + len(COUNTERS))
        return [(row.pop(CLOCK) // 60, row) for row in whole]


def promtool(page):
    run = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True,
                         timeout=30, check=False)
    equal("promtool has nothing to say", (run.returncode, run.stdout + run.stderr), (0, ""))


def counted(sim, gateway, early, late):
    """What the counters must grow by between two pages. The newest assessed
    minute ends at the page's clock and is not counted yet: a minute counts
    `settle - delay` = 1 minute after it was first looked at."""
    return common.totals(sim.truth(gateway, early - 1, late - 1))


def increases(sim, samples, gateway):
    """Every scrape against the first one, and the last one against the truth."""
    first_clock, first = samples[0]
    clocks = {clock for clock, _ in samples}
    claim(f"{gateway}: Prometheus saw most minutes of the scenario", len(clocks) > 45,
          "more than 45 different minutes", f"{len(clocks)} in {len(samples)} scrapes")
    for clock, row in samples:
        grown = {name: row[name] - first[name] for name in COUNTERS}
        expected = counted(sim, gateway, first_clock, clock)
        if grown != expected:
            common.fail(f"{gateway}: counters at {common.utc(clock)} since {common.utc(first_clock)}", expected, grown)
    last_clock, last = samples[-1]
    grown = {name: last[name] - first[name] for name in COUNTERS}
    common.ok(f"{gateway}: the counters grew by the truth, to the request, at each of {len(samples)} scrapes; "
              f"in {last_clock - first_clock} min: {', '.join(f'{n} +{v}' for n, v in grown.items())}")
    return grown


class Day:
    """A whole simulated day, scraped by a Prometheus of its own."""

    def __init__(self, nearmiss):
        self.demo = common.Child("demo of a day", [
            nearmiss, "demo", "--scenario", "slow_burn", "--seed", "7", "--speed", str(DAY_SPEED),
            "--for", f"{DAY_LASTS}s"], expected_to_live=False)
        url = wait("the day's demo says where its metrics are",
                   lambda: self.demo.says(r"metrics: http://(127\.0\.0\.1:\d+)/metrics"), 30).group(1)
        self.prometheus = Prometheus(url)
        wait("the day's Prometheus is ready", self.prometheus.ready, 30)

    def values(self, name):
        """{scrape time: value} of the sick load balancer."""
        found = self.prometheus.ask(f'{name}{{gateway="{SICK}"}}[1h]')
        return {at: float(text) for series in found for at, text in series["values"]}

    def conclude(self, sim):
        """increase() between two scrapes that lie a day apart is the truth."""
        day = 24 * 60

        def span():
            clock = self.values(CLOCK)
            times = sorted(clock)
            last = times[-1] if times else None
            return times and clock[last] // 60 - clock[times[0]] // 60 >= day and (times[0], last, clock)

        first, last, clock = wait("the demo's day is over", span, DAY_LASTS + 60)
        early, late = int(clock[first]) // 60, int(clock[last]) // 60
        expected = common.totals(sim.truth(SICK, early - 1, late - 1))
        milliseconds = round((last - first) * 1000)
        for name in COUNTERS:
            query = urllib.parse.urlencode({
                "query": f'increase({name}{{gateway="{SICK}"}}[{milliseconds}ms])', "time": f"{last:.3f}"})
            result = json.loads(common.get(f"{self.prometheus.url}/api/v1/query?{query}")[1])["data"]["result"]
            increased = [round(float(series["value"][1]), 3) for series in result]
            equal(f"a day of {late - early} min: increase({name}) is the truth", increased, [expected[name]])


def hostile_clients(url):
    """Clients that never finish their header, while Prometheus scrapes."""
    host, port = url.removeprefix("http://").split(":")

    def slow(end):
        end.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")

    def dripping(end):
        end.sendall(b"GET /metrics HTTP/1.1\r\nX-Drip: ")
        while True:
            end.sendall(b"x")
            time.sleep(0.2)  # its pace: it is slow on purpose

    def endless(end):
        end.sendall(b"GET /metrics HTTP/1.1\r\nX-Endless: ")
        while True:
            end.sendall(b"x" * 4096)

    def endless_fields(end):
        end.sendall(b"GET /metrics HTTP/1.1\r\n")
        number = 0
        while True:
            number += 1
            end.sendall(b"X-%d: y\r\n" % number)

    cut = {}

    def run(name, behave):
        began = time.monotonic()
        with socket.create_connection((host, int(port))) as end:
            end.settimeout(30)
            answer = b""
            try:
                behave(end)
            except OSError:
                pass  # it was cut while it talked
            try:
                while more := end.recv(65536):
                    answer += more
            except TimeoutError:
                return  # it was not cut
            except OSError:
                pass
        cut[name] = (time.monotonic() - began, answer.split(b"\r\n")[0].decode())

    clients = {"half a header": slow, "a dripping header": dripping,
               "an endless header": endless, "endless header fields": endless_fields}
    threads = [threading.Thread(target=run, args=item, daemon=True) for item in clients.items()]
    for thread in threads:
        thread.start()
    slowest, scrapes = 0.0, 0
    deadline = time.monotonic() + 15
    while any(thread.is_alive() for thread in threads) and time.monotonic() < deadline:
        began = time.monotonic()
        status, _ = common.get(f"{url}/metrics", timeout=5)
        if status != 200:
            common.fail("a scrape beside hostile clients", 200, status)
        slowest, scrapes = max(slowest, time.monotonic() - began), scrapes + 1
        time.sleep(0.1)  # the pace of the scrapes
    for name in clients:
        seconds, answer = cut.get(name, (None, "nothing"))
        claim(f"a client with {name} is cut after {seconds and round(seconds, 1)} s (answer: {answer or 'none'})",
              seconds is not None and seconds <= 10 and not answer.startswith("HTTP/1.1 2"),
              "cut within 10 s, without a page", f"{seconds} s, {answer}")
    claim(f"{scrapes} scrapes went on beside them, the slowest took {slowest * 1000:.0f} ms",
          scrapes > 3 and slowest < 1, "more than 3, each below 1 s", (scrapes, slowest))


def panels(node):
    """Every panel, also those inside rows."""
    for panel in node.get("panels", []):
        yield panel
        yield from panels(panel)


def dashboard(prometheus, page):
    claim(f"there is a dashboard, {DASHBOARD.name}", DASHBOARD.exists(), DASHBOARD, "nothing")
    text = DASHBOARD.read_text(encoding="utf-8")
    board = json.loads(text)
    board = board.get("dashboard", board)
    queries = [(panel.get("title", "?"), target["expr"]) for panel in panels(board)
               for target in panel.get("targets", []) if target.get("expr")]
    queries += [(f"annotation {a.get('name')}", a["expr"]) for a in board.get("annotations", {}).get("list", [])
                if a.get("expr")]
    claim("the dashboard has expressions", queries, "at least one", queries)

    on_page = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _, _ in common.metrics(page)} \
        | {name for name, _, _ in common.metrics(page)}
    named = set(re.findall(r"\b(?:nearmiss|process)_[a-z0-9_]+\b", json.dumps([q[1] for q in queries] + [
        v.get("query", "") for v in board.get("templating", {}).get("list", [])])))
    equal(f"every metric that the dashboard names ({len(named)}) is on the page", sorted(named - on_page - EMPTY_IS_FINE.keys()), [])

    empty = []
    for title, expression in queries:
        if not prometheus.ask(filled(expression)):
            reason = next((why for part, why in EMPTY_IS_FINE.items() if part in expression), None)
            if reason is None:
                common.fail(f"panel '{title}' has data", f"a series for {filled(expression)}", "none")
            empty.append(f"'{title}': {reason}")
    common.ok(f"all {len(queries)} expressions of the dashboard are understood, "
              f"{len(queries) - len(empty)} have data")
    for line in empty:
        common.note(f"empty, and may be: {line}")
    for variable in board.get("templating", {}).get("list", []):
        if variable.get("type") == "query":
            label_values(prometheus, variable)


def label_values(prometheus, variable):
    query = variable["query"]
    query = query["query"] if isinstance(query, dict) else query
    match = re.fullmatch(r"label_values\((?:(.+),)?\s*(\w+)\)", query.strip())
    if not match:
        common.fail(f"variable ${variable['name']} is a label_values query", "label_values(metric, label)", query)
    series = prometheus.ask(filled(match.group(1) or '{__name__=~"nearmiss_.+"}'))
    found = {s["metric"].get(match.group(2)) for s in series} - {None}
    claim(f"the dashboard's variable ${variable['name']} has values: {', '.join(sorted(found))}", found,
          "at least one", query)


def filled(expression):
    """An expression as Grafana would send it with everything selected."""
    for name, text in {"__rate_interval": "30s", "__interval": "15s", "__range": "5m"}.items():
        expression = re.sub(rf"\$\{{{name}\}}|\${name}\b", text, expression)
    return re.sub(r"\$\{\w+(?::\w+)?\}|\$\w+|\[\[\w+\]\]", ".*", expression)


def main():
    nearmiss = common.binary()
    day = Day(nearmiss)
    demo = common.Child("demo", [nearmiss, "demo", "--scenario", "slow_burn", "--seed", "7", "--for", f"{LASTS}s"])
    url = wait("the demo says where its metrics are",
               lambda: demo.says(r"metrics: (http://127\.0\.0\.1:\d+)/metrics"), 30).group(1)
    prometheus = Prometheus(url.removeprefix("http://"))
    wait("the demo is ready", lambda: common.get(f"{url}/readyz")[0] == 200, 20)
    early = common.get(f"{url}/metrics")[1]
    promtool(early)
    wait("Prometheus is ready", prometheus.ready, 30)
    equal("the simulated ground truth is the demo's", common.DEMO_START_UNIX,
          (sim := common.Sim(nearmiss, common.DEMO_START)).start)

    wait("Prometheus sees its target up", lambda: [s for s in prometheus.ask("up") if s["value"][1] == "1"], 15)
    hostile_clients(url)

    # The newest minutes are worth most: 504s have come, and the demo still runs.
    def minute():
        return (common.value(common.get(f"{url}/metrics")[1], CLOCK, gateway=SICK) or 0) // 60
    goal = common.DEMO_START_UNIX // 60 + 62
    wait("the demo reaches minute 62 of the scenario", lambda: minute() >= goal, LASTS)
    page = common.get(f"{url}/metrics")[1]
    for path in ["healthz", "readyz"]:
        equal(f"/{path} answers 200 while it runs", common.get(f"{url}/{path}")[0], 200)
    promtool(page)

    grown = increases(sim, prometheus.samples(SICK), SICK)
    claim("there was something to count: near misses and 504s", min(grown.values()) > 0, "all above 0", grown)
    healthy = increases(sim, prometheus.samples("web"), "web")
    equal("a healthy neighbour has neither", [healthy[n] for n in COUNTERS[1:]], [0, 0])

    increased = prometheus.ask(f'increase(nearmiss_near_misses_total{{gateway="{SICK}"}}[5m])')
    claim(f"increase(nearmiss_near_misses_total[5m]) is about {grown[COUNTERS[1]]}: "
          f"{[round(float(s['value'][1])) for s in increased]}",
          len(increased) == 1 and abs(float(increased[0]["value"][1]) / grown[COUNTERS[1]] - 1) < 0.1,
          f"one series within 10 % of {grown[COUNTERS[1]]}", increased)
    rates = prometheus.ask("rate(nearmiss_near_misses_total[30s])")
    equal("rate(nearmiss_near_misses_total[30s]) has all three load balancers",
          sorted(s["metric"]["gateway"] for s in rates), ["checkout", "search", "web"])
    resets = prometheus.ask(f'resets(nearmiss_requests_total{{gateway="{SICK}"}}[5m])')
    equal("no counter ever fell", [s["value"][1] for s in resets], ["0"])
    dashboard(prometheus, page)
    metadata = json.loads(common.get(
        f"{prometheus.url}/api/v1/targets/metadata?metric=nearmiss_latency_p99_seconds")[1])["data"]
    equal("Prometheus was served OpenMetrics: it knows units", [entry["unit"] for entry in metadata], ["seconds"])
    failed = [s for s in prometheus.ask("sum(count_over_time((up == 0)[5m:1s]))") if s["value"][1] != "0"]
    equal("not one scrape failed", failed, [])
    demo.must_live()
    demo.kill()
    day.conclude(sim)


main()
