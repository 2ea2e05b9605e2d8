"""A root (root.py) that is started: its own systemd is process 1 there, with processes, network and control groups of its own.

What units do is seen here and not read from them: Type=notify, watchdog, sandbox, restarts, timers. Needs root and a kernel
with cgroup2. Nothing of this machine is reached but its kernel; whoever ends it leaves nothing behind. Judges nothing.
"""

import atexit
import functools
import os
import pathlib
import subprocess
import tempfile
import time

# Units of the system's that have no hardware, terminals or network to look after here.
MASKED = ("systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service", "systemd-resolved.service",
          "systemd-timesyncd.service", "systemd-logind.service", "systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
          "getty.target", "dev-hugepages.mount", "sys-fs-fuse-connections.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount")
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))

# In namespaces of its own: what a machine mounts before its first process, then the root is the only one there is.
BOOT = """
set -eu
cd "$1"
mount --bind . .
cd "$1"
mkdir -p sys mnt
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts
mount -t devpts -o ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for device in $2; do
    mknod -m 666 "dev/${device%%:*}" c $(echo "${device#*:}" | tr : ' ')
done
ip link set lo up
pivot_root . mnt
exec chroot . /bin/sh -c 'umount -l /mnt && exec env -i container=test PATH=/usr/sbin:/usr/bin /usr/lib/systemd/systemd --system --show-status=no' \\
    < /dev/null > /dev/null 2>&1
"""


@functools.cache
def cgroup2():
    """Where control groups are made; mounted for these tests where nobody has a place for it."""
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(place, os.W_OK):
            return pathlib.Path(place)
    place = tempfile.mkdtemp(prefix="kilomint-cgroup2-")
    atexit.register(os.rmdir, place)
    done = subprocess.run(["mount", "-t", "cgroup2", "cgroup2", place], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"systemd wants a cgroup2, and none can be mounted: {done.stderr}")
    atexit.register(subprocess.run, ["umount", place], check=False)
    return pathlib.Path(place)


class Machine:
    """`with Machine(root) as machine:` starts it, and ends it with everything that runs there."""

    def __init__(self, root):
        self.root = root
        self.group = cgroup2() / f"kilomint-test-{os.getpid()}-{root.path.name}"

    def __enter__(self):
        for name in MASKED:
            link = self.root.at(f"etc/systemd/system/{name}")
            if not os.path.lexists(link):
                link.symlink_to("/dev/null")
        # As an image leaves it (machine-id(5)): the first start is one, with presets and an identity of its own.
        self.root.at("etc/machine-id").write_text("uninitialized\n")
        self.root.at("etc/hosts").write_text("127.0.0.1 localhost\n")
        self.group.mkdir()
        enter = f'echo 0 > "{self.group}/cgroup.procs" && exec "$@"'
        devices = " ".join(f"{name}:{major}:{minor}" for name, major, minor in DEVICES)
        self.child = subprocess.Popen(
            ["sh", "-c", enter, "sh", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--net", "--cgroup",
             "sh", "-c", BOOT, "sh", str(self.root.path), devices], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            self.started()
        except BaseException:
            self.__exit__()
            raise
        return self

    def started(self):
        end = time.monotonic() + 60
        while True:
            if self.child.poll() is not None:
                raise AssertionError(f"no machine of its own can be started here: {self.child.stderr.read()}")
            found = subprocess.run(["pgrep", "-P", str(self.child.pid)], capture_output=True, text=True).stdout.split()
            if found:
                self.init = int(found[0])
                try:
                    name = pathlib.Path(f"/proc/{self.init}/comm").read_text().strip()
                except FileNotFoundError:
                    name = ""
                if name == "systemd" and self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"):
                    return
            if time.monotonic() > end:
                raise AssertionError("systemd does not come up:\n" + self.run("systemctl", "list-jobs", check=False).stdout)
            time.sleep(0.2)

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stderr.close()
        end = time.monotonic() + 10
        while self.group.exists() and time.monotonic() < end:
            try:
                for folder in sorted((p for p in self.group.rglob("*") if p.is_dir()), reverse=True):
                    folder.rmdir()
                self.group.rmdir()
            except OSError:
                time.sleep(0.1)  # Its processes are still being ended.

    def words(self, *words, user=None):
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"] if user else []
        return ["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd=/", "--",
                *become, *map(str, words)]

    def run(self, *words, user=None, check=True, said=None):
        """Runs in it; standard error joins standard output."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/",
                       "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
        done = subprocess.run(self.words(*words, user=user), env=environment, input=said or "", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}")
        return done

    def unit(self, name, *properties):
        """{property: value} as systemd has them."""
        shown = self.run("systemctl", "show", name, *(f"--property={p}" for p in properties)).stdout
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def journal(self, name):
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", name).stdout
