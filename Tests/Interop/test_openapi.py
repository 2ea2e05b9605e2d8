"""A collector begun from the shipped samples and started: its description of itself is valid OpenAPI 3.1, and what it
describes holds for requests that a schema-driven tester makes up.
"""
import json, os, pathlib, secrets, shutil, socket, subprocess, tempfile, time, unittest, urllib.error, urllib.request

import openapi_spec_validator

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("KILOMINT_BIN", ROOT / ".build/debug")) / "kilomint-collector"
KEYS = "root person-a person-b gateway owner finance compliance auditor satellite receipt log seal command".split()
ROLES = "viewer auditor owner verifier operator".split()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Collector:
    """The real process, without a broker: it says so in /healthz and serves all the same."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kilomint-openapi-"))
        self.port = free_port()
        (self.folder / "keys").mkdir()
        (self.folder / "tokens").mkdir()
        (self.folder / "witness").mkdir()
        self.tokens = {role: secrets.token_hex(24) for role in ROLES}
        for role, token in self.tokens.items():
            (self.folder / "tokens" / role).write_text(token + "\n")
        (self.folder / "mqtt-password").write_text("none\n")
        for key in KEYS:
            algorithm = "eddsa" if key == "log" else "es256"
            self.run("key", "create", "--algorithm", algorithm, "--out", self.folder / "keys" / f"{key}.pem")
        self.run("ca", "create", "--out", self.folder / "keys/ca")
        collector = self.sample("sample-collector.yaml")
        for old, new in {
            "/var/lib/kilomint": self.folder, "/mnt/witness/kilomint": self.folder / "witness", "port: 8080": f"port: {self.port}",
            "/usr/share/kilomint/firmware-profiles": ROOT / "firmware-profiles", "host: broker.example": "host: 127.0.0.1",
            "port: 8883": f"port: {free_port()}", f"  ca_file: {self.folder}/keys/ca/ca.pem\n": "",
            f"  certificate_file: {self.folder}/keys/collector.pem\n  key_file: {self.folder}/keys/collector-key.pem\n": "",
            "port: 8443": f"port: {free_port()}", "host: 0.0.0.0": "host: 127.0.0.1",
        }.items():
            assert old in collector, old
            collector = collector.replace(old, str(new))
        (self.folder / "collector.yaml").write_text(collector)
        (self.folder / "house.yaml").write_text(self.sample("sample-house.yaml"))
        self.run("genesis", "--config", self.folder / "collector.yaml", "--house", self.folder / "house.yaml")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--config", self.folder / "collector.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(300):
            try:
                self.get("/openapi.json")
                return self
            except urllib.error.URLError:
                assert self.process.poll() is None, self.process.stderr.read()
                time.sleep(0.1)
        raise AssertionError("the collector does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.status = self.process.wait(20)
        self.process.stderr.close()
        shutil.rmtree(self.folder)

    def sample(self, name):
        return (ROOT / "Collector/Command" / name).read_text().replace("/etc/kilomint", str(self.folder))

    def run(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def get(self, path, role=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if role:
            request.add_header("Authorization", f"Bearer {self.tokens[role]}")
        with urllib.request.urlopen(request) as answer:
            return answer.read()


class OpenAPITest(unittest.TestCase):
    def test_description_is_valid_and_true(self):
        with Collector() as collector:
            document = json.loads(collector.get("/openapi.json"))
            openapi_spec_validator.validate(document)
            self.assertTrue(document["openapi"].startswith("3.1"))
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if method != "get" or "{" in path:
                        continue
                    with self.subTest(path):
                        try:
                            collector.get(path, "operator")
                        except urllib.error.HTTPError as error:
                            # Without a broker the house is degraded, and says so.
                            self.assertEqual((path, error.code), ("/healthz", 503))
                            error.close()
            with self.assertRaises(urllib.error.HTTPError) as refused:
                collector.get("/v1/house")
            self.assertEqual(refused.exception.code, 401)
            self.assertEqual(refused.exception.headers["Content-Type"], "application/problem+json")
            refused.exception.close()
        self.assertEqual(collector.status, 0)


if __name__ == "__main__":
    unittest.main()
