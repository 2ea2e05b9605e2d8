"""A Chromium without a window, spoken to over two pipes (DevTools protocol): what people see and click. Judges nothing."""

import base64
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import time


class Browser:
    """One page. `with Browser() as page:`"""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="kilomint-browser-")
        own_in, their_out = os.pipe()
        their_in, own_out = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={self.folder}", "about:blank"]
        command = " ".join(["exec", "chromium", *(shlex.quote(option) for option in options), f"3<&{their_in}", f"4>&{their_out}"])
        log = open(pathlib.Path(self.folder) / "log", "wb")
        self.process = subprocess.Popen(["bash", "-c", command], pass_fds=(their_in, their_out), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        os.close(their_in)
        os.close(their_out)
        self.input, self.output = os.fdopen(own_in, "rb", 0), os.fdopen(own_out, "wb", 0)
        self.number, self.rest, self.session = 0, b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.input.close()
        self.output.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.output.write(json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.input.fileno(), 1 << 16)
                if not more:
                    raise AssertionError("the browser ended")
                self.rest += more
            text, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def run(self, script):
        """The value of an expression; a promise's when it is kept."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, script, seconds=60):
        deadline = time.time() + seconds
        while True:
            if value := self.run(script):
                return value
            if time.time() > deadline:
                raise AssertionError(f"not within {seconds} s: {script}\n{self.run('document.body.innerText')}")
            time.sleep(0.1)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def fill(self, **fields):
        for name, value in fields.items():
            self.run(f"""(() => {{ const field = document.querySelector('[name="{name.replace('__', '.')}"]'); field.value = {json.dumps(value)};
                field.dispatchEvent(new Event('change', {{ bubbles: true }})); if (field.value !== {json.dumps(value)}) throw new Error('no such choice'); }})()""")

    def press(self, selector):
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def choose(self, selector, *paths):
        """Files for an input, as a person picks them."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path, selector=None):
        """Of the whole page, or of one element."""
        clip = {}
        if selector:
            box = self.run(f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect(); return [b.x + scrollX, b.y + scrollY, b.width, b.height]; }})()")
            clip = {"clip": dict(zip(("x", "y", "width", "height"), box), scale=2)}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, **clip)
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))
