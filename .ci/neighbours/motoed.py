"""A load balancer in moto whose figures are the simulator's.

The load balancer that moto makes has an id of its own, and the simulator knows
another one. The proxy writes the simulator's into the question to CloudWatch and
forwards it, and does nothing else.
"""

import http.client
import http.server
import sys
import threading

import common
from common import claim, equal, wait


class Rewriting(http.server.BaseHTTPRequestHandler):
    """Forwards POSTs to the simulator with one name replaced by another."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    names = []  # pairs: moto's, the simulator's
    replaced = 0

    def do_POST(self):  # noqa: N802, the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for theirs, ours in self.names:
            type(self).replaced += body.count(theirs)
            body = body.replace(theirs, ours)
        upstream = http.client.HTTPConnection(self.upstream, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        upstream.request("POST", self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        self.send_response(answer.status)
        for name, text in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def proxy(sim, names):
    """`names` are pairs of dimension values: moto's, and the simulator's in its place."""
    for theirs, ours in names:
        # In CBOR a text stands behind its length: only one of the same length fits.
        equal(f"{theirs} has the length and the name of the simulator's",
              (len(theirs), theirs.split("/")[:2]), (len(ours), ours.split("/")[:2]))
        claim("but another id", theirs != ours, "another id", theirs)
    Rewriting.upstream = sim.url.removeprefix("http://")
    Rewriting.names = [(theirs.encode(), ours.encode()) for theirs, ours in names]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rewriting)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


# moto dates a deployment by its clock and by nothing else: one that is to lie in the
# past needs a clock that is slow. The rest of it is as it was published.
SLOW = """
import datetime, sys
import moto.ecs.models as ecs
from moto.server import main
now, late = ecs.utcnow, datetime.timedelta(minutes=int(sys.argv.pop(1)))
ecs.utcnow = lambda: now() - late
main()
"""


def moto(behind=0, more=""):
    """Its URL; ECS's clock is so many minutes behind, and `more` changes it further."""
    port = common.free_port()
    common.Child("moto", [sys.executable, "-c", more + SLOW, str(behind), "-H", "127.0.0.1", "-p", str(port)])
    url = f"http://127.0.0.1:{port}"
    wait("moto answers", lambda: common.get(f"{url}/moto-api/")[0] == 200, 60)
    return url
