"""The rules of our SARIF reports, one for each kind of finding, and the weaknesses (CWE) behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from immure.scanning.finding import FindingKind

CWE = "CWE"

_TAXA = {
    "528": "Exposure of Core Dump File to an Unauthorized Control Sphere",
    "312": "Cleartext Storage of Sensitive Information",
}

TAXONOMY: dict[str, Any] = {
    "name": CWE,
    "organization": "MITRE",
    "shortDescription": {"text": "The Common Weakness Enumeration"},
    "informationUri": "https://cwe.mitre.org/",
    "taxa": [
        {
            "id": number,
            "name": name,
            "shortDescription": {"text": name},
            "helpUri": f"https://cwe.mitre.org/data/definitions/{number}.html",
        }
        for number, name in _TAXA.items()
    ],
}

NOTIFICATIONS: list[dict[str, Any]] = [
    {"id": name, "shortDescription": {"text": text}}
    for name, text in {
        "not-searched": "A part of an image was not searched; nothing can be concluded about it.",
        "not-asked-for": "A detector was left out by the user; nothing can be concluded about what it finds.",
        "image-error": "An image could not be read to its end.",
        "image-warning": "An image is not quite what it should be.",
    }.items()
]

_HELP = (
    "Do not let the image leave the place where the key is allowed to be. Treat the key as compromised if it "
    "already left: rotate it, and look for tokens that were signed with it and that you did not issue."
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding."""

    id: str
    name: str
    short: str
    full: str

    def to_sarif(self) -> dict[str, Any]:
        """The rule as a ``reportingDescriptor``."""
        return {
            "id": self.id,
            "name": self.name,
            "shortDescription": {"text": self.short},
            "fullDescription": {"text": self.full},
            "help": {"text": _HELP},
            "defaultConfiguration": {"level": "error"},
            "properties": {
                "tags": ["security", "cryptography", *(f"external/cwe/cwe-{number}" for number in _TAXA)],
                "precision": "very-high",
                "problem.severity": "error",
                "security-severity": "9.8",
            },
            "relationships": [
                {
                    "target": {
                        "id": number,
                        "index": index,
                        "toolComponent": {"name": CWE, "index": 0},
                    },
                    "kinds": ["superset"],
                }
                for index, number in enumerate(_TAXA)
            ],
        }


RULES: dict[FindingKind, Rule] = {
    "named": Rule(
        "immure/named-key",
        "NamedPrivateKeyInImage",
        "The private half of a key that you named is in a memory image.",
        "A secret number of a key whose public half was given with --keys stands in the image. That it "
        "belongs to this key is proved by arithmetic.",
    ),
    "harvested": Rule(
        "immure/harvested-key",
        "PrivateKeyOfPublicKeyInImage",
        "The private half of a key whose public half is in the same image.",
        "Nobody named the key: its public half was found in the image, as a certificate, key set or bare "
        "number, and a secret number that belongs to it by arithmetic stands there too.",
    ),
    "unnamed": Rule(
        "immure/unnamed-key",
        "UnnamedPrivateKeyInImage",
        "A whole private key that nobody named is in a memory image.",
        "An encoded private key stands in the image, and its numbers are consistent. Whose key it is must be "
        "found out by its fingerprint.",
    ),
    "sketched": Rule(
        "immure/sketched-secret",
        "SketchedSecretInImage",
        "A secret of which you gave a sketch is in a memory image, or a part of it.",
        "Bytes of a secret without a public half (a symmetric key, a password, a token) stand in the image. "
        "Their digests are those of the sketch.",
    ),
    "token": Rule(
        "immure/token-key",
        "TokenKeyInImage",
        "The key that made a token you gave is in a memory image.",
        "Bytes of the image are a key under which the code of a token that was given with --token holds "
        "(HMAC, RFC 7518).",
    ),
    "partial": Rule(
        "immure/partial-key",
        "PartOfPrivateKeyInImage",
        "A part of a private key is in a memory image, from which the rest may follow.",
        "A secret number of a key stands in the image in part: the rest was overwritten. Where the "
        "message says so, the whole key was computed from it, as anybody else can who has the image.",
    ),
    "schedule": Rule(
        "immure/aes-key",
        "AesKeyInImage",
        "An AES key is in a memory image.",
        "The round keys of an AES key (FIPS 197) stand in the image: they prove themselves, but "
        "do not say whose it is. Test vectors and states of OpenSSL's random number generator are left out.",
    ),
}
