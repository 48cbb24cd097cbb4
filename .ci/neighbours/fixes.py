#!/usr/bin/env python3
"""Every fix that a diagnosis proposes, given to somebody else's parsers: the AWS CLI's
own (with botocore's validation of the request that it would send; nothing is sent),
and one of HCL. Takes no notice of its arguments.

Needs: awscli, python-hcl2. The fixes are those of the snapshot that the tests keep.
"""

import pathlib
import shlex
import sys

import awscli.clidriver
import botocore.endpoint
import hcl2

import common
from common import claim

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "crates" / "core" / "src" / "diagnose" / "tests" / "snapshots"


class Sent(Exception):
    """A request that was complete."""


def operations(command):
    """The operations that the AWS CLI would call."""
    program, *words = shlex.split(command)
    sent = []

    def record(_endpoint, operation, _request):
        sent.append(operation.name)
        raise Sent

    original, botocore.endpoint.Endpoint.make_request = botocore.endpoint.Endpoint.make_request, record
    try:
        awscli.clidriver.create_clidriver().main([*words, "--region", common.REGION, "--no-sign-request"])
    except (Sent, SystemExit):
        pass
    finally:
        botocore.endpoint.Endpoint.make_request = original
    return sent if program == "aws" else []


def main():
    (snapshot,) = FOLDER.glob("*fixes.snap")
    body = snapshot.read_text(encoding="utf-8").split("---\n", 2)[2]
    fixes = [part.strip().partition("\n\n") for part in body.split("\n---\n")]
    claim(f"there are {len(fixes)} fixes", len(fixes) > 10, "more than ten", len(fixes))
    for command, _, text in fixes:
        command = command.removeprefix("$ ")
        called = operations(command)
        claim(f"the AWS CLI takes: {' '.join(command.split()[:3])} ({', '.join(called)})", called, "a request", command)
        try:
            blocks = hcl2.loads(text.strip() + "\n")
        except Exception as error:  # noqa: BLE001, the parser's own
            common.fail("it is HCL", "a block", f"{text}\n{error}")
        claim("its HCL has a block", blocks, "a block", text)


if __name__ == "__main__":
    sys.exit(main())
