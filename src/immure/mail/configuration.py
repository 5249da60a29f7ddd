r"""The configuration of Dovecot 2.4 that takes nothing but scoped tokens: its text, from settings.

How a login is decided, in this order; each step can only refuse:

1. The introspection server says whether the token is good, and for whom: ``username``, ``iss``, ``tenant``.
   Dovecot compares ``username`` with the name that the client gave, without its domain.
2. ``passdb domains`` looks for the token's issuer and tenant in a file (:mod:`immure.mail.domains`), which
   says what domain they open.
3. ``passdb mailbox`` makes the mailbox's address of the two. From here on the client's word for it is not
   used.
4. ``passdb refusals`` denies the login if that is not the address that the client asked for, or if there was
   no such domain. It looks into the same file: if that one is gone, there is no domain and no mailbox either.

In Dovecot a token needs no passdb, and one that knows nothing of a user does not keep a good token out (it is
meant for fields); only a passdb with ``deny`` can. So step 4 denies, and an error of any of them denies as
well.

A member that an answer lacks must not be named in ``fields``: Dovecot 2.4.1 ends its login process over it
(``call_value_provider: assertion failed``), with ``default`` or without. ``iss`` is in every answer,
``username`` is looked at before, and ``tenant`` is there if the policy lists the tenants of each issuer. What
else is known of a token is in the log of acceptances, under its digest.

The digest of the token (:func:`immure.digest.signed_digest`) is computed there, too, and goes into the events
of the session by the fields ``event_…`` (of the login) and ``userdb_event_…`` (of what follows).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from immure.mail.commands import LOGGED_COMMANDS
from immure.mail.domains import NONE, SEPARATOR
from immure.mail.settings import MailSettings

CONFIGURATION: Final = "dovecot.conf"
DOMAINS: Final = "domains"
_BEGIN: Final = """\
# Written by immure mail setup, which refuses to write over changes that were made here by hand.
# The secret for the introspection server is in this file: it is for root only.
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
"""
#: What step 4 looks up (:data:`immure.mail.domains.REFUSED`): is it the address that was asked for, and is
#: there such a domain?
_SAME: Final = "%{original_user | lower | if('eq', user, 'same', 'other')}"
_KNOWN: Final = "%{passdb:mail_domain | default('') | if('eq', '', 'nowhere', 'somewhere')}"
#: RFC 7515: the digest is over the first two parts and the point between. Dovecot's escapes are doubled.
_DIGEST: Final = r"regexp('^([^.]*[.][^.]*)[.].*$', '\\1') | sha256 | substr(0, 16) | hexlify"
#: Names of event fields, and what is in them; the events have those of Dovecot's own beside them.
_EVENT_FIELDS: Final = {
    "token_digest": f"%{{passdb:token | {_DIGEST}}}",
    "token_issuer": "%{passdb:token_issuer | default('')}",
    "mail_tenant": "%{passdb:mail_tenant | default('')}",
}


def configuration(settings: MailSettings, directory: str) -> str:
    """The text of ``dovecot.conf``.

    Args:
        settings: what is said of the server.
        directory: where this file and those that it names are going to be.
    """
    parts = [
        _BEGIN,
        _places(settings),
        _secured(settings),
        _tokens(settings),
        _decided(settings, directory),
        _mailboxes(settings),
        _services(settings),
        _relay(settings),
        _events(settings),
    ]
    return "\n".join(part for part in parts if part)


def _places(settings: MailSettings) -> str:
    lines = ["protocols = imap submission", f"listen = {settings.listen}"]
    if settings.run is not None:
        lines.append(f"base_dir = {settings.run}")
    if settings.state is not None:
        lines.append(f"state_dir = {settings.state}")
    lines.append(f"log_path = {settings.log}")
    service, group = settings.accounts.service, settings.accounts.service_group
    if service is not None:
        lines += [f"default_internal_user = {service}", f"default_login_user = {service}"]
        lines += [f"default_internal_group = {group or service}"]
    return _lines(lines)


def _secured(settings: MailSettings) -> str:
    return _lines(
        [
            "ssl = required",
            f"ssl_server_cert_file = {settings.certificate}",
            f"ssl_server_key_file = {settings.key}",
        ]
    )


def _tokens(settings: MailSettings) -> str:
    asking = settings.asking
    parts = urlsplit(asking.url)
    url = parts._replace(netloc=f"{asking.client}:{asking.secret}@{parts.netloc}").geturl()
    address = settings.naming == "address"
    tenant = "%{oauth2:tenant}" if settings.has_tenants else NONE
    domain = "%{oauth2:username | domain | lower}" if address else ""
    taken = "%{user | username | lower}" if address else "%{user | lower}"
    trusted = [] if asking.ca_file is None else [f"  ssl_client_ca_file = {asking.ca_file}"]
    return _lines(
        [
            "auth_mechanisms = oauthbearer xoauth2",
            "auth_username_format = %{user | username | lower}",
            f"auth_failure_delay = {settings.failure_seconds} secs",
            "oauth2 {",
            "  introspection_mode = post",
            f"  introspection_url = {url}",
            *trusted,
            f"  http_client_request_absolute_timeout = {asking.seconds}s",
            "  active_attribute = active",
            "  active_value = true",
            "  username_attribute = username",
            f"  username_validation_format = {taken}",
            "  fields {",
            f"    token_name = %{{oauth2:username{' | username' if address else ''} | lower}}",
            f'    token_owner = "{SEPARATOR.join(("%{oauth2:iss}", tenant, domain))}"',
            "    token_issuer = %{oauth2:iss}",
            "  }",
            "}",
        ]
    )


def _decided(settings: MailSettings, directory: str) -> str:
    events = [f"    event_{name} = {value}" for name, value in _EVENT_FIELDS.items()]
    events += [f"    userdb_event_{name} = {value}" for name, value in _EVENT_FIELDS.items()]
    return _lines(
        [
            "passdb domains {",
            "  driver = passwd-file",
            f"  passwd_file_path = {directory}/{DOMAINS}",
            "  auth_username_format = %{passdb:token_owner | sha256 | hexlify}",
            "  result_success = continue-ok",
            "  result_internalfail = return-fail",
            "}",
            "passdb mailbox {",
            "  driver = static",
            "  result_success = continue-ok",
            "  result_internalfail = return-fail",
            "  fields {",
            "    user = %{passdb:token_name | default('')}@%{passdb:mail_domain | default('')}",
            *(events if settings.events is not None else ()),
            "  }",
            "}",
            "passdb refusals {",
            "  driver = passwd-file",
            f"  passwd_file_path = {directory}/{DOMAINS}",
            f"  auth_username_format = {_SAME}-{_KNOWN}",
            "  deny = yes",
            "  result_internalfail = return-fail",
            "}",
        ]
    )


def _mailboxes(settings: MailSettings) -> str:
    accounts = settings.accounts
    return _lines(
        [
            "mail_driver = maildir",
            "mail_path = ~/Maildir",
            "userdb static {",
            "  fields {",
            f"    uid = {accounts.owner}",
            f"    gid = {accounts.group}",
            f"    home = {settings.storage}/%{{user | domain}}/%{{user}}",
            "  }",
            "}",
        ]
    )


def _services(settings: MailSettings) -> str:
    lines: list[str] = []
    jailed = settings.accounts.service is None  # only root can lock a process into a directory
    for service, names in (("imap", ("imap", "imaps")), ("submission", ("submission", "submissions"))):
        lines.append(f"service {service}-login {{")
        lines += [] if jailed else ["  chroot ="]
        for name in names:
            lines += [f"  inet_listener {name} {{", f"    port = {settings.ports.get(name, 0)}", "  }"]
        lines.append("}")
    lines += [] if jailed else ["service anvil {", "  chroot =", "}"]
    if settings.postfix is not None:
        socket = settings.postfix
        lines += ["service auth {", f"  unix_listener {socket.path} {{", "    mode = 0660"]
        lines += [f"    user = {socket.user}", f"    group = {socket.group}", "  }", "}"]
    return _lines(lines)


def _relay(settings: MailSettings) -> str:
    relay = settings.relay
    return _lines(
        [
            f"submission_relay_host = {relay.host}",
            f"submission_relay_port = {relay.port}",
            f"submission_relay_ssl = {relay.tls}",
        ]
    )


def _events(settings: MailSettings) -> str:
    """Login, what is opened, what is listed, what is sent, and the end of the session."""
    if settings.events is None:
        return ""
    commands = " OR ".join(f'cmd_name="{one}"' for one in LOGGED_COMMANDS)
    filters = {
        "login": "event=auth_client_request_finished",
        "open": "event=mail_opened OR event=mail_expunged",
        "command": f"event=imap_command_finished AND tagged_reply_state=OK AND ({commands})",
        "send": "event=smtp_server_transaction_finished",
        "end": "event=mail_user_session_finished",
    }
    lines = [
        "event_exporter immure_access {",
        "  driver = file",
        f"  file_path = {settings.events}",
        "  format = json",
        "  time_format = rfc3339",
        "}",
    ]
    for name, words in filters.items():
        lines += [f"metric immure_{name} {{", f"  filter = {words}", "  exporter = immure_access", "}"]
    return _lines(lines)


def _lines(lines: list[str]) -> str:
    return "".join(f"{one}\n" for one in lines)
