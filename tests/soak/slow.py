#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""slow.py [--connections 1000] [--seconds 30] [--out FILE]: so many slow connections, of each kind,
plain and over TLS, while a sender of another address and one of the same post ten times a second.

In every second posts of both must be stored, none of them may be lost, and the p99 of the one that has
another address stays under a second."""
import pathlib
import resource
import sys
import tempfile
import time

import common
from common import MIB, say

from support import build, processes, slow, tokens
from support.daemon import PLAIN, RECEIVER, TLS, Daemon

P99_S = 1.0
LISTENERS = {"plain": PLAIN, "TLS": TLS}


def memory(daemon):
    status = pathlib.Path(f"/proc/{daemon.child(RECEIVER)}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def start(daemon, kind, listener, options):
    place = daemon.place(listener)
    path = f"/callback/{daemon.token_for(tokens.new_run_id())}"
    if kind in slow.MODES:
        return slow.SlowClients(place, kind, "/healthz" if kind == "read" else path,
                                options.connections, 200, options.seconds, daemon.directory)
    beginnings = {"handshakes": b"\x16\x03\x01\x02\x00\x01", "silent": b"",
                  "headers, many addresses": f"POST {path} HTTP/1.1\r\nHost: x\r\nX-A: ".encode(),
                  "bodies, many addresses": f"POST {path} HTTP/1.1\r\nHost: x\r\n"
                                            "Content-Length: 90000\r\n\r\n".encode()}
    return slow.SlowConnections(place, 2 * options.connections, beginnings[kind])


def watch(daemon, seconds, attack):
    """Until the time is over: the most connections and the most memory that were seen."""
    most_open = most_memory = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        most_open = max(most_open, daemon.metric("connections"))
        most_memory = max(most_memory, memory(daemon))
        time.sleep(0.5)
    attack.close()
    return most_open, most_memory


def describe(sender):
    return {"address": sender.address, "tries": sender.counts(), "accepted": len(sender.accepted),
            "seconds_without": sender.seconds_without(), "lost": len(sender.lost()),
            "p50_s": round(sender.quantile_s(0.5) or -1, 4),
            "p99_s": round(sender.quantile_s(0.99) or -1, 4),
            "most_s": round(sender.quantile_s(1) or -1, 4)}


def attack(daemon, kind, name, options):
    listener = LISTENERS[name]
    senders = [slow.Sender(daemon, listener, "127.0.0.2", patient=kind not in slow.MODES),
               slow.Sender(daemon, listener, "127.0.0.1", patient=True)]
    cut = daemon.metric("connections_cut")
    try:
        most_open, most_memory = watch(daemon, options.seconds, start(daemon, kind, listener,
                                                                      options))
    finally:
        for sender in senders:
            sender.stop()
    return {"name": f"{kind}, {name}", "most_open": int(most_open),
            "memory_mib": round(most_memory / MIB, 1),
            "cut": int(daemon.metric("connections_cut") - cut),
            "senders": [describe(sender) for sender in senders]}


def check(outcome, seen):
    for sender in seen["senders"]:
        who = f"{seen['name']}, from {sender['address']}"
        outcome.require(not sender["seconds_without"],
                        f"{who}: nothing stored in seconds {sender['seconds_without']}")
        outcome.require(not sender["lost"], f"{who}: {sender['lost']} posts are lost")
    other = seen["senders"][0]
    outcome.require(0 <= other["p99_s"] < P99_S, f"{seen['name']}: p99 {other['p99_s']} s")


def soak(certificates, outcome, options):
    daemon = Daemon(pathlib.Path(certificates))
    daemon.config["log"]["level"] = "info"
    try:
        daemon.start()
        kinds = [(kind, name) for kind in slow.MODES for name in LISTENERS]
        kinds += [("headers, many addresses", "plain"), ("bodies, many addresses", "plain"),
                  ("silent", "plain"), ("handshakes", "TLS")]
        for kind, name in kinds:
            seen = attack(daemon, kind, name, options)
            outcome.found["attacks"].append(seen)
            say(f"{seen}")
            check(outcome, seen)
        daemon.stop()
    finally:
        daemon.close()
    daemon.remove()


def main():
    options = common.arguments(__doc__, connections=1000, seconds=30).parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    processes.adopt_orphans()
    with common.certificates() as certificates:
        with common.Outcome("slow", options.out, pathlib.Path(tempfile.gettempdir())) as outcome:
            outcome.add(connections=options.connections, seconds=options.seconds, attacks=[],
                        build=build.NAME)
            soak(certificates, outcome, options)
    sys.exit(outcome.status)


if __name__ == "__main__":
    main()
