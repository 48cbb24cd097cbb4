#!/usr/bin/env python3
"""The alert rules, given to promtool: they are valid, their tests pass, every metric
that they name is exported, and the tests can fail: a rule that is changed fails them.
Takes no notice of its arguments.

Needs: promtool.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess

import common
from common import claim, equal

NAME = "prometheus/nearmiss.rules.yml"
ROOT = next(folder for folder in pathlib.Path(__file__).resolve().parents if (folder / NAME).exists())
RULES = ROOT / NAME
TESTS = RULES.with_name("nearmiss.rules.test.yml")
README = RULES.with_name("README.md")
METRICS = ROOT / "docs" / "metrics.md"
ALWAYS = "NearmissWatchdog"  # the one that nothing stops


def promtool(*arguments):
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env=common.environment(), check=False)


# --- the files, as text: there is no YAML in the standard library ------------

def split(text, begin):
    """What stands before the first match, and the text from match to match."""
    starts = [match.start() for match in re.finditer(begin, text, re.M)] + [len(text)]
    return text[:starts[0]], [text[start:end] for start, end in zip(starts, starts[1:])]


class Alert:
    """One rule."""

    def __init__(self, text):
        # The comment of the next rule stands behind the last line of this one.
        self.text = re.split(r"\n\n|\n  - name:", text)[0] + "\n"
        self.name = re.match(r" +- alert: (\w+)\n", text).group(1)
        line = re.search(r"^        expr:(?: \|\n((?:          .*\n)+)| (.+)\n)", self.text, re.M)
        self.expression = " ".join((line.group(1) or line.group(2)).split())
        self._where = line.span()
        waits = re.search(r"^        for: (\w+)$", self.text, re.M)
        self.waits = waits and waits.group(1)

    def saying(self, expression):
        begin, end = self._where
        return f"{self.text[:begin]}        expr: |\n          {expression}\n{self.text[end:]}"

    def waiting(self, duration):
        return self.text.replace(f"        for: {self.waits}\n", f"        for: {duration}\n")


def alerts():
    text = RULES.read_text(encoding="utf-8")
    found = [Alert(rule) for rule in split(text, r"^      - alert: ")[1]]
    equal("each alert was read", [alert.name for alert in found], re.findall(r"\balert: (\w+)", text))
    return found


class Tests:
    """All cases, by the alert that their name begins with."""

    def __init__(self):
        text = TESTS.read_text(encoding="utf-8")
        self.head, self.all = split(text, r"^  - name: ")
        self.cases = {}
        for case in self.all:
            name = re.match(r"  - name: '(\w+): ", case)
            asked = set(re.findall(r"alertname: (\w+)", case))
            if not name or asked != {name.group(1)}:
                common.fail("a case asks for the alert that it is named after", asked, case.splitlines()[0])
            self.cases.setdefault(name.group(1), []).append(case)

    def of(self, alert):
        return self.head + "".join(self.cases[alert])


# --- the claims ---------------------------------------------------------------

def are_whole(found):
    """What each alert must have besides an expression."""
    for alert in found:
        severity = re.search(r"^          severity: (\w+)$", alert.text, re.M)
        missing = [part for part in ["summary", "description"] if f"          {part}: " not in alert.text]
        if not severity or severity.group(1) not in {"info", "warning", "critical"}:
            missing.append("severity")
        if not alert.waits:
            missing.append("for")
        if missing:
            common.fail(f"{alert.name} is whole", "for, severity, summary and description", f"no {missing}")
    common.ok(f"each of {len(found)} alerts has for, severity, summary and description")


def have_cases(found, tests):
    """Each alert fires in one case and does not in another."""
    equal("the cases are those of the alerts", sorted(tests.cases), sorted(alert.name for alert in found))
    for alert in found:
        text = tests.of(alert.name)
        if "exp_annotations:" not in text:
            common.fail(f"{alert.name} has a case in which it fires", "exp_annotations", "none")
        never = [case for case in tests.cases[alert.name] if "exp_alerts:\n" not in case]
        if not never and alert.name != ALWAYS:
            common.fail(f"{alert.name} has a case in which it never fires", "one at least", "none")
    common.ok(f"{len(tests.all)} cases: each alert has some in which it fires, and some in which it does not")


def are_explained(found):
    """README.md has a row for each alert, and no other."""
    rows = re.findall(r"^\| `(Nearmiss\w+)` \|", README.read_text(encoding="utf-8"), re.M)
    equal(f"{README.name} explains each alert, in their order", rows, [alert.name for alert in found])


def are_exported(found):
    """Every metric that a rule names is described; and so is each value of a label."""
    document = METRICS.read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `(\w+)(?:\{[^`]*\})?` \|", document, re.M))
    claim(f"{METRICS.name} describes metrics", len(described) > 20, "more than twenty", len(described))
    text = "\n".join(alert.text for alert in found)
    named = set(re.findall(r"\bnearmiss_[a-z0-9_]+\b", text))
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in described else name for name in named}
    equal(f"every metric that the rules name ({len(named)}) is exported", sorted(bare - described), [])
    values = set()
    for alert in found:
        for label, several in re.findall(r'\b(outcome|state|theme|detector|bound)!?=~?"([\w|]+)"', alert.expression):
            values |= {(label, one) for one in several.split("|")}
    strange = sorted(pair for pair in values if not re.search(rf"\b{pair[1]}\b", document))
    equal(f"every value of a label that they ask for ({len(values)}) is described", strange, [])


# --- mutants ------------------------------------------------------------------

COMPARISON = re.compile(r"(?<![=!<>])(>=|<=|==|!=|>|<)(?!=) *(\d+(?:\.\d+)?(?: \* \d+)?)(?![\w.])")
STRICT = {">": ">=", ">=": ">", "<": "<=", "<=": "<", "==": "!=", "!=": "=="}


def other_limits(limit, operator):
    """A limit that is a little looser, and one that is a little tighter; for small
    whole numbers the next ones. Zero has no neighbour that means anything."""
    if operator in {"==", "!="} or limit == "0":
        return []
    if re.fullmatch(r"\d|10", limit):
        lower, higher = str(int(limit) - 1), str(int(limit) + 1)
    else:
        lower, higher = f"({limit}) * 0.95", f"({limit}) * 1.05"
    looser, tighter = (lower, higher) if operator.startswith(">") else (higher, lower)
    return [("loosened", looser), ("tightened", tighter)]


def mutants(alert):
    """(what was changed, the rule)"""
    yield "never true", alert.saying(f"({alert.expression}) and on () vector(0) == 1")
    if alert.name == ALWAYS:
        return
    yield "without `for`", alert.waiting("0s")
    yield "`for` twice as long", alert.waiting(f"{2 * int(alert.waits[:-1])}{alert.waits[-1]}")
    text = alert.expression
    for found in COMPARISON.finditer(text):
        operator, limit = found.groups()
        before, after = text[:found.start()], text[found.end():]
        number = sum(1 for other in COMPARISON.finditer(before) if other.group() == found.group())
        what = f"`{found.group()}`" + (f" (number {number + 1})" if number else "")
        yield f"{what} with {STRICT[operator]}", alert.saying(f"{before}{STRICT[operator]} {limit}{after}")
        for word, value in other_limits(limit, operator):
            yield f"{what} {word}", alert.saying(f"{before}{operator} {value}{after}")


def survives(folder, number, rule, tests):
    """Whether promtool finds nothing wrong with a rule and its cases."""
    home = pathlib.Path(folder) / str(number)
    home.mkdir()
    (home / RULES.name).write_text(f"groups:\n  - name: mutant\n    rules:\n{rule}", encoding="utf-8")
    (home / TESTS.name).write_text(tests, encoding="utf-8")
    run = promtool("test", "rules", home / TESTS.name)
    if run.returncode and "FAILED:" not in run.stdout + run.stderr or "parse error" in run.stdout + run.stderr:
        common.fail("a mutant is a valid rule", "a failed case", f"{rule}\n{run.stdout}{run.stderr}")
    return run.returncode == 0


def can_fail(found, tests):
    folder = common.directory("rules")
    made = [(alert, "unchanged", alert.text) for alert in found]
    made += [(alert, what, rule) for alert in found for what, rule in mutants(alert)]
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        runs = [pool.submit(survives, folder, number, rule, tests.of(alert.name))
                for number, (alert, _, rule) in enumerate(made)]
        alive = [(alert.name, what) for (alert, what, _), run in zip(made, runs) if run.result()]
    whole = [(alert.name, "unchanged") for alert in found]
    equal("by itself each rule passes its own cases", [one for one in alive if one in whole], whole)
    equal(f"of {len(made) - len(found)} changed rules each fails a case", [one for one in alive if one not in whole], [])


def main():
    check = promtool("check", "rules", RULES)
    equal("promtool check rules finds nothing wrong", (check.returncode, check.stderr), (0, ""))
    common.note(check.stdout.strip().splitlines()[-1].strip())
    test = promtool("test", "rules", TESTS)
    claim("promtool test rules passes", test.returncode == 0, "SUCCESS", (test.stdout + test.stderr)[:4000])
    found, tests = alerts(), Tests()
    are_whole(found)
    have_cases(found, tests)
    are_explained(found)
    are_exported(found)
    can_fail(found, tests)


if __name__ == "__main__":
    main()
