# SPDX-License-Identifier: MIT
"""Waiting for conditions, never for a time."""
import time

from . import build

PATIENCE_S = 30  # only a failure takes this long
POLL_S = 0.01


def wait_for(what, condition, seconds=PATIENCE_S * min(build.SLOWNESS, 4)):
    """Polls until `condition()` is true, and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(POLL_S)


def becomes_true_within(seconds, what, condition):
    """The same, for a time that is promised: it counts, so it is scaled by the build."""
    begin = time.monotonic()
    overslept = 0  # by this process: then the machine had no time for anybody
    while not condition():
        now = time.monotonic()
        if now - begin - overslept > build.promised(seconds):
            raise AssertionError(f"waited {now - begin:g} s in vain until {what}")
        time.sleep(POLL_S)
        overslept += time.monotonic() - now - POLL_S
    return time.monotonic() - begin
