"""Logins by IMAP: tokens through introspection against static passwords, on the same Dovecot in the same run.

    python benchmarks/mail_logins.py [--logins 300] [--clients 4] [--rounds 5] [--json FILE]

What is measured is what a client waits for: connect, TLS, log in, log out. Rounds take turns, so that what
else the machine does hits both alike; the ratio is the median of the rounds' ratios. Passwords are compared
as they are (PLAIN), which is the least that a password can cost.
"""

from __future__ import annotations

import argparse
import imaplib
import json
import os
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from immure.mail.running import LocalMail
from immure.mail.settings import Asking, Domain
from introspection.real.cases import fresh
from introspection.real.clients import sasl
from introspection.real.service import serving
from servers.tls import Authority
from tokens.minting import LOGIN, TENANT

ADDRESS = "mailbox-7@contoso.example"
_STATIC = """
auth_mechanisms = plain
auth_username_format = %{user}
passdb password {
  driver = static
  passdb_static_password = {PLAIN}a-password
}
"""


def measured(login: Callable[[], None], logins: int, clients: int) -> float:
    """Logins per second."""
    left = [logins]
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        while True:
            with lock:
                if left[0] <= 0 or failures:
                    return
                left[0] -= 1
            try:
                login()
            except (imaplib.IMAP4.error, OSError) as error:
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    begun = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if failures:
        raise SystemExit(f"a login failed: {failures[0]}")
    return logins / (time.perf_counter() - begun)


def by_token(port: int, context: ssl.SSLContext, token: str) -> None:
    """One login with a token."""
    session = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context, timeout=60)
    session.authenticate("XOAUTH2", lambda _: sasl("XOAUTH2", ADDRESS, token))
    session.logout()


def by_password(port: int, context: ssl.SSLContext) -> None:
    """One login with a password."""
    session = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context, timeout=60)
    session.login(ADDRESS, "a-password")
    session.logout()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logins", type=int, default=300)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = run(given.logins, given.clients, given.rounds)
    report(rows, given.json)


def run(logins: int, clients: int, rounds: int) -> list[tuple[float, float]]:
    """Logins per second of each round: by tokens, and by passwords."""
    with tempfile.TemporaryDirectory() as name, serving() as service:
        authority = Authority(Path(name))
        pair = authority.issue("mail")
        domains = {"contoso.example": Domain(f"{LOGIN}/{TENANT}/v2.0", TENANT)}
        asking = Asking(f"http://127.0.0.1:{service.port}/introspect", "dovecot", service.secret, seconds=60)
        limits = "mail_max_userip_connections = 0\nservice imap-login {\n  process_limit = 1000\n}\n"
        given = {"certificate": pair.certificate, "key": pair.key}
        static = _passwords(domains, asking, limits, given)
        with LocalMail(domains, asking, extra=limits, **given) as tokens, static as passwords:
            context, token = authority.context(), fresh()

            def with_token() -> None:
                by_token(tokens.ports["imaps"], context, token)

            def with_password() -> None:
                by_password(passwords.ports["imaps"], context)

            measured(with_token, 20, clients)
            measured(with_password, 20, clients)
            return [
                (measured(with_token, logins, clients), measured(with_password, logins, clients))
                for _ in range(rounds)
            ]


def _passwords(domains: dict[str, Domain], asking: Asking, limits: str, given: dict[str, Path]) -> LocalMail:
    """The same server, of which the part that decides about logins is replaced."""
    made = LocalMail(domains, asking, extra=limits, **given)
    text = made.configuration.read_text(encoding="utf-8")
    begin, end = text.index("auth_mechanisms ="), text.index("mail_driver =")
    made.configuration.write_text(text[:begin] + _STATIC + text[end:], encoding="utf-8")
    return made


def report(rows: list[tuple[float, float]], path: Path | None) -> None:
    """A table, and JSON if it is wanted."""
    tokens, passwords = (statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(password / token for token, password in rows)
    load = os.getloadavg()[0]
    print(f"{'round':<8}{'tokens/s':>10}{'passwords/s':>14}{'ratio':>8}")
    for number, (token, password) in enumerate(rows, 1):
        print(f"{number:<8}{token:>10.1f}{password:>14.1f}{password / token:>8.2f}")
    print(f"{'median':<8}{tokens:>10.1f}{passwords:>14.1f}{ratio:>8.2f}   (load of the machine {load:.1f})")
    if path is not None:
        value = {
            "tokens_per_second": tokens,
            "passwords_per_second": passwords,
            "ratio": ratio,
            "rounds": rows,
            "load": load,
            "cores": os.cpu_count(),
        }
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
