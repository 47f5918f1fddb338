#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""reliability.py OUTCOMES DOCUMENT: writes the latest outcome of each long test into DOCUMENT,
between the marks; what stands outside of them is left alone. Beside it, NAME.jsonl keeps these
outcomes: not every test is run each time, nor on the same machine."""
import json
import pathlib
import sys

BEGIN = "<!-- Measured: written by tests/soak/reliability.py. -->\n"
END = "<!-- Measured: end. -->\n"
HEAD = "# Reliability\n\n"
MIB = 2**20


def latest(*paths):
    """{(test, what it was on or None): outcome}; of the same, the last"""
    lines = [json.loads(line) for path in paths if path.exists()
             for line in path.read_text().splitlines()]
    return {(line["test"], line.get("on")): line for line in lines}


def keep(outcomes, path):
    path.write_text("".join(json.dumps(outcome, ensure_ascii=False) + "\n" for _, outcome in
                            sorted(outcomes.items(), key=str)))


def verdict(outcome):
    machine = outcome["machine"]
    on = outcome.get("on") or machine["file_system"]
    return (f"{machine['date']}, {max(1, round(outcome['took_s'] / 60))} min on {on}: "
            f"**{'passed' if outcome['passed'] else 'FAILED'}**.\n"
            + "".join(f"\n- {fault}" for fault in outcome["faults"][:5])
            + ("\n" if outcome["faults"] else ""))


def machines(outcomes):
    """Each of them once; they are the same, but for a document that grew over time."""
    found = {}
    for outcome in outcomes.values():
        machine = outcome["machine"]
        key = (f"{machine['cpu']}, {machine['cores']} cores ({machine['virtual']}), "
               f"{machine['memory_mib'] // 1024} GiB, {machine['system']}, kernel "
               f"{machine['kernel']}, SQLite {machine['versions']['SQLite']}")
        found.setdefault(key, []).append(machine)
    return "".join(
        f"{key}; temporary files on {', '.join(sorted({one['file_system'] for one in seen}))}; a "
        f"synced write took {min(one['sync_us'] for one in seen)} to "
        f"{max(one['sync_us'] for one in seen)} µs, load average before "
        f"{min(one['load_before'] for one in seen):.1f} to "
        f"{max(one['load_before'] for one in seen):.1f}.\n" for key, seen in found.items())


def table(head, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in
                     [head, ["---"] * len(head), *rows]) + "\n"


def number(value):
    return f"{value:,}"


def kills(outcomes):
    if not (seen := outcomes.get(("kills", None))) or "rounds" not in seen:
        return None
    restarts = ", ".join(f"{name} {seconds} s"
                         for name, seconds in seen["longest_restart_s"].items())
    rows = [["rounds, receiver and all processes in turn", number(seen["rounds"])],
            ["posts acknowledged", number(seen["acknowledged"])],
            ["posted again, for want of an answer", number(seen["posted_again"])],
            ["of these stored before the kill, found to be duplicates",
             number(seen["stored_without_answer"])],
            ["**missing**", number(seen["missing"])], ["**stored twice**", number(seen["twice"])],
            ["other bytes, other id than answered",
             f"{seen['altered']}, {seen['misnamed']}"],
            ["results whose hook did not run", number(seen["hooks_missing"])],
            ["hooks that ran again, for their end was not recorded",
             number(seen["hooks_ran_again"])],
            ["longest until it served again", restarts]]
    return ("### kill -9 under load\n\n" + verdict(seen) + "\n" + table(["", ""], rows) +
            "\nBoth databases pass `PRAGMA integrity_check`, while it runs and after a stop; no "
            "process is left.\n")


def hooks(outcomes):
    if not (seen := outcomes.get(("hooks", None))) or not seen.get("ways"):
        return None
    ways = {"cgroup": "by control group", "subreaper": "by a search"}
    rows = [[ways[one["way"]], *(number(one[key]) for key in
                                 ("rounds", "jobs", "attempts", "interrupted", "processes")),
             "**0**"] for one in seen["ways"]]
    return ("### kill -9 of the worker, with bad hooks\n\n" + verdict(seen) + "\n" +
            (f"Without control groups: {seen['no_cgroup']}.\n\n" if seen["no_cgroup"] else "") +
            table(["how hooks are killed", "workers killed", "jobs", "attempts", "interrupted",
                   "processes of hooks", "jobs run twice at a time"], rows) +
            "\nThe hooks fork grandchildren, ignore SIGTERM, fork twice into a session of their own, "
            "fill their output, close it, or hang. Every job has ended well; no process, zombie or "
            "descriptor is left.\n")


def backlog(outcomes):
    if not (seen := outcomes.get(("backlog", None))) or not seen.get("ways"):
        return None
    rows = [[one["way"], *(number(one[key]) for key in ("jobs", "interrupted", "again")),
             f"**{one['never']}**"] for one in seen["ways"]]
    text = ("### A long queue, interrupted\n\n" + verdict(seen) + "\n" +
            table(["twice in the middle of it", "jobs", "attempts cut off", "of them run again in "
                   "full or part", "**accepted and never run**"], rows))
    return text + (backlog_length(seen) if "table" in seen else "")


def backlog_length(seen):
    few, many = number(seen["small_jobs"]), number(seen["queued"])
    rows = [[row["name"] + ", ms", f"{row['small'] * 1e3:,.1f}", f"{row['large'] * 1e3:,.1f}"]
            for row in seen["table"]]
    rows += [[f"memory of all processes, {name}, MiB", *(f"{value / MIB:,.1f}" for value in
                                                          seen["memory_" + key])]
             for name, key in (("idle", "idle"), ("greatest while hooks run", "most"))]
    rows.append(["hooks completed a second", *map(number, seen["hooks_per_s"])])
    return (f"\nA queue of {many} jobs of four hooks (without order, in lines by workflow, by "
            f"execution with a priority, with a rate) costs disk, {seen['bytes'] / MIB:,.0f} MiB with "
            "their results, not memory:\n\n" +
            table(["", f"{few} jobs wait", f"{many} jobs wait"], rows))


def power(outcomes):
    rows, verdicts = [], []
    for (test, system), seen in sorted(outcomes.items(), key=lambda item: str(item[0])):
        if not test.startswith("power") or "acknowledged" not in seen:
            continue
        control = test == "power-control"
        verdicts.append(f"- {verdict(seen)}" if not control or not seen["passed"] else "")
        rows.append([f"{system}, syncs do nothing" if control else system,
                     "until a loss" if control else number(seen["cuts"]),
                     number(seen["acknowledged"]), f"**{number(seen['missing'])}**",
                     "" if control else number(seen["twice"]),
                     "" if control else number(seen["acknowledged_after_the_cut"])])
    if not rows:
        return None
    return ("### Power cuts\n\n" + "".join(verdicts) + "\n" + table(
        ["file system", "cuts", "acknowledged before a cut", "missing", "stored twice",
         "posted after the cut and acknowledged"], rows) +
        "\nThe file system, in an image, is shut down under load, so that nothing more reaches it; "
        "then it is mounted again. The runs without syncs must lose results, or the others would "
        "prove nothing. Not tested: a disk that loses what it said it had flushed.\n")


def flat(outcomes):
    if not (seen := outcomes.get(("flat", None))) or "posts" not in seen:
        return None
    names = {"memory": "memory (PSS of all processes), MiB", "descriptors": "descriptors",
             "threads": "threads", "wal": "write-ahead files, MiB",
             "lag": "worker's lag, posts"}

    def text(value):
        return f"{value:,.1f}" if value % 1 else f"{value:,.0f}"

    rows = [[names[row["name"]], *(text(row[key]) for key in ("first", "second", "last", "most"))]
            for row in seen["table"]]
    posts = seen["posts"]
    # A test that ended early has counted no hooks.
    ended = (f"{seen['hooks']:,} hooks, all answered and ended well" if "hooks" in seen else
             f"{seen['posts_with_hook']['all']:,} with a hook, of which not all ended")
    share = "half of the" if abs(seen["rate_per_s"] * 2 - seen["fastest_per_s"]) <= 2 else "of the"
    return (f"### {seen['minutes']:g} minutes of load\n\n" + verdict(seen) +
            f"\n{number(seen['rate_per_s'])} posts a second, {share} "
            f"{seen['fastest_per_s']:,} that it took at most, and {seen['hooks_per_s']:g} a second with a hook: "
            f"{posts['all']:,} posts and {ended}; p50 "
            f"{posts['p50_us'] / 1e3:,.1f} ms, p99 {posts['p99_us'] / 1e3:,.1f} ms.\n\n" +
            table(["", "at first", "second quarter", "last quarter", "greatest"], rows) +
            "\nMemory is the median of a quarter, the others are its greatest.\n")


def scale(outcomes):
    if not (seen := outcomes.get(("scale", None))) or "table" not in seen:
        return None

    def text(times):
        return f"{times['median_s'] * 1e3:,.2f} / {times['p99_s'] * 1e3:,.2f}"

    rows = [[row["name"], text(row["small"]), text(row["large"])] for row in seen["table"]]
    rates = seen.get("reading_per_s", {"small": 0, "large": 0})
    rows.append([f"results a second that the worker takes in "
                 f"(× {seen.get('reading_ratio', 0):.2f} within a round)",
                 number(rates["small"]), number(rates["large"])])
    return (f"### {seen['rows']:,} results stored\n\n" + verdict(seen) +
            f"\nPosts acknowledged a second, with {seen['rows']:,} results ÷ with none: "
            f"**{seen['acks_ratio']:.2f}** ({min(seen['acks_ratios']):.2f} – "
            f"{max(seen['acks_ratios']):.2f}). The store has {seen['bytes'] / MIB / 1024:,.1f} "
            "GiB.\n\n" +
            table(["median / p99, ms", f"{seen['small_rows']:,} results",
                   f"{seen['rows']:,} results"], rows))


def fuzz(outcomes):
    targets = {on: seen for (test, on), seen in sorted(outcomes.items(), key=str)
               if test == "fuzz" and "inputs" in seen}
    if not targets:
        return None
    rows = [[on, seen["machine"]["date"], f"{seen['cpu_minutes']:g}", number(seen["inputs"]),
             number(seen["edges"]), "none" if seen["passed"] else "**found**"]
            for on, seen in targets.items()]
    return ("### Fuzzing\n\n" +
            table(["", "date", "minutes of a CPU", "inputs", "edges covered", "findings"], rows) +
            "\nEach parser of bytes that others choose has a target in `tests/fuzz/`, which says what "
            "must hold; they run with the address and undefined behaviour sanitizers.\n")


def slow(outcomes):
    if not (seen := outcomes.get(("slow", None))) or not seen.get("attacks"):
        return None

    def row(one):
        posts = [f"{sender['accepted']:,}, p99 {sender['p99_s'] * 1e3:,.0f} ms, at most "
                 f"{sender['most_s'] * 1e3:,.0f} ms; {len(sender['seconds_without'])}"
                 for sender in one["senders"]]
        return [one["name"], number(one["most_open"]), f"{one['memory_mib']:,.0f}", *posts]

    return (f"### {number(seen['connections'])} slow connections\n\n" + verdict(seen) + "\n" +
            table(["", "open at most", "receiver, MiB", "sender of another address: posts stored, "
                   "times; seconds without", "sender of the same address"],
                  map(row, seen["attacks"])) +
            f"\nEach for {seen['seconds']} s. The first three are slowhttptest's, all from one "
            "address; the others come from an address each, and come again when they are ended.\n")


def tls(outcomes):
    if not (seen := outcomes.get(("testssl", None))) or "findings" not in seen:
        return None
    rows = [[one["id"], one["severity"], one["finding"], one["why"]] for one in seen["findings"]]
    grade = f" Grade **{seen['grade']}**." if "grade" in seen else ""
    return ("### TLS, by testssl.sh " + seen["version"] + "\n\n" + verdict(seen) + grade +
            f"\n{seen['checked']} findings, {seen['good']} of them good or neutral. The others:\n\n" +
            table(["", "severity", "testssl.sh says", "because"], rows))


def failed(outcomes):
    """What must not be overlooked, also where it ended before there was a figure."""
    lines = [f"- **{test}{' on ' + on if on else ''}** has failed on {seen['machine']['date']}: "
             f"{'; '.join(seen['faults'])}\n"
             for (test, on), seen in sorted(outcomes.items(), key=str) if not seen["passed"]]
    return "### Failed\n\n" + "".join(lines) if lines else None


def measured(outcomes):
    parts = [part for part in (failed(outcomes), kills(outcomes), hooks(outcomes), backlog(outcomes),
                               power(outcomes), flat(outcomes), scale(outcomes), fuzz(outcomes),
                               slow(outcomes), tls(outcomes)) if part]
    return ("\n## Measured\n\nBy `tests/soak.sh --write`; a short form of each runs in "
            "`tests/run.sh`.\n\n" + machines(outcomes) + "\n" + "\n".join(parts) + "\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    outcomes, document = map(pathlib.Path, sys.argv[1:])
    text = document.read_text() if document.exists() else HEAD
    before, begin, rest = text.partition(BEGIN)
    if begin:
        _, end, after = rest.partition(END)
        if not end:
            sys.exit(f"{document}: the mark of the measured part's end is missing")
    else:
        before, after = text.rstrip("\n") + "\n\n", ""
    kept = document.with_suffix(".jsonl")
    found = latest(kept, outcomes)
    keep(found, kept)
    document.write_text(before + BEGIN + measured(found) + END + after)


if __name__ == "__main__":
    main()
