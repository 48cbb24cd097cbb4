#!/usr/bin/env python3
"""Somebody else's AWS Lambda and STS: moto. Functions that boto3 made there are
found, selected by name, ARN and tags, and followed when they change.

Needs: boto3, moto[server]. Usage: moto_lambda.py PATH_TO_NEARMISS

Only CloudWatch is ours: it knows one of the functions by its name, and says
nothing of the others. Not tried here: a role that may not list functions. Where moto's
IAM is in force, it answers every GET to Lambda SignatureDoesNotMatch, and in XML.
"""

import io
import json
import os
import pathlib
import re
import subprocess
import zipfile

import boto3

import common
import motoed
from common import equal, ok, wait

ACCOUNT, OTHER_ACCOUNT = "123456789012", "444455556666"  # moto's, and another that it has
ROLE, OTHER_ROLE = (f"arn:aws:iam::{account}:role/nearmiss" for account in (ACCOUNT, OTHER_ACCOUNT))
BUSY = "report-render"  # the simulator knows this one
TIMEOUTS = 1, 3, 60, 900
PER_PAGE = 50
SHOWN = 20  # so many lines has `check`, in the order of their names

# moto answers ListFunctions with all of them; AWS answers with fifty and a marker.
# What is listed is as moto says it.
PAGES = f"""
import json
from moto.awslambda.responses import LambdaResponse
whole = LambdaResponse.list_functions
def page(self):
    start = int(self.querystring.get("Marker", ["0"])[0])
    size = min(int(self.querystring.get("MaxItems", ["{PER_PAGE}"])[0]), {PER_PAGE})
    functions = json.loads(whole(self))["Functions"]
    more = {{"NextMarker": str(start + size)}} if functions[start + size:] else {{}}
    return json.dumps({{"Functions": functions[start:start + size]}} | more)
LambdaResponse.list_functions = page
"""


def handler():
    """A zip file with a handler that nobody calls."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): pass\n")
    return file.getvalue()


HANDLER = handler()


def make(name, timeout, tags=None, role=ROLE, **keys):
    boto3.client("lambda", **keys).create_function(
        FunctionName=name, Runtime="python3.13", Role=role, Handler="main.handler",
        Code={"ZipFile": HANDLER}, Timeout=timeout, Tags=tags or {})


def make_role(**keys):
    """Makes the role that functions have."""
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    boto3.client("iam", **keys).create_role(RoleName="nearmiss", AssumeRolePolicyDocument=json.dumps(trust))


def populate():
    """More functions than two pages hold: {name: (timeout, tags)}."""
    make_role()
    made = {BUSY: (60, {"team": "reports"})}
    for number in range(2 * PER_PAGE + 7):
        name = ("order-{}", "order_export-{}", "Mail_out_{}")[number % 3].format(number)
        team = {0: "payments", 4: "pay-back"}.get(number % 10)
        tags = {"team": team, "env": "prod" if number % 20 < 10 else "dev"} if team else {}
        made[name] = (TIMEOUTS[number % len(TIMEOUTS)], tags)
    for name, (timeout, tags) in made.items():
        make(name, timeout, tags)
    return made


def populate_other():
    """One function in another account, made with the keys of a role there."""
    keys = boto3.client("sts").assume_role(RoleArn=OTHER_ROLE, RoleSessionName="check")["Credentials"]
    keys = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"]}
    make_role(**keys)
    make("theirs", 45, role=OTHER_ROLE, **keys)


def arn(name):
    return f"arn:aws:lambda:{common.REGION}:{ACCOUNT}:function:{name}"


def config(home, *selectors):
    """A file with a gateway for each of these lines of TOML."""
    path = home / "nearmiss.toml"
    gateways = "\n".join(f'[[gateway]]\nkind = "lambda"\nregion = "{common.REGION}"\n{one}' for one in selectors)
    path.write_text(f"""
[http]
listen = "127.0.0.1:0"
[control]
socket = "{home / 'control.sock'}"
[poll]
schedule = "*/2 * * * * *"
[discovery]
refresh = "10s"
[state]
path = "{home / 'state.json'}"
{gateways}
""", encoding="utf-8")
    return str(path)


def check(nearmiss, path, env):
    """Its exit code, the checks that failed, {name: timeout} of the first twenty that it
    would watch, and how many there are."""
    run = subprocess.run([nearmiss, "check", "--config", path, "--format", "json"], env=env,
                         capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    try:
        checks = json.loads(run.stdout)["checks"]
    except (ValueError, KeyError):
        common.fail("nearmiss check prints JSON", "an object with checks", run.stdout + run.stderr)
    text = "\n".join(c["detail"] for c in checks if c["check"] == "lambda:ListFunctions")
    lines = re.findall(rf"(?m)^(\S+) in {common.REGION}: timeout ([\d.]+) s, near from", text)
    more = re.search(r"(?m)^and (\d+) more$", text)
    return (run.returncode, [c["check"] for c in checks if not c["ok"]], {n: float(t) for n, t in lines},
            len(lines) + (int(more.group(1)) if more else 0))


def right(names, made):
    """What `check` says when all of these are found and nothing else."""
    return 0, [], {name: float(made[name][0]) for name in sorted(names)[:SHOWN]}, len(names)


def selections(made):
    """What a user may write, and the functions that he means."""
    def those(holds):
        return {n for n, (_, tags) in made.items() if holds(n, tags)}
    pattern = 'name = "order_export-*"'
    return [
        ("by a pattern", [pattern], those(lambda n, _: n.startswith("order_export-"))),
        ("by a name, which is no pattern", ['name = "order-9"'], {"order-9"}),
        ("by an ARN", [f'name = "{arn("Mail_out_2")}"'], {"Mail_out_2"}),
        ("by a tag", ['tags = { team = "payments" }'], those(lambda _, t: t.get("team") == "payments")),
        ("by tags with a pattern, all of them", ['tags = { team = "pay*", env = "prod" }'],
         those(lambda _, t: t.get("team", "").startswith("pay") and t["env"] == "prod")),
        ("by a pattern and a tag", [pattern + '\ntags = { env = "dev" }'],
         those(lambda n, t: n.startswith("order_export-") and t.get("env") == "dev")),
        ("but for a name, a pattern, an ARN and tags",
         [f'name = "*"\nexclude = ["order-0", "Mail_*", "{arn("order-3")}", {{ tags = {{ team = "pay-back" }} }}]'],
         those(lambda n, t: n not in ("order-0", "order-3") and not n.startswith("Mail_")
               and t.get("team") != "pay-back")),
        ("by two tables", [f'name = "{arn(BUSY)}"', 'name = "Mail_out_1*"'],
         those(lambda n, _: n == BUSY or n.startswith("Mail_out_1"))),
    ]


def is_selected(nearmiss, home, env, made):
    for how, selectors, meant in selections(made):
        found = check(nearmiss, config(home, *selectors), env)
        if not 0 < len(meant) < len(made):
            common.fail(f"something is selected {how}, and something is not", "some", meant)
        equal(f"selected {how}: {len(meant)} of {len(made)}", found, right(meant, made))
    found = check(nearmiss, config(home, f'name = "*"\nrole_arn = "{OTHER_ROLE}"'), env)
    equal("with another account's role: that account's function alone", found, (0, [], {"theirs": 45.0}, 1))


def watched(daemon):
    """{name: timeout} of every function whose data came."""
    page = common.metrics(daemon.page())
    up = {l["gateway"] for n, l, v in page if n == "nearmiss_gateway_up" and v == 1}
    return {l["gateway"]: v for n, l, v in page if n == "nearmiss_idle_timeout_seconds" and l["gateway"] in up}


def becomes(daemon, what, expected):
    """A change is seen within some refreshes, and nothing else changes with it."""
    wait(what, lambda: watched(daemon) == expected, 40)
    ok(what)


def is_followed(nearmiss, home, env, made):
    client = boto3.client("lambda")
    daemon = common.Daemon(nearmiss, config(home, 'name = "*"'), env)
    expected = {name: float(timeout) for name, (timeout, _) in made.items()}
    becomes(daemon, f"the daemon watches all {len(made)} with moto's timeouts", expected)
    wait("the one that CloudWatch knows has a latency",
         lambda: common.value(daemon.page(), "nearmiss_latency_p99_seconds", gateway=BUSY), 30)
    page = daemon.page()
    equal("their account is moto's, and their kind is lambda",
          {(l["kind"], l["account"]) for n, l, _ in common.metrics(page) if n == "nearmiss_gateway_up"},
          {("lambda", ACCOUNT)})
    with_data = {l["gateway"] for n, l, _ in common.metrics(page) if n == "nearmiss_latency_p99_seconds"}
    equal("the function that CloudWatch knows has a latency, and no other", with_data, {BUSY})

    client.update_function_configuration(FunctionName=BUSY, Timeout=120)
    becomes(daemon, f"the timeout of {BUSY} is raised, and followed", expected := expected | {BUSY: 120.0})
    equal("what is near rises with it", common.value(daemon.page(), "nearmiss_near_seconds", gateway=BUSY), 96)

    client.delete_function(FunctionName="order-0")
    expected = {n: t for n, t in expected.items() if n != "order-0"}
    becomes(daemon, "order-0 is deleted, and not watched any more", expected)
    make("order-0", 15)
    becomes(daemon, "it is made anew with 15 s, and watched again", expected := expected | {"order-0": 15.0})

    client.delete_function(FunctionName="order-3")
    make("order-3", 7)
    becomes(daemon, "order-3 is made anew with 7 s from one moment to the next", expected := expected | {"order-3": 7.0})
    make("not-there-before", 900)
    becomes(daemon, "one more is made, and watched", expected | {"not-there-before": 900.0})

    page = daemon.page()
    calls = common.value(page, "nearmiss_api_calls_total", action="lambda:ListFunctions", outcome="ok")
    times = common.value(page, "nearmiss_discoveries_total", outcome="ok")
    equal("each discovery took three pages", calls, 3 * times)
    equal("no tags were read, which nobody asked for, and nothing failed",
          sorted((l["action"], l["outcome"]) for n, l, v in common.metrics(page)
                 if n == "nearmiss_api_calls_total" and v and l["action"].startswith("lambda:")),
          [("lambda:ListFunctions", "ok")])
    equal("the daemon is in no trouble",
          [l["theme"] for n, l, v in common.metrics(page) if n == "nearmiss_trouble" and v], [])


def main():
    nearmiss = common.binary()
    sim = common.Sim(nearmiss, "-60m", scenario="lambda_slow_burn")
    endpoint = motoed.moto(more=PAGES)
    for key in [k for k in os.environ if k.upper().startswith("AWS_") or k.lower().endswith("_proxy")]:
        del os.environ[key]
    os.environ.update(common.aws_environment(endpoint))
    made = populate()
    populate_other()
    first = boto3.client("lambda").list_functions()
    equal("a page of moto's holds some of the functions, and says that there are more",
          (len(first["Functions"]), "NextMarker" in first, len(made)), (PER_PAGE, True, 2 * PER_PAGE + 8))
    env = common.aws_environment(endpoint, AWS_ENDPOINT_URL_CLOUDWATCH=sim.url)
    home = pathlib.Path(common.directory("moto"))

    equal(f"nearmiss check finds all {len(made)}, with timeouts of {TIMEOUTS} s",
          check(nearmiss, config(home, 'name = "*"'), env), right(made, made))
    is_selected(nearmiss, home, env, made)
    is_followed(nearmiss, home, env, made)


main()
