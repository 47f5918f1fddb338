# SPDX-License-Identifier: MIT
"""Behind nginx, as it is deployed."""
import os
import signal

import pytest

from support import build, web
from support.daemon import PLAIN, RECEIVER, UNIX, result_body
from support.nginx import Nginx
from support.waiting import wait_for


def test_posts_come_through(daemon):
    daemon.start()
    nginx = Nginx(daemon.directory, daemon.place(UNIX))
    try:
        for number, size in ((1, 10), (2, 100_000), (3, 5_000_000)):
            run = daemon.launched(number)
            body = result_body(number, '"' + "x" * size + '"').encode()
            answer = web.ask(nginx.place, "POST", web.path_of(run["callback_url"]), body)
            assert answer.status == 200
            assert daemon.received("SELECT body FROM received WHERE id = ?",
                                   answer.json()["result_id"]) == [(body,)]
    finally:
        nginx.close()


@pytest.mark.parametrize("listener, trusted, forwarded, address", [
    (PLAIN, ["127.0.0.1"], "192.0.2.7", "192.0.2.7"),
    (PLAIN, ["127.0.0.0/8", "10.0.0.0/8"], "198.51.100.1, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
    (PLAIN, ["127.0.0.1"], "2001:db8::1", "2001:db8::1"),
    (PLAIN, ["10.0.0.0/8"], "192.0.2.7", "127.0.0.1"),
    (PLAIN, [], "192.0.2.7", "127.0.0.1"),
    (PLAIN, ["127.0.0.1"], "192.0.2.7, nonsense", None),
    (PLAIN, ["unix"], "192.0.2.7", "127.0.0.1"),
    (UNIX, ["unix"], "192.0.2.7", "192.0.2.7"),
    (UNIX, ["127.0.0.1"], "192.0.2.7", "unix"),
    (UNIX, [], "192.0.2.7", "unix"),
])
def test_forwarded_addresses_are_believed_of_trusted_proxies_only(
        daemon, listener, trusted, forwarded, address):
    daemon.config["trusted_proxies"] = trusted
    daemon.start()
    run = daemon.launched(7)
    nginx = Nginx(daemon.directory, daemon.place(listener))
    try:
        answer = web.ask(nginx.place, "POST", web.path_of(run["callback_url"]), result_body(7),
                         {"X-Forwarded-For": forwarded})
    finally:
        nginx.close()
    assert answer.status == 200
    found = daemon.result(answer.json()["result_id"])["remote_address"]
    # What is not an address is never taken for one, and nothing left of it is believed.
    assert found == address or (address is None and found in ("127.0.0.1", "unix"))


@pytest.mark.parametrize("headers, address", [
    ({"Forwarded": "for=192.0.2.7"}, "192.0.2.7"),
    ({"Forwarded": 'for=198.51.100.1, For="[2001:db8::7]:4711";proto=https'}, "2001:db8::7"),
    ({"Forwarded": "for=192.0.2.7", "X-Forwarded-For": "192.0.2.7"}, "192.0.2.7"),
    # One of the two is the client's own, passed on by the proxy.
    ({"Forwarded": "for=192.0.2.66", "X-Forwarded-For": "192.0.2.7"}, "unknown"),
    ({"Forwarded": "for=192.0.2.7", "X-Forwarded-For": "192.0.2.66"}, "unknown"),
    ({"Forwarded": "for=192.0.2.7", "X-Forwarded-For": ""}, "unknown"),
    # The proxy did not say for whom: nobody left of it is believed.
    ({"Forwarded": "for=192.0.2.66, proto=https"}, "127.0.0.1"),
    ({"Forwarded": "for=192.0.2.66, for=unknown"}, "127.0.0.1"),
    # However much the client sent, what the proxy put behind it counts.
    ({"X-Forwarded-For": "192.0.2.66, " * 900 + "192.0.2.7"}, "192.0.2.7"),
    ({"Forwarded": "for=192.0.2.66, " * 700 + "for=192.0.2.7"}, "192.0.2.7"),
])
def test_what_a_trusted_proxy_says_cannot_be_made_up_by_its_client(daemon, headers, address):
    daemon.config["trusted_proxies"] = ["127.0.0.1"]
    daemon.start()
    answer = daemon.call_back(daemon.launched(7), result_body(7), headers=headers)
    assert answer.status == 200
    assert daemon.result(answer.json()["result_id"])["remote_address"] == address


def test_nginx_meets_no_error_while_the_daemon_reloads(daemon):
    daemon.config["limits"].update({"idle_timeout": f"{build.promised(2)}s"})
    daemon.start()
    nginx = Nginx(daemon.directory, daemon.place(UNIX))
    try:
        with web.Client(nginx.place) as client:
            for reload_number in range(3):
                os.kill(daemon.pid, signal.SIGHUP)
                posts = 0
                while daemon.log_text().count('msg="child ready" child=receiver') < \
                        reload_number + 2 or posts < 50:
                    run_path = "/callback/" + daemon.token_for(
                        f"01900000-0000-7000-8000-{reload_number:04x}{posts:08x}")
                    answer = client.ask("POST", run_path, result_body(posts))
                    assert answer.status == 200, answer
                    posts += 1
    finally:
        nginx.close()
    wait_for("one receiver is left", lambda: len(daemon.children(RECEIVER)) == 1)
