#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scale.py BUILD DIRECTORY [--rows 10000000] [--rounds 5] [--lookups 500] [--out FILE]: does
anything depend on how much is stored?

Compares a store with --rows results with one of 100,000 (for the rate of accepting: with an empty
one): posts acknowledged, lookups by id, execution and run, pages of lists from both ends, the rate
at which the worker takes results in, starting, and the time that a slice of retention takes.

10 million need about 16 GB of disk; they are removed in the end."""
import contextlib
import copy
import datetime
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import statistics
import sys
import time

import common
from common import say

import measure
import processes
from servers import Callbackd, Place, wait_for

SMALL_ROWS = 100_000
BYTES_PER_ROW = 2200      # both databases and the making of them
PAGE = 100
PAGES = 50
READING_S = 2.0           # of posts, while the worker stands still
REMOVED = 10_000          # by retention
RATE_AT_LEAST = 0.9       # acks with many ÷ acks with none
READING_AT_LEAST = 0.8
SLOWER_AT_MOST = 2.0      # medians, beside what is too short to be measured well:
NEGLIGIBLE_S = {"lookup": 0.0005, "page": 0.002, "start": 0.2, "slice": 0.01}


class Stored(Callbackd):
    """On a store that is kept; with a retention that makes so many results old."""

    def __init__(self, place, retention_ms=None):
        super().__init__(place, store=place.prefilled)
        self.retention_ms = retention_ms

    def configuration(self):
        configuration = super().configuration()
        if self.retention_ms:
            configuration["store"]["retention"] = f"{self.retention_ms}ms"
            configuration["log"] = {"level": "debug"}
        return configuration


class Timer:
    """GETs over one connection, and how long each took."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.admin_port, timeout=60)
        self.headers = {"Authorization": f"Bearer {server.admin_token}"}
        self.seconds = []

    def get(self, path):
        begin = time.perf_counter()
        self.connection.request("GET", path, headers=self.headers)
        response = self.connection.getresponse()
        body = response.read()
        self.seconds.append(time.perf_counter() - begin)
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {body[:200]}")
        return body

    def summary(self):
        ordered = sorted(self.seconds)
        return {"median_s": statistics.median(ordered), "p99_s": ordered[len(ordered) * 99 // 100]}


def read(server, question, *values):
    with contextlib.closing(sqlite3.connect(server.store / "state/state.db")) as database:
        database.execute("PRAGMA query_only = ON")
        return database.execute(question, values).fetchall()


def some_results(server, count):
    """From everywhere in the store."""
    (least, most), = read(server, "SELECT min(seq), max(seq) FROM results")
    chance = random.Random(1)
    seqs = [chance.randrange(least, most) for _ in range(count)]
    return [row for seq in seqs for row in
            read(server, "SELECT id, execution_id, run_id FROM results WHERE seq >= ? LIMIT 1", seq)]


def time_lookups(server, count):
    chosen = some_results(server, count)
    ways = {"id": lambda row: f"/results/{row[0]}",
            "body": lambda row: f"/results/{row[0]}/body",
            "execution": lambda row: f"/results?execution_id={row[1]}&limit=1",
            "run": lambda row: f"/runs/{row[2]}"}
    found = {}
    for name, path_of in ways.items():
        timer = Timer(server)
        for row in chosen:
            answer = timer.get("/api/v1" + path_of(row))
            if name == "execution" and not json.loads(answer)["items"]:
                raise RuntimeError(f"execution {row[1]} is not found")
        found["lookup by " + name] = timer.summary()
    return found


def page_through(server, path):
    timer, cursor = Timer(server), ""
    for _ in range(PAGES):
        answer = json.loads(timer.get(f"/api/v1{path}{cursor}"))
        if not answer["next_cursor"]:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    return timer.summary()


def time_pages(server):
    (oldest,), = read(server, "SELECT id FROM results ORDER BY received_at, seq LIMIT 1 OFFSET ?",
                      PAGE * PAGES)
    return {"page of results, newest": page_through(server, f"/results?limit={PAGE}"),
            "page of results, oldest":
                page_through(server, f"/results?limit={PAGE}&cursor={oldest}"),
            "page of results by status":
                page_through(server, f"/results?status=success&limit={PAGE}"),
            "page of runs": page_through(server, f"/runs?limit={PAGE}"),
            "page of jobs": page_through(server, f"/jobs?hook=next&limit={PAGE}")}


def time_starts(place, rounds):
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        with Stored(place):
            seconds.append(time.perf_counter() - begin)
    return {"start": {"median_s": statistics.median(seconds), "p99_s": max(seconds)}}


def reading_rate(place):
    """Results a second that the worker takes in, with all of them there already."""
    with Stored(place) as server:
        server.catch_up()
        worker = next(pid for pid in processes.tree(server.pid) if pathlib.Path(
            f"/proc/{pid}/cmdline").read_bytes().startswith(b"callbackd: worker"))
        os.kill(worker, signal.SIGSTOP)
        try:
            measure.run_load(server, READING_S, 64, 500, False, 0)
            lag = server.lag()
        finally:
            begin = time.perf_counter()
            os.kill(worker, signal.SIGCONT)
        server.catch_up()
        return lag / (time.perf_counter() - begin)


def compare_reading(small, large, rounds, outcome):
    """In turns, and within a round: what else the machine does meets both."""
    rates = [(reading_rate(small), reading_rate(large)) for _ in range(rounds)]
    ratio = statistics.median(of_large / of_small for of_small, of_large in rates)
    outcome.add(reading_ratio=round(ratio, 3), reading_per_s={
        name: round(statistics.median(of)) for name, of in zip(("small", "large"), zip(*rates))})
    outcome.require(ratio >= READING_AT_LEAST, f"the worker takes in, few and many: {rates} /s")


def slice_times(place):
    """Of retention, from the log: slices follow each other at a fixed distance."""
    with contextlib.closing(sqlite3.connect(place.prefilled / "state/state.db")) as database:
        (begin,), = database.execute("SELECT received_at FROM results ORDER BY received_at, seq "
                                     "LIMIT 1 OFFSET ?", (REMOVED,))
    retention_ms = int(time.time() * 1000) - begin
    with Stored(place, retention_ms) as server:
        removed = re.compile(r"^time=(\S+) .*old results removed.* count=(\d+)", re.MULTILINE)

        def slices():
            return removed.findall((server.directory / "log").read_text())

        wait_for("retention", lambda: sum(int(count) for _, count in slices()) >= REMOVED, 120)
        moments = [datetime.datetime.fromisoformat(moment) for moment, _ in slices()]
    gaps = sorted((b - a).total_seconds() for a, b in zip(moments, moments[1:]))
    # The pause between two is the same everywhere; it is in here on both sides.
    return {"slice of retention, with its pause":
            {"median_s": statistics.median(gaps), "p99_s": gaps[len(gaps) * 99 // 100]}}


def look_at(place, options):
    """{what: {"median_s", "p99_s"}}"""
    found = {}
    with Stored(place) as server:
        server.catch_up()
        for _ in range(2):  # the first time is for warming up
            found = {**time_lookups(server, options.lookups), **time_pages(server)}
    found.update(time_starts(place, options.rounds))
    found.update(slice_times(place))
    return found


def compare(small, large, outcome):
    table = []
    for name, seen in large.items():
        before = small[name]["median_s"]
        allowed = max(before * SLOWER_AT_MOST, before + NEGLIGIBLE_S[name.split()[0]])
        table.append({"name": name, "small": small[name], "large": seen})
        outcome.require(seen["median_s"] <= allowed,
                        f"{name}: {before * 1e3:.2f} ms, with many {seen['median_s'] * 1e3:.2f} ms")
    outcome.add(table=table)


def other_store(place, name):
    other = copy.copy(place)
    other.prefilled = place.directory / name
    return other


def soak(place, options, outcome):
    needed = options.rows * BYTES_PER_ROW
    free = shutil.disk_usage(place.directory).free
    if free < needed:
        raise RuntimeError(f"{needed // common.MIB} MiB are needed, {free // common.MIB} are free")
    small, large = (other_store(place, name) for name in ("small", "large"))
    say(f"making a store with {options.rows:,} results")
    measure.make_prefilled(small, SMALL_ROWS)
    begin = time.monotonic()
    measure.make_prefilled(large, options.rows)
    outcome.add(rows=options.rows, small_rows=SMALL_ROWS, made_in_s=round(time.monotonic() - begin),
                bytes=sum(path.stat().st_size for path in large.prefilled.rglob("*.db")))
    seen = {}
    measure.group_large(large, {"rows": options.rows, "large_rounds": options.rounds,
                                "main_s": measure.FULL["main_s"]}, seen)
    ratios = [filled["per_second"] / empty["per_second"] for filled, empty in
              zip(seen["large"]["filled"], seen["large"]["empty"])]
    outcome.add(acks_ratio=round(statistics.median(ratios), 3), acks_ratios=[
        round(ratio, 3) for ratio in ratios])
    outcome.require(statistics.median(ratios) >= RATE_AT_LEAST, f"acks ÷ with none: {ratios}")
    say(f"acks with many ÷ with none: {ratios}")
    compare(look_at(small, options), look_at(large, options), outcome)
    compare_reading(small, large, options.rounds, outcome)


def main():
    parser = common.arguments(__doc__, rows=10_000_000, rounds=5, lookups=500)
    parser.add_argument("--keep", action="store_true", help="keeps the stores for the next time")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    options = parser.parse_args()
    place = Place(options.build.resolve(), options.directory.resolve())
    place.prepare(common.ROOT)
    with common.Outcome("scale", options.out, place.directory) as outcome:
        try:
            soak(place, options, outcome)
        finally:
            for name in ["server"] + ([] if options.keep else ["small", "large"]):
                shutil.rmtree(place.directory / name, ignore_errors=True)
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
