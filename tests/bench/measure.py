#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""measure.py BUILD DIRECTORY OUT [--short] [--only GROUP] [--rounds N]: measures the servers in
turn and writes what was seen to OUT, as JSON.

Every measurement starts its server anew, with an empty store, warms it up and asks it for a
while; the servers take turns in each round, and what is compared is compared within a round.
"""
import argparse
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

import machine
import prefill
import processes
from servers import SERVERS, Callbackd, CallbackdHooks, Place, WebhookCounted

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARM_UP_S = 0.4
TOKENS_PER_S = 60_000
IDLE_SETTLE_S = 1.0
HELD_BACK_S = 4.0
WIDE_WINDOW, USUAL_WINDOW = 512, 16

KEPT, NEW = False, True
SIZES = [(64, 16 * 1024, KEPT), (64, 1024 * 1024, KEPT)]
SHORT = {"main_s": 0.8, "half_s": 1.0, "sustained_s": 2.0, "stream_jobs": 20_000, "rounds": 5,
         "rows": 1_000_000, "large_rounds": 3, "matrix_s": 0.3, "matrix_rounds": 1,
         "cells": [(1, 500, KEPT), (256, 500, KEPT), (64, 500, NEW), *SIZES]}
FULL = {"main_s": 2.0, "half_s": 3.0, "sustained_s": 8.0, "stream_jobs": 100_000, "rounds": 5,
        "rows": 10_000_000, "large_rounds": 5, "matrix_s": 1.5, "matrix_rounds": 3,
        "cells": [(connections, 500, kind) for connections in (1, 16, 64, 256)
                  for kind in (KEPT, NEW) if (connections, kind) != (64, KEPT)] + SIZES}


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def run_load(server, seconds, connections, body, new, rate, warm_up=WARM_UP_S):
    tokens = int((seconds + warm_up) * min(TOKENS_PER_S, 2 * rate if rate else TOKENS_PER_S))
    command = [server.place.bench / "bench_load", *server.load(), "--connections", connections,
               "--body", body, "--seconds", seconds, "--warm-up", warm_up, "--tokens",
               tokens if body < 100_000 and not new else tokens // 10]
    if new:
        command.append("--new-connections")
    if rate:
        command += ["--rate", f"{rate:.0f}"]
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return json.loads(done.stdout)


def measure(server, seconds, connections=64, body=500, new=False, rate=0):
    """One burst: the load's own counts, and what the server's processes used for each request."""
    pids = processes.tree(server.pid)
    cpu, switches = processes.cpu_s(pids), processes.context_switches(pids)
    seen = run_load(server, seconds, connections, body, new, rate)
    requests = max(1, seen["all"])
    seen["cpu_us"] = (processes.cpu_s(pids) - cpu) * 1e6 / requests
    seen["switches"] = (processes.context_switches(pids) - switches) / requests
    others = {status: count for status, count in seen["statuses"].items() if status != "200"}
    if seen["errors"] or others:
        say(f"{type(server).__name__}: {seen['errors']} without an answer, {others}")
    return seen


def take_turns(place, names, rounds, seconds, **how):
    """{name: [measurement of each round]}"""
    seen = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            with SERVERS[name](place) as server:
                seen[name].append(measure(server, seconds, **how))
    for name in names:
        rates = [one["per_second"] for one in seen[name]]
        say(f"{name:15} {statistics.median(rates):9,.0f}/s  "
            f"cpu {statistics.median(one['cpu_us'] for one in seen[name]):6.1f} us  "
            f"switches {statistics.median(one['switches'] for one in seen[name]):.2f}  {how or ''}")
    return seen


# ---- groups of measurements ----

def group_main(place, plan, results):
    """The figures: 64 kept connections, 500 bytes."""
    results["main"] = take_turns(place, list(SERVERS), plan["rounds"], plan["main_s"])


def group_new_tls(place, plan, results):
    results["new_tls"] = take_turns(place, ["callbackd-tls", "nginx-tls", "civetweb-tls"],
                                    plan["rounds"], plan["main_s"], new=True)


def group_half(place, plan, results):
    """Latencies at a constant rate: half of what each server reached in the main group."""
    if "main" not in results:
        group_main(place, plan, results)
    names = ["callbackd", "nginx", "civetweb", "callbackd-tls", "nginx-tls"]
    half = {name: statistics.median(one["per_second"] for one in results["main"][name]) / 2
            for name in names}
    results["half_rate"] = half
    results["half"] = {name: [] for name in names}
    for _ in range(plan["rounds"]):
        for name in names:
            with SERVERS[name](place) as server:
                results["half"][name].append(measure(server, plan["half_s"], rate=half[name]))
    for name in names:
        p99 = statistics.median(one["p99_us"] for one in results["half"][name])
        say(f"{name:15} p99 {p99:7,.0f} us at {half[name]:,.0f}/s")


def group_matrix(place, plan, results):
    results["matrix"] = []
    if "main" in results:
        results["matrix"].append(
            {"connections": 64, "body": 500, "new": KEPT, "seen": results["main"]})
    for connections, body, new in plan["cells"]:
        how = {"connections": connections, "body": body, "new": new}
        seen = take_turns(place, list(SERVERS), plan["matrix_rounds"], plan["matrix_s"], **how)
        results["matrix"].append({**how, "seen": seen})


def group_memory(place, plan, results):
    """PSS of all processes with limits.connections 256: idle, and under 256 connections."""
    results["memory"] = []
    for _ in range(3):
        with Callbackd(place, connections=256) as server:
            time.sleep(IDLE_SETTLE_S)
            idle = processes.pss_bytes(processes.tree(server.pid))
            command = [place.bench / "bench_load", *server.load(), "--connections", 256,
                       "--seconds", 3, "--tokens", 100_000]
            with subprocess.Popen([str(part) for part in command],
                                  stdout=subprocess.DEVNULL) as load:
                peak = 0
                while load.poll() is None:
                    peak = max(peak, processes.pss_bytes(processes.tree(server.pid)))
                    time.sleep(0.1)
            results["memory"].append({"idle": idle, "load": peak})
            say(f"memory: idle {idle / 2**20:.1f} MiB, under load {peak / 2**20:.1f} MiB")


def make_prefilled(place, rows):
    """Kept from run to run: it is only ever added to."""
    mark = place.prefilled / f"rows-{rows}"
    if mark.exists():
        return
    shutil.rmtree(place.prefilled, ignore_errors=True)
    with Callbackd(place, store=place.prefilled):
        pass
    started = time.monotonic()
    prefill.fill(place.prefilled, rows, lambda text: None)
    say(f"a store with {rows:,} results made in {time.monotonic() - started:.0f} s")
    mark.touch()


def group_large(place, plan, results):
    make_prefilled(place, plan["rows"])
    large = results["large"] = {"rows": plan["rows"], "empty": [], "filled": []}
    for _ in range(plan["large_rounds"]):
        for name, store in (("empty", None), ("filled", place.prefilled)):
            with Callbackd(place, store=store) as server:
                server.catch_up()
                large[name].append(measure(server, plan["main_s"]))
    for name in ("empty", "filled"):
        say(f"store {name:7} "
            f"{statistics.median(one['per_second'] for one in large[name]):9,.0f}/s")


def group_wrk(place, plan, results):
    """The load generator beside wrk: it must not be the one that is measured."""
    results["wrk"] = {"wrk": [], "load": []}
    script = place.directory / "post.lua"
    script.write_text('wrk.method = "POST"\nwrk.body = string.rep("x", 500)\n')
    for _ in range(3):
        with SERVERS["nginx"](place) as server:
            results["wrk"]["load"].append(
                run_load(server, plan["main_s"], 64, 500, False, 0)["per_second"])
            done = subprocess.run(
                ["wrk", "-t2", "-c64", f"-d{max(1, round(plan['main_s']))}s", "-s", script,
                 f"http://127.0.0.1:{server.port}/callback"],
                check=True, capture_output=True, text=True)
            line = next(line for line in done.stdout.splitlines() if "Requests/sec" in line)
            results["wrk"]["wrk"].append(float(line.split()[1]))
    say("nginx asked by wrk {:,.0f}/s, by load {:,.0f}/s".format(
        *(statistics.median(results["wrk"][name]) for name in ("wrk", "load"))))


def run_bare(place, seconds):
    """posix_spawn and wait in a loop, processes a second."""
    done = subprocess.run([place.bench / "bench_spawn", str(seconds)], check=True,
                          capture_output=True, text=True)
    return float(done.stdout)


def completed_per_second(server, do):
    """Commands, while `do` runs; and what that returns."""
    before, begin = server.completed(), time.monotonic()
    done = do()
    return (server.completed() - before) / (time.monotonic() - begin), done


def measure_webhook(place, seconds, waits):
    with WebhookCounted(place, waits) as server:
        return completed_per_second(
            server, lambda: run_load(server, seconds, 64, 500, False, 0))[0]


def measure_hooks(place, seconds):
    """Posts while hooks are paused, those hooks alone, and posts while they run."""
    with CallbackdHooks(place) as server:
        paused = measure(server, seconds)["per_second"]
        server.catch_up()
        server.set_paused(False)
        time.sleep(WARM_UP_S)
        alone, _ = completed_per_second(server, lambda: time.sleep(seconds))
        beside, posts = completed_per_second(server, lambda: measure(server, seconds))
    return {"acks_paused": paused, "hooks": alone, "hooks_beside": beside,
            "acks": posts["per_second"]}


def group_hooks(place, plan, results):
    """Commands completed, beside a bare loop and webhook; and what they cost those who post."""
    results["hooks"] = []
    for _ in range(plan["rounds"]):
        seen = {"bare": run_bare(place, plan["main_s"]),
                "webhook": measure_webhook(place, plan["main_s"], waits=False),
                "webhook_waiting": measure_webhook(place, plan["main_s"], waits=True),
                **measure_hooks(place, plan["main_s"])}
        results["hooks"].append(seen)
        say("hooks: " + "  ".join(f"{name} {value:,.0f}/s" for name, value in seen.items()))


def run_streams(place, window, jobs):
    """Jobs a second through one copy of a stream hook that answers at once."""
    store = place.directory / "streams"
    shutil.rmtree(store, ignore_errors=True)
    done = subprocess.run([place.bench / "bench_streams", store, place.bench / "bench_stream_echo",
                           str(jobs), str(window)], check=True, capture_output=True, text=True)
    shutil.rmtree(store, ignore_errors=True)
    return float(re.match(r"(\d+) jobs/s", done.stdout)[1])


def group_streams(place, plan, results):
    results["streams"] = []
    for _ in range(plan["rounds"]):
        seen = {"wide": run_streams(place, WIDE_WINDOW, plan["stream_jobs"]),
                "usual": run_streams(place, USUAL_WINDOW, plan["stream_jobs"] // 4)}
        results["streams"].append(seen)
        say("streams: " + "  ".join(f"{name} {value:,.0f}/s" for name, value in seen.items()))


def group_sustained(place, plan, results):
    """In a burst the worker holds back for 3 s (docs/ARCHITECTURE.md): what is accepted when it
    does not any more."""
    results["sustained"] = []
    for _ in range(min(3, plan["rounds"])):
        with SERVERS["callbackd"](place) as server:
            seen = run_load(server, plan["sustained_s"], 64, 500, False, 0, warm_up=HELD_BACK_S)
        results["sustained"].append(seen["per_second"])
        say(f"sustained: {seen['per_second']:,.0f}/s")


GROUPS = {"main": group_main, "new_tls": group_new_tls, "half": group_half,
          "memory": group_memory, "large": group_large, "hooks": group_hooks,
          "streams": group_streams, "sustained": group_sustained, "wrk": group_wrk,
          "matrix": group_matrix}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", action="append", choices=list(GROUPS))
    parser.add_argument("--rounds", type=int)
    arguments = parser.parse_args()
    processes.end_on_sigterm()
    plan = dict(SHORT if arguments.short else FULL)
    if arguments.rounds:
        plan["rounds"] = plan["large_rounds"] = arguments.rounds
    place = Place(arguments.build.resolve(), arguments.directory.resolve())
    place.prepare(ROOT)
    results = {"form": "short" if arguments.short else "full", "plan": plan}
    results["machine"] = machine.describe(place.directory)
    started = time.monotonic()
    for name in arguments.only or GROUPS:
        GROUPS[name](place, plan, results)
        results["took_s"] = round(time.monotonic() - started)
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    shutil.rmtree(place.directory / "server", ignore_errors=True)


if __name__ == "__main__":
    main()
