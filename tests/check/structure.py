#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the code still have the shape that docs/ARCHITECTURE.md draws?

structure.py OBJECTS_DIR BIN_DIR: OBJECTS_DIR is a build folder with plain objects
(no LTO, no sanitizer), BIN_DIR holds callbackd-document. Prints one line for each
check, "ok NAME" or "FAILED NAME" with its findings below; exit status 1 when one
failed. What may be excepted, and why, is in the tables here and nowhere else.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The house, from the ground up: a room sees itself and the rooms before it.
ROOMS = ["base", "outgoing", "result", "config", "verify", "store", "launch", "hooks", "http",
         "callbackd"]
# Rooms beside the tower see what is named here.
SIDE_ROOMS = {
    "callbackctl": {"base", "outgoing", "result", "config", "verify", "store", "launch", "hooks"},
    "document": {"base", "config"},
}
# Which room opens which door of include/callbackd/.
DOORS = {
    "base": {"banned", "buffer", "clock", "completion", "error", "fibers", "id", "json_writer", "log",
             "metrics", "os", "spare", "text"},
    "result": {"body", "canonical", "json", "json_scan"},
    "config": {"config"},
    "verify": {"verify"},
    "store": {"state", "store", "upkeep"},
    "outgoing": {"http_client", "http_pool"},
    "launch": {"ledger", "promptlayer", "reconciler"},
    "hooks": {"hooks", "hook_trial", "hook_view"},
    "http": {"admin", "receiver"},
}
# Headers of third parties, or to be treated so, and the only rooms that may include them.
THIRD_PARTY = {
    "civetweb.h": {"http"},
    "curl/curl.h": {"outgoing"},
    "sqlite3.h": {"store"},
    "cjson/cJSON.h": {"result", "config"},
    "cJSON.h": {"result", "config"},
    "pcre2.h": {"config", "hooks"},
    "systemd/sd-daemon.h": {"callbackd"},
    "seccomp.h": {"callbackd"},
    "setjmp.h": {"base"},
    "ucontext.h": {"base"},
}
# Writable variables with static storage, and why each is needed: (room, object, symbol).
MUTABLE = {
    ("base", "log", "log_sink"): "the sink: format, level and role, set when a process starts",
    ("base", "id", "pool"): "of each thread: random bytes and time for the next ids",
    ("base", "fibers", "running"): "of each thread: the fiber that it runs",
    ("base", "fibers", "locals_of_thread"): "of each thread: its pointers, as a fiber has them",
    ("http", "civetweb_threads", "begun"): "of each thread: the fibers that civetweb is to make",
    ("http", "civetweb_threads", "joined_here"): "of each thread: the fibers that end before it",
    ("http", "listener_takeover", "starting"): "of each thread: what civetweb is to take over",
}
# Files in which a licence line has no place: texts for people, formats without
# comments, and inputs of fuzz targets.
NO_SPDX = re.compile(r"(\.md|\.jsonl?|/LICENSE|^LICENSE|\.gitignore|\.clang-format)$|^tests/fuzz/corpus/|"
                     r"^tests/unit/[^/]*/data/")
GENERATED = {"configuration": "docs/CONFIGURATION.md", "metrics": "docs/METRICS.md"}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)


def sources():
    for pattern in ("src/**/*.[ch]", "include/**/*.h"):
        yield from sorted(ROOT.glob(pattern))


def room_of(path):
    """The room of a file of ours."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "src":
        return parts[1]
    for room, doors in DOORS.items():
        if path.stem in doors:
            return room
    return None


def includes(path):
    """Pairs (text of the include, the file of ours that it means or None)."""
    for quote, name in INCLUDE.findall(path.read_text()):
        target = None
        if name.startswith("callbackd/"):
            target = ROOT / "include" / name
        elif quote == '"':
            target = path.parent / name
        yield name, target if target is not None and target.exists() else None


def may_see(room):
    if room in SIDE_ROOMS:
        return SIDE_ROOMS[room] | {room}
    return set(ROOMS[:ROOMS.index(room) + 1])


def check_doors_have_rooms():
    """Every public header belongs to one room."""
    for path in sorted((ROOT / "include/callbackd").glob("*.h")):
        if room_of(path) is None:
            yield f"{path.relative_to(ROOT)}: no room opens it (tests/check/structure.py, DOORS)"


def check_rooms_look_down():
    """A room includes its own headers and those of rooms below it."""
    for path in sources():
        room = room_of(path)
        if room not in ROOMS and room not in SIDE_ROOMS:
            yield f"{path.relative_to(ROOT)}: an unknown room"
            continue
        for name, target in includes(path):
            if target is None:
                continue
            seen = room_of(target)
            if seen not in may_see(room):
                yield f"{path.relative_to(ROOT)}: {room} must not see {seen} ({name})"
            elif seen != room and target.relative_to(ROOT).parts[0] == "src":
                yield f"{path.relative_to(ROOT)}: {name} is an inner header of {seen}"


def check_no_include_cycle():
    """No header includes itself, however far around."""
    graph = {path: [target.resolve() for _, target in includes(path) if target is not None]
             for path in sources()}
    done = set()

    def visit(path, trail):
        if path in trail:
            cycle = trail[trail.index(path):] + [path]
            yield " -> ".join(str(step.relative_to(ROOT)) for step in cycle)
        elif path not in done:
            for target in graph.get(path, ()):
                yield from visit(target, trail + [path])
            done.add(path)

    for path in graph:
        yield from visit(path, [])


def check_third_party_stays_in_its_room():
    """A library's header is included by the rooms that wrap it only."""
    for path in sources():
        for name, _ in includes(path):
            allowed = THIRD_PARTY.get(name)
            if allowed is not None and room_of(path) not in allowed:
                yield f"{path.relative_to(ROOT)}: {name} belongs to {', '.join(sorted(allowed))}"


def writable_symbols(objects):
    """(room, object, symbol) of each variable that code could write to."""
    pattern = re.compile(r"^\S+\s.{7}\s(\S+)\s+\S+\s+(?:\.hidden )?(\S+)$")
    for path in sorted(objects.glob("src/*/CMakeFiles/*.dir/*.o")):
        room = path.relative_to(objects).parts[1]
        table = subprocess.run(["objdump", "-t", str(path)], check=True, capture_output=True,
                               text=True).stdout
        for line in table.splitlines():
            found = pattern.match(line)
            if found is None:
                continue
            section, symbol = found.groups()
            thread_local = re.match(r"\.(tdata|tbss)(\.|$)", section)
            if " O " not in line and (not thread_local or symbol.startswith(".")):
                continue
            if thread_local or section == "*COM*" or re.match(r"\.(data|bss)(\.|$)", section):
                if not section.startswith(".data.rel.ro"):
                    # An optimiser may part a struct into its members: "log_sink.1".
                    symbol = re.sub(r"\.\d+$", "", symbol)
                    yield room, path.name.removesuffix(".c.o"), symbol


def check_no_mutable_globals(objects):
    """No writable variable beside the named exceptions; and each of these is still there."""
    found = set(writable_symbols(objects))
    if not list(objects.glob("src/*/CMakeFiles/*.dir/*.o")):
        yield f"{objects} holds no objects"
    for room, name, symbol in sorted(found - set(MUTABLE)):
        yield f"src/{room}/{name}.c: {symbol} can be written to"
    for room, name, symbol in sorted(set(MUTABLE) - found):
        yield f"src/{room}/{name}.c: {symbol} is excepted but is not there any more"


def tracked_files():
    """What git knows or would take, without what it ignores."""
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard"], check=True, capture_output=True, text=True)
    return sorted(name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file())


def check_licence_lines():
    """Each file says its licence near its top."""
    for name in tracked_files():
        if NO_SPDX.search(name):
            continue
        head = (ROOT / name).read_bytes()[:400]
        if b"SPDX-License-Identifier: MIT" not in head:
            yield f"{name}: no SPDX-License-Identifier line"


def check_no_private_keys():
    """No key is ever committed."""
    for name in tracked_files():
        if re.search(rb"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\n", (ROOT / name).read_bytes()):
            yield f"{name}: holds a private key"


def check_documents_are_fresh(bin_dir):
    """The generated documents are what the tables say."""
    for topic, name in GENERATED.items():
        made = subprocess.run([bin_dir / "callbackd-document", topic], check=True,
                              capture_output=True, text=True).stdout
        path = ROOT / name
        if not path.exists() or path.read_text() != made:
            yield f"{name} is stale: build/bin/callbackd-document {topic} > {name}"


def check_threats_have_tests():
    """Each row of docs/SECURITY.md names a test, and each test that it names is there."""
    tests = {path.name: path for path in sorted((ROOT / "tests").rglob("*.*"))}
    for number, line in enumerate((ROOT / "docs/SECURITY.md").read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3 or cells[0] in ("threat", "---"):
            continue
        named = re.findall(r"`([\w/.-]+\.(?:py|c|sh))(?:::(\w+))?`", cells[2])
        if not named:
            yield f"docs/SECURITY.md:{number}: no test shows it"
        for name, case in named:
            path = tests.get(pathlib.PurePath(name).name) if "/" not in name else ROOT / name
            if path is None or not path.is_file():
                yield f"docs/SECURITY.md:{number}: there is no {name}"
            elif case and not re.search(rf"(def|void) {case}\(", path.read_text()):
                yield f"docs/SECURITY.md:{number}: {name} has no {case}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    objects, bin_dir = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    checks = [
        (check_doors_have_rooms, ()),
        (check_rooms_look_down, ()),
        (check_no_include_cycle, ()),
        (check_third_party_stays_in_its_room, ()),
        (check_no_mutable_globals, (objects,)),
        (check_licence_lines, ()),
        (check_threats_have_tests, ()),
        (check_no_private_keys, ()),
        (check_documents_are_fresh, (bin_dir,)),
    ]
    failed = False
    for check, arguments in checks:
        name = check.__name__.removeprefix("check_")
        findings = list(check(*arguments))
        print(f"{'FAILED' if findings else 'ok'} {name}")
        for finding in findings:
            print(f"    {finding}")
        failed = failed or bool(findings)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
