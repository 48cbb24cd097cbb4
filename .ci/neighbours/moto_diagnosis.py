#!/usr/bin/env python3
"""Somebody else's Elastic Load Balancing, EC2, ECS and Lambda: moto. What is set up
there with boto3 leads `nearmiss diagnose` to the right finding.

Needs: boto3, moto[server]. Usage: moto_diagnosis.py PATH_TO_NEARMISS

The figures are the simulator's, behind a proxy (motoed.py).
"""

import json
import os
import pathlib
import subprocess

import boto3

import common
import motoed
from common import claim, equal

NAME = "site"
ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]


class Place:
    """A VPC with a load balancer in two zones and an instance behind it in each."""

    def __init__(self):
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
        self.targets = self.elb.create_target_group(
            Name="site-main", Protocol="HTTP", Port=8080, VpcId=self.vpc, TargetType="instance",
            HealthCheckPath="/healthz")["TargetGroups"][0]["TargetGroupArn"]
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

    def __init__(self, nearmiss, endpoint, scenario, place):
        sim = common.Sim(nearmiss, "-200m", scenario, 3)
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

    def first(self):
        found = self.said["findings"]
        return (found[0]["cause"], found[0]["confidence"]) if found else None

    def evidence(self):
        return "\n".join(self.said["findings"][0]["evidence"]) if self.said["findings"] else ""


def main():
    nearmiss = common.binary()
    endpoint = motoed.moto()
    for key in [k for k in os.environ if k.upper().startswith("AWS_") or k.lower().endswith("_proxy")]:
        del os.environ[key]
    os.environ.update(common.aws_environment(endpoint))

    def fresh():
        common.post(f"{endpoint}/moto-api/reset")
        return Place()

    place = fresh()
    place.instances()
    place.admit(IpRanges=[{"CidrIp": "192.168.0.0/16"}])
    said = Diagnosed(nearmiss, endpoint, "c07_connect_security_group", place)
    equal("a security group that admits another network is found", said.first(), ("connect_security_group", "certain"))
    claim("it is named in the evidence", place.back in said.evidence(), place.back, said.evidence())
    equal("a cause is exit code 1", said.code, 1)
    missing = [m["what"] for m in said.said["not_checked"]]
    equal("moto's answers were all understood", missing, [])

    for how in ["UserIdGroupPairs", "IpRanges"]:
        place = fresh()
        place.instances()
        place.admit(**{how: [{"GroupId": place.front}] if how == "UserIdGroupPairs" else [{"CidrIp": "10.0.0.0/16"}]})
        acl = place.close_the_way_back()
        said = Diagnosed(nearmiss, endpoint, "c08_connect_network_acl", place)
        equal(f"admitted by {how}, a network ACL without ephemeral ports is found", said.first(),
              ("connect_network_acl", "certain"))
        claim("it is named in the evidence", acl in said.evidence(), acl, said.evidence())

    place = fresh()
    place.instances()
    place.admit(UserIdGroupPairs=[{"GroupId": place.front}])
    said = Diagnosed(nearmiss, endpoint, "c07_connect_security_group", place)
    claim(f"where the network is open, no part of it is called the certain cause: {said.first()}",
          said.first() is None or said.first()[1] != "certain", "not certain", said.first())

    place = fresh()
    said = Diagnosed(nearmiss, endpoint, "c23_no_registered_target", place)
    equal("an empty target group is found", said.first()[0], "no_registered_target")

    place = fresh()
    place.instances()
    place.admit(UserIdGroupPairs=[{"GroupId": place.front}])
    said = Diagnosed(nearmiss, endpoint, "n01_healthy", place)
    equal("nothing is found on a healthy one, and it is exit code 0", (said.first(), said.code), (None, 0))

    place.idle_timeout(20)
    said = Diagnosed(nearmiss, endpoint, "c16_idle_timeout_lowered", place)
    claim(f"moto's idle timeout is read: {said.first()}", "20 s" in json.dumps(said.said, ensure_ascii=False),
          "20 s", said.said)


if __name__ == "__main__":
    main()
