#!/usr/bin/env python3
"""The simulator answers unmodified AWS clients: boto3 and the AWS CLI.

Needs: boto3, awscli. Usage: aws_clients.py PATH_TO_NEARMISS
"""

import datetime
import json
import os
import subprocess

import boto3
import botocore.config
import botocore.exceptions

import common
from common import claim, equal

NAME = "checkout"
# The minutes around the fault: healthy, near misses, 504s.
FIRST, LENGTH = 10, 40
TAKES = [  # (id, metric, statistic, field of the truth)
    ("p99", "TargetResponseTime", "p99", "p99"),
    ("near", "TargetResponseTime", "TC(48:60)", "near_misses"),
    ("samples", "TargetResponseTime", "SampleCount", "samples"),
    ("timeouts", "HTTPCode_ELB_504_Count", "Sum", "elb_504"),
]


def queries(dimension, takes=TAKES):
    return [{
        "Id": id,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ApplicationELB", "MetricName": metric,
                "Dimensions": [{"Name": "LoadBalancer", "Value": dimension}],
            },
            "Period": 60, "Stat": statistic,
        },
    } for id, metric, statistic, _ in takes]


def compare(who, results, truth):
    """Every datapoint is the truth's, and every minute without one is a minute
    in which there is nothing to report."""
    by_id = {result["Id"]: result for result in results}
    equal(f"{who}: get-metric-data answers every query", sorted(by_id), sorted(t[0] for t in TAKES))
    for id, metric, statistic, field in TAKES:
        result = by_id[id]
        equal(f"{who}: {metric} {statistic} is Complete", result["StatusCode"], "Complete")
        points = {minute(at): v for at, v in zip(result["Timestamps"], result["Values"])}
        # A counter that stayed zero is absent; a count of samples in a range is 0.
        absent = metric.startswith("HTTPCode")
        expected = {row["minute"]: row[field] for row in truth
                    if row[field] is not None and not (absent and row[field] == 0)}
        equal(f"{who}: {metric} {statistic} is the truth in all {len(truth)} minutes "
              f"({sum(v > 0 for v in expected.values())} above zero)", points, expected)


def minute(at):
    """boto3 gives a datetime; the CLI prints what the wire had, a number or a text."""
    if isinstance(at, str):
        at = datetime.datetime.fromisoformat(at)
    return int(at if isinstance(at, (int, float)) else at.timestamp()) // 60


def with_boto3(sim, truth, window):
    def client(service):
        return boto3.client(service, config=botocore.config.Config(retries={"total_max_attempts": 1}))
    elb, cloudwatch, sns = client("elbv2"), client("cloudwatch"), client("sns")
    found = elb.describe_load_balancers()["LoadBalancers"]
    equal("boto3: describe-load-balancers lists the scenario's",
          sorted(lb["LoadBalancerArn"] for lb in found), sorted(b["arn"] for b in sim.about["load_balancers"]))
    equal("boto3: they are Application Load Balancers", {lb["Type"] for lb in found}, {"application"})
    arn = next(lb["LoadBalancerArn"] for lb in found if lb["LoadBalancerName"] == NAME)
    attributes = elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    equal("boto3: idle_timeout.timeout_seconds is 60",
          [a["Value"] for a in attributes if a["Key"] == "idle_timeout.timeout_seconds"], ["60"])

    dimension = arn.split(":loadbalancer/")[1]
    start, end = (datetime.datetime.fromtimestamp(at, datetime.UTC) for at in window)
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries(dimension), StartTime=start, EndTime=end)
    compare("boto3", answer["MetricDataResults"], truth)

    text = {"default": "seen by boto3", "sqs": '{"a": 1}'}
    sent = sns.publish(TopicArn=common.TOPIC, Subject="from boto3", Message=json.dumps(text),
                       MessageStructure="json")
    published_last(sim, "boto3", sent["MessageId"], "from boto3", text)

    misspelt = queries(dimension, [("x", "TargetResponseTimes", "p99", "")])
    try:
        answer = cloudwatch.get_metric_data(MetricDataQueries=misspelt, StartTime=start, EndTime=end)
        common.fail("boto3: a misspelt metric is refused", "an error", answer)
    except botocore.exceptions.ClientError as error:
        refused("boto3", str(error))


def with_cli(sim, truth, window):
    def aws(*words):
        return subprocess.run(["aws", *words, "--output", "json"], capture_output=True, text=True,
                              timeout=60, check=False, stdin=subprocess.DEVNULL)

    def answer(*words):
        run = aws(*words)
        if run.returncode != 0:
            common.fail(f"aws {words[0]} {words[1]}", "exit code 0", run.stderr)
        return json.loads(run.stdout)

    found = answer("elbv2", "describe-load-balancers", "--names", NAME)["LoadBalancers"]
    equal("aws cli: describe-load-balancers finds checkout by its name",
          [lb["LoadBalancerArn"] for lb in found], [sim.balancer(NAME)["arn"]])
    arn = found[0]["LoadBalancerArn"]
    attributes = answer("elbv2", "describe-load-balancer-attributes", "--load-balancer-arn", arn)["Attributes"]
    equal("aws cli: idle_timeout.timeout_seconds is 60",
          [a["Value"] for a in attributes if a["Key"] == "idle_timeout.timeout_seconds"], ["60"])

    dimension = arn.split(":loadbalancer/")[1]
    times = ["--start-time", str(window[0]), "--end-time", str(window[1])]
    metric_data = ["cloudwatch", "get-metric-data", *times, "--metric-data-queries"]
    compare("aws cli", answer(*metric_data, json.dumps(queries(dimension)))["MetricDataResults"], truth)

    text = {"default": "seen by the CLI", "email": "a\nb"}
    sent = answer("sns", "publish", "--topic-arn", common.TOPIC, "--subject", "from the CLI",
                  "--message-structure", "json", "--message", json.dumps(text))
    published_last(sim, "aws cli", sent["MessageId"], "from the CLI", text)

    run = aws(*metric_data, json.dumps(queries(dimension, [("x", "TargetResponseTimes", "p99", "")])))
    claim("aws cli: a misspelt metric fails the command", run.returncode not in (0, 2),
          "an exit code of a service error (not 0, not 2)", f"{run.returncode}: {run.stdout}{run.stderr}")
    refused("aws cli", run.stderr)


def published_last(sim, who, message_id, subject, text):
    last = common.get_json(f"{sim.url}/_sim/published")[-1]
    found = [last["message_id"], last["topic_arn"], last["subject"], last["structure"], json.loads(last["message"])]
    equal(f"{who}: what publish sent with MessageStructure=json was received as sent",
          found, [message_id, common.TOPIC, subject, "json", text])


def refused(who, said):
    claim(f"{who}: a misspelt metric is refused, and the right name is said",
          "SimUnknownMetric" in said and "did you mean 'TargetResponseTime'?" in said,
          "SimUnknownMetric ... did you mean 'TargetResponseTime'?", said)


def main():
    nearmiss = common.binary()
    sim = common.Sim(nearmiss, common.DEMO_START)
    equal("the sim starts when told", sim.start, common.DEMO_START_UNIX)
    for key in [k for k in os.environ if k.upper().startswith("AWS_") or k.lower().endswith("_proxy")]:
        del os.environ[key]
    os.environ.update(common.aws_environment(sim.url))

    first = sim.start // 60 + FIRST
    truth = sim.truth(NAME, first, first + LENGTH)
    claim("the window has near misses and 504s, so that a comparison means something",
          sum(r["near_misses"] for r in truth) > 100 and sum(r["elb_504"] for r in truth) > 100,
          "more than 100 of each", common.totals(truth))
    window = (first * 60, (first + LENGTH) * 60)
    with_boto3(sim, truth, window)
    with_cli(sim, truth, window)


main()
