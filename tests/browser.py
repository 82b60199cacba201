"""A headless Chromium, spoken to in its own protocol over two pipes: real clicks and keys, any width, either theme."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
WITHOUT = "no Chromium is installed (looked for chromium, chromium-browser, google-chrome, chrome)"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


class Browser:
    """One page. `problems` are uncaught errors and what was written on the console or wanted from the network."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._unread = b""
        self._number = 0
        self._session = ""
        self.problems: list[str] = []
        self.allowed = ["file:", "data:"]  # how addresses begin that may be asked for
        self.loads = 0
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def show(
        self, page: Path | str, *, width: int = 1400, height: int = 1000, dark: bool = False, at: str = ""
    ) -> None:
        """Loads a file, or what an address has, as a screen of this size shows it; `at` is the end of its address:
        #part."""
        is_phone = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        address = (page if isinstance(page, str) else page.as_uri()) + at
        for url in ("about:blank", address):  # the same page anew would only be a reload
            loads = self.loads
            self._ask("Page.navigate", url=url)
            while self.loads == loads:
                self._hear()

    def evaluate(self, script: str) -> Any:
        """The value of an expression, waited for where it is a promise. Raises AssertionError where it fails."""
        found = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def click(self, selector: str) -> None:
        """In the middle of the first one, after scrolling to it."""
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self._settle()

    def point_at(self, selector: str) -> None:
        x, y = self._middle(selector)
        self._ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self._settle()

    def press(self, key: str) -> None:
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Escape": 27}
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])
        self._settle()

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self._ask("Input.insertText", text=text)
        self._settle()

    def screen(self) -> bytes:
        """What it shows, as PNG."""
        return base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"])

    def listen(self, seconds: float) -> None:
        """Waits, and takes note of what happens."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if b"\0" in self._unread or select.select([self._answers], [], [], left)[0]:
                self._hear()

    def until(self, condition: Callable[[], bool], *, seconds: float = 20) -> None:
        """Waits for it. What is asked while a page is being replaced has no answer, and is asked again."""
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except AssertionError:
                pass
            assert time.monotonic() < end, "this did not come true"
            self.listen(0.05)

    def _settle(self) -> None:
        """The page has heard of it, and is drawn again."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def _middle(self, selector: str) -> tuple[float, float]:
        place = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{place}.scrollIntoView({{block: 'center', inline: 'center'}})")
        self._settle()
        box = self.evaluate(
            f"(box => [box.x + box.width / 2, box.y + box.height / 2])({place}.getBoundingClientRect())"
        )
        return float(box[0]), float(box[1])

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, f"{method}: {heard['error']}"
                result: dict[str, Any] = heard["result"]
                return result

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            more = os.read(self._answers, 1 << 20)
            assert more, "the browser has gone"
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\0")
        heard: dict[str, Any] = json.loads(line)
        self._note(heard.get("method", ""), heard.get("params", {}))
        return heard

    def _note(self, event: str, facts: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self.loads += 1
        elif event == "Runtime.exceptionThrown":
            self.problems.append(str(facts["exceptionDetails"].get("exception", facts["exceptionDetails"])))
        elif event == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning", "assert"):
            self.problems.append(str(facts["args"]))
        elif event == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
            self.problems.append(facts["entry"]["text"])
        elif event == "Network.requestWillBeSent" and not facts["request"]["url"].startswith(tuple(self.allowed)):
            self.problems.append(f"asked the network for {facts['request']['url']}")


@contextmanager
def browser(profile: Path, flags: Sequence[str] = ()) -> Iterator[Browser]:
    """Ends with its block."""
    read_requests, requests = os.pipe()
    answers, write_answers = os.pipe()
    through = f'exec "$@" 3<&{read_requests} 4>&{write_answers}'
    command = [str(CHROMIUM), *FLAGS, *flags, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        ["bash", "-c", through, "chromium", *command],
        pass_fds=(read_requests, write_answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_requests)
    os.close(write_answers)
    try:
        yield Browser(requests, answers)
    finally:
        os.close(requests)  # without anyone to listen to, it ends
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(answers)
