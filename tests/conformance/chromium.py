"""A page in headless Chromium, over its DevTools pipe: one browser for many pages, and no driver, port or network."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio",
    "--remote-debugging-pipe",
)  # fmt: skip
SECONDS = 60


def installed():
    """The browser's path; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """A browser with one page. Since the last visit: `told`, what the console, the log and uncaught errors said;
    `requested`, the addresses that were asked for; `dialogs`, how many opened."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        (their_in, self._out), (self._in, their_out) = os.pipe(), os.pipe()
        command = ["bash", "-c", f'exec "$@" 3<&{their_in} 4>&{their_out}', "bash", installed(), *FLAGS]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={self._folder.name}", "about:blank"],
            pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        self._buffer, self._numbers, self._session, self._events = b"", count(1), None, []
        self.told, self.requested, self.dialogs = [], [], 0
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """The result of a DevTools command; what the page says meanwhile is kept."""
        number = self._send(method, **parameters)
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _send(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return number

    def _read(self):
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            assert time.monotonic() < deadline, "Chromium does not answer"
            got = os.read(self._in, 1 << 20)
            assert got, "Chromium ended"
            self._buffer += got
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        self._events.append(message.get("method"))
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.consoleAPICalled":
            self.told.append(str(parameters["args"]))
        elif message.get("method") == "Runtime.exceptionThrown":
            self.told.append(str(parameters["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded":
            self.told.append(parameters["entry"]["text"])
        elif message.get("method") == "Network.requestWillBeSent":
            self.requested.append(parameters["request"]["url"])
        elif message.get("method") == "Page.javascriptDialogOpening":
            self.dialogs += 1
            self._send("Page.handleJavaScriptDialog", accept=True)
        return message

    def visit(self, path, fragment=""):
        """Open a file, and wait until it has loaded."""
        self._load("about:blank")
        self.told, self.requested, self.dialogs = [], [], 0
        self._load(f"{Path(path).absolute().as_uri()}{fragment and '#'}{fragment}")

    def _load(self, url):
        self._events = []
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._events:
            self._read()

    def run(self, script):
        """The value of a JavaScript expression on the page, once its promise and a turn of its events are done."""
        turn = "await new Promise((done) => setTimeout(done, 20))"
        expression = f"(async () => {{ const value = await ({script}); {turn}; return value; }})()"
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def key(self, name, code, text=""):
        """Press a key."""
        for kind, typed in (("keyDown", text), ("keyUp", "")):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code, text=typed)

    def close(self):
        """End the browser."""
        os.close(self._out)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        self._folder.cleanup()
