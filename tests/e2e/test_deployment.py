# SPDX-License-Identifier: MIT
"""What is installed, and the examples that come with it."""
import os
import re
import shutil
import subprocess

from support import build

EXAMPLES = build.ROOT / "deploy/examples"


def broken_links(directory):
    """Of the Markdown files below it: what they link to beside themselves and is not there."""
    documents = list(directory.rglob("*.md"))
    assert len(documents) > 5
    return [(str(path), target) for path in documents
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
            if "://" not in target and not (path.parent / target).exists()]


def test_no_link_between_the_documents_is_broken(tmp_path):
    shutil.copytree(build.ROOT / "docs", tmp_path / "docs")
    shutil.copy(build.ROOT / "README.md", tmp_path)
    assert broken_links(tmp_path) == []


def test_what_is_installed(tmp_path):
    subprocess.run(["cmake", "--install", build.BIN.parent], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(tmp_path)})
    prefix, = [path.parent for path in tmp_path.rglob("bin") if path.is_dir()]
    installed = {str(path.relative_to(prefix)) for path in prefix.rglob("*") if path.is_file()}
    assert {"sbin/callbackd", "bin/callbackctl", "lib/systemd/system/callbackd.service",
            "lib/sysusers.d/callbackd.conf", "share/man/man8/callbackd.8",
            "share/man/man1/callbackctl.1", "share/bash-completion/completions/callbackctl",
            "share/doc/callbackd/examples/callbackd.json",
            "share/doc/callbackd/examples/hooks/start-reply.sh"} <= installed
    assert broken_links(prefix / "share/doc/callbackd") == []
    programs = {name for name in installed if name.split("/")[0] in ("bin", "sbin")}
    assert programs == {"sbin/callbackd", "bin/callbackctl"}, "the simulator is never installed"


def test_the_example_configuration_passes(tmp_path):
    shutil.copytree(EXAMPLES, tmp_path / "etc")
    for secret in ("admin.token", "run-token.key", "promptlayer.key"):
        path = tmp_path / "etc" / secret
        path.touch(mode=0o600)
        path.write_text("x" * 64)
    checked = subprocess.run([build.CALLBACKD, "--check", "--config", tmp_path / "etc/callbackd.json"],
                             capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_nginx_takes_its_example(tmp_path, certificates):
    site = (EXAMPLES / "nginx.conf").read_text()
    live = "/etc/letsencrypt/live/hooks.example.com"
    site = site.replace(f"{live}/fullchain.pem", str(certificates / "server.pem")) \
               .replace(f"{live}/privkey.pem", str(certificates / "server.key"))
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {site} }}")
    tested = subprocess.run(["/usr/sbin/nginx", "-t", "-p", tmp_path, "-c", config, "-e", "stderr"],
                            capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr


def test_the_unit_starts_what_is_installed():
    unit = (build.BIN.parent / "deploy/callbackd.service").read_text()
    started, = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    cache = (build.BIN.parent / "CMakeCache.txt").read_text()
    prefix, = [line.partition("=")[2] for line in cache.splitlines()
               if line.startswith("CMAKE_INSTALL_PREFIX:")]
    assert started == f"ExecStart={prefix}/sbin/callbackd"
