"""Chromium without a screen, driven by its DevTools protocol: pages, keys on the keyboard, hardware keys."""

from __future__ import annotations

import base64
import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.sync.client import ClientConnection, connect

from access.authenticator import Authenticator
from servers.program import Program, directory, found

_PATIENCE = 30.0
_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--remote-debugging-port=0", "about:blank",
)  # fmt: skip


class CannotError(Exception):
    """Chromium has answered with an error."""


class Chromium:
    """A browser; :meth:`visitor` gives somebody with cookies, and a hardware key, of their own."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message if session is None else {**message, "sessionId": session}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_PATIENCE))
            if answer.get("id") == number:
                if "error" in answer:
                    raise CannotError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            self.events.append(answer)

    def visitor(self, key: Authenticator | None = None) -> Visitor:
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        made = Visitor(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            made.call(f"{domain}.enable")
        made.plug_in(key)
        return made


@dataclass
class Visitor:
    """Somebody in front of a page."""

    browser: Chromium
    session: str

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def plug_in(self, key: Authenticator | None) -> None:
        """Chromium's own virtual authenticator; with the credentials of another, if one is given."""
        self.call("WebAuthn.enable", enableUI=False)
        options = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": False,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = self.call("WebAuthn.addVirtualAuthenticator", options=options)["authenticatorId"]
        for credential in [] if key is None else key.credentials.values():
            private = credential.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            given = {
                "credentialId": base64.b64encode(credential.id).decode(),
                "isResidentCredential": False,
                "rpId": "access.prod.example",
                "privateKey": base64.b64encode(private).decode(),
                "signCount": credential.counter + 1,
            }
            self.call("WebAuthn.addCredential", authenticatorId=made, credential=given)

    def run(self, script: str) -> Any:
        """What an expression gives; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise CannotError(json.dumps(result["exceptionDetails"])[:800])
        return result["result"].get("value")

    def wait(self, script: str) -> Any:
        """Until an expression is true; a page that goes away meanwhile is no error."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                value = self.run(script)
            except CannotError:
                value = None
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"never true: {script}\n{self.text()}")

    def go(self, url: str) -> None:
        result = self.call("Page.navigate", url=url)
        assert "errorText" not in result, result
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.run(f"document.getElementById({json.dumps(name)}).value = {json.dumps(value)}")

    def click(self, selector: str) -> None:
        """Click, and wait for the page that comes of it."""
        self.run("window.old = true")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.wait("!window.old && document.readyState === 'complete'")

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key on the keyboard: ``Tab``, ``Enter``, or a character."""
        codes = {"Tab": (9, ""), "Enter": (13, "\r")}
        code, text = codes.get(key, (ord(key[0].upper()), key))
        event: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)


@contextmanager
def running(places: Mapping[str, int], spki: str) -> Iterator[Chromium]:
    """Chromium that finds these hosts at ports of this machine, and no others.

    Args:
        places: ports of hosts.
        spki: SHA-256 (base64) of the public key of their certificate, which is taken as it is.
    """
    program = found("chromium", "Debian: chromium")
    rules = ", ".join(f"MAP {host}:443 127.0.0.1:{port}" for host, port in places.items())
    with directory() as base:
        arguments = [
            program,
            f"--user-data-dir={base}/data",
            f"--host-resolver-rules={rules}, MAP * ~NOTFOUND",
            f"--ignore-certificate-errors-spki-list={spki}",
            *_QUIET,
        ]
        environment = {"HOME": str(base), "XDG_CONFIG_HOME": str(base), "XDG_CACHE_HOME": str(base)}
        with Program(arguments, log=base / "log", environment=environment, grace=3) as chromium:
            port, path = _address(chromium, base / "data" / "DevToolsActivePort")
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as socket:
                yield Chromium(socket)


def _address(chromium: Program, note: Path) -> tuple[int, str]:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        assert chromium.process.poll() is None, chromium.printed()
        if note.exists() and note.read_text().count("\n") >= 1 and len(note.read_text().split()) == 2:
            port, path = note.read_text().split()
            return int(port), path
        time.sleep(0.05)
    raise AssertionError(chromium.printed())


def axe() -> str | None:
    """The text of axe-core (npm: axe-core), where ``IMMURE_AXE`` says, or npm has put it."""
    places = (
        os.environ.get("IMMURE_AXE"),
        "node_modules/axe-core/axe.min.js",
        "/usr/share/nodejs/axe-core/axe.min.js",
    )
    for place in places:
        if place and Path(place).is_file():
            return Path(place).read_text(encoding="utf-8")
    return None
