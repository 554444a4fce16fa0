"""A headless Chromium without a network, spoken to over the DevTools protocol."""

import base64
import functools
import gzip
import http.server
import itertools
import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urldefrag

import websocket

from tools import vendor
from tools.project import ROOT

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

PATIENCE = 300
"""Seconds that an answer may take: a slow machine loads a network for a minute."""


@dataclass
class Visit:
    """What happened while a page was open: addresses asked for, failures, complaints, and bytes received."""

    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sizes: dict[str, float] = field(default_factory=dict)


class Browser:
    """One browser with one page; a context manager that ends it."""

    def __init__(self, path: str) -> None:
        self.profile = tempfile.mkdtemp(prefix="book-browser-")
        self.process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.ids = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        self.socket = websocket.create_connection(self._address(), timeout=PATIENCE)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        # Every page is weighed as a first visit.
        self.call("Network.setCacheDisabled", cacheDisabled=True)

    session: str | None = None

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _address(self) -> str:
        ready = Path(self.profile) / "DevToolsActivePort"
        for _ in range(900):
            if ready.is_file() and len(lines := ready.read_text().splitlines()) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            time.sleep(0.1)
        raise RuntimeError("Chromium did not start within 90 s")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; events that come meanwhile are kept."""
        number = next(self.ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the page, promises awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:600])
        return answer["result"].get("value")

    def look(self, width: int = 1280, height: int = 900, theme: str = "light") -> None:
        """Choose the size of the screen and the theme that the reader's system asks for."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        code = {"Tab": 9, "Enter": 13, "ArrowRight": 39}[key]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path) -> None:
        """Keep what is seen as a PNG, to be looked at."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def unreadable(self, options: str = "{resultTypes: ['violations']}") -> list[str]:
        """What the checker axe-core finds that somebody could not read or reach; raises BookError without it."""
        if not vendor.ready(ROOT, (vendor.AXE,)):
            vendor.fetch(vendor.AXE, ROOT)
        script = (vendor.AXE.folder(ROOT) / "axe.min.js").read_text("utf-8")
        # A change of theme fades: colors are judged where they come to rest.
        if not self.evaluate("'axe' in window"):
            self.evaluate(f"{script};0")
        self.evaluate(AT_REST)
        found = "result.violations.map((v) => `${v.id}: ${v.nodes.length} x ${v.nodes[0].html.slice(0, 150)}`)"
        return self.evaluate(f"axe.run(document, {options}).then((result) => {found})")

    def load(self, address: str) -> None:
        """Open a page and wait until it is loaded, whatever its scripts go on to do."""
        self.events.clear()
        self.call("Page.navigate", url=address)
        # Nothing is asked before: a question that meets a change of the page's process is never answered.
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self.socket.recv()))

    def open(self, address: str) -> Visit:
        """Open a page, wait until it, its math, its pictures and its widgets have settled, and tell what happened."""
        for place in ("about:blank", address):
            self.load(place)
        # A page may drop what was asked of it from its address, as JupyterLab does with its token.
        page = urldefrag(address).url.split("?")[0]
        for _ in range(600):
            if self.evaluate(f"document.readyState == 'complete' && location.href.startsWith({page!r})"):
                break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{address} was not reached: {self.evaluate('location.href')} is open")
        self.evaluate(SETTLED)
        return visit(self.events)


MOVED = """(control, turn) => {
  if (control.type === 'radio' || control.type === 'checkbox') control.click();
  else if (control.type === 'range') {
    control.value = turn % 2 ? control.min : (Number(control.min) + 3 * Number(control.max)) / 4;
    control.dispatchEvent(new Event('input', { bubbles: true }));
  } else {
    control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
    control.dispatchEvent(new Event('change', { bubbles: true }));
  }
}"""
"""A hand on a control of a lab; a slider goes to one place in even turns, to another in odd ones."""

SETTLED = """(async () => {
  document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; });
  const decoded = [...document.images].map((image) => image.decode().catch(() => null));
  await Promise.race([Promise.all(decoded), new Promise((done) => setTimeout(done, 5000))]);
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  await new Promise((done) => setTimeout(done, 250));
})()"""


AT_REST = """document.getAnimations().forEach((change) => {
  if (Number.isFinite(change.effect.getComputedTiming().endTime)) change.finish();
})"""


class Host(http.server.SimpleHTTPRequestHandler):
    """A web host: files of a folder, text compressed; its pages are isolated, which gives the large network threads."""

    def do_GET(self) -> None:
        """Answer with a file; what the labs load is compressed as it lies."""
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".svg") or not path.is_file() or path.parent.name == "lab":
            super().do_GET()
            return
        body = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """As one asks for threads."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder while it is served over http."""
    handler = functools.partial(Host, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def visit(events: list[dict[str, Any]]) -> Visit:
    """The story that the events of one page load tell."""
    seen, names = Visit(), {}
    for event in events:
        data = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                names[data["requestId"]] = data["request"]["url"]
                seen.requests.append(data["request"]["url"])
            case "Network.responseReceived" if data["response"]["status"] >= 400:
                seen.failures.append(f"{data['response']['status']} {data['response']['url']}")
            case "Network.loadingFailed":
                seen.failures.append(f"{data['errorText']} {names.get(data['requestId'])}")
            case "Network.loadingFinished":
                seen.sizes[names.get(data["requestId"], "")] = data["encodedDataLength"]
            case "Runtime.exceptionThrown":
                details = data["exceptionDetails"]
                seen.errors.append(details.get("exception", {}).get("description") or details["text"])
            case "Runtime.consoleAPICalled" if data["type"] in ("error", "assert"):
                seen.errors.append(" ".join(str(argument.get("value")) for argument in data["args"]))
            case "Log.entryAdded" if data["entry"]["level"] == "error":
                seen.errors.append(f"{data['entry']['text']} {data['entry'].get('url', '')}")
    return seen
