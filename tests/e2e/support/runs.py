# SPDX-License-Identifier: MIT
"""Many runs at once: registered, launched at the simulator, and reported, as a launcher does."""
import concurrent.futures
import contextlib
import http.client
import threading
import time

from . import simulator
from .waiting import PATIENCE_S, POLL_S

LAUNCHERS = 16


class Launched:
    def __init__(self, run, execution_id, workflow):
        self.run_id, self.callback_url = run["run_id"], run["callback_url"]
        self.execution_id, self.workflow = execution_id, workflow


def insist(attempt, patience_s=4 * PATIENCE_S):
    """Repeats what fails because the daemon was just killed; a launcher would do the same."""
    end = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            return attempt()
        assert time.monotonic() < end, "the daemon does not come back"
        time.sleep(POLL_S)


def launch_many(daemon, sim, count, faults_of, on_launch=lambda launched: None):
    """`count` runs; `faults_of(i)` says what goes wrong with the i-th. A list of Launched, in
    order; `on_launch` hears of each as it is reported, from any thread."""
    local = threading.local()

    def launch(i):
        if not hasattr(local, "client"):
            local.client = simulator.web.Client(sim.place)
        workflow = f"flow-{i % 7}"
        run = insist(lambda: daemon.register(workflow, idempotency_key=f"run-{i}"))
        execution_id, answer = simulator.run(
            local.client, workflow, run["callback_url"], faults_of(i))
        assert execution_id is not None, answer
        insist(lambda: daemon.admin.send("PATCH", f"/api/v1/runs/{run['run_id']}",
                                         {"execution_id": str(execution_id)}))
        launched = Launched(run, execution_id, workflow)
        on_launch(launched)
        return launched

    with concurrent.futures.ThreadPoolExecutor(LAUNCHERS) as launchers:
        return list(launchers.map(launch, range(count)))
