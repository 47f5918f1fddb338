# SPDX-License-Identifier: MIT
"""A promptlayer-sim on a port of its own."""
import base64
import json
import subprocess

from . import build, web
from .daemon import SANITIZER
from .waiting import wait_for

CONNECTIONS = {"release": 256, "asan": 128, "tsan": 64}[build.NAME]  # a thread each


class Simulator:
    def __init__(self, directory, ca_file, *arguments):
        port_file = directory / "sim.port"
        self.log_path = directory / "sim.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [build.SIMULATOR, "--listen", "127.0.0.1:0", "--port-file", str(port_file),
                 "--ca-file", str(ca_file), "--connections", str(CONNECTIONS), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the simulator listens",
                 lambda: port_file.exists() and port_file.read_text().strip())
        self.place = web.Place(host="127.0.0.1", port=int(port_file.read_text()))
        self.url = f"http://127.0.0.1:{self.place.port}"
        self.api = web.Api(self.place)

    def run(self, workflow, callback_url, faults=None, **members):
        """Launches as callbackctl would; returns (execution id, answer)."""
        with web.Client(self.place) as client:
            return run(client, workflow, callback_url, faults, **members)

    def defaults(self, **faults):
        self.api.send("POST", "/_sim/defaults", faults)

    def sent(self, execution_id=None):
        """The posts of callbacks that have ended, with "body" as bytes."""
        query = f"?workflow_version_execution_id={execution_id}" if execution_id else ""
        found = self.api.get(f"/_sim/sent{query}")
        items = found["items"] if isinstance(found, dict) else found
        return [dict(item, body=base64.b64decode(item["body_base64"])) for item in items]

    def close(self):
        self.process.terminate()
        status = self.process.wait(60 * build.SLOWNESS)
        log = self.log_path.read_text(errors="replace")
        assert not SANITIZER.search(log), log
        assert status == 0, f"exit status {status}:\n{log}"


def run(client, workflow, callback_url, faults=None, **members):
    """Launches over a keep-alive connection; the execution id, or None when refused."""
    inputs = dict(members.pop("input_variables", {}))
    if faults is not None:
        inputs["_sim"] = faults
    body = json.dumps({"callback_url": callback_url, "input_variables": inputs, **members})
    answer = client.ask("POST", f"/workflows/{workflow}/run", body,
                        {"Content-Type": "application/json", "X-API-KEY": "pl-test"})
    if answer.status not in (201, 202):
        return None, answer
    return answer.json()["workflow_version_execution_id"], answer
