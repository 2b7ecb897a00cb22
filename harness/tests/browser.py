"""Headless Chromium, driven over a pipe: opens pages from disk, clicks, drags, looks."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-pipe"
).split()
LIMIT_S = 60


class Browser:
    """One page of one browser, by its debugging protocol."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.errors: list[str] = []
        """Complaints of the page, and everything that it requested from a network."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Send one command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _receive(self) -> Any:
        while b"\0" not in self._rest:
            part = os.read(self._from, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event: Any) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("file:", "data:", "about:")):
                self.errors.append(f"asked the network for {url}")

    def open(self, path: Path, width: int = 1200, height: int = 1000, dark: bool = False) -> None:
        """Open a file and wait until it is drawn."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Page.navigate", url=path.as_uri())
        self.settle()

    def settle(self) -> None:
        """Wait until the document is there and has been painted."""
        script = (
            "new Promise(done => { const look = () => document.readyState === 'complete' ? "
            "requestAnimationFrame(() => setTimeout(done, 50)) : setTimeout(look, 20); look(); })"
        )
        with contextlib.suppress(AssertionError):
            self.evaluate(script)

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def title(self) -> str:
        """The title of the page that is there once its loading has ended; empty after a minute without one."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = str(self.evaluate("document.readyState == 'complete' ? document.title : ''"))
            if found:
                return found
            time.sleep(0.05)
        return ""

    def mouse(self, kind: str, x: float, y: float, clicks: int = 1) -> None:
        """``mousePressed``, ``mouseMoved`` or ``mouseReleased`` with the left button."""
        button = "none" if kind == "mouseMoved" else "left"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=clicks, buttons=1)

    def key(self, name: str) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name)

    def picture(self, path: Path | None = None) -> bytes:
        """Screenshot of the page, as PNG."""
        png = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        if path is not None:
            path.write_bytes(png)
        return png


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own; ended and deleted afterwards."""
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: apt-get install chromium"
    profile = tempfile.mkdtemp(prefix="chromium-")
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    # The protocol needs descriptors 3 and 4; bash puts them there (dash knows no number above 9).
    command = ["timeout", "-k", "5", "300", "bash", "-c", f'exec "$@" 3<&{to_read} 4>&{from_write}', "bash"]
    process = subprocess.Popen(
        [*command, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(to_read, from_write),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(from_write)
    try:
        yield Browser(to_write, from_read)
    finally:
        for descriptor in (to_write, from_read):
            os.close(descriptor)
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(profile, ignore_errors=True)
