# SPDX-License-Identifier: MIT
"""On what was measured: figures mean little without it."""
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile
import time

SYNCS = 200


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout + done.stderr).strip()


def _first(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else "?"


def _package(name):
    return _output("dpkg-query", "-W", "-f", "${Version}", name) or "?"


def _sync_us(directory):
    """The median time of a 4 KiB write and fdatasync at the end of a file."""
    times = []
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        for _ in range(SYNCS):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1e6)


def describe(directory):
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    memory = pathlib.Path("/proc/meminfo").read_text()
    disk = _output("df", "--output=source,fstype", str(directory)).splitlines()[-1].split()
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": _first(r"^model name\s*:(.*)", cpu),
        "cores": os.cpu_count(),
        "memory_mib": int(_first(r"^MemTotal:\s*(\d+)", memory)) // 1024,
        "kernel": platform.release(),
        "virtual": _output("systemd-detect-virt") or "?",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "?"),
        "file_system": disk[-1],
        "sync_us": _sync_us(directory),
        "load_before": os.getloadavg()[0],
        "versions": {
            "nginx": _package("nginx"),
            "webhook": _package("webhook"),
            "OpenSSL": _package("libssl3"),
            "SQLite": _package("libsqlite3-0"),
            "wrk": _package("wrk"),
        },
    }
