"""Which domain's mailboxes a token opens: a file that Dovecot looks into at every login.

>>> row_key("https://login.example", "7ab8", "")[:16]
'89dd0f15dfcd4d91'

The key is a hash of what the introspection server says of the token, so that no character of an issuer's name
can end a field of the file. A token whose issuer, tenant and domain are not together in one row opens
nothing.
"""

from __future__ import annotations

import hashlib
from typing import Final

from immure.mail.settings import Domain, MailSettings

#: Stands between the parts of a key; no issuer, tenant or domain has a blank.
SEPARATOR: Final = " "
#: What a row says that has no tenant, and what Dovecot puts where the answer has none.
NONE: Final = "-"
#: Rows of logins that are denied: is it the address that was asked for, and does the token open a domain?
REFUSED: Final = ("same-nowhere", "other-nowhere", "other-somewhere")
_HEAD: Final = """\
# Written by immure mail setup. Issuer, tenant and domain of a token, as one hash: the domain that it opens.
# The rows of words at the end deny logins: without them a token is let into its own mailbox by any name.
"""


def row_key(issuer: str, tenant: str, domain: str) -> str:
    """The name of a row.

    Args:
        issuer: ``iss``.
        tenant: of the token; ``-`` if it has none.
        domain: that the token itself names in an address; empty where it names only a mailbox.
    """
    return hashlib.sha256(SEPARATOR.join((issuer, tenant, domain)).encode("utf-8")).hexdigest()


def domains_file(settings: MailSettings) -> str:
    """The file, in the form of Dovecot's passwd-file: ``key:password:uid:gid:gecos:home:shell:fields``."""
    rows = [_row(name, domain, settings) for name, domain in sorted(settings.domains.items())]
    denied = [f"{one}:{{PLAIN}}-::::::\n" for one in REFUSED]
    return _HEAD + "".join(rows + denied)


def _row(name: str, domain: Domain, settings: MailSettings) -> str:
    tenant = NONE if domain.tenant is None else domain.tenant
    key = row_key(domain.issuer, tenant, name if settings.naming == "address" else "")
    # a password is needed for the row to be one; nothing that logs in with a password is configured
    return f"{key}:{{PLAIN}}-::::::mail_domain={name} mail_tenant={tenant}\n"
