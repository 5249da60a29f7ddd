"""Rules for what else must not leave: tokens, cookies, credentials. Each carries examples that must be erased
and texts that must stay, which the tests try.

A rule is a literal that a text contains (found by the same search as the beginnings of keys) and a pattern
around it, of which the groups called ``secret`` are erased. ASCII and UTF-16LE are read.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from immure.redact.fill import is_fill

#: Characters after a literal that a pattern may look at; before it, :data:`BACK`.
REACH: Final = 24 << 10
BACK: Final = 64


@dataclass(frozen=True, slots=True)
class TextRule:
    """A kind of secret text.

    Attributes:
        kind: what a span of it is called.
        group: the option that asks for it.
        literals: 4 bytes or more each; the pattern must match around one of them.
        pattern: has a group ``secret``. Where it fails, it must do so after few steps, also on text that was
            made to be slow: it is tried at every literal.
        back: how far in front of the literal it may begin to match.
        accept: has the last word on what the pattern matched.
        examples, counter_examples: pairs of (text, what is erased of it), and texts of which nothing is.
    """

    kind: str
    group: str
    literals: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    examples: tuple[tuple[bytes, bytes], ...]
    counter_examples: tuple[bytes, ...] = ()
    accept: Callable[[bytes], bool] = lambda _: True
    back: int = 0

    def find(self, text: bytes, at: int) -> tuple[int, int] | None:
        """Where the secret stands in ``text``, of which a literal stands at ``at``: (start, stop)."""
        for start in range(max(0, at - self.back), at + 1):
            match = self.pattern.match(text, start)
            if match and match.end() > at and self.accept(match["secret"]):
                return None if is_fill(match["secret"]) else match.span("secret")
        return None


def _is_jose_header(token: bytes) -> bool:
    """Whether the first part of a token is a JOSE header (RFC 7515, section 4)."""
    part = token.split(b".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "alg" in header


def _is_no_word(secret: bytes) -> bool:
    """Whether this is more than the name of a type or a placeholder, as programs and documents have them."""
    return len(set(secret)) >= 4 and secret.strip(b"<>{}$%*.x-_ \"'") != b""


_B64U = rb"[A-Za-z0-9_-]"
_OPAQUE = rb"[A-Za-z0-9._~+/-]"
_VALUE = rb"[^\x00-\x20\"'&;,<>\\\x7f-\xff]"

TEXT_RULES: tuple[TextRule, ...] = (
    TextRule(
        "jwt",
        "tokens",
        tuple(b"eyJh eyJ0 eyJr eyJ4 eyJj eyJi eyJl eyJz eyJ1 eyAi ewog ew0K".split()),
        re.compile(
            rb"(?<![A-Za-z0-9_-])(?P<secret>(?:eyJ|eyAi|ewog|ew0K)"
            + _B64U
            + rb"{8,4096}+\."
            + _B64U
            + rb"{2,16384}(?:\."
            + _B64U
            + rb"{0,8192}){1,3})"
        ),
        (
            (
                b"x=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl;",
                b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
            ),
            (b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."),
        ),
        (
            b"eyJhbGciOiJSUzI1NiJ9",
            b"eyJub3QiOiJhIGhlYWRlciJ9.eyJzdWIiOiJhIn0.c2ln",
            b"eyJhIGJhZCBvbmU.AAAA.AAAA",
        ),
        _is_jose_header,
    ),
    TextRule(
        "bearer-token",
        "tokens",
        (b"earer ", b"EARER ", b"DPoP "),
        re.compile(rb"(?:[Bb]earer|BEARER|DPoP) +(?P<secret>" + _OPAQUE + rb"{16,16384}={0,2})"),
        ((b"Authorization: Bearer 0123456789abcdefABCDEF\r\n", b"0123456789abcdefABCDEF"),),
        (b"Bearer token required", b'WWW-Authenticate: Bearer realm="a"'),
        _is_no_word,
        back=4,
    ),
    TextRule(
        "oauth-secret",
        "tokens",
        (b"_token", b"_secret", b"client_assertion", b"device_code", b"code_verifier"),
        re.compile(
            rb"(?:access_token|refresh_token|id_token|client_secret|client_assertion|device_code|code_verifier)"
            rb"(?:\"\s{0,8}:\s{0,8}\"|=)(?P<secret>" + _OPAQUE + rb"{8,16384}={0,2})"
        ),
        (
            (b'{"access_token": "ya29.a0Af_x-1234567890"}', b"ya29.a0Af_x-1234567890"),
            (b"grant_type=refresh_token&refresh_token=0.AXoAbcdef-123", b"0.AXoAbcdef-123"),
        ),
        (b'"access_token": null', b"refresh_token=xxxxxxxx", b"the access_token is opaque"),
        _is_no_word,
        back=16,
    ),
    TextRule(
        "cookie",
        "cookies",
        (b"ookie: ", b"HTTP_COOKIE="),
        re.compile(rb"(?:(?:[Ss]et-)?[Cc]ookie: {1,4}|HTTP_COOKIE=)(?P<secret>[^\x00-\x1f\x7f]{4,8192})"),
        (
            (b"Cookie: sid=0a1b2c3d; theme=dark\r\n", b"sid=0a1b2c3d; theme=dark"),
            (b"HTTP_COOKIE=session=abcdef\0PATH=/bin", b"session=abcdef"),
        ),
        (b"Cookie: \r\n", b"a cookie is a cookie"),
        back=8,
    ),
    TextRule(
        "basic-credentials",
        "credentials",
        (b"asic ",),
        re.compile(rb"[Aa]uthorization\"?[:=] {0,4}\"?[Bb]asic +(?P<secret>[A-Za-z0-9+/]{6,2048}={0,2})"),
        ((b"Authorization: Basic YWxpY2U6c2VjcmV0\r\n", b"YWxpY2U6c2VjcmV0"),),
        (b"Basic research", b"visual Basic language"),
        back=28,
    ),
    TextRule(
        "password",
        "credentials",
        (b"assword", b"ASSWORD", b"asswd", b"_PASS=", b"pwd=", b"PWD="),
        re.compile(
            rb"(?:[Pp]assword|PASSWORD|passwd|_PASS|[?&;]pwd|[?&;]PWD)(?:\"\s{0,8}:\s{0,8}\"|=|: )"
            rb"(?P<secret>" + _VALUE + rb"{4,256})"
        ),
        (
            (b"DB_PASSWORD=correct-horse\0", b"correct-horse"),
            (b'{"password": "tr0ub4dor&3"}', b"tr0ub4dor"),
        ),
        (b"password=%s", b"Enter password: ", b"passwords are bad", b"PWD=/home/alice", b"password=<secret>"),
        lambda secret: _is_no_word(secret) and not secret.startswith((b"%", b"${", b"$(", b"<")),
        back=6,
    ),
    TextRule(
        "url-password",
        "credentials",
        (b"p://", b"s://", b"l://", b"b://", b"v://", b"e://", b"t://", b"a://"),
        re.compile(
            rb"[a-z][a-z0-9+.-]{1,20}://[A-Za-z0-9._%+-]{0,64}:(?P<secret>[^\x00-\x20@/:\"'<>]{3,128})@"
        ),
        ((b"postgresql://app:s3cr3t!@db.example/main", b"s3cr3t!"),),
        (b"https://example.org:8443/path@x", b"http://user@host/", b"scheme://user:%s@host"),
        lambda secret: _is_no_word(secret) and not secret.startswith((b"%s", b"$", b"{")),
        back=24,
    ),
    TextRule(
        "service-key",
        "credentials",
        tuple(
            b"AKIA ASIA ghp_ gho_ ghs_ ghu_ ghr_ github_pat_ glpat- xoxb- xoxp-"
            b" xoxa- xoxs- sk_live_ rk_live_ AIza npm_ pypi- dop_v1_".split()
        ),
        re.compile(
            rb"(?<![A-Za-z0-9_-])(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16}|gh[opsur]_[A-Za-z0-9]{36,255}"
            rb"|github_pat_[A-Za-z0-9_]{50,255}|glpat-[A-Za-z0-9_-]{20,64}|xox[abps]-[A-Za-z0-9-]{10,250}"
            rb"|[sr]k_live_[A-Za-z0-9]{16,128}|AIza[A-Za-z0-9_-]{35}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{32,512}"
            rb"|dop_v1_[a-f0-9]{64})(?![A-Za-z0-9_-])"
        ),
        ((b"key AKIAQYLPMN5HFIQR7XYA.", b"AKIAQYLPMN5HFIQR7XYA"),),
        (b"AKIA is a prefix", b"npm_config_cache=/tmp", b"ghp_short"),
    ),
    TextRule(
        "aws-secret",
        "credentials",
        (b"ecret_access_key", b"ECRET_ACCESS_KEY", b"ecretAccessKey"),
        re.compile(
            rb"(?:[Ss]ecret_access_key|SECRET_ACCESS_KEY|[Ss]ecretAccessKey)\"?\s{0,4}[:=]\s{0,4}\"?"
            rb"(?P<secret>[A-Za-z0-9+/]{40})(?![A-Za-z0-9+/])"
        ),
        (
            (
                b"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY01",
                b"wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY01",
            ),
        ),
        (b"aws_secret_access_key=", b"secretAccessKey: string"),
        back=16,
    ),
    TextRule(
        "private-key-text",
        "credentials",
        (b"PRIVATE KEY-----",),
        re.compile(
            rb"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----"
            rb"(?P<secret>(?:\\r|\\n|[A-Za-z0-9+/=:, \r\n]|-(?!-)){64,16384}+)-----END "
        ),
        (
            (
                b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
                + b"MIIB" * 20
                + b"-----END ENCRYPTED PRIVATE KEY-----",
                b"MIIB" * 20,
            ),
        ),
        (b"-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----",),
        back=44,
    ),
)


def rules_of(groups: tuple[str, ...]) -> tuple[TextRule, ...]:
    """The rules of some groups."""
    return tuple(rule for rule in TEXT_RULES if rule.group in groups)
