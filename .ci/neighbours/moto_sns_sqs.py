#!/usr/bin/env python3
"""Somebody else's SNS and SQS: moto. What the daemon publishes to a topic, a topic
with attributes and a FIFO topic arrives in each queue that asked for it: what its
filter policy lets through, in the form that it subscribed to, once, and in order
where the queue is a FIFO queue. A silence keeps alerts back until it is expired.

Needs: boto3, moto[server], libfaketime (Debian package `faketime`).
Usage: moto_sns_sqs.py PATH_TO_NEARMISS

The figures are the simulator's, behind a proxy (motoed.py). Two load balancers in
moto have those of one in the simulator. All processes but this one have the same
clock, which is moved while they run: an episode of two hours takes seconds, and
the same seed tells the same story every time.

What moto 5.2.1 does otherwise than AWS, and what follows for this check:
- Its FIFO topics deduplicate nothing. Its FIFO queues do, among the messages that
  are still there; so they are not emptied before the copies came. The time is the
  same, five minutes. SequenceNumber is random: order is the order of arrival.
- A filter policy on the body is asked of the text as published, not of a queue's
  part of it; so only topics whose text is the JSON for programs have one here.
- It keeps attributes beside a text for each protocol, which SNS drops. The topic
  without attributes must have none in either case.
- It does not mind more than ten attributes, and takes a subject of 100 characters.
  Both are looked at here.
"""

import collections
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import boto3

import common
import motoed
from common import claim, equal, ok, wait

# Two names of one length, for motoed's sake, that begin differently.
BURNS, TWIN = "checkout", "payments"
ATTRIBUTES = {"severity", "gateway", "rule", "reason", "id", "kind"}
# Minutes of the scenario slow_burn: near misses from about 15, 504s from about 28,
# repaired about 50.
CALM, NEAR, FAILING, OVER = 10, 24, 40, 130


class Clock:
    """The time of all children, which only goes forward: a file that libfaketime
    reads whenever one asks."""

    def __init__(self, home):
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
        if not library:
            common.fail("libfaketime is there", "/usr/lib/*/faketime/libfaketimeMT.so.1 (Debian package faketime)", "none")
        self.path = home / "clock"
        self.move(CALM)
        os.environ.pop("FAKETIME", None)
        os.environ.update(LD_PRELOAD=library[0], FAKETIME_TIMESTAMP_FILE=str(self.path), FAKETIME_NO_CACHE="1",
                          DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1")

    def move(self, minute):
        """To the beginning of that minute of the scenario."""
        new = self.path.with_suffix(".new")
        new.write_text(f"{common.DEMO_START_UNIX + 60 * minute - int(time.time()):+d}\n", encoding="utf-8")
        new.replace(self.path)


class Received:
    """One message as a reader of the queue sees it."""

    def __init__(self, message, queue):
        body = json.loads(message["Body"])
        self.envelope = None if queue.raw else body
        if self.envelope is not None and body.get("Type") != "Notification":
            common.fail(f"{queue.name} gets SNS' envelope", "Type: Notification", message["Body"])
        self.news = body if queue.raw else json.loads(body["Message"])
        given = message.get("MessageAttributes", {}) if queue.raw else body.get("MessageAttributes", {})
        form = ("DataType", "StringValue") if queue.raw else ("Type", "Value")
        self.types = {one[form[0]] for one in given.values()}
        self.attributes = {name: one[form[1]] for name, one in given.items()}
        self.outside = message.get("MessageAttributes", {})
        self.group = message["Attributes"].get("MessageGroupId")
        self.once = message["Attributes"].get("MessageDeduplicationId")
        self.id = self.news["id"]

    def short(self):
        """(gateway, reason, severity), or the kind of what is about no gateway."""
        news = self.news
        return (news["gateway"]["name"], news["reason"], news["severity"]) if news["kind"] == "episode" else news["kind"]


class Queue:
    """A subscribed queue, and what must come through it: `takes` says of a message
    that all get whether this one gets it too."""

    def __init__(self, name, topic, raw=False, policy=None, scope=None, takes=lambda _: True):
        self.name, self.topic, self.raw, self.takes = name, topic, raw, takes
        self.sqs, self.got = boto3.client("sqs"), []
        self.fifo = name.endswith(".fifo")
        self.url = self.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if self.fifo else {})["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        settings = {"RawMessageDelivery": "true"} if raw else {}
        if scope:
            settings["FilterPolicyScope"] = scope
        if policy:
            settings["FilterPolicy"] = json.dumps(policy)
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=settings)

    def waiting(self):
        """How many messages are there to be read."""
        count = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[count])["Attributes"][count])

    def read(self):
        """Takes what is there, and returns all that ever was."""
        while batch := self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"],
        ).get("Messages"):
            for one in batch:
                self.got.append(Received(one, self))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
        return self.got

    def heard(self):
        """What was heard of each group, in order: ids."""
        heard = collections.defaultdict(list)
        for one in self.got:
            heard[one.group].append(one.id)
        return dict(heard)


def balancers():
    """Two load balancers; their dimension values."""
    ec2, elb = (boto3.client(s) for s in ["ec2", "elbv2"])
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"{common.REGION}{zone}")
               ["Subnet"]["SubnetId"] for i, zone in enumerate("ab")]
    made = {}
    for name in (BURNS, TWIN):
        arn = elb.create_load_balancer(Name=name, Subnets=subnets, Type="application")["LoadBalancers"][0]["LoadBalancerArn"]
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": "60"}])
        made[name] = arn.split(":loadbalancer/")[1]
    return made


def subscribe():
    """Three topics, and who asks what of them."""
    sns = boto3.client("sns")
    plain, rich = (sns.create_topic(Name=name)["TopicArn"] for name in ("nearmiss", "nearmiss-attributes"))
    fifo = sns.create_topic(Name="nearmiss.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    critical = {"severity": ["critical"]}
    is_critical = lambda one: one.news["severity"] == "critical"
    unresolved = {"reason": [{"anything-but": ["resolved"]}]}
    is_unresolved = lambda one: "reason" in one.news and one.news["reason"] != "resolved"
    of_burns = {"gateway": [{"prefix": BURNS[:5]}]}
    is_of = lambda name, one: one.news["kind"] == "episode" and one.news["gateway"]["name"] == name
    failing_twin = {"gateway": {"name": [TWIN]}, "episode": {"rules": ["at_limit"]}}
    is_failing_twin = lambda one: is_of(TWIN, one) and "at_limit" in one.news["episode"]["rules"]
    return [
        Queue("plain", plain),
        Queue("plain-raw", plain, raw=True),
        # Without attributes nothing has any that a policy could ask for.
        Queue("plain-critical", plain, policy=critical, takes=lambda _: False),
        Queue("rich", rich),
        Queue("rich-raw", rich, raw=True),
        Queue("rich-critical", rich, policy=critical, takes=is_critical),
        Queue("rich-unresolved", rich, raw=True, policy=unresolved, takes=is_unresolved),
        Queue("rich-prefix", rich, policy=of_burns, takes=lambda one: is_of(BURNS, one)),
        Queue("rich-all-three", rich, policy=critical | unresolved | of_burns,
              takes=lambda one: is_critical(one) and is_unresolved(one) and is_of(BURNS, one)),
        Queue("rich-body", rich, policy=failing_twin, scope="MessageBody", takes=is_failing_twin),
        Queue("fifo-body", fifo, raw=True, policy=failing_twin, scope="MessageBody", takes=is_failing_twin),
        Queue("all.fifo", fifo),
        Queue("all-raw.fifo", fifo, raw=True),
        Queue("critical.fifo", fifo, raw=True, policy=critical, takes=is_critical),
    ], (plain, rich, fifo)


def config(home, topics):
    plain, rich, fifo = topics
    path = home / "nearmiss.toml"
    path.write_text(f"""
[http]
listen = "127.0.0.1:0"
[poll]
schedule = "*/2 * * * * *"
[[gateway]]
kind = "alb"
load_balancer = "*"
timeout = "auto"
region = "{common.REGION}"
[alert]
resolve_after = "10m"
[diagnosis]
enabled = false
[digest]
enabled = false
[sink.sns]
topic_arn = "{plain}"
[[route]]
topic_arn = "{rich}"
attributes = true
continue = true
[[route]]
topic_arn = "{fifo}"
continue = true
[[route]]
topic_arn = "{plain}"
[control]
socket = "{home / 'control.sock'}"
[state]
path = "{home / 'state.json'}"
""", encoding="utf-8")
    return str(path)


class Story:
    """The daemon, its queues, and what is told."""

    def __init__(self):
        self.nearmiss = common.binary()
        self.home = pathlib.Path(common.directory("moto"))
        for key in [k for k in os.environ if k.upper().startswith("AWS_") or k.lower().endswith("_proxy")]:
            del os.environ[key]
        self.clock = Clock(self.home)
        sim = common.Sim(self.nearmiss, common.DEMO_START)
        endpoint = motoed.moto()
        os.environ.update(common.aws_environment(endpoint))
        made = balancers()
        burning = sim.balancer(BURNS)["dimension"]
        # No Date of this process, whose clock is another one: only the simulator's.
        motoed.Rewriting.send_response = motoed.Rewriting.send_response_only
        proxy = motoed.proxy(sim, [(made[BURNS], burning)])
        equal("the twin's dimension value has the same length", len(made[TWIN]), len(burning))
        motoed.Rewriting.names.append((made[TWIN].encode(), burning.encode()))
        self.queues, topics = subscribe()
        self.config = config(self.home, topics)
        self.env = common.aws_environment(endpoint, AWS_ENDPOINT_URL_CLOUDWATCH=proxy)
        self.daemon = None

    def queue(self, name):
        return next(queue for queue in self.queues if queue.name == name)

    def command(self, *words):
        run = subprocess.run([self.nearmiss, *words, "--config", self.config, "--format", "json"], env=self.env,
                             capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        return run.returncode, run.stdout + run.stderr

    def silence(self, *words):
        """The silences in the answer, after exit code 0."""
        code, said = self.command("silence", *words)
        if code != 0:
            common.fail(f"nearmiss silence {words[0]} exits 0", 0, (code, said))
        answer = json.loads(said)
        return [answer["silenced"]["silence"]] if "silenced" in answer else answer["silences"]

    def begin(self):
        self.daemon = common.Daemon(self.nearmiss, self.config, self.env)
        wait("the daemon polls", lambda: self.daemon.polls() >= 1, 20)

    def assessed(self):
        """Waits until all is assessed that can be by the children's clock."""
        delay, now = 1, common.DEMO_START_UNIX // 60 + self.minute
        for name in (BURNS, TWIN):
            wait(f"{name} is assessed up to the present", lambda: (self.daemon.next_minute(name) or 0) >= now - delay, 30)

    def move(self, minute):
        self.minute = minute
        self.clock.move(minute)
        self.assessed()

    def told(self):
        """What all queues without a policy were told so far, as one that gets no
        more than the text has it."""
        return [one.short() for one in self.queue("plain-raw").read()]

    def tells(self, what, expected):
        """Waits for news; two polls later it is still nothing else."""
        before = len(self.queue("plain-raw").got)
        new = lambda: sorted(self.told()[before:], key=str)
        wait(what, lambda: len(new()) >= len(expected), 20)
        self.daemon.polled(2)
        equal(what, new(), sorted(expected, key=str))


def tests(story):
    code, said = story.command("check")
    equal("nearmiss check finds nothing wrong", (code, [c for c in json.loads(said)["checks"] if not c["ok"]]), (0, []))
    equal("it sends nothing", sum(queue.waiting() for queue in story.queues), 0)
    code, said = story.command("check", "--send-test")
    checks = json.loads(said)["checks"]
    equal("nearmiss check --send-test finds nothing wrong", (code, [c for c in checks if not c["ok"]]), (0, []))
    equal("it publishes to each topic once, although one is named twice",
          [c["check"] for c in checks].count("sns:Publish"), 3)
    for queue in story.queues:
        queue.read()
    for name in ("plain", "plain-raw", "rich", "rich-raw", "all.fifo", "all-raw.fifo"):
        equal(f"{name} gets one message, a test", [one.short() for one in story.queue(name).got], ["test"])


def silenced(story):
    code, said = story.command("silence", "list")
    claim("without a daemon nearmiss silence fails and says so", code == 1 and "no daemon answers" in said,
          (1, "no daemon answers"), (code, said))
    story.begin()
    story.move(CALM)
    equal("no silence is in force", story.silence("list"), [])
    added = story.silence("add", TWIN, "--for", "1h", "--comment", "a test", "--by", "moto")
    known = {"gateway": TWIN, "at_most": "critical", "by": "moto", "comment": "a test"}
    equal("a silence is added", [{key: one.get(key) for key in known} for one in added], [known])
    story.daemon.kill()
    story.begin()
    equal("kill -9 does not end it, and the new daemon is heard on the socket of the old one", story.silence("list"), added)
    story.move(NEAR)
    story.tells(f"{BURNS} has near misses: a warning, and none of {TWIN}", [(BURNS, "firing", "warning")])
    page = story.daemon.page()
    equal("the daemon says that it keeps one back, by one silence",
          (common.value(page, "nearmiss_notifications_held"), common.value(page, "nearmiss_silences")), (1, 1))
    code, said = story.command("silence", "expire", "nonesuch")
    claim("a silence that is not there cannot be expired", code == 1 and "nonesuch" in said, (1, "nonesuch"), (code, said))
    equal("the silence is expired", [one["id"] for one in story.silence("expire", added[0]["id"])], [added[0]["id"]])
    equal("then none is in force", story.silence("list"), [])
    story.tells(f"what it kept back is told: the warning of {TWIN}", [(TWIN, "firing", "warning")])


def told_twice(story):
    """The episodes' end; and once more, by a daemon that does not know that it was
    told already, as after a kill between the telling and the saving."""
    state = story.home / "state.json"
    kept = story.home / "kept.json"
    story.daemon.kill()
    shutil.copy(state, kept)
    story.begin()
    end = [(name, "resolved", "critical") for name in (BURNS, TWIN)]
    story.move(OVER)
    story.tells("both are over", end)
    story.daemon.kill()
    shutil.copy(kept, state)
    story.begin()
    story.assessed()
    story.tells("a daemon that does not know it yet tells both ends a second time", end)


def everything(story):
    """Each queue against what all heard."""
    for queue in story.queues:
        queue.read()
    reference = story.queue("rich-raw").got
    expected = ["test", (BURNS, "firing", "warning"), (TWIN, "firing", "warning")] + [
        (name, reason, "critical") for reason in ("escalated", "resolved") for name in (BURNS, TWIN)]
    firsts = {one.id: one for one in reversed(reference)}
    equal("all that was told: one test, and of each load balancer one beginning, one escalation, one end",
          sorted((one.short() for one in firsts.values()), key=str), sorted(expected, key=str))
    twice = sorted(one.id for one in firsts.values() if one.news["reason"] == "resolved")
    copies = collections.Counter(one.id for one in reference)
    equal("only the ends came twice, and their ids say so", sorted(i for i, n in copies.items() if n == 2), twice)
    for queue in story.queues:
        wanted = sorted(one.id for one in reference if queue.takes(one))
        if queue.fifo:
            wanted = sorted(set(wanted))
        shown = sorted({str(one.short()) for one in queue.got})
        equal(f"{queue.name}: these and no others, each {'once' if queue.fifo else 'as often as it was published'}: "
              f"{', '.join(shown) or 'nothing'}", sorted(one.id for one in queue.got), wanted)
    forms(story, firsts)
    order(story)


def forms(story, firsts):
    for queue in story.queues:
        for one in queue.got:
            whole = {key: value for key, value in one.news.items()}
            if whole["schema"] != "nearmiss.notification/1" or one.id not in firsts:
                common.fail(f"{queue.name}: the JSON for programs", "nearmiss.notification/1", whole)
            if not queue.raw and one.outside:
                common.fail(f"{queue.name}: in an envelope attributes are inside", "none outside", one.outside)
            envelope(queue, one)
            attributes(queue, one)
    ok("every message is the JSON for programs: raw as the body, otherwise in SNS' envelope of its topic")
    ok("every subject is one line of printable ASCII with fewer than 100 characters")
    ok("attributes say what the JSON says; the topic without them has none")
    same = lambda name: {one.id: one.news for one in story.queue(name).got if one.news["reason"] != "resolved"}
    for name in ("plain", "plain-raw", "rich", "all.fifo", "all-raw.fifo"):
        equal(f"{name} has the same JSON as rich-raw", same(name), same("rich-raw"))


def envelope(queue, one):
    if one.envelope is None:
        return
    subject = one.envelope["Subject"]
    if one.envelope["TopicArn"] != queue.topic or not re.fullmatch(r"[ -~]{1,99}", subject):
        common.fail(f"{queue.name}: topic and subject of {one.id}", f"{queue.topic}, a line", one.envelope)
    name = one.news["gateway"]["name"] if one.news["kind"] == "episode" else "TEST"
    if name not in subject:
        common.fail(f"{queue.name}: the subject says what it is about", name, subject)


def attributes(queue, one):
    has = queue.topic.rsplit(":", 1)[1] != "nearmiss"
    said = {name: one.news.get(name) for name in one.attributes}
    if "gateway" in said:
        said["gateway"] = one.news["gateway"]["name"] if one.news["kind"] == "episode" else "nearmiss"
    is_right = (set(one.attributes) == ATTRIBUTES and one.attributes == said and one.types == {"String"}
                and all(one.attributes.values()) and len(one.attributes) <= 10)
    if not (is_right if has else one.attributes == {}):
        common.fail(f"{queue.name}: attributes of {one.id}", said if has else {}, one.attributes)


def order(story):
    reasons = ["firing", "escalated", "resolved"]
    for name in ("all.fifo", "all-raw.fifo"):
        queue = story.queue(name)
        groups = collections.defaultdict(list)
        for one in queue.got:
            groups[one.group].append(one.short())
        equal(f"{name}: a group for each load balancer and one for the test, each in the order of time",
              sorted(groups.values(), key=str), sorted([["test"]] + [
                  [(gateway, reason, "warning" if reason == "firing" else "critical") for reason in reasons]
                  for gateway in (BURNS, TWIN)], key=str))
        marks = {one.once for one in queue.got}
        claim(f"{name}: each has a group and a MessageDeduplicationId of its own, of at most 128 characters",
              all(groups) and len(marks) == len(queue.got)
              and all(re.fullmatch(r"[!-~]{1,128}", text) for text in [*marks, *groups]), "that", (marks, list(groups)))
    filtered = story.queue("critical.fifo").heard()
    whole = story.queue("all-raw.fifo").heard()
    equal("critical.fifo: the same groups in the same order without the others",
          filtered, {group: ids[1:] for group, ids in whole.items() if len(ids) > 1})


def main():
    began = time.monotonic()
    story = Story()
    tests(story)
    silenced(story)
    story.move(FAILING)
    story.tells("both have 504s: it became critical", [(name, "escalated", "critical") for name in (BURNS, TWIN)])
    told_twice(story)
    everything(story)
    common.note(f"took {time.monotonic() - began:.0f} s")


main()
