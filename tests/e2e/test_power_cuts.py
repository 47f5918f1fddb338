# SPDX-License-Identifier: MIT
"""What got a 200 is there after the power went, on file systems of their own (the long form:
tests/soak.sh power)."""
import os
import shutil
import subprocess
import sys

import pytest

from support import build

NEEDED = ["mkfs.ext4", "mkfs.xfs", "mount", "umount", "unshare"]
CUTS, POSTS = 2, 400
APART = ["unshare", "--mount", "--propagation", "private"]  # mounts that end with the process
PROBE = """
truncate -s 300M "$1/image" && mkfs.xfs -q "$1/image" && mkdir "$1/disk" &&
mount -t xfs -o loop "$1/image" "$1/disk"
"""


@pytest.fixture(scope="module", autouse=True)
def can_mount(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    if missing := [program for program in NEEDED if not shutil.which(program)]:
        pytest.skip(f"{', '.join(missing)} not installed")
    probe = subprocess.run([*APART, "sh", "-c", PROBE, "sh", tmp_path_factory.mktemp("probe")],
                           capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no image can be mounted here: {probe.stderr.strip()}")


def cut_power(*arguments):
    done = subprocess.run(
        [*APART, sys.executable, "-B", build.ROOT / "tests/soak/power_cuts.py", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file_system", ["ext4", "xfs"])
def test_nothing_is_lost_when_the_power_goes(file_system):
    cut_power("--file-system", file_system, "--cuts", str(CUTS), "--posts", str(POSTS))


@pytest.mark.parametrize("file_system", ["ext4", "xfs"])
def test_without_syncs_it_would_be_lost(file_system):
    """Or the test above could not see a loss."""
    if build.NAME != "release":
        pytest.skip("a sanitizer's runtime must be the first library")
    if not shutil.which("patchelf"):
        pytest.skip("patchelf not installed")
    cut_power("--file-system", file_system, "--without-syncs", "--posts", str(POSTS))
