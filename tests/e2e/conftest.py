# SPDX-License-Identifier: MIT
import os
import subprocess

import pytest

from support import build, faults, processes
from support.ctl import Ctl
from support.daemon import Daemon
from support.simulator import Simulator
from support.waiting import wait_for


def pytest_configure():
    for program in (build.CALLBACKD, build.CALLBACKCTL, build.SIMULATOR):
        if not os.access(program, os.X_OK):
            raise pytest.UsageError(f"{program} is missing: build first (CALLBACKD_BIN_DIR)")
    processes.adopt_orphans()


@pytest.fixture(autouse=True)
def nothing_left_over():
    """Whatever a test starts, directly or far below, has ended with it."""
    before = processes.descendants(os.getpid())

    def leftovers():
        processes.reap_orphans(before)
        return processes.descendants(os.getpid()) - before

    yield
    try:
        wait_for("nothing is left over", lambda: not leftovers(), build.promised(5))
    except AssertionError:
        remaining = leftovers()
        described = processes.describe(remaining)
        for pid in remaining:
            processes.kill(pid)
        wait_for("leftovers are gone", lambda: not leftovers(), build.promised(5))
        pytest.fail(f"left over: {described}")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    subprocess.run([build.ROOT / "certs/make-dev-certs.sh", directory], check=True,
                   capture_output=True)
    return directory


@pytest.fixture(scope="session")
def other_certificates(tmp_path_factory):
    """Of another authority."""
    directory = tmp_path_factory.mktemp("other-certificates")
    subprocess.run([build.ROOT / "certs/make-dev-certs.sh", directory], check=True,
                   capture_output=True)
    return directory


@pytest.fixture(scope="session")
def faults_library(tmp_path_factory):
    return faults.compile_library(tmp_path_factory.mktemp("faults"))


@pytest.fixture
def daemon(certificates, nothing_left_over, request):
    """Configured and not started: daemon.hook(…), daemon.config[…], then daemon.start()."""
    daemon = Daemon(certificates)
    yield daemon
    failed = getattr(request.node, "failed", False)
    try:
        daemon.close()
    except AssertionError:
        failed = True
        raise
    finally:
        if failed:
            print(f"---- {daemon.log_path}\n{daemon.log_text()[-6000:]}")
        daemon.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True


@pytest.fixture
def sim(daemon, certificates):
    """A simulator that calls the daemon of this test back at once."""
    simulator = Simulator(daemon.directory, certificates / "ca.pem", "--delay", "0ms")
    daemon.config["promptlayer"]["base_url"] = simulator.url
    yield simulator
    simulator.close()


@pytest.fixture
def ctl(daemon):
    return Ctl(daemon.config_path)
