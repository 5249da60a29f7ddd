"""Private keys that everybody has, as a standard or a program prints them: in an image they prove no leak.

>>> from immure.keymaterial.jwk import jwk_public
>>> from immure.keymaterial.key import Origin, PublicKey
>>> jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
>>> where_published(PublicKey(jwk_public(jwk), Origin("rfc8037")))
'test key of RFC 8037, appendix A.1'

Whoever *signs* with such a key has another problem: a key that the user names is reported like any other.
"""

from __future__ import annotations

from immure.keymaterial.key import PublicKey

_SPEED = "test key inside the openssl program (speed)"

#: RFC 7638 thumbprint → where the private key is printed
PUBLISHED: dict[str, str] = {
    "KJv2cyo40MYD3wQAfqIJpMexA0nyhx4HvGX2hypAfXM": _SPEED,
    "YbYmnT2fVYhnRoqV8uPxX-lCreb-1Y5xMNvjcbiscyA": _SPEED,
    "3SNO2icrIiKb1xzxx3X6uzvFKoLsTdLYVw5SgRYNoBQ": _SPEED,
    "4K-a3N3M8cnGGDxPgXGD-bu69naalS0xaXm_DPKSuMo": _SPEED,
    "R5LW0zi8uzCTx06tWa7MSPx1nHcIYzr05fIYU4B7mdQ": _SPEED,
    "FHP1Uc0FVZAuSOPHHg1BohlIfuiUQaN4r0wqFFi7EFk": _SPEED,
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": "test key of RFC 8037, appendix A.1",
    "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": "test key of RFC 7517, appendix A.2",
}


def where_published(key: PublicKey) -> str | None:
    """Where the private half of this key is printed for everybody, None if we know of no such place."""
    return PUBLISHED.get(key.thumbprint)
