#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""testssl.py [--out FILE]: what testssl.sh finds at the TLS listener, with every one of its checks.

Nothing may be worse than LOW but what comes of a test's own authority, and nothing LOW but what we
have decided; both are told here."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import common

from support.daemon import TLS, Daemon

GOOD = ("OK", "INFO", "DEBUG")
# What is known, and why it is so.
KNOWN = {
    "cert_revocation": "the test's authority has neither a list nor a service of revoked ones",
    "DNS_CAArecord": "`localhost` has no such record",
    "HSTS": "no browser comes here; it would bind every port of the host's name",
    "engine_problem": "of the client: it has no GOST",
}


def run(daemon, directory):
    place, found = daemon.place(TLS), pathlib.Path(directory) / "findings.json"
    done = subprocess.run(
        ["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--add-ca", place.ca_file,
         "--jsonfile", found, f"localhost:{place.port}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=directory)
    assert found.exists(), done.stdout + done.stderr
    return json.loads(found.read_text())


def version():
    shown = subprocess.run(["testssl", "--version"], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=False).stdout
    return (re.search(r"testssl(?:\.sh)?\s+(\d[\w.]*)", shown) or ["", "?"])[1]


def check(outcome, findings):
    bad = [one for one in findings if one["severity"] not in GOOD]
    outcome.add(version=version(), checked=len(findings), good=len(findings) - len(bad), findings=[
        {key: one[key] for key in ("id", "severity", "finding")} | {
            "why": KNOWN.get(one["id"], "**not known**")} for one in bad])
    grade = [one["finding"] for one in findings if one["id"] == "overall_grade"]
    if grade:  # testssl.sh 3.2 and later say one
        outcome.add(grade=grade[0])
        outcome.require(grade[0] in ("A", "A+"), f"grade {grade[0]}")
    for one in bad:
        outcome.require(one["id"] in KNOWN, f"{one['id']}: {one['severity']}: {one['finding']}")
    # It has looked at all.
    ids = {one["id"] for one in findings}
    outcome.require({"TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "heartbleed", "secure_client_renego",
                     "BREACH", "cert_chain_of_trust"} <= ids, f"not checked: {sorted(ids)}")
    trusted = [one for one in findings if one["id"].startswith("cert_chain_of_trust")]
    outcome.require(all(one["severity"] == "OK" for one in trusted), f"{trusted}")


def main():
    options = common.arguments(__doc__).parse_args()
    with common.certificates() as certificates, tempfile.TemporaryDirectory() as directory:
        with common.Outcome("testssl", options.out, pathlib.Path(directory)) as outcome:
            daemon = Daemon(pathlib.Path(certificates))
            try:
                daemon.start()
                check(outcome, run(daemon, directory))
                daemon.stop()
            finally:
                daemon.close()
            daemon.remove()
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
