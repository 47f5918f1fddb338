# SPDX-License-Identifier: MIT
"""The machine's clock is set by a day, back and forward: no job runs early, twice or never."""
import contextlib
import datetime
import os
import pathlib
import struct
import subprocess

import pytest

from support import build, processes
from support.daemon import WORKER, result_body
from support.waiting import wait_for

SHIM = pathlib.Path(__file__).parent / "support/clock_shim.c"
DAY_S = 24 * 3600


class Clock:
    """The wall clock of a daemon that is launched in this environment."""

    def __init__(self, directory):
        self.file = directory / "clock"
        library = directory / "clock_shim.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SHIM], check=True)
        self.environment = {**os.environ, "LD_PRELOAD": str(library),
                            "CLOCK_SHIM_FILE": str(self.file)}
        self.set(0)

    def set(self, shift_s):
        # In place: the daemon has it mapped.
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("q", shift_s))


@pytest.fixture
def clock(daemon):
    if build.NAME != "release":
        pytest.skip("a sanitizer must come before what is preloaded")
    return Clock(daemon.directory)


def start(daemon, clock):
    daemon.write_config()
    daemon.launch(environment=clock.environment)
    wait_for("the daemon is ready", daemon.is_ready)


def deliver(daemon, execution_id):
    answer = daemon.call_back(daemon.launched(execution_id), result_body(execution_id))
    assert answer.status == 200, answer


def seen_time(daemon):
    """What the daemon takes for now, from a run that it registers."""
    run = daemon.register()
    text = daemon.decided("SELECT registered_at FROM runs WHERE id = ?", run["run_id"])[0][0]
    return datetime.datetime.fromtimestamp(text / 1000, datetime.timezone.utc)


@pytest.mark.parametrize("shift_s", [DAY_S, -DAY_S])
def test_setting_the_clock_moves_no_job(daemon, clock, shift_s):
    daemon.hook(name="soon", shell="echo soon >> ran", delay="1s")
    daemon.hook(name="later", shell="echo later >> ran", delay="1h", give_up_after="2h")
    daemon.hook(name="retried", shell='echo "retried $CALLBACK_ATTEMPT" >> ran; exit 1',
                give_up_after="300d",
                retry={"attempts": 2, "first_delay": "10d", "max_delay": "30d"})
    daemon.hook(name="rated", shell="echo rated >> ran", rate="1/h")
    daemon.hook(name="slow", shell="while test ! -e go; do sleep 0.05; done; echo slow >> ran",
                timeout="1h")
    start(daemon, clock)
    before = seen_time(daemon)
    deliver(daemon, 1)
    daemon.wait_until_taken_in()
    daemon.wait_for_jobs(1, "retrying")
    daemon.wait_for_jobs(1, "running", hook="slow")
    clock.set(shift_s)
    moved = (seen_time(daemon) - before).total_seconds()
    assert abs(moved - shift_s) < 3600, "the daemon does not see the shifted clock"
    # Never: what is due comes, by the same time as ever.
    daemon.wait_for_jobs(1, hook="soon")
    deliver(daemon, 2)
    daemon.wait_for_jobs(2, hook="soon")
    # Also for a worker that is started after the clock was set, and when it is set back.
    daemon.wait_for_jobs(2, "retrying")
    worker = daemon.child(WORKER)
    processes.kill(worker)
    wait_for("another worker", lambda: daemon.child(WORKER) not in (None, worker))
    wait_for("it serves", daemon.is_ready)
    clock.set(0)
    deliver(daemon, 3)
    daemon.wait_for_jobs(3, hook="soon")
    (daemon.directory / "go").touch()
    daemon.wait_for_jobs(3, hook="slow")
    daemon.wait_for_jobs(3, "retrying")
    # Early: what is due in an hour is not, nor has anything of it been given up.
    assert {job["state"] for job in daemon.jobs(hook="later")} == {"waiting"}
    assert {job["state"] for job in daemon.jobs(hook="retried")} == {"retrying"}
    ran = (daemon.directory / "ran").read_text().splitlines()
    # Twice: each once.
    assert sorted(ran) == sorted(["soon"] * 3 + ["slow"] * 3 + ["rated"] + ["retried 1"] * 3)
    for job in daemon.jobs(hook="later"):
        due = datetime.datetime.fromisoformat(job["next_at"].replace("Z", "+00:00"))
        ahead = (due - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        assert 0 < ahead <= 3600, "the time that is shown does not follow the clock"
    with contextlib.suppress(FileNotFoundError):
        clock.file.unlink()
