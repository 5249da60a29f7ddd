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
_GCRYPT = "self-test key inside libgcrypt"
_GNUTLS = "self-test key inside libgnutls"

#: RFC 7638 thumbprint → where the private key is printed
PUBLISHED: dict[str, str] = {
    "KJv2cyo40MYD3wQAfqIJpMexA0nyhx4HvGX2hypAfXM": _SPEED,
    "YbYmnT2fVYhnRoqV8uPxX-lCreb-1Y5xMNvjcbiscyA": _SPEED,
    "3SNO2icrIiKb1xzxx3X6uzvFKoLsTdLYVw5SgRYNoBQ": _SPEED,
    "4K-a3N3M8cnGGDxPgXGD-bu69naalS0xaXm_DPKSuMo": _SPEED,
    "R5LW0zi8uzCTx06tWa7MSPx1nHcIYzr05fIYU4B7mdQ": _SPEED,
    "FHP1Uc0FVZAuSOPHHg1BohlIfuiUQaN4r0wqFFi7EFk": _SPEED,
    "1-U9zbzJbQKodoyU7Xu_i0whQAsC9eQJXfNdWJKjCzQ": _GCRYPT,
    "FtIu-VbGrfe_KB6CH7GNwODB72MNxj_ml11dEvO-7kk": _GCRYPT,
    "DOvxvJiAdIqVWIkFt5hDtCunXLF0BV4-JGv4f-ALSm0": _GCRYPT,
    "j9PNlUKw3PWSUm5Rm5NOs3sCBZ5DL6pN7n8iJeKtEPQ": _GNUTLS,
    "x1VpS9atbEVzj8q7ntEdjIYkXf3_uEIPlrO9o9Y60RU": _GNUTLS,
    "eSs03d6PaD4VTnOUGL-JM9pwPD_kHzPBL_o1ZajWPxY": _GNUTLS,
    "xypKqSP2UQkzCT9yITDfm96QTR8Y6rmJR0TOlWZZ8GA": _GNUTLS,
    "5lZC6LIhV1KTWomnmyOuuOAvXqlNAVte7wK59E17KW0": _GNUTLS,
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": "test key of RFC 8037, appendix A.1",
    "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": "test key of RFC 7517, appendix A.2",
}


def where_published(key: PublicKey) -> str | None:
    """Where the private half of this key is printed for everybody, None if we know of no such place."""
    return PUBLISHED.get(key.thumbprint)
