# SPDX-License-Identifier: MIT
"""JSON as we rebuild it, beside the programs that wrote it first: Python's json, and the
JavaScript that PromptLayer documents."""
import json
import pathlib
import random
import shutil
import struct
import subprocess

import pytest
from support import build, senders

FILTER = build.BIN.parent / "tests/result_test_canonical"
# Of npm where it is installed, else of Debian.
STABLE_STRINGIFY = senders.DIRECTORY / "node_modules/json-stable-stringify"
if not senders.INSTALLED:
    STABLE_STRINGIFY = pathlib.Path("/usr/share/nodejs/json-stable-stringify")
SAMPLE = r"""
const stringify = require(process.argv[1]);
for (const line of require("fs").readFileSync(0, "utf8").split("\n").slice(0, -1)) {
  const colons = stringify(JSON.parse(line)).replace(/"([^"]+)"\s*:/g, '"$1": ');
  console.log(colons.replace(/,(?=(?:\s*[\{"\[]))/g, ", "));
}
"""
CHARACTERS = ('az09 ,:[]{}"\\/\x00\x1f\x7f\x80\xa0\xe9\u2028\u3000\ud7ff\ue000\uffee\U0001f600'
              '\U0010ffff\b\f\n\r\t')

pytestmark = pytest.mark.skipif(not FILTER.exists(), reason="built without unit tests")


class Documents:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def number(self):
        choice = self.random.randrange(8)
        if choice == 0:
            return str(self.random.randrange(-10**self.random.randrange(1, 40), 10**40))
        if choice == 1:  # any double at all
            value = struct.unpack("<d", self.random.randbytes(8))[0]
            return repr(value) if value - value == 0 else "1e400"
        if choice == 2:  # where neighbours are not equally far apart
            return repr(2.0 ** self.random.randrange(-1074, 1024))
        if choice == 3:
            digits = "".join(self.random.choices("0123456789", k=self.random.randrange(1, 30)))
            return f"{self.random.choice('123456789')}.{digits}e{self.random.randrange(-330, 320)}"
        if choice == 4:
            return self.random.choice(["0", "-0", "-0.0", "0.0", "1E5", "1e+2", "0e9", "-1e-400",
                                       "5e-324", "1e15", "1e16", "1e-4", "1e-5", "1e20", "1e21"])
        if choice == 5:
            return f"{self.random.uniform(-1000, 1000):.{self.random.randrange(1, 18)}f}"
        return str(self.random.randrange(-1000, 1000))

    def character(self):
        c = self.random.choice(CHARACTERS)
        if self.random.random() < .3 or c < " " or c in '"\\':
            units = c.encode("utf-16-be", "surrogatepass")
            return "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
        return c

    def string(self):
        if self.random.random() < .05:
            return '"\\ud83d"' if self.random.random() < .5 else '"\\ude00x\\/"'
        return '"%s"' % "".join(self.character() for _ in range(self.random.randrange(6)))

    def value(self, depth=0):
        choice = self.random.randrange(7 if depth < 4 else 4)
        blank = self.random.choice(["", "", " ", "\t "])
        if choice == 0:
            return self.random.choice(["true", "false", "null"])
        if choice <= 2:
            return self.number()
        if choice == 3:
            return self.string()
        count = self.random.randrange(5)
        if choice == 4:
            return "[%s]" % f"{blank},".join(self.value(depth + 1) for _ in range(count))
        members = (f"{self.string()}{blank}:{self.value(depth + 1)}" for _ in range(count))
        return "{%s}" % f",{blank}".join(members)


def rebuilt(form, lines):
    text = "".join(line + "\n" for line in lines).encode()
    done = subprocess.run([FILTER, form], input=text, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(b"\n")[:-1]


def compare(lines, ours, theirs):
    assert len(ours) == len(theirs) == len(lines)
    for line, our, their in zip(lines, ours, theirs):
        assert our == their, line


def test_documents_are_rebuilt_as_python_does():
    documents = Documents(20261124)
    lines = [documents.value() for _ in range(build.number(100_000, 5000, 5000))]
    lines += [repr(2.0 ** power) for power in range(-1074, 1024)]
    theirs = [json.dumps(json.loads(line), sort_keys=True).encode() for line in lines]
    compare(lines, rebuilt("python", lines), theirs)


@pytest.mark.skipif(not STABLE_STRINGIFY.exists() or not shutil.which("node"),
                    reason="needs node-json-stable-stringify")
def test_documents_are_rebuilt_as_the_documented_javascript_does():
    documents = Documents(20261125)
    lines = [documents.value() for _ in range(build.number(100_000, 5000, 5000))]
    lines += [repr(2.0 ** power) for power in range(-1074, 1024)]
    text = "".join(line + "\n" for line in lines).encode()
    done = subprocess.run(["node", "-e", SAMPLE, STABLE_STRINGIFY], input=text, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr
    compare(lines, rebuilt("javascript", lines), done.stdout.split(b"\n")[:-1])
