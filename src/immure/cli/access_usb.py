"""Hardware keys that are plugged in: CTAP over USB, by ``fido2``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from immure.cli.messages import say
from immure.errors import SignerError, UsageError

if TYPE_CHECKING:
    from fido2.client import Fido2Client

    from immure.access import Ceremony


def get_assertion(
    ceremony: Ceremony, origin: str, devices: Callable[[], Any] | None = None
) -> Mapping[str, Any]:
    """Let a key sign; its response as JSON.

    Args:
        ceremony: what is signed.
        origin: of the room's page; the terminal speaks for it.
        devices: gives the keys that are there, for tests.

    Raises:
        UsageError: there is no key, or ``fido2`` is not installed.
        SignerError: the key does not sign.
    """
    from fido2.webauthn import PublicKeyCredentialRequestOptions

    options = PublicKeyCredentialRequestOptions.from_dict(dict(ceremony.options))
    return _with_client(origin, devices, lambda client: client.get_assertion(options).get_response(0))


def make_credential(
    ceremony: Ceremony, origin: str, devices: Callable[[], Any] | None = None
) -> Mapping[str, Any]:
    """Let a key make a credential; its response as JSON. Raises as :func:`get_assertion`."""
    from fido2.webauthn import PublicKeyCredentialCreationOptions

    options = PublicKeyCredentialCreationOptions.from_dict(dict(ceremony.options))
    return _with_client(origin, devices, lambda client: client.make_credential(options))


def _with_client(
    origin: str, devices: Callable[[], Any] | None, work: Callable[[Fido2Client], Any]
) -> Mapping[str, Any]:
    from fido2.client import ClientError, DefaultClientDataCollector, Fido2Client, PinRequiredError
    from fido2.ctap import CtapError

    device = _device(devices)
    client = Fido2Client(device, DefaultClientDataCollector(origin), user_interaction=_interaction())
    try:
        return dict(work(client))
    except PinRequiredError as error:
        raise SignerError("the key has no PIN; set one with the tools of its vendor") from error
    except ClientError as error:
        raise SignerError(f"the key does not sign: {error.code.name.lower().replace('_', ' ')}") from error
    except (CtapError, OSError, ValueError) as error:
        raise SignerError(f"the key does not answer: {str(error)[:120]}") from error


def _device(devices: Callable[[], Any] | None) -> Any:
    if devices is None:
        from fido2.hid import CtapHidDevice

        devices = CtapHidDevice.list_devices
    try:
        found = list(devices())
    except OSError as error:
        raise UsageError(f"security keys cannot be asked: {error.strerror}") from error
    if len(found) != 1:
        words = "no security key is" if not found else f"{len(found)} security keys are"
        raise UsageError(f"{words} plugged in; one should be. Or use --options and --assertion")
    return found[0]


def _interaction() -> Any:
    from fido2.client import UserInteraction

    class Terminal(UserInteraction):
        """Asks in the terminal."""

        def prompt_up(self) -> None:
            """Ask for a touch."""
            say("touch your security key")

        def request_pin(self, permissions: Any, rp_id: str | None) -> str | None:
            """Ask for the PIN, if there is anybody."""
            if sys.stdin is None or not sys.stdin.isatty():
                return None
            answer: str = click.prompt("PIN of the security key", hide_input=True, err=True)
            return answer

        def request_uv(self, permissions: Any, rp_id: str | None) -> bool:
            """The key may ask for a finger."""
            return True

    return Terminal()
