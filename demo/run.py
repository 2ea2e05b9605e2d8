#!/usr/bin/env python3
"""The main job on measured production: a plant, its gateway, a broker and a collector, eight days at 3600 times speed.

The gateway makes its own key and enrols with a claim code; every connection between gateway, broker and collector is mutual TLS.
Prints a line for each window as it settles, then traces one K$ back to the register words a meter answered.
Uses only Python's standard library. Everything it makes stands in run/demo; every process it starts ends with it.
"""
import argparse, ctypes, datetime, getpass, glob, json, os, secrets, shutil, signal, socket, subprocess, sys, time, urllib.error, urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = datetime.datetime(2016, 7, 7, 6, tzinfo=datetime.timezone.utc)
SPEED, WINDOWS, LEAD = 3600, 7, 20
DAY = datetime.timedelta(days=1)
FIRST_ROW = datetime.datetime(2016, 7, 1, 7, tzinfo=datetime.timezone.utc)
GATEWAY, ENTITY, POINT = "gw-serf-east", "serf-east", "serf-east-pv"


class Failed(Exception):
    pass


def stamp(instant):
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


class House:
    def __init__(self, options):
        self.bin, self.once = Path(options.bin).resolve(), options.once
        self.dir = Path(options.dir).resolve()
        self.ports = {"broker": options.broker_port, "plant": options.plant_port, "inverter": options.plant_port + 1, "console": options.port,
                      "enrolment": options.enrolment_port}
        self.children = []
        self.zero = None
        self.failures = []

    # -- processes ----------------------------------------------------------------------------------------------

    def start(self, name, *command):
        def tie():  # the child dies with us, however we die
            ctypes.CDLL(None).prctl(1, signal.SIGTERM)

        with open(self.dir / "log" / f"{name}.log", "ab") as log:
            child = subprocess.Popen([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=tie)
        self.children.append((name, child))
        return child

    def stop(self):
        for name, child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(8)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self.children = []

    def watch(self):
        for name, child in self.children:
            if child.poll() is not None:
                raise Failed(f"{name} ended with status {child.returncode}; its last words:\n{self.tail(name)}")

    def tail(self, name, lines=12):
        return "\n".join((self.dir / "log" / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def tool(self, program, *arguments, check=True):
        done = subprocess.run([str(self.bin / program), *[str(part) for part in arguments]], capture_output=True, text=True)
        if check and done.returncode != 0:
            raise Failed(f"{program} {' '.join(str(part) for part in arguments)}\nended with status {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    # -- the house clock ----------------------------------------------------------------------------------------

    def real(self, instant):
        return self.zero + (instant - START).total_seconds() / SPEED

    def wait_until(self, instant, what):
        while time.time() < self.real(instant):
            self.watch()
            time.sleep(min(0.1, max(0.01, self.real(instant) - time.time())))

    # -- HTTP ---------------------------------------------------------------------------------------------------

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": "Bearer " + self.tokens["operator"]})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.ports['console']}"

    @property
    def enrolment_url(self):
        return f"https://127.0.0.1:{self.ports['enrolment']}"

    def is_served(self):
        try:
            return "status" in self.get("/healthz")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    # -- the run ------------------------------------------------------------------------------------------------

    def check_ports(self):
        for what, port in self.ports.items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    option = {"broker": "BROKER_PORT", "plant": "PLANT_PORT", "inverter": "PLANT_PORT", "console": "PORT", "enrolment": "ENROLMENT_PORT"}[what]
                    raise Failed(f"port {port} ({what}) is taken: stop what listens there (ss -ltnp 'sport = :{port}') or choose another, e.g. make run {option}={port + 100}")

    def prepare(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        for folder in ("keys", "log", "collector", "witness", "agent", "broker"):
            (self.dir / folder).mkdir(parents=True)
        os.chmod(self.dir / "keys", 0o700)
        self.tokens = {role: secrets.token_hex(24) for role in ("operator", "auditor", "verifier", "owner")}
        for role, token in self.tokens.items():
            path = self.dir / "keys" / f"{role}.token"
            path.write_text(token + "\n")
            path.chmod(0o600)
        for name, algorithm in KEYS.items():
            self.tool("kilomint-collector", "key", "create", "--algorithm", algorithm, "--out", self.dir / "keys" / f"{name}.pem")
        self.make_authority()

    def make_authority(self):
        """The operator's CA, the broker's certificate and the collector's own; gateways get theirs when they enrol."""
        self.ca = self.dir / "ca"
        self.tool("kilomint-collector", "ca", "create", "--out", self.ca, "--server-name", "127.0.0.1", "--server-name", "localhost")
        self.tool("kilomint-collector", "ca", "server", "--ca", self.ca, "--name", "127.0.0.1", "--out", self.dir / "broker/server")
        self.tool("kilomint-collector", "ca", "client", "--ca", self.ca, "--name", "collector", "--out", self.dir / "keys/collector")
        # Its admin is the collector, which shows a certificate: nobody is ever asked for this password, and nobody keeps it.
        subprocess.run(["mosquitto_ctrl", "dynsec", "init", str(self.dir / "broker/dynsec.json"), "collector", secrets.token_hex(24)],
                       check=True, capture_output=True)

    def write_broker(self, values):
        plugins = glob.glob("/usr/lib/*/mosquitto_dynamic_security.so") + glob.glob("/usr/lib/mosquitto_dynamic_security.so")
        if not plugins:
            raise Failed("Mosquitto's dynamic-security plugin is not installed: it comes with the package mosquitto (2.0 and above)")
        text = (ROOT / "demo/mosquitto.conf.in").read_text().format(plugin=plugins[0], user=getpass.getuser(), **values)
        (self.dir / "broker/mosquitto.conf").write_text(text)

    def write_configurations(self):
        values = dict(
            dir=self.dir, root=ROOT, start=stamp(START), speed=SPEED, zero=datetime.datetime.fromtimestamp(self.zero, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            gateway=GATEWAY, entity=ENTITY, point=POINT, **{name + "_port": port for name, port in self.ports.items()})
        for name in ("house", "collector", "agent"):
            template = (ROOT / "demo" / f"{name}.yaml.in").read_text()
            (self.dir / f"{name}.yaml").write_text(template.format(**values))
        self.write_broker(values)

    def launch(self):
        csv = ROOT / "Tests/Plant/Data/serf-east-2016.csv"
        self.csv = csv
        self.start("broker", "mosquitto", "-c", self.dir / "broker" / "mosquitto.conf")
        self.start("plant", self.bin / "kilomint-plant", "run", "--csv", csv, "--port", self.ports["plant"], "--inverter-port", self.ports["inverter"],
                   "--start", stamp(START), "--speed", SPEED, "--zero", int(self.zero * 1000))
        self.start("collector", self.bin / "kilomint-collector", "serve", "--config", self.dir / "collector.yaml")
        self.wait_for("the collector to answer", self.is_served)
        self.enrolment_scene()
        # A meter whose first read succeeds is read at the very instant the clock stands at.
        self.wait_for("the plant to listen", lambda: "listening" in self.tail("plant"))
        self.start("agent", self.bin / "kilomint-agent", "run", "--config", self.dir / "agent.yaml")
        self.wait_ready()
        self.commission()

    def open_claim(self, gateway=GATEWAY, *more):
        """A claim that a root key and two persons signed: its code, shown once."""
        keys = [part for name in ("root", "person-a", "person-b") for part in ("--key", self.dir / f"keys/{name}.pem")]
        done = self.tool("kilomint-collector", "device", "claim", gateway, "--url", self.url, "--token-file", self.dir / "keys/operator.token", *keys, "--quiet", *more)
        return done.stdout.strip()

    def enrol_gateway(self, gateway=GATEWAY, config="agent.yaml"):
        """What an installer does: the gateway makes its key, then gets its certificate with the code."""
        self.tool("kilomint-agent", "init", "--config", self.dir / config)
        code = self.open_claim(gateway)
        self.enrol_with(code, config)
        return code

    def enrol_with(self, code, config="agent.yaml", check=True):
        return self.tool("kilomint-agent", "enroll", "--config", self.dir / config, "--url", self.enrolment_url, "--code", code, check=check)

    def enrolment_scene(self):
        """The gateway enrols; then a second box tries the code that somebody read over the installer's shoulder."""
        code = self.enrol_gateway()
        print(f"Enrolled: {GATEWAY} made its own key and got its certificate with the code {code}")
        text = (self.dir / "agent.yaml").read_text()
        (self.dir / "thief.yaml").write_text(text.replace("keys/gateway.pem", "keys/thief.pem").replace(f"path: {self.dir}/agent", f"path: {self.dir}/thief"))
        self.tool("kilomint-agent", "init", "--config", self.dir / "thief.yaml")
        refused = self.enrol_with(code, "thief.yaml", check=False)
        if refused.returncode == 0 or "was used" not in refused.stderr:
            raise Failed(f"a second box enrolled with a used code: {refused.stdout}{refused.stderr}")
        print(f"Refused: a second box with the same code: {refused.stderr.strip().rpartition('The server says: ')[2]}", flush=True)

    def wait_for(self, what, holds):
        while not holds():
            self.watch()
            if time.time() >= self.zero:
                raise Failed(f"not ready when the clock began to run: still waiting for {what}")
            time.sleep(0.05)

    def wait_ready(self):
        waiting = "the processes"
        while time.time() < self.zero:
            self.watch()
            try:
                self.get("/healthz")
                waiting = "the first reading of each meter"
                gateways = self.get("/v1/gateways")["items"]
                if any(g["gateway"] == GATEWAY and g["readings"] >= 2 for g in gateways):
                    return
            except (urllib.error.URLError, ConnectionError, KeyError, TimeoutError):
                pass
            time.sleep(0.2)
        raise Failed(f"not ready when the clock began to run: still waiting for {waiting}\nagent:\n{self.tail('agent')}\ncollector:\n{self.tail('collector')}")

    def commission(self, config="agent.yaml", gateway=GATEWAY, meter="b23-east", serial="20160701"):
        """Somebody stands before the meter while the clock stands still: serial and register as its display shows them."""
        csv = ROOT / "Tests/Plant/Data/serf-east-2016.csv"
        energy = self.tool("kilomint-plant", "energy", "--csv", csv, "--from", stamp(FIRST_ROW), "--to", stamp(START), "--resolution", 10).stdout.split()[0]
        before = self.records(gateway)
        self.tool("kilomint-agent", "commission", "--config", self.dir / config, "--meter", meter, "--serial", serial,
                  "--export", f"{int(energy) / 1000:.2f}", "--name", "the demonstration")
        self.wait_for("the commissioning to arrive", lambda: self.records(gateway) > before)

    def records(self, gateway):
        return sum(g["records"] for g in self.get("/v1/gateways")["items"] if g["gateway"] == gateway)

    def satellite(self, day):
        begin = START + day * DAY
        self.tool("kilomint-collector", "source", "import", "--url", self.url, "--token-file", self.dir / "keys/operator.token",
                  "--key", self.dir / "keys/satellite.pem", "--metering-point", POINT, "--day", stamp(begin), "--csv", self.csv,
                  "--nameplate", 6000, "--performance-ratio", 800000, "--issued-at", stamp(begin + DAY))

    def audit_first_day(self):
        energy = self.tool("kilomint-plant", "energy", "--csv", self.csv, "--from", stamp(START), "--to", stamp(START + DAY), "--resolution", 10).stdout.split()[0]
        self.tool("kilomint-audit", "state", "--url", self.url, "--token-file", self.dir / "keys/auditor.token", "--key", self.dir / "keys/auditor.pem",
                  "--source", "A", "--metering-point", POINT, "--from", stamp(START), "--to", stamp(START + DAY), "--energy", energy, "--resolution", 10,
                  "--issued-at", stamp(START + DAY), "--method", "own reference meter, read at both instants")

    def prove(self, window):
        for kind, verifier in (("ACK", "finance"), ("CT", "compliance")):
            self.tool("kilomint-audit", "prove", "--url", self.url, "--token-file", self.dir / "keys/auditor.token", "--key", self.dir / f"keys/{verifier}.pem",
                      "--verifier", verifier, "--kind", kind, "--window", window)

    def line(self, window):
        entity = window["entities"][0]
        day = next(day for day in entity["days"] if day["day"] == window["start"])
        sources = {source["source"]: source["wh"] for source in day["sources"]}
        confidence = entity["confidence_ppm"] if entity["confidence_ppm"] is not None else day["confidence_ppm"]
        issued = sum(int(row["amount"]) for row in window["issued"])
        shown = [f"{window['window_id']}", f"meter {day['m_wh'] / 1000:7.3f}", f"check {sources.get('C', 0) / 1000:7.3f}", f"satellite {sources.get('S', 0) / 1000:7.3f}",
                 f"auditor {sources['A'] / 1000:.3f}" if "A" in sources else "auditor       ", f"confidence {confidence / 10000:6.2f} %",
                 f"issued {issued / 1e6:10.6f} K$", f"supply {int(window['supply_after'] or 0) / 1e6:11.6f} K$"]
        print("  ".join(shown), flush=True)

    def settle_windows(self):
        proved, printed, satellites, audited = set(), 0, 0, False
        deadline = self.real(START + (WINDOWS + 1) * DAY) + 30
        while printed < WINDOWS:
            self.watch()
            now = time.time()
            if now > deadline:
                raise Failed(f"only {printed} of {WINDOWS} windows settled in time; pending: {json.dumps(self.get('/v1/issuance/pending'))}\n{self.tail('collector')}")
            if satellites < WINDOWS and now >= self.real(START + (satellites + 1) * DAY):
                self.satellite(satellites)
                satellites += 1
                continue
            if not audited and satellites >= 1:
                self.audit_first_day()
                audited = True
                continue
            windows = sorted(self.get("/v1/windows?limit=500")["items"], key=lambda window: window["start"])
            for window in windows:
                if window["state"] == "replayed" and window["window_id"] not in proved:
                    self.prove(window["window_id"])
                    proved.add(window["window_id"])
            settled = [window for window in windows if window["state"] == "settled"]
            for window in settled[printed:WINDOWS]:
                self.line(window)
                if not window["issued"]:
                    self.failures.append(f"{window['window_id']} issued nothing: {json.dumps(window['entities'][0]['days'][0]['findings'])}")
                printed += 1
                if window["issued"]:
                    self.transaction = window["issued"][0]["transaction_id"]
            time.sleep(0.2)

    def closing_checks(self):
        print()
        trace = self.tool("kilomint-audit", "trace", self.transaction, "--url", self.url, "--token-file", self.dir / "keys/auditor.token", check=False)
        print(trace.stdout, end="", flush=True)
        if trace.returncode != 0:
            self.failures.append(f"trace ended with status {trace.returncode}: {trace.stderr}")
        expected = subprocess.run(
            [sys.executable, str(ROOT / "Tests/Interop/expected.py"), "--check", self.url, "--token-file", str(self.dir / "keys/auditor.token")],
            capture_output=True, text=True)
        print()
        print("Against what Tests/Interop/expected.py computes from the CSV and the documents alone:")
        print(expected.stdout, end="", flush=True)
        if expected.returncode != 0:
            self.failures.append(f"expected.py ended with status {expected.returncode}: {expected.stdout[-500:]}{expected.stderr[-500:]}")
        verify = self.tool("kilomint-audit", "verify", "--url", self.url, "--token-file", self.dir / "keys/auditor.token", check=False)
        print()
        print(verify.stdout, end="", flush=True)
        if verify.returncode != 0:
            self.failures.append(f"verify ended with status {verify.returncode}: {verify.stderr}")

    def run(self):
        self.check_ports()
        print(f"Keys, house and configurations: {self.dir}")
        self.prepare()
        self.zero = float(int(time.time()) + LEAD)
        self.write_configurations()
        self.tool("kilomint-collector", "genesis", "--config", self.dir / "collector.yaml", "--house", self.dir / "house.yaml", "--key-list", self.dir / "key-list.cbor")
        self.launch()
        print(f"Console: {self.url}/   (the clock stands at {stamp(START)} and runs at {SPEED}x in {max(0, self.zero - time.time()):.0f} s; a window is a day, 24 s)")
        print("Energy in kWh by source, each window after its day of grace:\n", flush=True)
        self.settle_windows()
        self.closing_checks()
        if self.failures:
            raise Failed("\n".join(self.failures))
        programs = os.path.relpath(self.bin)
        print(f"\nEvery check held. Do it yourself: {programs}/kilomint-audit verify --url {self.url} --token-file {self.dir}/keys/auditor.token")
        if not self.once:
            print(f"Somebody stole the gateway? {programs}/kilomint-collector device revoke {GATEWAY} --url {self.url} "
                  f"--token-file {self.dir}/keys/operator.token --key {self.dir}/keys/person-a.pem --reason stolen; then look at {self.url}/devices")
            print(f"The console stays open at {self.url}/ until you press Ctrl-C.", flush=True)
            while True:
                self.watch()
                time.sleep(1)


KEYS = {"root": "es256", "person-a": "es256", "person-b": "es256", "owner": "es256", "finance": "es256", "compliance": "es256",
        "auditor": "es256", "satellite": "eddsa", "receipt": "es256", "log": "eddsa", "seal": "es256"}

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(ROOT / ".build/release"), help="folder with the built programs")
    parser.add_argument("--dir", default=str(ROOT / "run/demo"), help="working folder, made anew")
    parser.add_argument("--once", action="store_true", help="end after the seventh window; exit 0 only if every check held")
    parser.add_argument("--port", type=int, default=8080, help="console and API")
    parser.add_argument("--broker-port", type=int, default=18830)
    parser.add_argument("--enrolment-port", type=int, default=18443, help="where gateways enrol (EST)")
    parser.add_argument("--plant-port", type=int, default=15020, help="revenue meter; the inverter listens on the next")
    house = House(parser.parse_args())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        house.run()
    except KeyboardInterrupt:
        print("\nStopping.")
    except (Failed, OSError, subprocess.SubprocessError) as problem:
        print(f"\nThe run failed: {problem}", file=sys.stderr)
        sys.exit(1)
    finally:
        house.stop()


if __name__ == "__main__":
    main()
