"""A Debian root of its own, made in seconds from the packages that this system has installed: no mirror, no network.

Each package of the closure is copied with its files and its entry in dpkg's database; users are those that base-passwd makes.
What is in there afterwards is what dpkg believes is in there. Needs root for chroot and owners. Judges nothing.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

# What maintainer scripts and our programs run with. Essential packages and dependencies come by themselves.
WANTED = ("dpkg", "systemd", "procps", "passwd", "libmosquitto1", "libqrencode4", "libsqlite3-0", "libyaml-0-2", "libssl3", "libstdc++6", "zlib1g", "ca-certificates")
# Not looked at by anything here.
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/", "/var/cache/")
INFO = pathlib.Path("/var/lib/dpkg/info")


def query(form):
    return subprocess.run(["dpkg-query", "-W", "-f", form], check=True, capture_output=True, text=True).stdout


def installed():
    """Installed packages by name: what they depend on, what they provide, whether they are essential."""
    packages, provided = {}, {}
    form = "${Package}\t${db:Status-Status}\t${Pre-Depends}, ${Depends}\t${Provides}\t${Essential}\t${Package-Spec}\n"
    for line in query(form.replace("Package-Spec", "binary:Package")).splitlines():
        name, status, needs, provides, essential, spec = line.split("\t")
        if status == "installed":
            packages[name] = (needs, essential == "yes", spec)
            for other in re.findall(r"[a-z0-9][a-z0-9+.-]+", re.sub(r"\([^)]*\)", "", provides)):
                provided.setdefault(other, name)
    return packages, provided


def closure(wanted):
    packages, provided = installed()
    open_names = list(wanted) + [name for name, (_, essential, _) in packages.items() if essential]
    found = {}
    while open_names:
        name = open_names.pop()
        if name in found:
            continue
        if name not in packages:
            raise AssertionError(f"{name} is not installed here: make deps")
        needs, _, spec = packages[name]
        found[name] = spec
        for group in needs.split(","):
            choices = re.findall(r"[a-z0-9][a-z0-9+.-]+", re.sub(r"\([^)]*\)|:[a-z0-9]+", "", group))
            choice = next((c if c in packages else provided[c] for c in choices if c in packages or c in provided), None)
            if choice:
                open_names.append(choice)
    return found


class Root:
    """A root below a folder of its own; `with Root() as root:` removes it at the end."""

    def __init__(self, *more):
        """`more`: packages that programs in there want beside those of all roots."""
        self.wanted = WANTED + more
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="kilomint-root-"))
        os.chmod(self.path, 0o755)

    def __enter__(self):
        try:
            self.fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def at(self, path):
        return self.path / str(path).lstrip("/")

    def fill(self):
        for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "var/lib/dpkg/info", "var/lib/dpkg/updates", "dev", "proc", "run", "tmp"):
            self.at(folder).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            self.at(name).symlink_to("usr/" + name)
        packages = closure(self.wanted)
        files, status = set(), []
        for name, spec in packages.items():
            listing = subprocess.run(["dpkg", "-L", spec], check=True, capture_output=True, text=True).stdout
            files.update(f for f in listing.splitlines() if f.startswith("/") and f != "/." and not f.startswith(LEFT_OUT))
            status.append(subprocess.run(["dpkg-query", "-s", spec], check=True, capture_output=True, text=True).stdout)
            for file in INFO.glob(f"{name}.*"):
                shutil.copy2(file, self.at(INFO))
            for file in INFO.glob(f"{name}:*"):
                shutil.copy2(file, self.at(INFO))
        self.at("var/lib/dpkg/status").write_text("\n".join(status))
        self.at("var/lib/dpkg/available").touch()
        shutil.copy2(INFO / "format", self.at(INFO))
        # Triggers are other packages' (ldconfig, certificates): nothing of ours pulls one that matters here.
        for file in self.at(INFO).glob("*.triggers"):
            file.unlink()
        present = "\0".join(f[1:] for f in sorted(files) if os.path.lexists(f))
        names = self.at("tmp/names")
        names.write_text(present)
        pack, unpack = "tar -C / --null --no-recursion -T {0} -cf - ", "tar -C {1} --keep-directory-symlink --numeric-owner -xpf -"
        subprocess.run(["bash", "-c", f"set -o pipefail; {pack} | {unpack}".format(names, self.path)], check=True)
        names.unlink()
        # A machine's own: not in packages, and not this machine's.
        for name in ("passwd", "group"):
            shutil.copy(f"/usr/share/base-passwd/{name}.master", self.at("etc/" + name))
        for name in ("shadow", "gshadow"):
            self.at("etc/" + name).unlink(missing_ok=True)
        for path, numbers in (("null", (1, 3)), ("zero", (1, 5)), ("urandom", (1, 9)), ("random", (1, 8))):
            os.mknod(self.at("dev/" + path), 0o20666, os.makedev(*numbers))
            os.chmod(self.at("dev/" + path), 0o666)
        os.chmod(self.at("tmp"), 0o1777)
        self.links()
        self.run("ldconfig")

    def links(self):
        """Alternatives are links that maintainer scripts made; nothing but awk is needed of them."""
        if not os.path.lexists(self.at("usr/bin/awk")):
            self.at("usr/bin/awk").symlink_to("mawk")

    def command(self, *words, user=None):
        """In a mount namespace of its own, where /proc is there: systemd-tmpfiles wants it. Nothing stays mounted."""
        spec = ["--userspec", f"{user}:{user}"] if user else []
        mount = 'mount -t proc proc "$0/proc" && exec chroot "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, str(self.path), *spec, str(self.path), *map(str, words)]

    def run(self, *words, user=None, check=True):
        """Runs in the root, with nothing of this system's environment; standard error joins standard output."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/"}
        done = subprocess.run(self.command(*words, user=user), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}")
        return done

    def identities(self):
        """Names by number: users, groups; and the members of each group."""
        users = [line.split(":") for line in self.at("etc/passwd").read_text().splitlines()]
        groups = [line.split(":") for line in self.at("etc/group").read_text().splitlines()]
        return {int(u[2]): u[0] for u in users}, {int(g[2]): g[0] for g in groups}, {g[0]: g[3].split(",") for g in groups}

    def owner_and_mode(self, path):
        users, groups, _ = self.identities()
        found = self.at(path).lstat()
        return f"{users.get(found.st_uid, found.st_uid)}:{groups.get(found.st_gid, found.st_gid)} {found.st_mode & 0o7777:04o}"
