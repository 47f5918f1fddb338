# SPDX-License-Identifier: MIT
"""A queue of many jobs that is interrupted in the middle, and what must be true of it in the end."""
import collections

from . import kills
from .daemon import WORKER
from .posting import Poster
from .waiting import wait_for

CONCURRENCY = 16
NAME = "count"
PROGRAM = '#!/bin/sh\necho "$CALLBACK_JOB_ID" >> ran\n'


def _stop(daemon):
    daemon.stop()
    # What was running got its time, and nothing more was begun.
    running, = daemon.decided("SELECT count(*) FROM jobs WHERE state = 'running'")[0]
    assert running == 0, f"{running} jobs run while there is no daemon"
    daemon.launch()


def _kill_worker(daemon):
    kills.kill_child(daemon, WORKER, within_s=5)


def _kill_all(daemon):
    kills.kill_group(daemon, within_s=5)


# how: (what is done to the daemon, whether a job may run again for it)
WAYS = {
    "SIGTERM": (_stop, False),
    "kill -9 of the worker": (_kill_worker, True),
    "kill -9 of all": (_kill_all, True),
}


def done(daemon):
    return sum(count for count, in daemon.decided(
        "SELECT jobs FROM job_counts WHERE hook = ? AND state = 'succeeded'", NAME))


def queue(daemon, jobs, seed=1):
    """Starts it, and posts so many results while the hook is paused. Returns their ids."""
    daemon.write_program(NAME, PROGRAM)
    daemon.hook(name=NAME, command=[f"./{NAME}"], concurrency=CONCURRENCY)
    daemon.config["log"]["level"] = "warning"
    kills.keep_ports(daemon)
    daemon.start()
    daemon.admin.send("POST", f"/api/v1/hooks/{NAME}/pause")
    poster = Poster(daemon, seed, 16)
    poster.allow(jobs)
    poster.finish()
    poster.stop()
    daemon.wait_until_taken_in()
    return [post.result_id for post in poster.acknowledged]


def interrupt(daemon, way, jobs, patience_s):
    """Lets the queue run, and interrupts it when a third and when two thirds of it are done."""
    do, _ = WAYS[way]
    daemon.admin.send("POST", f"/api/v1/hooks/{NAME}/resume")
    for part in (1, 2):
        wait_for(f"{part} of 3 parts are done", lambda: done(daemon) >= jobs * part // 3,
                 patience_s)
        assert done(daemon) < jobs, "it was not in the middle of it"
        do(daemon)
        wait_for("it serves", daemon.is_ready)
    wait_for("all are done", lambda: done(daemon) >= jobs, patience_s)


def check(daemon, way, results):
    """Returns what was seen: all that was accepted has run, and hardly anything twice."""
    job_of = dict(daemon.decided("SELECT (SELECT id FROM results WHERE seq = result_seq), id"
                                 " FROM jobs WHERE state = 'succeeded'"))
    ran = collections.Counter((daemon.directory / "ran").read_text().split())
    missing = [result for result in results if job_of.get(result) not in ran]
    assert not missing, f"{len(missing)} of {len(results)} never ran: {missing[:5]}"
    assert set(job_of) == set(results) and set(ran) == set(job_of.values())
    counted = daemon.decided("SELECT state, jobs FROM job_counts WHERE hook = ? AND jobs <> 0", NAME)
    assert counted == [("succeeded", len(results))]
    again = ran.total() - len(ran)
    interrupted, = daemon.decided("SELECT count(*) FROM attempts WHERE outcome = 'interrupted'")[0]
    assert again <= interrupted <= 2 * CONCURRENCY
    assert interrupted == 0 or WAYS[way][1], "a stop cut hooks off"
    return {"way": way, "jobs": len(results), "never": len(missing), "interrupted": interrupted,
            "again": again}
