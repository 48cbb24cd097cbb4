#!/usr/bin/env python3
"""Somebody else's Elastic Load Balancing, SNS, SQS and STS: moto. The daemon
discovers a load balancer there and its alert arrives in a queue there.

Needs: boto3, moto[server]. Usage: moto_sns_elb.py PATH_TO_NEARMISS

Only CloudWatch is ours, behind a proxy (motoed.py).
"""

import datetime
import json
import os
import pathlib
import subprocess

import boto3

import common
import motoed
from common import claim, equal, wait

NAME = "checkout"
IDLE_TIMEOUT = 60
BEFORE_NOW = "-46m"  # by then more than one request in a hundred ends in 504

def populate():
    """A load balancer, another that is none of ours, a topic, and a queue that
    is subscribed to it."""
    ec2, elb, sns, sqs = (boto3.client(s) for s in ["ec2", "elbv2", "sns", "sqs"])
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"{common.REGION}{zone}")
               ["Subnet"]["SubnetId"] for i, zone in enumerate("ab")]
    arn = elb.create_load_balancer(Name=NAME, Subnets=subnets, Type="application")["LoadBalancers"][0]["LoadBalancerArn"]
    elb.create_load_balancer(Name="ingest", Subnets=subnets, Type="network")
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[
        {"Key": "idle_timeout.timeout_seconds", "Value": str(IDLE_TIMEOUT)}])
    topic = sns.create_topic(Name="nearmiss")["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    return arn, topic, queue

def config(home, name, topic):
    path = home / name
    path.write_text(f"""
[http]
listen = "127.0.0.1:0"
[poll]
schedule = "*/2 * * * * *"
[[gateway]]
kind = "alb"
load_balancer = "{NAME}"
timeout = "auto"
region = "{common.REGION}"
[sink.sns]
topic_arn = "{topic}"
[state]
path = "{home / 'state.json'}"
""", encoding="utf-8")
    return str(path)

def check(nearmiss, path, env):
    run = subprocess.run([nearmiss, "check", "--config", path, "--format", "json"], env=env,
                         capture_output=True, text=True, timeout=90, check=False, stdin=subprocess.DEVNULL)
    try:
        return run.returncode, json.loads(run.stdout)["checks"]
    except (ValueError, KeyError):
        common.fail("nearmiss check prints JSON", "an object with checks", run.stdout + run.stderr)

def receive(queue):
    """All messages that are there now."""
    sqs, found = boto3.client("sqs"), []
    while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for one in batch:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
        found += batch
    return found

def main():
    nearmiss = common.binary()
    sim = common.Sim(nearmiss, BEFORE_NOW)
    endpoint = motoed.moto()
    for key in [k for k in os.environ if k.upper().startswith("AWS_") or k.lower().endswith("_proxy")]:
        del os.environ[key]
    os.environ.update(common.aws_environment(endpoint))
    arn, topic, queue = populate()
    env = common.aws_environment(endpoint, AWS_ENDPOINT_URL_CLOUDWATCH=motoed.proxy(
        sim, [(arn.split(":loadbalancer/")[1], sim.balancer(NAME)["dimension"])]))
    home = pathlib.Path(common.directory("moto"))
    path = config(home, "nearmiss.toml", topic)

    code, checks = check(nearmiss, path, env)
    failed = [c for c in checks if not c["ok"]]
    equal("nearmiss check finds nothing wrong and exits 0", (code, failed), (0, []))
    equal("it tried STS, Elastic Load Balancing, CloudWatch and SNS", sorted({c["check"] for c in checks} - {"config", "state", "self-check"}), sorted([
        "sts:GetCallerIdentity", "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeLoadBalancerAttributes", "cloudwatch:GetMetricData",
        "sns:GetTopicAttributes"]))
    traffic = next(c["detail"] for c in checks if c["check"] == "cloudwatch:GetMetricData")
    claim(f"it saw traffic through the proxy: {traffic}", int(traffic.split()[1].replace(",", "").split(".")[0]) > 0,
          "requests", traffic)
    code, checks = check(nearmiss, config(home, "wrong.toml", topic + "-gone"), env)
    equal("with the ARN of no topic it exits 1 and names sns:GetTopicAttributes alone",
          (code, [c["check"] for c in checks if not c["ok"]]), (1, ["sns:GetTopicAttributes"]))
    equal("nothing was sent by checking", receive(queue), [])

    daemon = common.Daemon(nearmiss, path, env)
    begun = wait("the daemon assessed a minute", lambda: daemon.next_minute(NAME), 30)
    page = daemon.page()
    watched = sorted({l["gateway"] for n, l, _ in common.metrics(page) if n == "nearmiss_gateway_up"})
    equal("moto's Application Load Balancer is watched, its Network Load Balancer is not", watched, [NAME])
    equal("its idle timeout is moto's", common.value(page, "nearmiss_idle_timeout_seconds", gateway=NAME), IDLE_TIMEOUT)
    equal("its account is moto's", common.value(page, "nearmiss_gateway_up", gateway=NAME, account=arn.split(":")[4]), 1)
    claim("its data came through the proxy", motoed.Rewriting.replaced > 0, "names replaced", motoed.Rewriting.replaced)

    arrived = []

    def first():
        arrived.extend(receive(queue))
        return arrived
    wait("a notification arrives in the queue", first, 20)
    wait("the daemon assesses one more minute", lambda: daemon.next_minute(NAME) > begun, 75)
    daemon.polled(2)
    arrived += receive(queue)
    equal("exactly one notification arrived, also a minute later", len(arrived), 1)
    equal("the daemon says so too",
          common.value(daemon.page(), "nearmiss_notifications_total", receiver=topic.rsplit(":", 1)[1], outcome="delivered"), 1)

    envelope = json.loads(arrived[0]["Body"])
    equal("it came in SNS' envelope, from the topic", (envelope["Type"], envelope["TopicArn"]), ("Notification", topic))
    claim("its subject is one line of at most 99 ASCII characters: " + envelope["Subject"],
          envelope["Subject"].isascii() and envelope["Subject"].isprintable() and len(envelope["Subject"]) < 100
          and NAME in envelope["Subject"], "that, and the name in it", envelope["Subject"])
    try:
        news = json.loads(envelope["Message"])
    except ValueError:
        common.fail("a queue gets the machine's JSON", "JSON, the value of the key sqs", envelope["Message"])
    equal("a queue gets the machine's JSON", news.get("schema"), "nearmiss.notification/1")
    equal("it says what, why and where",
          [news["reason"], news["severity"], news["gateway"]["name"], news["gateway"]["region"],
           news["gateway"]["dimension"], news["timeout_seconds"]],
          ["firing", "critical", NAME, common.REGION, arn.split(":loadbalancer/")[1], IDLE_TIMEOUT])
    at, began = (common.epoch_minute(text) for text in (news["at"], news["episode"]["began"]))
    claim("its episode began in the quarter of an hour that led to it", at - 14 <= began <= at, (at - 14, at), began)
    truth = sum(r["elb_504"] for r in sim.truth(NAME, began, at + 1))
    equal("its figures are the truth's: 504s since it began", news["episode"]["timeouts"], truth)

main()
