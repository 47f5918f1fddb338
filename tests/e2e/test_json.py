# SPDX-License-Identifier: MIT
"""The JSON parsing test suite, posted to the real daemon: what must be accepted is (y_), what must
be refused is (n_), and of what may be either (i_) docs/RECEIVING.md says which. Its folder is
CALLBACKD_JSON_TEST_SUITE, or ../shared/data/json-test-suite beside the repository."""
import os
import pathlib
import re

import pytest

from support import build, web

FOLDER = pathlib.Path(os.environ.get("CALLBACKD_JSON_TEST_SUITE") or
                      build.ROOT.parent / "shared/data/json-test-suite")


@pytest.fixture(scope="module")
def documents():
    if not FOLDER.is_dir():
        pytest.skip(f"no corpus in {FOLDER}; CALLBACKD_JSON_TEST_SUITE may name its folder")
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())
            if re.match(r"[yni]_", path.name)}


def documented_choices():
    """{file of the suite: status} as docs/RECEIVING.md lists them."""
    text = (build.ROOT / "docs/RECEIVING.md").read_text()
    return {name: 200 if word == "accepted" else 400 for name, word in
            re.findall(r"^\| `(i_[^`]+)` \| (accepted|refused) ", text, re.MULTILINE)}


def expected(name, choices):
    return {"y": 200, "n": 400}.get(name[0]) or choices[name]


def test_each_document_is_answered_as_it_must_be(daemon, documents):
    daemon.endpoint(name="any", path="/any", kind="json", verify="none")
    daemon.start()
    choices = documented_choices()
    counts = {kind: sum(name[0] == kind for name in documents) for kind in "yni"}
    assert counts["y"] >= 95 and counts["n"] >= 188, counts
    assert set(choices) == {name for name in documents if name[0] == "i"}
    with web.Client(daemon.place()) as client:
        answers = {name: client.ask("POST", "/any", body) for name, body in documents.items()}
    wrong = [(name, answer.status) for name, answer in answers.items()
             if answer.status != expected(name, choices)]
    assert wrong == []
    # What was accepted is stored as it came.
    accepted = [body for name, body in documents.items() if answers[name].status == 200]
    assert sorted(accepted) == sorted(
        body for body, in daemon.received("SELECT body FROM received"))


DECISIONS = [
    # What docs/RECEIVING.md says, row by row.
    (b"[" * 128 + b"]" * 128, 200), (b"[" * 129 + b"]" * 129, 400),
    (b'{"a":' * 129 + b"1" + b"}" * 129, 400), (b"[" * 100_000, 400),
    (b'"' + b"x" * 1_000_000 + b'"', 200),
    (b"9" * 100_000, 200), (b"-1e-999999999999", 200), (b"1e999999999999", 200),
    (b"0.1e1", 200), (b"01", 400), (b"-", 400), (b"1.", 400), (b".5", 400), (b"+1", 400),
    (b"0x10", 400), (b"NaN", 400), (b"-Infinity", 400),
    (b'"\xc3\xa4\xf0\x9f\x98\x80"', 200), (b'"\xc0\xaf"', 400), (b'"\xed\xa0\x80"', 400),
    (b'"\xf4\x90\x80\x80"', 400), (b'"\xc3"', 400), (b'"\xff"', 400), (b"\xe4", 400),
    (b"\xff\xfe1\x00", 400), (b"\xef\xbb\xbf1", 400),
    (b'"\x00"', 400), (b'"\x1f"', 400), (b"1\x00", 400), (b"\x0c1", 400), (b'"\\u0000"', 200),
    (b'"\x7f"', 200),
    (b'"\\ud800"', 200), (b'"\\udc00\\ud800"', 200), (b'{"\\ud800":1}', 200),
    (b'"\\ud83d\\ude00"', 200), (b'"\\u12g4"', 400), (b'"\\x41"', 400),
    (b'{"a":1,"a":2}', 200), (b'{"a":1,}', 400), (b"[1,]", 400), (b"{'a':1}", 400),
    (b"1 2", 400), (b"1\n\t \r", 200), (b"1,", 400), (b"", 400), (b" ", 400), (b"// x\n1", 400),
]


def test_each_decision_about_json_holds(daemon):
    daemon.endpoint(name="any", path="/any", kind="json", verify="none")
    daemon.start()
    with web.Client(daemon.place()) as client:
        answers = [client.ask("POST", "/any", body) for body, _ in DECISIONS]
    assert [(body[:20], answer.status) for (body, _), answer in zip(DECISIONS, answers)] == \
        [(body[:20], status) for body, status in DECISIONS]
    assert all(answer.json()["detail"] for answer in answers if answer.status == 400)
    assert sorted(body for body, in daemon.received("SELECT body FROM received")) == \
        sorted(body for body, status in DECISIONS if status == 200)


def test_of_the_same_key_twice_the_last_one_counts(daemon):
    daemon.start()
    answer = daemon.call_back(daemon.launched(7), '{"workflow_version_execution_id":8,'
                              '"workflow_version_execution_id":7,"final_output":1}')
    result = daemon.result(answer.json()["result_id"])
    assert (result["status"], result["execution_id"]) == ("success", "7")


@pytest.mark.parametrize("number, status", [
    ("9223372036854775807", 200), ("9007199254740993", 200), ("9223372036854775808", 400),
    ("7.0", 400), ("7e0", 400), ('"7"', 200), ('"7\\u0000"', 400), ("-7", 200),
])
def test_an_execution_id_is_a_whole_number_of_64_bits(daemon, number, status):
    daemon.start()
    answer = daemon.call_back(daemon.register(), f'{{"workflow_version_execution_id":{number}}}')
    assert answer.status == status, answer.body
    if status == 200:
        assert daemon.result(answer.json()["result_id"])["execution_id"] == number.strip('"')
