# SPDX-License-Identifier: MIT
"""What strangers and hooks say, on a terminal and in a log: shown, never obeyed."""
import contextlib
import json
import os
import pty
import re
import subprocess
import urllib.parse

import pytest
from support import build, web
from support.daemon import result_body

# A new title, a cleared screen, a beep, a backspace, C1's CSI, an override of the writing direction,
# an isolate, a separator of lines, DEL.
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x08\u009b31m\u202egnp.exe\u2066\u2028\x7f"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# What callbackctl itself writes: colours, and a line that is written anew.
OWN = re.compile("\x1b\\[(0|1|2|31|32|33)m|\r\x1b\\[K")


def on_terminal(ctl, *arguments):
    """(exit status, what reached the terminal), of a callbackctl that has nothing but one."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen([build.CALLBACKCTL, *map(str, arguments)], stdin=theirs,
                                   stdout=theirs, stderr=theirs,
                                   env={**ctl.environment, "TERM": "xterm"})
        os.close(theirs)
        theirs = -1
        said = b""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while piece := os.read(ours, 65536):
                said += piece
        return process.wait(), said
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def assert_harmless(said):
    text = said.decode().replace("\r\n", "\n")  # strictly: what is no UTF-8 is shown, too
    found = OBEYED.search(OWN.sub("", text).replace("\t", " "))
    assert not found, (found, said)


@pytest.fixture
def hostile(daemon):
    """A daemon that was told hostile things wherever somebody may say something; the ids."""
    daemon.endpoint(name="any", path="/any", kind="json", status="/state", verify="none")
    daemon.endpoint(name="shut", path="/shut", kind="json",
                    verify=[{"scheme": "bearer", "secret_file": "admin.token"}])
    daemon.write_program("hostile", "#!/bin/sh\ncat \"$CALLBACK_BODY_FILE\"\ncat \"$CALLBACK_BODY_FILE\" >&2\n"
                                    "printf '\\377\\033[2J'\nexit 65\n")
    daemon.hook(name="hostile", command=["./hostile", "{/final_output}"])
    daemon.start()
    raw = json.dumps({"workflow_version_execution_id": 7, "final_output": {
        HOSTILE: {"status": "FAILED", "value": HOSTILE, "error_message": HOSTILE,
                  "is_output_node": True}}}, ensure_ascii=False)
    run = daemon.launched(7, workflow=HOSTILE, tags={HOSTILE: HOSTILE})
    header = {"X-Hostile": HOSTILE.encode().replace(b"\x1b", b"").replace(b"\x07", b"")
              .replace(b"\x08", b"").replace(b"\x7f", b"")}
    posted = daemon.call_back(run, raw, headers=header)
    assert posted.status == 200, posted
    refused = daemon.post("/shut?" + urllib.parse.quote(HOSTILE), raw, header)
    assert refused.status == 401
    assert daemon.call_back(daemon.launched(8), HOSTILE).status == 400
    job, = daemon.wait_for_jobs(1, "dead")
    return {"run": run["run_id"], "result": posted.json()["result_id"], "job": job["id"]}


def test_callbackctl_shows_and_does_not_obey(daemon, ctl, hostile):
    body = daemon.directory / "body"
    body.write_bytes(result_body(7, json.dumps(HOSTILE)).encode() + HOSTILE.encode() + b"\xff")
    asked = [["runs"], ["results"], ["jobs"], ["rejected"], ["hooks"], ["status"],
             ["show", hostile["run"]], ["show", hostile["result"]],
             ["show", hostile["result"], "--body"], ["show", hostile["result"], "--output"],
             ["show", hostile["result"], "--node", HOSTILE], ["show", hostile["result"], "--node", "no"],
             ["job", hostile["job"]], ["job", hostile["job"], "--follow"],
             ["wait", hostile["run"]], ["results", "--workflow", HOSTILE], ["show", HOSTILE],
             ["retry", HOSTILE], [HOSTILE], ["runs", f"--{HOSTILE}"],
             ["verify", body, "--endpoint", "shut", "--header", f"Authorization: Bearer {HOSTILE}"],
             ["verify", body, "--endpoint", HOSTILE]]
    shown = b""
    for arguments in asked:
        for how in ([], ["--json"]):
            status, said = on_terminal(ctl, *arguments, *how)
            assert_harmless(said)
            assert status >= 0, (arguments, said)
            shown += said
    assert b"\\x1b" in shown and b"\\xe2\\x80\\xae" in shown  # there was something to obey


def test_exact_bytes_go_into_a_pipe(ctl, hostile):
    assert "\u009b31m\u202egnp.exe\u2066\u2028\x7f".encode() in ctl("show", hostile["result"], "--body").stdout
    assert ctl("show", hostile["result"], "--node", HOSTILE).stdout == HOSTILE.encode() + b"\n"


def test_the_output_of_a_run_is_shown_and_not_obeyed(daemon, sim, ctl):
    daemon.start()
    ctl.environment.update(PROMPTLAYER_API_KEY="k")
    fault = "_sim=" + json.dumps({"value": HOSTILE})
    status, said = on_terminal(ctl, "run", "flow", "--wait", "--input-json", fault)
    assert status == 0 and b"\\x1b]0;owned\\x07" in said
    assert_harmless(said)
    piped = ctl("run", "flow", "--wait", "--input-json", fault)
    assert piped.stdout == HOSTILE.encode() + b"\n"


def test_the_log_holds_nothing_to_obey(daemon, hostile):
    text = daemon.log_path.read_bytes().decode()
    assert not OBEYED.search(text.replace("\t", " "))
    assert all(line.startswith("time=") for line in text.splitlines() if line)


def test_answers_echo_nothing_that_is_obeyed(daemon, hostile):
    """To the sender: problems echo nothing of what it sent. To the admin: JSON, all of it escaped."""
    place = daemon.place()
    answer = web.ask(place, "POST", "/nowhere/" + urllib.parse.quote(HOSTILE), HOSTILE.encode())
    assert answer.status == 404 and "owned" not in answer.body.decode()
    for path in ("/api/v1/rejected", "/api/v1/results", "/api/v1/runs", "/api/v1/jobs",
                 f"/api/v1/jobs/{hostile['job']}", f"/api/v1/results/{hostile['result']}"):
        body = daemon.admin.ask("GET", path).body.decode()
        assert not OBEYED.search(body), path
