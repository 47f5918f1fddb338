#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the cases of a finished suite: prints "PASSED FAILED SKIPPED".

count.py ctest|pytest JUNIT_XML STATUS, count.py lines LOG STATUS, count.py check - STATUS.
STATUS is how the suite's command ended; one that failed without a failed case (a crash,
a time-out) counts as one failure. A unit-test program holds many cases, which cmocka sums
up in its output.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

SUMS = {
    "passed": re.compile(r"^\[  PASSED  \] (\d+) test", re.MULTILINE),
    "failed": re.compile(r"^\[  FAILED  \] (\d+) test", re.MULTILINE),
    "skipped": re.compile(r"^\[  SKIPPED \] (\d+) test", re.MULTILINE),
}


def sum_of(kind, text):
    return sum(int(number) for number in SUMS[kind].findall(text))


def count_ctest(path):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        text = case.findtext("system-out") or ""
        bad = case.get("status") != "run"
        passed += sum_of("passed", text)
        skipped += sum_of("skipped", text)
        failed += max(sum_of("failed", text), 1 if bad else 0)
    return passed, failed, skipped


def count_pytest(path):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" in outcomes:
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_lines(path):
    words = [line.split(" ", 1)[0] for line in open(path, encoding="utf-8", errors="replace")]
    return words.count("ok"), words.count("FAILED"), words.count("skipped")


def count_check(_path):
    return 1, 0, 0


def main():
    kind, path, status = sys.argv[1], sys.argv[2], int(sys.argv[3])
    count = {"ctest": count_ctest, "pytest": count_pytest, "lines": count_lines,
             "check": count_check}[kind]
    try:
        passed, failed, skipped = count(path)
    except (OSError, ElementTree.ParseError):
        passed, failed, skipped = 0, 1, 0
    if status != 0 and failed == 0:
        failed = 1
        if kind == "check":
            passed = 0
    print(passed, failed, skipped)


main()
