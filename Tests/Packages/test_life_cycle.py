"""Debian packages (debs.py) from install to purge, each time in a root of its own (root.py), with what dpkg and the programs say
there. Nothing but them runs in it; test_live.py starts the whole root. Runs as root.
"""

import gzip
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "System"))
import confinement  # noqa: E402
import debs  # noqa: E402
import root as roots  # noqa: E402
from debs import BIN, DEBS, ROOT, filled, sh, toolchain  # noqa: E402

AGENT_BYTES_MAX = 12 << 20
UNITS = ("kilomint-agent.service", "kilomint-agent-renew.service", "kilomint-agent-renew.timer", "kilomint-collector.service",
         "kilomint-crl.path", "kilomint-crl.service")
EXPOSURE_MAX = 20  # tenths, of systemd-analyze security
OLD = "0.0.9"

place = None
packages = {}


def setUpModule():
    global place
    place = debs.folder()
    packages.update(debs.packages())
    packages["older agent"], packages["older profiles"] = older(packages["kilomint-agent"], "agent"), older(packages["kilomint-profiles"], "profiles")


def older(package, name):
    """The same package as if it had been built before, with another configuration file."""
    tree = place / ("old-" + name)
    sh("dpkg-deb", "-R", package, tree)
    control = tree / "DEBIAN/control"
    text = re.sub(r"(?m)^Version: .*", "Version: " + OLD, control.read_text())
    control.write_text(re.sub(r"kilomint-profiles \(>= [^)]*\)", f"kilomint-profiles (>= {OLD})", text))
    configuration = tree / "etc/kilomint/agent.yaml"
    if configuration.exists():
        configuration.write_text(configuration.read_text() + "# As it was in the older version.\n")
    (tree / "DEBIAN/md5sums").unlink()
    sh("dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, place / f"old-{name}.deb")
    return place / f"old-{name}.deb"


def install(root, *names):
    return root.run("dpkg", "--force-confdef", "--force-confold", "-i", *debs.brought(root, [packages[n] for n in names])).stdout


class Installed(unittest.TestCase):
    """One root with everything installed; nothing changes it."""

    @classmethod
    def setUpClass(cls):
        cls.root = roots.Root()
        cls.addClassCleanup(cls.root.__exit__)
        cls.root.fill()
        cls.said = install(cls.root, "kilomint-agent", "kilomint-collector", "kilomint-audit", "kilomint-profiles")

    def test_dpkg_finds_nothing_wrong(self):
        self.assertEqual(self.root.run("dpkg", "--audit").stdout, "")
        self.assertEqual(self.root.run("dpkg", "--verify", "kilomint-agent", "kilomint-audit", "kilomint-profiles", "kilomint-collector").stdout, "")

    def test_users_and_groups(self):
        users, _, members = self.root.identities()
        self.assertIn("kilomint-agent", members["dialout"])
        self.assertIn("kilomint-agent", members["tss"])
        self.assertFalse([group for group, names in members.items() if "kilomint-collector" in names])
        for name in ("kilomint-agent", "kilomint-collector"):
            line = next(line for line in self.root.at("etc/passwd").read_text().splitlines() if line.startswith(name + ":"))
            self.assertTrue(line.endswith("/nologin"), line)
            self.assertIn(name, users.values())

    def test_owners_and_modes(self):
        for path, expected in (
            ("/etc/kilomint", "root:root 0755"),
            ("/etc/kilomint/agent.yaml", "root:kilomint-agent 0640"),
            ("/etc/kilomint/collector.yaml", "root:kilomint-collector 0640"),
            ("/etc/kilomint/keys", "kilomint-collector:kilomint-collector 0700"),
            ("/etc/kilomint/tokens", "kilomint-collector:kilomint-collector 0700"),
            ("/var/lib/kilomint-agent", "kilomint-agent:kilomint-agent 0700"),
            ("/var/lib/kilomint", "kilomint-collector:kilomint-collector 0750"),
            ("/usr/bin/kilomint-agent", "root:root 0755"),
            ("/usr/share/kilomint/firmware-profiles/abb/b23.yaml", "root:root 0644"),
            ("/usr/share/kilomint/firmware-profiles/profile.schema.json", "root:root 0644"),
            ("/lib/udev/rules.d/60-kilomint-agent.rules", "root:root 0644"),
        ):
            with self.subTest(path):
                self.assertEqual(self.root.owner_and_mode(path), expected)

    def test_nothing_is_made_or_started(self):
        """An image with the packages must not share a key, and comes up with nothing running."""
        for folder in ("etc/kilomint", "var/lib/kilomint-agent", "var/lib/kilomint"):
            found = [p for p in self.root.at(folder).rglob("*") if p.is_file() and p.suffix != ".yaml"]
            self.assertEqual(found, [])
        links = [p for p in self.root.at("etc/systemd/system").rglob("kilomint*")] if self.root.at("etc/systemd/system").exists() else []
        self.assertEqual(links, [])
        self.assertIn("not enabled yet", self.said)

    def test_programs_start(self):
        toolchain(self.root)
        self.assertRegex(self.root.run("kilomint-agent", "version", user="kilomint-agent").stdout, r"^kilomint-agent \d")
        self.assertRegex(self.root.run("kilomint-collector", "--version", user="kilomint-collector").stdout, r"^kilomint-collector \d")
        self.assertIn("verify", self.root.run("kilomint-audit", "--help").stdout)

    def test_the_configuration_asks_to_be_filled_in(self):
        done = self.root.run("kilomint-agent", "config", "check", "--config", "/etc/kilomint/agent.yaml", user="kilomint-agent", check=False)
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn("CHANGE-ME", done.stdout)
        toolchain(self.root)
        done = self.root.run("kilomint-collector", "serve", "--config", "/etc/kilomint/collector.yaml", user="kilomint-collector", check=False)
        self.assertEqual(done.returncode, 78, done.stdout)
        self.assertIn("log_origin", done.stdout)

    def test_manual_pages_say_what_the_programs_say(self):
        toolchain(self.root)
        characters = {"\\e": "\\", "\\-": "-", "\\(ga": "`", "\\(ha": "^", "\\(ti": "~", "\\(aq": "'", "\\&": ""}
        for name, section, commands in (("kilomint-agent", 8, ("scan", "enroll", "commission")), ("kilomint-collector", 8, ("serve", "device claim")),
                                        ("kilomint-audit", 1, ("verify",))):
            page = gzip.decompress(self.root.at(f"usr/share/man/man{section}/{name}.{section}.gz").read_bytes()).decode()
            text = re.sub(r"\\(\(..|.)", lambda found: characters[found[0]], page)
            for words in (["--help"], *(["help", *command.split()] for command in commands)):
                said = self.root.run(name, *words).stdout
                for line in said.removeprefix("OVERVIEW: ").splitlines():
                    self.assertIn(f"\n{line}\n", text, words)
            for command in commands:
                self.assertIn(f"\n.SH {command.upper()}\n", text)

    def test_profiles_and_their_frames(self):
        done = self.root.run("kilomint-agent", "profile", "lint", "/usr/share/kilomint/firmware-profiles", user="kilomint-agent", check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("b23", done.stdout)

    def test_the_agent_is_small_and_alone(self):
        program = self.root.at("usr/bin/kilomint-agent")
        self.assertNotIn("RUNPATH", sh("readelf", "-d", program))
        self.assertLessEqual(program.stat().st_size, AGENT_BYTES_MAX)
        headers = sh("readelf", "-d", program)
        needed = re.findall(r"NEEDED.*\[(.*)\]", headers)
        self.assertIn("libsqlite3.so.0", needed)
        self.assertFalse([name for name in needed if "Foundation" in name or name.startswith("libswift")])
        # Regular expressions come with one innocent `contains` of a text: see PlainSearch.swift.
        for unwanted in (b"FoundationEssentials", b"_RegexParser"):
            self.assertNotIn(unwanted, program.read_bytes())
        self.assertNotIn("not found", self.root.run("ldd", "/usr/bin/kilomint-agent").stdout)

    def test_units(self):
        paths = [self.root.at("lib/systemd/system") / name for name in UNITS]
        for path in paths:
            self.assertTrue(path.exists(), path)
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={self.root.path}", path.name], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
            if path.suffix == ".service":
                sh("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", path)

    def test_the_broker_is_told_of_the_list_where_the_collector_may_write_it(self):
        """Off until an administrator says so; watched, writable and documented is one and the same place."""
        units = self.root.at("lib/systemd/system")
        watched = re.search(r"(?m)^PathChanged=(.*)$", (units / "kilomint-crl.path").read_text()).group(1)
        writable = re.search(r"(?m)^ReadWritePaths=-(.*)$", (units / "kilomint-collector.service").read_text()).group(1)
        self.assertEqual(str(pathlib.Path(watched).parent), writable)
        self.assertIn(f"enrolment.crl_file: {watched}", self.root.at("usr/share/doc/kilomint-collector/collector.md").read_text())
        self.assertFalse(list(self.root.at("etc/systemd/system").rglob("kilomint-crl*")))

    def test_one_drop_in_for_a_token_serves_both_services(self):
        example = self.root.at("usr/share/doc/kilomint-agent/examples/token.conf")
        steps = [line[1:].strip() for line in example.read_text().splitlines() if line.startswith("#     ")]
        install = "\n".join(steps[1:4]).replace("sudo ", "")
        self.root.run("sh", "-ec", install)
        for name in ("kilomint-agent", "kilomint-agent-renew"):
            copy = self.root.at(f"etc/systemd/system/{name}.service.d/token.conf")
            self.addCleanup(shutil.rmtree, copy.parent)
            self.assertEqual(copy.read_text(), example.read_text())
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", f"--root={self.root.path}", f"{name}.service"], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        self.assertIn("\nReadWritePaths=/var/lib/softhsm\n", example.read_text())

    def test_a_wrong_unit_would_be_seen(self):
        unit = self.root.at("lib/systemd/system/kilomint-wrong.service")
        unit.write_text("[Service]\nExecStart=/usr/bin/kilomint-none\nProtectEverything=yes\n")
        self.addCleanup(unit.unlink)
        self.assertIn("ProtectEverything", subprocess.run(
            ["systemd-analyze", "verify", "--man=no", f"--root={self.root.path}", unit.name], capture_output=True, text=True).stderr)
        with self.assertRaises(subprocess.CalledProcessError):
            sh("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)

    def test_lintian(self):
        names = ["kilomint-agent", "kilomint-collector", "kilomint-audit", "kilomint-profiles"]
        # Of the test build alone: where its Swift libraries are.
        suppressed = [] if DEBS else ["--suppress-tags", "custom-library-search-path"]
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *suppressed, *[packages[n] for n in names]],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # Found by `man`, and formatted without a warning.
        for tag in ("no-manual-page", "manual", "groff"):
            self.assertNotIn(tag, done.stdout)


class LifeCycle(unittest.TestCase):
    def setUp(self):
        self.root = roots.Root()
        self.addCleanup(self.root.__exit__)
        self.root.fill()

    def plant(self):
        """A meter in this machine's network, which the root shares; its port."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        data = ROOT / "Tests/Plant/Data/serf-east-2016.csv"
        child = subprocess.Popen([BIN / "kilomint-plant", "run", "--csv", data, "--port", str(port), "--real"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(lambda: (child.kill(), child.wait(), child.stdout.close()))
        for line in child.stdout:
            if "listening" in line:
                return port
        self.fail("the plant does not start")

    def wait(self, what, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            log = self.root.at("run/agent.log")
            self.assertLess(time.monotonic(), end, f"no {what} within {seconds} s\n{log.read_text() if log.exists() else ''}")
            time.sleep(0.1)

    def spool(self):
        """Head, session, cleanness and streams, and the numbers of what is stored: from a copy, as the agent holds the file."""
        copy = pathlib.Path(tempfile.mkdtemp(dir=place))
        for suffix in ("", "-wal"):
            file = self.root.at("var/lib/kilomint-agent/spool/spool.db" + suffix)
            if file.exists():
                shutil.copy(file, copy / ("spool.db" + suffix))
        database = sqlite3.connect(copy / "spool.db")
        try:
            streams = database.execute("SELECT head FROM stream").fetchall()
            session, clean = database.execute("SELECT session, clean FROM agent").fetchone()
            ranges = database.execute("SELECT position & 0xFFFFFFFFFF, through FROM record ORDER BY position").fetchall()
        finally:
            database.close()
        return streams, session, clean, ranges

    def prepare(self, port):
        """From the older package to an agent that could run, as docs/install.md has it."""
        install(self.root, "older profiles", "older agent")
        mine = filled(self.root, port)
        self.root.at("etc/kilomint/agent.yaml").write_text(mine)
        for step in (("init",), ("config", "check")):
            self.root.run("kilomint-agent", *step, "--config", "/etc/kilomint/agent.yaml", user="kilomint-agent")
        self.root.at("run/kilomint-agent").mkdir()
        shutil.chown(self.root.at("run/kilomint-agent"), *self.numbers())
        return mine

    def numbers(self):
        found = self.root.at("var/lib/kilomint-agent").stat()
        return found.st_uid, found.st_gid

    def supervise(self):
        """A stand-in for systemctl, for this root has no systemd running: it writes down what is asked, and restarts the agent."""
        self.root.at("run/systemd/system").mkdir(parents=True)
        self.root.at("usr/bin/systemctl").unlink()
        script = self.root.at("usr/bin/systemctl")
        script.write_text("""#!/bin/sh
echo "$*" >> /run/asked
case "$*" in
    *try-restart*kilomint-agent.service* | *"start kilomint-agent.service"*)
        if [ -e /run/agent.pid ]; then
            kill -TERM "$(cat /run/agent.pid)"
            while kill -0 "$(cat /run/agent.pid)" 2> /dev/null; do sleep 0.05; done
        fi
        setpriv --reuid=kilomint-agent --regid=kilomint-agent --init-groups \\
            kilomint-agent run --config /etc/kilomint/agent.yaml < /dev/null >> /run/agent.log 2>&1 &
        echo $! > /run/agent.pid ;;
    *stop*kilomint-agent.service*) kill -TERM "$(cat /run/agent.pid)" ;;
esac
""")
        script.chmod(0o755)

    def end_agent(self):
        file = self.root.at("run/agent.pid")
        if file.exists():
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def test_an_upgrade_keeps_configuration_and_records(self):
        mine = self.prepare(self.plant())
        self.supervise()
        self.addCleanup(self.end_agent)
        self.root.run("systemctl", "start", "kilomint-agent.service")
        log = lambda: self.root.at("run/agent.log").read_text()  # noqa: E731
        self.wait("record", lambda: self.root.at("var/lib/kilomint-agent/spool/spool.db").exists() and "started" in log())
        self.wait("readings", lambda: self.spool()[0] and self.spool()[0][0][0] >= 4)
        before = self.spool()
        first = int(self.root.at("run/agent.pid").read_text())

        said = install(self.root, "kilomint-profiles", "kilomint-agent")

        self.assertNotEqual(int(self.root.at("run/agent.pid").read_text()), first, self.root.at("run/asked").read_text())
        self.wait("records after the upgrade", lambda: self.spool()[0][0][0] >= before[0][0][0] + 4)
        streams, session, _, ranges = self.spool()
        self.assertEqual(len(streams), 1, "the stream goes on")
        self.assertEqual(session, before[1] + 1)
        at = 0
        for start, through in ranges:
            self.assertEqual(start, at + 1, "a record is missing")
            at = through
        self.assertEqual(at, streams[0][0])
        self.assertNotIn("event=crash", log())
        # Changed here and in the package: the administrator's stays, the new one lies beside it.
        self.assertEqual(self.root.at("etc/kilomint/agent.yaml").read_text(), mine)
        self.assertEqual(self.root.owner_and_mode("/etc/kilomint/agent.yaml"), "root:kilomint-agent 0640")
        self.assertIn("CHANGE-ME", self.root.at("etc/kilomint/agent.yaml.dpkg-dist").read_text())
        self.assertNotIn("not enabled yet", said)
        self.assertNotRegex(self.root.at("run/asked").read_text(), r"(?m)(^| )(enable|start) .*timer")

        self.root.run("dpkg", "-r", "kilomint-agent")
        pid = int(self.root.at("run/agent.pid").read_text())
        self.wait("end of the agent", lambda: not pathlib.Path(f"/proc/{pid}/exe").exists(), 20)
        self.assertEqual(self.spool()[2], 1, "ended in order")

    def test_the_service_runs_under_its_own_unit(self):
        """The program of the package as the user of the package, under what the unit of the package forbids."""
        install(self.root, "kilomint-profiles", "kilomint-agent")
        text = filled(self.root, self.plant()).replace("\ncontrol:", "\ncontrol_mode: 0660\ncontrol_group: dialout\ncontrol:")
        self.root.at("etc/kilomint/agent.yaml").write_text(text)
        self.root.run("kilomint-agent", "init", "--config", "/etc/kilomint/agent.yaml", user="kilomint-agent")
        run = self.root.at("run/kilomint-agent")
        run.mkdir()
        shutil.chown(run, *self.numbers())
        unit = self.root.at("lib/systemd/system/kilomint-agent.service")
        started = dict(confinement.service(unit.read_text()))["ExecStart"].split()
        # As Root.command: /proc is there, and nothing stays mounted.
        mount = 'mount -t proc proc "$KILOMINT_ROOT/proc" && exec "$@"'
        with open(self.root.at("run/agent.log"), "wb") as log:
            agent = subprocess.Popen(["unshare", "--mount", "sh", "-c", mount, "sh", *map(str, confinement.under(unit, *started))],
                                     env={"PATH": os.environ["PATH"], "KILOMINT_ROOT": str(self.root.path)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(lambda: (agent.kill(), agent.wait()))
        self.wait("readings", lambda: self.root.at("var/lib/kilomint-agent/spool/spool.db").exists() and self.spool()[0] and self.spool()[0][0][0] >= 4)
        self.assertEqual(self.root.owner_and_mode("/run/kilomint-agent/control.sock"), "kilomint-agent:dialout 0660")
        said = self.root.run("kilomint-agent", "status", "--json", "--config", "/etc/kilomint/agent.yaml", user="kilomint-agent").stdout
        self.assertIn('"control_problem":null', said)
        said = self.root.run("kilomint-agent", "doctor", "--json", "--config", "/etc/kilomint/agent.yaml", user="kilomint-agent", check=False).stdout
        self.assertIn('"the clock"', said)
        self.assertNotIn("clock-unknown", said)
        agent.terminate()
        self.assertEqual(agent.wait(20), 0, self.root.at("run/agent.log").read_text())
        self.assertEqual(self.spool()[2], 1, "ended in order")

    def guide(self):
        """The commands of the installed docs/install.md that begin with the program, in their order: user, words, joined lines."""
        text = self.root.at("usr/share/doc/kilomint-agent/install.md").read_text()
        blocks = "".join(re.findall(r"(?ms)^```sh\n(.*?)^```", text))
        for line in blocks.splitlines():
            line = line.split(" | tee ")[0]
            if line.startswith("sudo systemctl enable --now kilomint-agent.service"):
                yield None, ["start"]
            elif found := re.match(r"(sudo )?(-u kilomint-agent )?(kilomint-agent .*)", line):
                yield "kilomint-agent" if found[2] else "root" if found[1] else "daemon", shlex.split(found[3])

    def test_the_guide_from_the_first_command_to_the_page_that_is_handed_over(self):
        """As a stranger types them: before the configuration is filled in, before there is a key, before the agent runs."""
        port = self.plant()
        install(self.root, "kilomint-profiles", "kilomint-agent")
        self.supervise()
        self.addCleanup(self.end_agent)
        run = self.root.at("run/kilomint-agent")
        run.mkdir()
        shutil.chown(run, *self.numbers())
        done, read = [], ""
        for user, words in self.guide():
            if words == ["start"]:
                self.root.run("systemctl", "start", "kilomint-agent.service")
                self.wait("readings", lambda: self.root.at("var/lib/kilomint-agent/spool/spool.db").exists() and self.spool()[0] and self.spool()[0][0][0] >= 2)
                continue
            command = " ".join(words[1:3] if words[1] in ("config", "profile") else words[1:2])
            if command == "scan":
                words = [w.replace("192.168.1.0/24", "127.0.0.1") for w in words] + (["--port", str(port)] if "--tcp" in words else [])
            elif command == "config check":
                file = self.root.at("etc/kilomint/agent.yaml")
                file.write_text(filled(self.root, port))
            elif command == "commission":
                # What the display of the plant's meter shows.
                shown = {"--serial": "20160701"}
                for option, code in (("--import", "1-0:1.8.0"), ("--export", "1-0:2.8.0")):
                    counted = re.search(code + r"  (\d+) Wh", read).group(1)
                    shown[option] = f"{int(counted) / 1000:.2f}"
                words = [shown.get(before, word) for before, word in zip([""] + words, words)]
            said = self.root.run(*words, user=None if user == "root" else user, check=False)
            done.append((command, said.returncode))
            if command == "scan" and "--tcp" in words:
                self.assertIn(f"  - tcp: 127.0.0.1:{port}\n    meters:\n      - {{id: NAME, unit: 1, profile: abb/b23}}", said.stdout)
            elif command == "scan":
                # No such adapter here; root is told that the file is not filled in, and goes on.
                self.assertIn("CHANGE-ME", said.stdout)
                self.assertIn("cannot open /dev/serial/by-id/NAME", said.stdout)
            elif command == "config check":
                self.assertIn("kilomint-agent init --config", said.stdout)
            elif command == "read":
                read = said.stdout
            elif command == "enroll":
                self.assertIn("no claim code", said.stdout)
            elif command == "commission":
                self.assertIn("commissioned meter-1: signed as record", said.stdout)
        # The doctor has something to say: this gateway is not enrolled and its clock nobody's.
        self.assertEqual(done, [("scan", 1), ("scan", 0), ("profile show", 0), ("config check", 0), ("init", 0), ("read", 0),
                                ("status", 0), ("enroll", 2), ("commission", 0), ("doctor", 1), ("status", 0), ("report", 0)])

    def test_what_root_initialises_is_the_service_s(self):
        """sudo without -u is soon typed; a key of root's would end each start with status 78."""
        install(self.root, "kilomint-profiles", "kilomint-agent")
        self.root.at("etc/kilomint/agent.yaml").write_text(filled(self.root, 1))
        self.assertIn("Going on as kilomint-agent", self.root.run("kilomint-agent", "init").stdout)
        made = sorted(self.root.at("var/lib/kilomint-agent").rglob("*"))
        self.assertIn(self.root.at("var/lib/kilomint-agent/gateway.pem"), made)
        self.assertIn(self.root.at("var/lib/kilomint-agent/spool/spool.db"), made)
        for path in made:
            self.assertRegex(self.root.owner_and_mode(path.relative_to(self.root.path)), "^kilomint-agent:kilomint-agent ", path)

    def test_a_member_of_the_agent_s_group_uses_the_tools(self):
        """As docs/install.md has it: control_mode alone, and a person in the group; key and records stay closed."""
        mine = self.prepare(self.plant())
        self.root.at("etc/kilomint/agent.yaml").write_text(mine.replace("\ncontrol:", "\ncontrol_mode: 0660\ncontrol:"))
        self.supervise()
        self.addCleanup(self.end_agent)
        self.root.run("systemctl", "start", "kilomint-agent.service")
        self.root.run("useradd", "--groups", "kilomint-agent", "ann")
        self.wait("the socket", lambda: self.root.at("run/kilomint-agent/control.sock").exists())
        for words in (("status",), ("read",), ("doctor", "--json")):
            said = self.root.run("setpriv", "--reuid=ann", "--regid=ann", "--init-groups", "kilomint-agent", *words, check=False)
            self.assertIn('"findings"' if words[0] == "doctor" else "meter-1", said.stdout)
        # What only the agent's own user may see is not taken for nothing.
        for words, known in ((("config", "show", "--origin"), r"remote version +not known to this user: .*Permission denied"),
                             (("renew",), "this user may not read .*gateway.crt: sudo -u kilomint-agent")):
            said = self.root.run("setpriv", "--reuid=ann", "--regid=ann", "--init-groups", "kilomint-agent", *words, check=False)
            self.assertRegex(said.stdout, known)
        said = self.root.run("setpriv", "--reuid=ann", "--regid=ann", "--init-groups", "cat", "/var/lib/kilomint-agent/gateway.pem", check=False)
        self.assertIn("Permission denied", said.stdout)

    def test_a_mode_of_the_administrator_stays(self):
        install(self.root, "older profiles", "older agent")
        self.root.at("etc/kilomint/agent.yaml").chmod(0o600)
        install(self.root, "kilomint-profiles", "kilomint-agent")
        self.assertEqual(self.root.owner_and_mode("/etc/kilomint/agent.yaml"), "root:kilomint-agent 0600")
        # Not changed by anybody: the new one.
        self.assertNotIn("As it was in the older version", self.root.at("etc/kilomint/agent.yaml").read_text())

    def test_remove_and_purge_keep_key_and_records(self):
        self.prepare(1)
        state = self.root.at("var/lib/kilomint-agent")
        for path in ("spool/spool.db", "spool/enrolled/gateway.crt"):
            (state / path).parent.mkdir(parents=True, exist_ok=True)
            (state / path).write_text("kept?")
        key = (state / "gateway.pem").read_bytes()

        self.root.run("dpkg", "-r", "kilomint-agent")
        self.assertFalse(self.root.at("usr/bin/kilomint-agent").exists())
        self.assertTrue(self.root.at("etc/kilomint/agent.yaml").exists())
        self.assertTrue((state / "spool/enrolled/gateway.crt").exists())

        said = self.root.run("dpkg", "-P", "kilomint-agent").stdout
        self.assertFalse(self.root.at("etc/kilomint").exists())
        self.assertFalse((state / "spool/enrolled").exists())
        self.assertEqual((state / "gateway.pem").read_bytes(), key)
        self.assertEqual((state / "spool/spool.db").read_text(), "kept?")
        self.assertIn("rm -r /var/lib/kilomint-agent", said)
        self.assertIn("kilomint-agent", self.root.identities()[0].values())
        # Installed again it is the same gateway.
        install(self.root, "kilomint-profiles", "kilomint-agent")
        self.assertEqual(self.root.owner_and_mode("/var/lib/kilomint-agent/gateway.pem"), "kilomint-agent:kilomint-agent 0600")

    def test_purge_leaves_nothing_of_an_agent_that_never_ran(self):
        install(self.root, "kilomint-profiles", "kilomint-agent")
        self.assertNotIn("stays", self.root.run("dpkg", "-P", "kilomint-agent", "kilomint-profiles").stdout)
        for path in ("etc/kilomint", "var/lib/kilomint-agent", "usr/share/kilomint"):
            self.assertFalse(self.root.at(path).exists(), path)

    def test_purge_of_a_collector_keeps_the_house(self):
        install(self.root, "kilomint-profiles", "kilomint-collector")
        for path in ("var/lib/kilomint/collector/journal.sqlite", "etc/kilomint/keys/seal.pem"):
            self.root.at(path).parent.mkdir(parents=True, exist_ok=True)
            self.root.at(path).write_text("the house's")
        said = self.root.run("dpkg", "-P", "kilomint-collector").stdout
        self.assertTrue(self.root.at("var/lib/kilomint/collector/journal.sqlite").exists())
        self.assertTrue(self.root.at("etc/kilomint/keys/seal.pem").exists())
        self.assertFalse(self.root.at("etc/kilomint/collector.yaml").exists())
        self.assertFalse(self.root.at("etc/kilomint/tokens").exists())
        self.assertIn("/var/lib/kilomint stays", said)


if __name__ == "__main__":
    unittest.main()
