"""A page in headless Chromium, over the browser's own debugging pipe: for tests of HTML."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_LONGEST_WAIT_S = 60


def chromium() -> str:
    """The browser's path; skips without one, but fails where the build server must have it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "not installed: chromium"
        if os.environ.get("BABYCRY_REQUIRE_CROSS"):
            pytest.fail(message)
        pytest.skip(message)
    return path


class Page:
    """One tab. ``complaints`` are console messages and script errors, ``requests`` every address
    that the page asked for."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol and its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, path: Path) -> None:
        """Load a file and wait until it is whole."""
        self._events.clear()
        self.complaints.clear()
        self.requests.clear()
        self.send("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._receive()

    def look(self, width: int, height: int = 800, *, dark: bool = False, scale: int = 1) -> None:
        """Show the page so wide, in light or dark colours, without a scroll bar's width."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"]))
        return result["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        data = self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def _receive(self) -> dict[str, Any]:
        end = time.monotonic() + _LONGEST_WAIT_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reader], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self._reader, 1 << 20) if ready else b""
            if not piece:
                raise RuntimeError("chromium does not answer")
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._note(message)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        name, params = event["method"], event.get("params", {})
        if name == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif name == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif name == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])


@contextmanager
def chromium_page(profile: Path) -> Iterator[Page]:
    """A browser with an empty profile in the folder ``profile``, closed at the end."""
    browser = chromium()
    to_browser, from_us = os.pipe()
    from_browser, to_us = os.pipe()
    browser_side = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (to_browser, to_us)]
    os.close(to_browser)
    os.close(to_us)
    # The browser reads commands from its file 3 and answers on 4.
    redirect = f'exec "$@" 3<&{browser_side[0]} 4>&{browser_side[1]}'
    command = ["bash", "-c", redirect, "bash", browser]
    process = subprocess.Popen(
        [*command, *_FLAGS, f"--user-data-dir={profile}"],
        pass_fds=browser_side,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    for end in browser_side:
        os.close(end)
    try:
        yield Page(from_browser, from_us)
    finally:
        os.close(from_us)
        os.close(from_browser)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
