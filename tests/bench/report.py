#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py RESULTS [--write DOCS]: prints the figures; with --write, makes PERFORMANCE.md and
performance.svg in the folder DOCS."""
import argparse
import json
import pathlib
import statistics

import figures
import picture

INTRODUCTION = """# Performance

<!-- Written by tests/bench/report.py from what tests/bench/run.sh measured. Change those. -->

`tests/bench/run.sh` measures this on your machine: it installs what it compares with, builds a
release, and takes about 25 minutes (`--short`: 6). The figures below are from one run of it.
"""

HOW = """## How it is measured

- **callbackd** runs as it is installed: supervisor, receiver and worker, a store on a disk, and
  `200` only after the sync. Every post is of another run, with a signed token of its own, and is
  a result of its own; one hook matches each of them and is paused, so the worker decides them and
  queues jobs on the same CPUs, at the same time.
- **nginx** has one `return 200` with an answer of the same kind: no file, no log. It drops the body.
  **civetweb** is the library in callbackd, same source and flags, with a handler that reads the
  body and answers a constant. **webhook** (adnanh's) answers at once and runs `true` beside it.
- The load generator (`tests/bench/load.c`) runs on the same machine and takes its share of the
  CPUs. It asks as fast as the server answers; for latencies it sends at a constant rate and counts
  from the moment at which a request was due, so that a stall is seen in full.
- Servers take turns; each measurement starts its server anew with an empty store. A ratio is
  taken within a round, and the median of the rounds is given, with the least and the greatest.
- **Hooks** run `/bin/true`, 16 at once, from a backlog that is there already; each has the body on its
  stdin and in a file, a control group where one can be made, and is recorded, synced, before it
  starts and before it counts as done. **webhook** runs a program that does no more than add a byte to
  a file, so that its completed commands can be counted, not its answers; as it is, it answers at once
  and starts as many as there are posts. The bare loop starts one `/bin/true` after the other.
- The CPU time is that of all processes of the server, per request; the memory is their PSS.
"""


def median(seen, key):
    return statistics.median(one[key] for one in seen)


def table(head, rows):
    def line(cells):
        return "| " + " | ".join(cells) + " |"
    return "\n".join([line(head), "|" + "---|" * len(head), *(line(row) for row in rows)]) + "\n"


def figures_table(results):
    rows = []
    for figure in figures.figures(results):
        bound = "≤ {}" if figure.low_is_good else "≥ {}"
        rows.append([figure.name, bound.format(figure.text(figure.at_least)),
                     bound.format(figure.text(figure.aim)), f"**{figure.text(figure.value)}**",
                     f"{figure.text(min(figure.values))} – {figure.text(max(figure.values))}",
                     figure.verdict])
    return table(["figure", "at least", "aim", "reached", "rounds", "met"], rows)


def machine_text(results):
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (f"{machine['date']}, {results['form']} form, {results['took_s'] // 60 + 1} minutes. "
            f"{machine['cpu']}, {machine['cores']} cores ({machine['virtual']}), "
            f"{machine['memory_mib'] // 1024} GiB, {machine['system']}, kernel "
            f"{machine['kernel']}; store on {machine['file_system']}, a synced write takes "
            f"{machine['sync_us']} µs. Load average before: {machine['load_before']:.1f}. "
            f"{versions}.\n")


def main_table(results):
    rows = [[picture.NAMES[name], f"{median(seen, 'per_second'):,.0f}",
             f"{median(seen, 'cpu_us'):.1f}", f"{median(seen, 'switches'):.2f}"]
            for name, seen in results["main"].items()]
    return table(["64 connections, 500 bytes", "posts/s", "CPU µs/post", "context switches/post"],
                 rows)


def half_table(results):
    rows = [[picture.NAMES[name], f"{results['half_rate'][name]:,.0f}",
             *(f"{median(seen, key):,.0f}" for key in ("p50_us", "p99_us", "p999_us"))]
            for name, seen in results["half"].items()]
    return table(["at half of the maximum", "posts/s", "p50 µs", "p99 µs", "p99.9 µs"], rows)


def size_text(size):
    return f"{size} B" if size < 1024 else f"{size // 1024} KiB" if size < 2**20 else \
        f"{size // 2**20} MiB"


def matrix_table(results):
    cells = [cell for cell in results["matrix"] if cell["seen"]]
    names = list(cells[0]["seen"])
    rows = [[f"{cell['connections']}, {'new' if cell['new'] else 'kept'}, "
             f"{size_text(cell['body'])}",
             *(f"{median(cell['seen'][name], 'per_second'):,.0f}" for name in names)]
            for cell in cells]
    return table(["connections, body", *(picture.NAMES[name] for name in names)], rows)


def hooks_table(results):
    seen = results["hooks"]
    rows = [["processes, a bare posix_spawn+wait loop", "bare"],
            ["commands completed, webhook, which answers at once", "webhook"],
            ["the same, told to answer when the command has ended", "webhook_waiting"],
            ["hooks completed, callbackd, from a backlog", "hooks"],
            ["posts acknowledged while hooks are paused", "acks_paused"],
            ["posts acknowledged while hooks run", "acks"],
            ["hooks completed meanwhile", "hooks_beside"]]
    return table(["`/bin/true` as the hook", "a second"],
                 [[name, f"{median(seen, key):,.0f}"] for name, key in rows])


def streams_text(results):
    wide, usual = (median(results["streams"], name) for name in ("wide", "usual"))
    return (f"Through one stream hook whose command answers at once: {wide:,.0f} jobs a second "
            f"with `window` 512, {usual:,.0f} with 16, which it is by default.\n")


def sustained_text(results):
    return ("The rates above are those of bursts of some seconds. When posts go on to come as fast "
            "as they can, results are decided beside accepting them: then callbackd accepts "
            f"{statistics.median(results['sustained']):,.0f} a second.\n")


def document(results):
    parts = [INTRODUCTION, machine_text(results), "![](performance.svg)\n",
             "## What it is held to\n", figures_table(results)]
    if "main" in results:
        parts += ["## Rates\n", main_table(results)]
    if "sustained" in results:
        parts.append(sustained_text(results))
    if "half" in results:
        parts += ["## Latencies\n", half_table(results)]
    if "matrix" in results:
        parts += ["## Posts a second, by connections and size\n", matrix_table(results)]
    if "hooks" in results:
        parts += ["## Hooks\n", hooks_table(results)]
    if "streams" in results:
        parts.append(streams_text(results))
    if "wrk" in results:
        wrk, load = (statistics.median(results["wrk"][name]) for name in ("wrk", "load"))
        parts.append(f"The load generator itself: nginx answers {load:,.0f}/s to it and "
                     f"{wrk:,.0f}/s to wrk.\n")
    return "\n".join([*parts, HOW])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    results = json.loads(arguments.results.read_text())
    for figure in figures.figures(results):
        print(f"{figure.name:62} at least {figure.text(figure.at_least):>9}  aim "
              f"{figure.text(figure.aim):>9}  reached {figure.text(figure.value):>9}  "
              f"{figure.verdict}")
    if arguments.write:
        (arguments.write / "PERFORMANCE.md").write_text(document(results))
        (arguments.write / "performance.svg").write_text(picture.draw(results))


if __name__ == "__main__":
    main()
