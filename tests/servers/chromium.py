"""Chromium without a screen, driven by its DevTools protocol: pages, the keyboard, hardware keys, phones, and
the dark. What axe-core finds is in ``servers.axe``.

One browser is enough for all tests of a session: :meth:`Chromium.visitor` gives somebody with cookies of
their own. Its hosts are named before their servers are there: begin with free ports, and serve there later.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.sync.client import ClientConnection, connect

from servers.program import Program, directory, found

_PATIENCE = 30.0
_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-software-rasterizer",
    "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-extensions", "--hide-scrollbars", "--lang=en-US",
    "--disable-features=OptimizationHints,MediaRouter,Translate,SpareRendererForSitePerProcess",
    # visitors are many, and a process for each takes longer than all that they do
    "--renderer-process-limit=1", "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
#: What a press of a key is, beside characters: its code, and the text that it gives.
_KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "ArrowDown": (40, ""), "Escape": (27, "")}


class CannotError(Exception):
    """Chromium has answered with an error."""


class Chromium:
    """A browser; :meth:`visitor` gives somebody with cookies, and a hardware key, of their own."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._visitors: list[Visitor] = []
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

    def visitor(self, key: Any = None, *, party: str = "access.prod.example") -> Visitor:
        """Somebody new; with the credentials of ``key`` (``access.authenticator``), if one is given."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        made = Visitor(self, session, context, party)
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            made.call(f"{domain}.enable")
        made.plug_in(() if key is None else key.credentials.values())
        self._visitors.append(made)
        return made

    def leave(self, visitor: Visitor) -> None:
        """Somebody goes, and their page with them."""
        self._visitors.remove(visitor)
        self.call("Target.disposeBrowserContext", browserContextId=visitor.context)

    def complaints(self) -> list[str]:
        """What the browser has complained about since this was asked: violations of the Content Security
        Policy, errors of scripts. That a page answers 403 is none."""
        for visitor in self._visitors:
            visitor.run("1")  # what has happened before is told before the answer
        said = [text for event in self.events if (text := _complaint(event))]
        self.events.clear()
        return said


def _complaint(event: Mapping[str, Any]) -> str:
    method, body = event.get("method"), event.get("params", {})
    if method == "Log.entryAdded" and body["entry"]["level"] == "error":
        entry = body["entry"]
        return "" if entry["source"] == "network" else f"{entry['source']}: {entry['text']}"
    if method == "Runtime.exceptionThrown":
        return f"exception: {json.dumps(body['exceptionDetails'])[:500]}"
    if method == "Audits.issueAdded" and body["issue"]["code"] == "ContentSecurityPolicyIssue":
        return f"content security policy: {json.dumps(body['issue']['details'])[:500]}"
    return ""


@dataclass
class Visitor:
    """Somebody in front of a page. ``party`` is the relying party that their hardware key knows."""

    browser: Chromium
    session: str
    context: str
    party: str
    authenticator: str = field(default="", init=False)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    # --- hardware keys ---

    def plug_in(self, credentials: Iterable[Any] = ()) -> None:
        """Chromium's own virtual authenticator, with credentials that were made elsewhere. The one before is
        taken out."""
        if self.authenticator:
            self.call("WebAuthn.removeVirtualAuthenticator", authenticatorId=self.authenticator)
        self.call("WebAuthn.enable", enableUI=False)
        options = {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": False,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        self.authenticator = self.call("WebAuthn.addVirtualAuthenticator", options=options)["authenticatorId"]
        for credential in credentials:
            private = credential.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            given = {
                "credentialId": base64.b64encode(credential.id).decode(),
                "isResidentCredential": False,
                "rpId": self.party,
                "privateKey": base64.b64encode(private).decode(),
                "signCount": credential.counter + 1,
            }
            self.call("WebAuthn.addCredential", authenticatorId=self.authenticator, credential=given)

    # --- pages ---

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
            time.sleep(0.01)
        raise AssertionError(f"never true: {script}\n{self.text()}")

    def go(self, url: str) -> None:
        self.leaving()
        result = self.call("Page.navigate", url=url)
        assert "errorText" not in result, result
        self.arrived()

    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.run(f"document.getElementById({json.dumps(name)}).value = {json.dumps(value)}")

    def click(self, selector: str) -> None:
        """Click, and wait for the page that comes of it."""
        self.leaving()
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self.arrived()

    def leaving(self) -> None:
        """From now on :meth:`arrived` waits for another page."""
        self.run("window.old = true")

    def arrived(self) -> None:
        self.wait("!window.old && document.readyState === 'complete'")

    # --- the keyboard ---

    def press(self, key: str, *, shift: bool = False) -> None:
        """A key on the keyboard: ``Tab``, ``Enter``, ``ArrowDown``, or a character."""
        code, text = _KEYS.get(key, (ord(key[0].upper()), key))
        event: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def write(self, text: str) -> None:
        """Press the keys of a text; line breaks are ``Enter``."""
        for one in text:
            self.press("Enter" if one == "\n" else one)

    def paste(self, text: str) -> None:
        """Put a text where the focus is, as by the clipboard."""
        self.call("Input.insertText", text=text)

    def focused(self) -> str:
        """Where the focus is: the id of the element, or else its text."""
        return str(self.run("document.activeElement.id || document.activeElement.innerText.trim()"))

    def focus_is_seen(self) -> bool:
        """Whether what has the focus is marked."""
        return bool(
            self.run(
                "(() => { const look = getComputedStyle(document.activeElement);"
                " return look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2 })()"
            )
        )

    # --- screens ---

    def screen(self, width: int = 0, height: int = 640) -> None:
        """A phone of so many CSS pixels; 0: the usual screen again."""
        if width:
            self.call(
                "Emulation.setDeviceMetricsOverride",
                width=width, height=height, deviceScaleFactor=1, mobile=True,
            )  # fmt: skip
        else:
            self.call("Emulation.clearDeviceMetricsOverride")

    def scheme(self, name: str) -> None:
        """What the system prefers: ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def too_wide(self) -> list[str]:
        """What of the page goes beyond the right edge of the screen: nobody should scroll two ways."""
        return list(
            self.run(
                "[...document.querySelectorAll('body, body *')].filter((one) => "
                "one.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)"
                ".map((one) => one.outerHTML.slice(0, 120))"
            )
        ) or (
            ["the document"]
            if self.run("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            else []
        )

    def violations(self, *rules: str) -> list[tuple[str, str]]:
        """See :func:`servers.axe.violations`."""
        from servers import axe

        return axe.violations(self, *rules)


@contextmanager
def running(places: Mapping[str, int], spki: str) -> Iterator[Chromium]:
    """Chromium that finds these hosts at ports of this machine, and no others.

    Args:
        places: ports of hosts (https://HOST/).
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
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, compression=None) as socket:
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
