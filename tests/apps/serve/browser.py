"""Chromium by its DevTools protocol over two pipes: no driver, no port, no other package."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

SWITCHES = """
headless no-sandbox disable-gpu disable-quic no-first-run disable-sync disable-component-update
disable-background-networking disable-dev-shm-usage hide-scrollbars remote-debugging-pipe
"""


class Browser:
    """One Chromium with a profile of its own.

    The process reads commands from its descriptor 3 and writes answers and events to 4, each ended
    by a zero byte.
    """

    def __init__(self, profile: Path) -> None:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            pytest.skip("chromium is not installed: apt-get install chromium")
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        flags = [f"--{switch}" for switch in SWITCHES.split()]
        command = [chromium, *flags, f"--user-data-dir={profile}"]
        # A shell puts the pipes where Chromium wants them.
        script = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=[theirs_in, theirs_out],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One command and its result."""
        self._number += 1
        said = {"id": self._number, "method": method, "params": params}
        if session is not None:
            said["sessionId"] = session
        os.write(self._out, json.dumps(said).encode() + b"\0")
        while True:
            got = self._next()
            if got.get("id") == self._number:
                assert "error" not in got, got["error"]
                return got["result"]
            if "method" in got:
                self.events.append(got)

    def page(self, *, width: int = 1280, height: int = 860, dark: bool = False) -> "Page":
        """A new tab."""
        return Page(self, width, height, dark)

    def close(self) -> None:
        """End the browser."""
        os.close(self._out)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        whole, _, self._rest = self._rest.partition(b"\0")
        return json.loads(whole)


class Page:
    """A tab: opened, looked at, typed into."""

    def __init__(self, browser: Browser, width: int, height: int, dark: bool) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for part in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{part}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command for this tab."""
        return self._browser.call(method, self._session, **params)

    def open(self, url: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=url)

    def js(self, expression: str) -> Any:
        """The value of an expression; a promise is waited for."""
        got = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def until(self, expression: str, seconds: float = 30.0) -> Any:
        """Wait for an expression to be true; its value."""
        end = time.monotonic() + seconds
        while not (value := self.js(expression)):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}\n{self.text()}"
            time.sleep(0.05)
        return value

    def text(self) -> str:
        """What can be read on the page."""
        return self.js("document.body ? document.body.innerText : ''") or ""

    def click(self, selector: str) -> None:
        """Click the first element."""
        self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        self.js(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, key: str) -> None:
        """A key, to whatever has the focus."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def type(self, selector: str, text: str) -> None:
        """Write into a field."""
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """What can be seen, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def complaints(self) -> list[str]:
        """Errors of the console, exceptions, and what was refused, so far."""
        self.js("1")
        mine = [e for e in self._browser.events if e.get("sessionId") == self._session]
        logged = [
            e["params"]["entry"]["text"]
            for e in mine
            if e["method"] == "Log.entryAdded" and e["params"]["entry"]["level"] == "error"
        ]
        thrown = [
            str(e["params"]["exceptionDetails"])
            for e in mine
            if e["method"] == "Runtime.exceptionThrown"
        ]
        return logged + thrown

    def requested(self) -> set[str]:
        """The addresses that the page asked for."""
        self.js("1")
        return {
            e["params"]["request"]["url"]
            for e in self._browser.events
            if e.get("sessionId") == self._session and e["method"] == "Network.requestWillBeSent"
        }
