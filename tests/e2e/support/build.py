# SPDX-License-Identifier: MIT
"""The build under test.

CALLBACKD_BIN_DIR    where its programs are (default: build/bin)
CALLBACKD_TEST_BUILD "release" (default), "asan" or "tsan": sanitizers make everything
                     slower, so the times that we promise are stretched for them
"""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("CALLBACKD_BIN_DIR", ROOT / "build/bin")).resolve()
NAME = os.environ.get("CALLBACKD_TEST_BUILD", "release")
SLOWNESS = {"release": 1, "asan": 4, "tsan": 10}[NAME]

CALLBACKD = str(BIN / "callbackd")
CALLBACKCTL = str(BIN / "callbackctl")
SIMULATOR = str(BIN / "promptlayer-sim")


def promised(seconds):
    """How long what we promise to take `seconds` may take in this build."""
    return seconds * SLOWNESS


def number(release, asan, tsan):
    """A size that fits the build's speed; CALLBACKD_TEST_SIZE scales it further."""
    scale = float(os.environ.get("CALLBACKD_TEST_SIZE", "1"))
    return max(1, int({"release": release, "asan": asan, "tsan": tsan}[NAME] * scale))
