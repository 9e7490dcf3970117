"""A real browser: Chromium, driven as the W3C's WebDriver protocol says, which is JSON over HTTP.

So no library is needed beside Debian's packages `chromium` and `chromium-driver`.
"""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

CHROMIUM: Final = "/usr/bin/chromium"
DRIVER: Final = "/usr/bin/chromedriver"
ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_S: Final = 60
WIDE: Final = (1440, 900)
PHONE: Final = (390, 844)


class BrowserError(Exception):
    """What the browser, or a script in it, has refused."""


class Browser:
    """One window."""

    def __init__(self, port: int, profile: Path) -> None:
        self._port = port
        options = {"binary": CHROMIUM, "args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        found = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{found['sessionId']}"
        self._command("timeouts", {"script": TIMEOUT_S * 1000, "pageLoad": TIMEOUT_S * 1000})

    def open(self, url: str) -> None:
        """Load a page."""
        self._command("url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """What a function body returns; a promise is waited for."""
        return self._command("execute/sync", {"script": script, "args": list(arguments)})

    def look(self, size: tuple[int, int], scheme: str = "light") -> None:
        """Be as wide and as high as this, for somebody who prefers `light` or `dark`."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.devtools("Emulation.setDeviceMetricsOverride", mobile=size == PHONE, **screen)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])

    def press(self, *keys: str) -> None:
        """Press keys one after the other: characters, or WebDriver's code points for others."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        sequence = {"type": "key", "id": "keyboard", "actions": actions}
        self._command("actions", {"actions": [sequence]})

    def screenshot(self, path: Path) -> None:
        """Write what is seen as PNG."""
        path.write_bytes(base64.b64decode(self._call("GET", f"{self._session}/screenshot")))

    def complaints(self) -> list[str]:
        """What stands in the console since this was asked last."""
        found = self._command("se/log", {"type": "browser"})
        return [f"{entry['level']}: {entry['message']}" for entry in found]

    def devtools(self, command: str, **parameters: object) -> Any:
        """Chromium's own protocol, for what WebDriver has no command for."""
        return self._command("goog/cdp/execute", {"cmd": command, "params": parameters})

    def wait_for(self, script: str, *arguments: object) -> Any:
        """What a function body returns once that is true."""
        end = time.monotonic() + TIMEOUT_S
        while not (found := self.run(script, *arguments)):
            if time.monotonic() > end:
                text = self.run("return document.body.innerText")
                raise BrowserError(f"still not true: {script}; the page says:\n{text}")
            time.sleep(0.05)
        return found

    def close(self) -> None:
        """End the browser."""
        self._call("DELETE", self._session)

    def _command(self, name: str, body: dict[str, Any]) -> Any:
        return self._call("POST", f"{self._session}/{name}", body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=2 * TIMEOUT_S)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise BrowserError(f"{path}: {value['message']}")
        return value


@contextmanager
def browser(folder: Path, wrap: Callable[[list[str]], list[str]] = list) -> Iterator[Browser]:
    """A browser with a profile of its own in the folder; `wrap` may start it elsewhere."""
    log = folder / "chromedriver.log"
    command = wrap([DRIVER, "--port=0", f"--log-path={log}"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as driver:
        try:
            window = Browser(_port(driver), folder / "profile")
            try:
                yield window
            finally:
                window.close()
        finally:
            driver.terminate()


def _port(driver: subprocess.Popen[str]) -> int:
    """Where it listens, by what it prints."""
    for line in driver.stdout or ():
        if "started successfully on port" in line:
            return int(line.rstrip(".\n").rpartition(" ")[2])
    raise BrowserError("chromedriver ended before it listened")
