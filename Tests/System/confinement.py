"""What a unit of systemd/ forbids its process, without systemd: system calls, address families, writable code, capabilities.

As a program: `confinement.py UNIT PROGRAM ARGUMENTS` becomes the program under it; with KILOMINT_ROOT=folder in the environment in that
root, as the unit's user there. The sets of calls (@system-service ...) are
those of the systemd that is installed, their numbers the compiler's. What touches files and devices (ProtectSystem,
DeviceAllow) is not looked at. Judges nothing.
"""

import ctypes
import errno
import functools
import os
import pathlib
import platform
import pwd
import re
import shutil
import socket
import struct
import subprocess
import sys

UNITS = pathlib.Path(__file__).resolve().parents[2] / "systemd"
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_…
# Settings that are a filter of their own (systemd.exec(5)).
IMPLIED = {"ProtectClock": "@clock", "ProtectKernelModules": "@module", "ProtectKernelLogs": "syslog",
           "ProtectHostname": "sethostname setdomainname", "PrivateDevices": "@raw-io"}
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, CLEAR_ALL = 22, 24, 38, 47, 4
LOAD, JUMP_EQUAL, JUMP_ANY, AND, RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
ALLOWED, REFUSED = 0x7FFF0000, 0x00050000


def service(text):
    """[(key, value)] of a unit's [Service]."""
    found, section = [], None
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith(("#", ";")):
            key, value = line.split("=", 1)
            found.append((key.strip(), value.strip()))
    return found


@functools.cache
def sets():
    """{@name: names}, as this systemd has them."""
    listing = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"], check=True, capture_output=True, text=True).stdout
    found, name = {}, None
    for line in listing.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if line.startswith("@"):
            name = found.setdefault(line.strip(), [])
        elif line.startswith("#"):
            name = None
        elif name is not None and line.strip() and not line.strip().startswith("#"):
            name.append(line.strip())
    return found


def expanded(words):
    found = set()
    for word in words.split():
        found |= expanded(" ".join(sets()[word])) if word.startswith("@") else {word}
    return found


def calls(text):
    """Names of the calls that a unit allows."""
    allowed = None
    for key, value in service(text):
        if key != "SystemCallFilter":
            continue
        if allowed is None:
            if value.startswith("~"):
                raise ValueError("this filter begins with what it forbids: all our units begin with what they allow")
            allowed = expanded("@default")
        allowed = allowed - expanded(value[1:]) if value.startswith("~") else allowed | expanded(value)
    for key, value in service(text):
        if key in IMPLIED and value == "yes":
            allowed -= expanded(IMPLIED[key])
    return allowed


@functools.cache
def numbers():
    """{name: number} of this machine's calls."""
    swift = shutil.which("swift")
    beside = pathlib.Path(os.path.realpath(swift)).with_name("clang") if swift else None
    compiler = str(beside) if beside and beside.exists() else shutil.which("cc") or "clang"
    said = subprocess.run([compiler, "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], check=True, capture_output=True, text=True).stdout
    macros = dict(re.findall(r"(?m)^#define (__NR\w*) (\w+)$", said))

    def value(word):
        while word in macros:
            word = macros[word]
        return int(word, 0)

    return {name[5:]: value(name) for name in macros if name.startswith("__NR_") and re.fullmatch(r"\w*\d+|__NR\w+", macros[name])}


def program(text):
    """The unit's filter as struct sock_filter[]."""
    known, settings = numbers(), dict(service(text))
    refused = REFUSED | getattr(errno, settings.get("SystemCallErrorNumber", "EPERM"))
    # A jump skips so many instructions when it holds, so many when it does not.
    filter_ = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, ARCHITECTURES[platform.machine()]), (RETURN, 0, 0, refused), (LOAD, 0, 0, 0)]

    def when(name, argument, *then):
        """Looks at an argument of a call and goes on to the next call if `then` does not return."""
        if name in known:
            body = [(LOAD, 0, 0, 16 + 8 * argument), *then, (LOAD, 0, 0, 0)]
            filter_.extend([(JUMP_EQUAL, 0, len(body), known[name]), *body])

    def bits(name, argument, mask, all_of_them=False):
        how = [(AND, 0, 0, mask), (JUMP_EQUAL, 0, 1, mask)] if all_of_them else [(JUMP_ANY, 0, 1, mask)]
        when(name, argument, *how, (RETURN, 0, 0, REFUSED | errno.EPERM))

    if families := settings.get("RestrictAddressFamilies", "").split():
        wanted = [getattr(socket, name) for name in families]
        steps = [(JUMP_EQUAL, len(wanted) - number, 0, family) for number, family in enumerate(wanted)]
        when("socket", 0, *steps, (RETURN, 0, 0, REFUSED | errno.EAFNOSUPPORT))
    if settings.get("MemoryDenyWriteExecute") == "yes":
        bits("mmap", 2, 2 | 4, all_of_them=True)
        for name in ("mprotect", "pkey_mprotect"):
            bits(name, 2, 4)
        bits("shmat", 2, 0o100000)
    if settings.get("RestrictNamespaces") == "yes":
        bits("clone", 0, 0x7E020080)
        bits("unshare", 0, 0xFFFFFFFF)
        # Its flags lie in memory: callers fall back to clone.
        when("clone3", 0, (RETURN, 0, 0, REFUSED | errno.ENOSYS))
    if settings.get("RestrictSUIDSGID") == "yes":
        for name, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
            bits(name, argument, 0o6000)
    if settings.get("LockPersonality") == "yes":
        bits("personality", 0, 0xFFFFFFFF)
    for number in sorted({known[name] for name in calls(text) if name in known}):
        filter_ += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOWED)]
    filter_.append((RETURN, 0, 0, refused))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in filter_)


def confine(text):
    """Puts this process and whatever it becomes under the unit; there is no way back."""

    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    libc, code = ctypes.CDLL(None, use_errno=True), program(text)
    settings, root = dict(service(text)), os.environ.pop("KILOMINT_ROOT", None)
    memory = ctypes.create_string_buffer(code, len(code))
    if root:
        os.chroot(root)
        os.chdir("/")
    if settings.get("CapabilityBoundingSet") == "":
        libc.prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)
        for capability in range(64):
            # Refused to who is not root, and who then gets none by becoming another program either.
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if root:
        user = pwd.getpwnam(settings["User"])
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(Program(len(code) // 8, ctypes.addressof(memory))), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the filter is not taken")


def under(unit, *command):
    """A command line that runs `command` under a unit, given by its file or its name in systemd/."""
    path = unit if isinstance(unit, pathlib.Path) else UNITS / unit
    return (sys.executable, pathlib.Path(__file__).resolve(), path, *command)


if __name__ == "__main__":
    confine(pathlib.Path(sys.argv[1]).read_text())
    os.execvp(sys.argv[2], sys.argv[2:])
