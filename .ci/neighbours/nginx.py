#!/usr/bin/env python3
"""Runs `nearmiss probe` against a real nginx in front of servers that misbehave,
and `nearmiss chain` over its files: how often it tries, how long it waits in all
and which connections it keeps is watched, and compared with what the program says.

The program is the first argument.

nginx gets a prefix of its own, and sockets that are already bound (as in an
upgrade of its binary, through the variable NGINX), so that the system chooses the
ports and nobody waits for nginx to start. Nothing leaves the loopback.
"""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TLS = pathlib.Path(__file__).resolve().parents[2] / "tests" / "tls"
PATIENCE = 20  # seconds for anything that ends by itself

CONFIG = """
daemon off;
worker_processes 1;
{user}
pid {prefix}/nginx.pid;
error_log {prefix}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {prefix}/t; proxy_temp_path {prefix}/t; fastcgi_temp_path {prefix}/t;
    uwsgi_temp_path {prefix}/t; scgi_temp_path {prefix}/t;
    upstream kept {{ server {hangs_up_once}; keepalive 1; }}
    server {{
        listen {plain};
        listen {secure} ssl;
        ssl_certificate {tls}/cert.pem;
        ssl_certificate_key {tls}/key.pem;
        proxy_read_timeout 1s;
        proxy_connect_timeout 2s;
        location = /fine {{ return 200 fine; }}
        location = /moved {{ return 301 /fine; }}
        location = /refused {{ proxy_pass http://{nobody}; }}
        location = /unconnected {{ proxy_pass http://{black_hole}; }}
        location = /silent {{ proxy_pass http://{silent}; }}
        location = /anonymous {{ server_tokens off; proxy_pass http://{silent}; }}
        location = /twice {{ proxy_read_timeout 5s; proxy_pass http://{plain}/silent; }}
        location = /dressed {{ error_page 504 = @dressed; proxy_pass http://{silent}; }}
        location @dressed {{ internal; default_type application/json; return 504 '{{"error":1}}'; }}
        location = /hangs_up {{ proxy_pass http://{hangs_up}; }}
        location = /stalls {{ proxy_buffering off; proxy_pass http://{stalls}; }}
        location = /kept {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://kept/; }}
    }}
}}
"""


def bound():
    """A socket on a port of the system's choice."""
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    return one


def address(one):
    return "127.0.0.1:%d" % one.getsockname()[1]


def head(connection):
    """Reads the head of a request; False if the other side has gone."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        more = connection.recv(4096)
        if not more:
            return False
        got += more
    return True


def silent(connection):
    while connection.recv(4096):
        pass


def hangs_up(connection):
    head(connection)


def hangs_up_once(connection):
    """Answers once and keeps the connection, and hangs up on the next request."""
    if head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept")
        head(connection)


def stalls(connection):
    head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    silent(connection)


def serve(listener, behaviour):
    """Serves until the listener is closed."""

    def one(connection):
        with contextlib.suppress(OSError), connection:
            connection.settimeout(PATIENCE)
            behaviour(connection)

    def all_of_them():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    listener.listen()
    threading.Thread(target=all_of_them, daemon=True).start()


def fill(listener, stack):
    """Fills the queue of a listener that nobody serves: the next one hears nothing."""
    listener.listen(1)
    for _ in range(20):
        client = stack.enter_context(socket.socket())
        client.settimeout(0.3)
        try:
            client.connect(listener.getsockname())
        except TimeoutError:
            return
    raise AssertionError("the queue does not fill")


class Nginx:
    """nginx with its servers, up to the end of a `with`."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        names = "plain secure nobody black_hole silent hangs_up hangs_up_once stalls".split()
        self.sockets = {name: self.stack.enter_context(bound()) for name in names}
        for behaviour in (silent, hangs_up, hangs_up_once, stalls):
            serve(self.sockets[behaviour.__name__], behaviour)
        fill(self.sockets["black_hole"], self.stack)
        self.prefix = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.start()
        return self

    def start(self):
        config = self.prefix / "nginx.conf"
        config.write_text(self.config())
        mine = [self.sockets["plain"], self.sockets["secure"]]
        for one in mine:
            one.listen()
            one.set_inheritable(True)
        handles = [one.fileno() for one in mine]
        binary = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if binary is None:
            sys.exit("nginx is not installed: apt-get install nginx-light")
        self.process = subprocess.Popen(
            [binary, "-p", str(self.prefix), "-c", str(config), "-e", str(self.prefix / "error.log")],
            env={**os.environ, "NGINX": "".join("%d;" % handle for handle in handles)},
            pass_fds=handles,
        )

    def config(self):
        places = {name: address(one) for name, one in self.sockets.items()}
        return CONFIG.format(user="user root;" if os.getuid() == 0 else "", prefix=self.prefix, tls=TLS, **places)

    def log(self):
        return (self.prefix / "error.log").read_text()

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.stack.close()


def probe(binary, url, *args, env=None):
    command = [binary, "probe", url, "--format", "json", "--timeout", "10s", *args]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, env={**os.environ, **(env or {})})
    assert done.stdout, (url, done.returncode, done.stderr.decode())
    return done.returncode, json.loads(done.stdout)


def names(report):
    return [fit["name"] for fit in report["fits"]]


def author(report):
    return report["speaker"]["hop"], report["speaker"]["confidence"]


def seconds(report, phase):
    return next(timing["seconds"] for timing in report["phases"] if timing["phase"] == phase)


def check(what, holds, report):
    if not holds:
        raise AssertionError("%s\n%s" % (what, json.dumps(report, indent=1)))
    print("ok  " + what)


def timeouts(ask):
    told = ["--configured", "nginx.proxy_read_timeout=1s", "--configured", "nginx.proxy_connect_timeout=2s"]
    code, report = ask("/silent", *told)
    check("a read timeout is nginx's 504", (code, author(report)) == (1, ("nginx", "certain")), report)
    check("and named", names(report) == ["proxy_read_timeout"], report)
    check("and seen as a wait", 0.9 < seconds(report, "first_byte") < 1.5, report)
    code, report = ask("/unconnected", *told)
    check("a connect timeout is nginx's 504", (report["answer"]["status"], author(report)) == (504, ("nginx", "certain")), report)
    check("and named", names(report) == ["proxy_connect_timeout"], report)
    _, report = ask("/silent")
    check("a timeout that nobody told of fits nothing", names(report) == [], report)
    _, report = ask("/silent", "--configured", "nginx.proxy_read_timeout=1s", "--configured", "nginx.proxy_send_timeout=1s")
    check("two alike are ambiguous", sorted(names(report)) == ["proxy_read_timeout", "proxy_send_timeout"], report)
    _, report = ask("/stalls", *told)
    check("a body that nginx cut off is short", report["failure"]["why"] == {"kind": "short_body", "expected": 100, "got": 3}, report)
    check("its silence names the timeout", names(report) == ["proxy_read_timeout"], report)
    check("it is a broken answer", report["verdict"] == "broken", report)


def signatures(ask):
    _, report = ask("/anonymous")
    check("nginx without a version is still nginx", author(report) == ("nginx", "certain"), report)
    _, report = ask("/silent", "--method", "HEAD")
    check("without a body it is a guess", author(report) == ("nginx", "guess"), report)
    _, report = ask("/dressed")
    check("a page of one's own hides the author", author(report) == (None, "unknown"), report)
    check("but not the path", report["speaker"]["path"] == ["nginx"], report)
    _, report = ask("/twice")
    check("two nginx look like one", author(report) == ("nginx", "certain"), report)


def closing(ask, nginx):
    code, report = ask("/refused")
    check("a refused connection is nginx's 502", (code, report["answer"]["status"], author(report)) == (1, 502, ("nginx", "certain")), report)
    check("and not a timeout", names(report) == [] and seconds(report, "first_byte") < 0.5, report)
    _, report = ask("/hangs_up")
    check("an upstream that hangs up is nginx's 502", (report["answer"]["status"], author(report)) == (502, ("nginx", "certain")), report)
    log = "upstream prematurely closed connection"
    check("as nginx's log says", log in nginx.log(), report)
    check("and the advice names that line", log in report["next"][0], report)
    before = nginx.log().count(log)
    answers = [ask("/kept") for _ in range(2)]
    check("a kept connection that died is asked again on a new one", [code for code, _ in answers] == [0, 0], answers)
    check("which only nginx's log shows", nginx.log().count(log) == before + 1, answers)


def answers(ask, binary, nginx):
    code, report = ask("/fine")
    check("a good answer is 0", (code, report["verdict"], report["answer"]["body_start"]) == (0, "answered", "fine"), report)
    code, report = ask("/moved")
    check("a redirect is told", code == 0 and report["answer"]["location"].endswith("/fine"), report)
    code, report = ask("/nothing")
    check("404 is an answer", (code, report["answer"]["status"]) == (0, 404), report)
    port = nginx.sockets["secure"].getsockname()[1]
    url = "https://localhost:%d/fine" % port
    trust = {"SSL_CERT_FILE": str(TLS / "ca.pem"), "SSL_CERT_DIR": ""}
    resolve = ["--resolve", "localhost:%d:127.0.0.1" % port]
    code, report = probe(binary, url, *resolve, env=trust)
    check("a certificate that is trusted is good", code == 0 and report["tls"]["trust"] == "verified", report)
    code, report = probe(binary, "https://127.0.0.1:%d/fine" % port, env=trust)
    check("but not for another name", report["failure"]["why"] == {"kind": "certificate", "reason": "it is for another name"}, report)


CHAIN = """
[[gateway]]
load_balancer = "web"
[[chain]]
name = "shop"
[[chain.hop]]
kind = "alb"
connect_timeout = "10s"
read_timeout = "60s"
[[chain.hop]]
kind = "nginx"
[[chain.hop]]
kind = "app"
total_timeout = "3s"
keep_alive = "5s"
"""


def chains(binary, nginx):
    """The same nginx file, read: it names the line of the timeout that just ended."""
    config = nginx.prefix / "nearmiss.toml"
    config.write_text(CHAIN)
    command = [binary, "chain", "--config", str(config), "--nginx", str(nginx.prefix / "nginx.conf"), "--offline",
               "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    check("a broken chain is exit code 1", run.returncode == 1, run.stderr)
    found = json.loads(run.stdout)["chains"]
    text = json.dumps(found)
    line = 1 + (nginx.prefix / "nginx.conf").read_text().split("proxy_read_timeout 1s")[0].count("\n")
    check("the line of proxy_read_timeout is named", "nginx.conf" in text and '"line": %d' % line in text, text)
    findings = found[0]["findings"]
    outer = [one for one in findings if one["rule"] == "outer_gives_up_first"]
    check("nginx gives up before the application", any("1 s" in one["text"] and "3 s" in one["text"] for one in outer), outer)
    dead = [one for one in findings if one["rule"] == "keep_alive_too_short"]
    check("the application closes connections that nginx keeps", any("5 s" in one["text"] for one in dead), findings)


THREE = "server @a; server @b; server @c;"
# What is in an upstream block, what is in its location, and how it is asked. The
# servers behind it accept connections and say nothing.
ATTEMPTS = [
    ("server @a;", "", "GET"),
    ("server @a; server @b;", "", "GET"),
    ("server @a; server @b; server @c backup;", "", "GET"),
    ("server @a; server @c backup;", "", "GET"),
    ("server @a; server @b down;", "", "GET"),
    ("server @a down; server @b backup;", "", "GET"),
    ("server @a weight=5; server @b max_fails=0;", "", "GET"),
    ("server @a; server @a;", "", "GET"),
    ("least_conn; server @a; server @b; server @c backup;", "", "GET"),
    ("ip_hash; " + THREE, "", "GET"),
    ("hash $uri; " + THREE, "", "GET"),
    ("random; " + THREE, "", "GET"),
    ("zone z 64k; " + THREE, "", "GET"),
    (THREE, "proxy_next_upstream off;", "GET"),
    (THREE, "proxy_next_upstream off timeout;", "GET"),
    (THREE, "proxy_next_upstream error http_504;", "GET"),
    (THREE, "proxy_next_upstream error; proxy_next_upstream timeout;", "GET"),
    (THREE, "proxy_next_upstream_tries 2;", "GET"),
    (THREE, "proxy_next_upstream_tries 9;", "GET"),
    (THREE, "proxy_next_upstream_tries 0;", "GET"),
    (THREE, "proxy_next_upstream_timeout 700ms;", "GET"),
    (THREE, "proxy_next_upstream_timeout 500ms;", "GET"),
    (THREE, "proxy_next_upstream_timeout 400ms;", "GET"),
    (THREE, "proxy_next_upstream_timeout 100ms;", "GET"),
    (THREE, "proxy_request_buffering off;", "GET"),
    (THREE, "", "POST"),
    (THREE, "", "PUT"),
    (THREE, "proxy_next_upstream error timeout non_idempotent;", "POST"),
]
# How a block of two servers and one for backup is passed on to, as it is named (@U)
# or in small letters (@u).
PASSES = [
    "proxy_pass http://@U;",
    "proxy_pass HTTP://@u/x?y=1;",
    "proxy_pass http://@U?y=1;",
    "proxy_pass http://@U$request_uri;",
    "set $to @U; proxy_pass http://$to;",
    "set $to @u; proxy_pass http://${to}/x;",
    "fastcgi_pass @u;",
    "uwsgi_pass @U;",
    "uwsgi_pass uwsgi://@u;",
    "scgi_pass @u;",
    "grpc_pass @u;",
    "grpc_pass grpc://@U;",
    "set $memcached_key k; memcached_pass @u;",
    "proxy_pass http://@a;",
]
# What is in an upstream block beside its server, and in its location; the server
# keeps connections as HTTP has it.
KEPT = [
    ("", ""),
    ("keepalive 8;", ""),
    ("keepalive 8;", "proxy_http_version 1.1;"),
    ("keepalive 8;", "proxy_set_header Connection '';"),
    ("keepalive 8;", "proxy_http_version 1.1; proxy_set_header Connection '';"),
    ("keepalive 8;", "proxy_http_version 1.1; proxy_set_header connection '';"),
    ("keepalive 8;", "proxy_http_version 1.0; proxy_set_header Connection keep-alive;"),
    ("keepalive 8;", "proxy_http_version 1.1; proxy_set_header Connection upgrade;"),
    ("keepalive 8;", "proxy_http_version 1.1; proxy_set_header Connection close;"),
    ("keepalive 8;", "proxy_http_version 1.1; proxy_set_header Connection $closes;"),
    ("keepalive 8;", "proxy_http_version 1.1; proxy_set_header Connection $keeps;"),
    ("keepalive 8; keepalive_requests 1;", "proxy_http_version 1.1; proxy_set_header Connection '';"),
    ("keepalive 8; keepalive_timeout 0;", "proxy_http_version 1.1; proxy_set_header Connection '';"),
    ("keepalive 8; keepalive_timeout 7s;", "proxy_http_version 1.1; proxy_set_header Connection '';"),
]
WATCHED = """
daemon off;
worker_processes 1;
{user}
pid {prefix}/nginx.pid;
error_log {prefix}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {prefix}/t; proxy_temp_path {prefix}/t; fastcgi_temp_path {prefix}/t;
    uwsgi_temp_path {prefix}/t; scgi_temp_path {prefix}/t;
    map $http_upgrade $closes {{ default upgrade; '' close; }}
    map $http_upgrade $keeps {{ default upgrade; '' ''; }}
    include {prefix}/upstreams/*.conf;
    server {{
        listen {plain};
        {timeouts}
        include locations;
    }}
}}
"""
READ = 0.4  # seconds that nginx waits for a silent server


class Counted:
    """A server that counts its connections."""

    def __init__(self, stack, behaviour):
        self.socket = stack.enter_context(bound())
        self.connections = 0

        def one(connection):
            self.connections += 1
            behaviour(connection)

        serve(self.socket, one)


def keeps(connection):
    """Answers requests, and keeps the connection as HTTP has it."""
    while True:
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            more = connection.recv(4096)
            if not more:
                return
            got += more
        text = got.decode().lower()
        kept = "connection: keep-alive" in text or " http/1.1\r\n" in text and "connection: close" not in text
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: %s\r\n\r\nok" % ("keep-alive" if kept else "close")
        connection.sendall(answer.encode())
        if not kept:
            return


class Watched(Nginx):
    """nginx with all experiments, each a location `/NUMBER` with its upstream block."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.sockets = {"plain": self.stack.enter_context(bound()), "secure": self.stack.enter_context(bound())}
        self.silent = {name: Counted(self.stack, silent) for name in "abc"}
        self.keeper = Counted(self.stack, keeps)
        self.holes = [self.stack.enter_context(bound()) for _ in range(2)]
        for hole in self.holes:
            fill(hole, self.stack)
        self.prefix = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.experiments = []
        self.write()
        self.start()
        return self

    def write(self):
        for servers, location, method in ATTEMPTS:
            self.add(servers, "proxy_pass http://@U; " + location, ("attempts", method))
        for location in PASSES:
            method = "POST" if location.startswith("grpc") else "GET"
            self.add("server @a; server @b; server @c backup;", location, ("attempts", method))
        for servers, location in KEPT:
            self.add("server @k; " + servers, "proxy_pass http://@U; " + location, ("kept", "GET"))
        self.add("server %s; server %s;" % tuple(map(address, self.holes)), "proxy_pass http://@U;", ("connects", "GET"))
        (self.prefix / "upstreams").mkdir()
        for number, (block, location, _) in enumerate(self.experiments):
            (self.prefix / "upstreams" / ("%d.conf" % number)).write_text(block)
        locations = ["location = /%d { %s }" % (number, location) for number, (_, location, _) in enumerate(self.experiments)]
        (self.prefix / "locations").write_text("\n".join(locations))

    def add(self, servers, location, kind):
        name = "Upstream%d" % len(self.experiments)
        meant = {"@" + letter: address(one.socket) for letter, one in {**self.silent, "k": self.keeper}.items()}
        for mark, text in {**meant, "@U": name, "@u": name.lower(), "zone z": "zone " + name}.items():
            servers, location = servers.replace(mark, text), location.replace(mark, text)
        self.experiments.append(("upstream %s { %s }" % (name, servers), location, kind))

    def config(self):
        ways = "proxy fastcgi uwsgi scgi grpc memcached".split()
        timeouts = " ".join("%s_read_timeout %dms; %s_connect_timeout %dms;" % (way, READ * 1000, way, READ * 1000) for way in ways)
        return WATCHED.format(user="user root;" if os.getuid() == 0 else "", prefix=self.prefix,
                              plain=address(self.sockets["plain"]), timeouts=timeouts)

    def connections(self):
        return sum(one.connections for one in self.silent.values())

    def ask(self, number, method):
        url = "http://%s/%d" % (address(self.sockets["plain"]), number)
        request = urllib.request.Request(url, method=method, data=b"x" if method in ("POST", "PUT") else None)
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=PATIENCE).read()


def told(binary, folder, path, version):
    """What the program says of each location of nginx's files, by its number."""
    config = folder / "watched.toml"
    hop = '[[chain.hop]]\nkind = "nginx"\nversion = "%s"\n' % version
    app = '[[chain.hop]]\nkind = "app"\n'
    config.write_text('[[gateway]]\nload_balancer = "web"\n[[chain]]\nname = "watched"\n' + hop + app)
    command = [binary, "chain", "--config", str(config), "--nginx", str(path), "--offline", "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.stdout, (run.returncode, run.stderr)
    found = {}
    for one in json.loads(run.stdout)["chains"][0]["sets"]:
        for place in one["places"]:
            found[int(place["location"].split("/")[-1])] = one["hops"][0]
    return found


def expected(hop, method):
    """How many connections an answer that never comes takes, by the program."""
    attempts = hop["attempts"]
    if attempts["repeats"] == "connecting" or method == "POST" and attempts["which"] != "all requests":
        return 1
    read, within = hop["figures"]["read_timeout"]["limit_seconds"], attempts["within_seconds"]
    return attempts["count"] if within == "never" else min(attempts["count"], -int(-within * 1000 // (read * 1000)))


def watch(nginx, number, kind, method, hop):
    """What nginx does, beside what the program says."""
    if kind == "attempts":
        before = nginx.connections()
        nginx.ask(number, method)
        return nginx.connections() - before, expected(hop, method)
    if kind == "kept":
        before = nginx.keeper.connections
        for _ in range(3):
            nginx.ask(number, method)
        kept = hop["figures"]["upstream_keep_alive"]["limit_seconds"] > 0
        return nginx.keeper.connections - before, 1 if kept else 3
    begun = time.monotonic()
    nginx.ask(number, method)
    connect = hop["figures"]["connect_timeout"]["limit_seconds"]
    return round((time.monotonic() - begun) / connect), hop["attempts"]["count"]


def experiments(binary):
    """Everything above, in one nginx, read from its files and from what -T prints."""
    with Watched() as nginx:
        tool = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        version = subprocess.run([tool, "-v"], capture_output=True, text=True, check=True).stderr.split("/")[1].split()[0]
        main = nginx.prefix / "nginx.conf"
        dump = nginx.prefix / "dump"
        printed = subprocess.run([tool, "-T", "-p", str(nginx.prefix), "-c", str(main), "-e", "/dev/null"],
                                 capture_output=True, text=True, timeout=PATIENCE, check=True)
        dump.write_text(printed.stdout)
        said = told(binary, nginx.prefix, main, version)
        check("nginx -T says the same as the files", {n: hop["figures"].keys() for n, hop in said.items()}
              == {n: hop["figures"].keys() for n, hop in told(binary, nginx.prefix, dump, version).items()}, None)
        wrong = []
        for number, (block, location, (kind, method)) in enumerate(nginx.experiments):
            done, thought = watch(nginx, number, kind, method, said[number])
            mark = "ok " if done == thought else "NO "
            print("%s %s %d: %s %s | %s" % (mark, kind, done, method, block, location))
            if done != thought:
                wrong.append((block, location, "nginx: %d, told: %d" % (done, thought)))
        check("nginx %s does what is said of it in %d experiments" % (version, len(nginx.experiments)), not wrong, wrong)


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "target/debug/nearmiss"
    with Nginx() as nginx:
        base = "http://" + address(nginx.sockets["plain"])

        def ask(path, *args):
            return probe(binary, base + path, *args)

        try:
            answers(ask, binary, nginx)
            closing(ask, nginx)
            timeouts(ask)
            signatures(ask)
            chains(binary, nginx)
        except BaseException:
            print(nginx.log(), file=sys.stderr)
            raise
    experiments(binary)
    print("all as it should be")


if __name__ == "__main__":
    main()
