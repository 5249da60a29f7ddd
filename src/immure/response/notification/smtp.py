"""Letters by SMTP (RFC 5321), over TLS, with a transaction for each.

The mark that a letter may have been taken is set between RCPT and DATA: who cannot be reached, or does not
take the recipient, has surely not taken the letter.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING, Any, Final

from immure.response.errors import ResponseError
from immure.response.notification.courier import AboutTo, Courier, Outcome, line
from immure.response.notification.errors import SettingsError
from immure.response.notification.settings import Smtp

if TYPE_CHECKING:
    from aiosmtplib import SMTP

_REFUSALS: Final = range(400, 600)
_PERMANENT: Final = range(500, 600)
#: The answer to a whole letter; as an error it can only be one to DATA, before anything of the letter left.
_TAKEN: Final = 250


class SmtpCourier(Courier):
    """Hands letters to a mail server.

    Args:
        settings: of the server.
        sender: the address in MAIL FROM, to which bounces go.

    Raises:
        SettingsError: the file of certificates cannot be used.
        ResponseError: aiosmtplib is not installed.
    """

    def __init__(self, settings: Smtp, sender: str) -> None:
        try:
            import aiosmtplib
        except ImportError as error:
            raise ResponseError("mail needs aiosmtplib: pip install 'immure[respond]'") from error
        self._library = aiosmtplib
        self._settings, self._sender = settings, sender
        self._context = None if settings.tls == "none" else _context(settings)

    async def carry(self, to: str, body: bytes, about_to: AboutTo) -> Outcome:
        """See :meth:`Courier.carry`."""
        place = f"{self._settings.host}:{self._settings.port}"
        client = self._client()
        try:
            await client.connect()
            await client.mail(self._sender)
            await client.rcpt(to)
        except self._library.SMTPAuthenticationError as error:
            return Outcome("failed", line(f"{place} does not let us in: {error.code} {error.message}"))
        except self._library.SMTPResponseException as error:
            client.close()
            return _answer(error)
        except (TimeoutError, self._library.SMTPException, OSError, ValueError) as error:
            client.close()
            return Outcome("failed", line(f"{place}: {_words(error)}"))
        try:
            about_to()
            taken = await client.data(body)
        except self._library.SMTPResponseException as error:
            if error.code in _REFUSALS or error.code == _TAKEN:
                return _answer(error)
            return Outcome("unknown", line(f"{place}: no answer that could be understood: {error.code}"))
        except (TimeoutError, self._library.SMTPException, OSError, ValueError) as error:
            return Outcome("unknown", line(f"{place}: no answer to the letter: {_words(error)}"))
        finally:
            client.close()  # without QUIT: the letter is taken, and nobody has to wait for a farewell
        return Outcome("sent", line(f"{taken.code} {taken.message}"))

    def _client(self) -> SMTP:
        settings = self._settings
        password = None if settings.password is None else settings.password.reveal()
        return self._library.SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.user,
            password=password,
            timeout=settings.seconds,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=self._context,
        )


def _answer(error: Any) -> Outcome:
    return Outcome("failed", line(f"{error.code} {error.message}"), permanent=error.code in _PERMANENT)


def _words(error: BaseException) -> str:
    """What broke: the reason of the system if there is one, and not how the library puts it."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno is not None:
        return os.strerror(cause.errno)
    return str(cause) or type(error).__name__


def _context(settings: Smtp) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if settings.ca_file is None else str(settings.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("no certificates that could be used", path=str(settings.ca_file)) from error
