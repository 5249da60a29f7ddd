"""What Postfix is told so that it takes mail from those whom Dovecot lets in, by the same tokens."""

from __future__ import annotations

from typing import Final

from immure.mail.settings import MailSettings

POSTFIX: Final = "postfix-main.cf"
_TEXT: Final = """\
# Written by immure mail setup: add these lines to main.cf, and nothing else that speaks of SASL.
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {socket}
smtpd_sasl_security_options = noanonymous
smtpd_sasl_response_limit = 12288
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
# Nobody sends in another's name: a sender belongs to the login of the same address.
smtpd_sender_login_maps = regexp:{{ {{ /^(.+)$$/ $$1 }} }}
smtpd_sender_restrictions = reject_sender_login_mismatch
"""


def postfix_snippet(settings: MailSettings) -> str:
    """Lines for ``main.cf``; empty if the settings have no socket for Postfix."""
    if settings.postfix is None:
        return ""
    return _TEXT.format(socket=settings.postfix.path, certificate=settings.certificate, key=settings.key)
