#!/usr/bin/env python3
"""Somebody else's Elastic Load Balancing, EC2, ECS and Lambda: moto. What is set up
there with boto3 leads `nearmiss diagnose` to the right finding.

Needs: boto3, moto[server]. Usage: moto_diagnosis.py PATH_TO_NEARMISS

The figures are the simulator's, behind a proxy (motoed.py).

What moto's ECS cannot show: how tasks ended. A stopped task there has the reason that
StopTask was given, but no stopCode, no time and no exit code above 0; and its answer to
DescribeTasks has a container's cpu as a number where AWS's model has a string, which
AWS's SDK for Rust refuses. So when ECS stopped tasks is known by its deployments alone,
no task is seen to be killed, and what is checked of `task_killed` is that this is said.
"""

import io
import json
import os
import pathlib
import subprocess
import zipfile

import boto3

import common
import motoed
from common import claim, equal

NAME = "site"
BEHIND = 32  # minutes: ECS's deployments are so old
# The scenarios with deployments begin so long ago that the 502s of one lie in it.
DEPLOYED = "-155m"
ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]


class Place:
    """A VPC with a load balancer in two zones and a target group."""

    def __init__(self, target_type="instance"):
        self.ec2, self.elb, self.ecs = (boto3.client(s) for s in ["ec2", "elbv2", "ecs"])
        ec2 = self.ec2
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.public, self.private = [self.subnet(i) for i in (0, 1)], [self.subnet(i) for i in (10, 11)]
        self.front = self.group("front")
        self.back = self.group("back")
        ec2.authorize_security_group_ingress(GroupId=self.front, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ANYWHERE}])
        self.arn = self.elb.create_load_balancer(
            Name=NAME, Subnets=self.public, SecurityGroups=[self.front], Type="application",
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self.idle_timeout(60)
        tail = self.arn.split(":loadbalancer/")[1]
        for subnet in self.public:
            ec2.create_network_interface(SubnetId=subnet, Groups=[self.front], Description=f"ELB {tail}")
        where = {} if target_type == "lambda" else {
            "Protocol": "HTTP", "Port": 8080, "VpcId": self.vpc, "HealthCheckPath": "/healthz"}
        self.targets = self.elb.create_target_group(Name="site-main", TargetType=target_type, **where)[
            "TargetGroups"][0]["TargetGroupArn"]
        self.elb.create_listener(LoadBalancerArn=self.arn, Protocol="HTTP", Port=80, DefaultActions=[
            {"Type": "forward", "TargetGroupArn": self.targets}])

    def idle_timeout(self, seconds):
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=self.arn, Attributes=[
            {"Key": "idle_timeout.timeout_seconds", "Value": str(seconds)}])

    def subnet(self, number):
        zone = f"{common.REGION}{'ab'[number % 10]}"
        made = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        return made["Subnet"]["SubnetId"]

    def group(self, name):
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]

    def instances(self):
        image = self.ec2.describe_images()["Images"][0]["ImageId"]
        ids = [self.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet,
                                      SecurityGroupIds=[self.back])["Instances"][0]["InstanceId"]
               for subnet in self.private]
        self.elb.register_targets(TargetGroupArn=self.targets, Targets=[{"Id": i} for i in ids])

    def delay(self, seconds):
        self.elb.modify_target_group_attributes(TargetGroupArn=self.targets, Attributes=[
            {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}])

    def service(self, tasks=2, **container):
        """An ECS service that registers its tasks here. Its deployment goes on, as moto starts
        none of its tasks; without tasks it is over at once."""
        self.ecs.create_cluster(clusterName="shop")
        self.ecs.register_task_definition(
            family="shop-web", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            containerDefinitions=[{"name": "web", "image": "web:1", "memory": 512,
                                   "portMappings": [{"containerPort": 8080}], **container}])
        self.ecs.create_service(
            cluster="shop", serviceName="shop-api", taskDefinition="shop-web", desiredCount=tasks, launchType="FARGATE",
            networkConfiguration=self.tasks_network(),
            loadBalancers=[{"targetGroupArn": self.targets, "containerName": "web", "containerPort": 8080}])

    def tasks_network(self):
        return {"awsvpcConfiguration": {"subnets": self.private, "securityGroups": [self.back]}}

    def stopped_task(self, reason):
        """A task of the service that was stopped; moto names no private DNS name unless the VPC has them."""
        self.ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        task = self.ecs.run_task(
            cluster="shop", taskDefinition="shop-web", launchType="FARGATE", count=1, startedBy="ecs-svc/1",
            group="service:shop-api", networkConfiguration=self.tasks_network())["tasks"][0]["taskArn"]
        self.ecs.stop_task(cluster="shop", task=task, reason=reason)

    def function(self, seconds):
        """A Lambda function with this timeout in the target group."""
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        role = boto3.client("iam").create_role(RoleName="price", AssumeRolePolicyDocument=json.dumps(trust))
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("price.py", "def handler(event, context): return {'statusCode': 200}")
        arn = boto3.client("lambda").create_function(
            FunctionName="price", Runtime="python3.12", Role=role["Role"]["Arn"], Handler="price.handler",
            Code={"ZipFile": code.getvalue()}, Timeout=seconds)["FunctionArn"]
        self.elb.register_targets(TargetGroupArn=self.targets, Targets=[{"Id": arn}])

    def admit(self, **source):
        self.ec2.authorize_security_group_ingress(GroupId=self.back, IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, **source}])

    def close_the_way_back(self):
        """An ACL of the private subnets without the ephemeral ports."""
        acl = self.ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        entry = {"NetworkAclId": acl, "Protocol": "6", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
        self.ec2.create_network_acl_entry(**entry, RuleNumber=100, Egress=False, PortRange={"From": 0, "To": 65535})
        self.ec2.create_network_acl_entry(**entry, RuleNumber=100, Egress=True, PortRange={"From": 443, "To": 443})
        for old in self.ec2.describe_network_acls()["NetworkAcls"]:
            for one in old["Associations"]:
                if one["SubnetId"] in self.private:
                    self.ec2.replace_network_acl_association(
                        AssociationId=one["NetworkAclAssociationId"], NetworkAclId=acl)
        return acl


class Diagnosed:
    """What is said of a place whose figures are those of a scenario."""

    def __init__(self, nearmiss, endpoint, scenario, place, start="-200m"):
        sim = common.Sim(nearmiss, start, scenario, 3)
        theirs = boto3.client("elbv2", endpoint_url=sim.url).describe_target_groups()["TargetGroups"]
        names = [(place.arn.split(":loadbalancer/")[1], sim.balancer(NAME)["dimension"])]
        names += [(place.targets.split(":")[-1], one["TargetGroupArn"].split(":")[-1]) for one in theirs[:1]]
        proxy = motoed.proxy(sim, names)
        env = common.aws_environment(endpoint, AWS_ENDPOINT_URL_CLOUDWATCH=proxy)
        path = pathlib.Path(common.directory("moto")) / "nearmiss.toml"
        path.write_text(f'[[gateway]]\nload_balancer = "{NAME}"\nregion = "{common.REGION}"\n', encoding="utf-8")
        run = subprocess.run([nearmiss, "diagnose", "--config", str(path), NAME, "--format", "json"], env=env,
                             capture_output=True, text=True, timeout=90, check=False, stdin=subprocess.DEVNULL)
        try:
            self.said = json.loads(run.stdout)
        except ValueError:
            common.fail("nearmiss diagnose prints JSON", "an object", run.stdout + run.stderr)
        self.code = run.returncode
        sim.kill()

    def causes(self):
        return [found["cause"] for found in self.said["findings"]]

    def cause(self):
        """The first cause, or what was not looked at, which is why there is none."""
        return self.causes()[0] if self.causes() else self.said["not_checked"]

    def missing(self):
        return [one["what"] for one in self.said["not_checked"]]

    def fix(self):
        return (self.said["findings"][0]["fix"] or {}).get("cli", "") if self.said["findings"] else ""

    def first(self):
        found = self.said["findings"]
        return (found[0]["cause"], found[0]["confidence"]) if found else None

    def evidence(self):
        return "\n".join(self.said["findings"][0]["evidence"]) if self.said["findings"] else ""


def main():
    nearmiss = common.binary()
    endpoint = motoed.moto(BEHIND)
    for key in [k for k in os.environ if k.upper().startswith("AWS_") or k.lower().endswith("_proxy")]:
        del os.environ[key]
    os.environ.update(common.aws_environment(endpoint))

    def fresh(target_type="instance"):
        common.post(f"{endpoint}/moto-api/reset")
        return Place(target_type)

    def diagnosed(*of):
        return Diagnosed(nearmiss, endpoint, *of)

    network(fresh, diagnosed)
    containers(fresh, diagnosed)
    functions(fresh, diagnosed)


def network(fresh, diagnosed):
    place = fresh()
    place.instances()
    place.admit(IpRanges=[{"CidrIp": "192.168.0.0/16"}])
    said = diagnosed("c07_connect_security_group", place)
    equal("a security group that admits another network is found", said.first(), ("connect_security_group", "certain"))
    claim("it is named in the evidence", place.back in said.evidence(), place.back, said.evidence())
    equal("a cause is exit code 1", said.code, 1)
    equal("moto's answers were all understood", said.missing(), [])

    for how in ["UserIdGroupPairs", "IpRanges"]:
        place = fresh()
        place.instances()
        place.admit(**{how: [{"GroupId": place.front}] if how == "UserIdGroupPairs" else [{"CidrIp": "10.0.0.0/16"}]})
        acl = place.close_the_way_back()
        said = diagnosed("c08_connect_network_acl", place)
        equal(f"admitted by {how}, a network ACL without ephemeral ports is found", said.first(),
              ("connect_network_acl", "certain"))
        claim("it is named in the evidence", acl in said.evidence(), acl, said.evidence())

    place = fresh()
    place.instances()
    place.admit(UserIdGroupPairs=[{"GroupId": place.front}])
    said = diagnosed("c07_connect_security_group", place)
    claim(f"where the network is open, no part of it is called the certain cause: {said.first()}",
          said.first() is None or said.first()[1] != "certain", "not certain", said.first())

    place = fresh()
    said = diagnosed("c23_no_registered_target", place)
    equal("an empty target group is found", said.cause(), "no_registered_target")

    place = fresh()
    place.instances()
    place.admit(UserIdGroupPairs=[{"GroupId": place.front}])
    said = diagnosed("n01_healthy", place)
    equal("nothing is found on a healthy one, and it is exit code 0", (said.first(), said.code), (None, 0))

    place.idle_timeout(20)
    said = diagnosed("c16_idle_timeout_lowered", place)
    claim(f"moto's idle timeout is read: {said.first()}", "20 s" in json.dumps(said.said, ensure_ascii=False),
          "20 s", said.said)


def containers(fresh, diagnosed):
    place = fresh("ip")
    place.service(stopTimeout=5)
    said = diagnosed("c21_ecs_stop_timeout", place, DEPLOYED)
    equal("502s in a deployment of containers with 5 s to stop are theirs", said.first(),
          ("ecs_stop_timeout", "likely"))
    claim("stopTimeout and the service's name are those of moto",
          "stopTimeout of container web (shop-api) is 5 s" in said.evidence(), "5 s, shop-api", said.evidence())
    equal("moto's answers were all understood", said.missing(), [])

    place = fresh("ip")
    place.service(stopTimeout=120)
    place.delay(10)
    said = diagnosed("c19_deregistration_delay", place, DEPLOYED)
    equal("the same with 120 s to stop and 10 s to drain are the target group's", said.first(),
          ("deregistration_delay", "certain"))
    claim("its fix names moto's target group", place.targets in said.fix(), place.targets, said.fix())

    place = fresh("ip")
    place.service(tasks=0)
    place.stopped_task("OutOfMemoryError: Container killed due to memory usage")
    said = diagnosed("c20_task_killed", place)
    claim(f"without stopped tasks, a killed one is among the candidates: {said.causes()}",
          "task_killed" in said.causes()[:2], "task_killed", said.causes())
    equal("nothing is certain then", said.first()[1], "possible")
    equal("and that they were not read is said", said.missing(), ["stopped tasks"])

    place = fresh("ip")
    place.service()
    said = diagnosed("c02_queueing_traffic", place, "-230m")
    equal("too much traffic for a service is found", said.cause(), "queueing_traffic")
    claim(f"its fix is more tasks of moto's service: {said.fix()}",
          said.fix().startswith("aws ecs update-service --cluster shop --service shop-api --desired-count "),
          "update-service", said.fix())


def functions(fresh, diagnosed):
    place = fresh("lambda")
    place.function(3)
    said = diagnosed("c22_lambda_timeout", place)
    equal("a function that reaches its timeout is found", said.first(), ("lambda_timeout", "certain"))
    claim("its timeout is moto's", "the function may run 3 s" in said.evidence(), "3 s", said.evidence())
    equal("moto's answers were all understood", said.missing(), [])


if __name__ == "__main__":
    main()
