"""A real browser for tests of pages: headless Chromium, driven by chromedriver's HTTP interface (W3C WebDriver)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM, DRIVER = "chromium", "chromedriver"
SWITCHES = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --force-color-profile=srgb"
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of a reference to an element, by the standard


class Browser:
    """One window. url: of the driver's session."""

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self, url: str) -> None:
        """Load a page and wait until it is loaded."""
        self._post("url", {"url": url})

    def run(self, script: str) -> Any:
        """Return what a script returns."""
        return self._post("execute/sync", {"script": script, "args": []})

    def click(self, selector: str) -> None:
        found = self._post("element", {"using": "css selector", "value": selector})
        self._post(f"element/{found[ELEMENT]}/click", {})

    def resize(self, width: int, height: int) -> None:
        self._post("window/rect", {"width": width, "height": height})

    def use_dark(self, is_dark: bool) -> None:
        """Ask for the dark or the light scheme."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        self._post("goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}})

    def screenshot(self) -> bytes:
        """Return the window as PNG."""
        return base64.b64decode(_request(f"{self._url}/screenshot"))

    def pdf(self) -> bytes:
        """Return the page as it prints on A4."""
        return base64.b64decode(self._post("print", {"page": {"width": 21.0, "height": 29.7}}))

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console since the last call."""
        entries = self._post("se/log", {"type": "browser"})
        return [f"{entry['level']}: {entry['message']}" for entry in entries]

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return _request(f"{self._url}/{path}", body)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; the test is skipped, by name, where there is none."""
    for program in (CHROMIUM, DRIVER):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="mrsync-browser-") as home:
        driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True, env=_environment(home))
        try:
            yield from _session(_port(driver), home)
        finally:
            driver.terminate()
            driver.wait()
            assert driver.stdout is not None
            driver.stdout.close()


def _environment(home: str) -> dict[str, str]:
    return {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        if "started successfully on port" in line:
            return int(line.rstrip().rstrip(".").split()[-1])
    raise AssertionError("chromedriver did not start")


def _session(port: int, home: str) -> Iterator[Browser]:
    base = f"http://127.0.0.1:{port}/session"
    options = {"args": [*SWITCHES.split(), f"--user-data-dir={home}/profile"]}
    wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    session = _request(base, {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
    try:
        yield Browser(f"{base}/{session}")
    finally:
        _request(f"{base}/{session}", method="DELETE")


def _request(url: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=50) as answer:
        return json.load(answer)["value"]
