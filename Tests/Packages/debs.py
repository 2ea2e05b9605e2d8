"""The Debian packages that are tried, and what every root needs of them. Judges nothing.

The agent is the one that people get: release, Swift linked in. Collector and audit are those of the test build, whose Swift
libraries are put into the root; or all are what `make deb` built: KILOMINT_DEBS=.build/deb.
"""

import atexit
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("KILOMINT_BIN", ROOT / ".build/debug")).resolve()
AGENT = pathlib.Path(os.environ.get("KILOMINT_AGENT_STATIC", ROOT / ".build/agent-release/release/kilomint-agent"))
# Packages that are built already, of release programs; None: they are built here, of those of the test build.
DEBS = os.environ.get("KILOMINT_DEBS")


def sh(*words, **options):
    return subprocess.run([str(w) for w in words], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options).stdout


@functools.cache
def folder():
    """For what the tests of packages make; it goes when they end."""
    if os.geteuid() != 0:
        raise AssertionError("chroot and owners need root: sudo, as Tests/run does it")
    place = pathlib.Path(tempfile.mkdtemp(prefix="kilomint-packages-"))
    atexit.register(shutil.rmtree, place)
    return place


@functools.cache
def packages():
    """{name: file}."""
    paths = (pathlib.Path(DEBS).resolve().glob("*.deb") if DEBS else map(pathlib.Path, sh(
        ROOT / "packaging/build", "--programs", BIN, "--agent", AGENT, "--out", folder(), "--toolchain").splitlines()))
    found = {}
    for path in paths:
        assert path.name.split("_")[0] not in found, f"two versions in {path.parent}"
        found[path.name.split("_")[0]] = path
    return found


def brought(root, files):
    """Copies packages into the root; their paths there."""
    root.at("debs").mkdir(exist_ok=True)
    return ["/debs/" + pathlib.Path(shutil.copy(file, root.at("debs"))).name for file in files]


def toolchain(root):
    """The Swift libraries of the test build, where its programs look for them. What people get needs none."""
    if DEBS:
        return
    paths = re.findall(r"=> (/\S*/usr/lib/swift/linux/\S+)", sh("ldd", BIN / "kilomint-collector"))
    assert paths
    for path in paths:
        root.at(path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root.at(path))


def filled(root, port):
    """The shipped configuration as an installer fills it in, for a meter on this machine, read often."""
    head = root.at("etc/kilomint/agent.yaml").read_text().replace("gateway: CHANGE-ME", "gateway: gw-1").split("buses:\n")[0]
    return head.replace("interval: 60s", "interval: 1s\ncommit: 500ms") + (
        f"buses:\n  - tcp: 127.0.0.1:{port}\n    meters:\n      - {{id: meter-1, unit: 1, profile: abb/b23}}\n")
