"""A small token-signing service: makes two keys when it starts, serves their public halves, and signs tokens.

    python examples/token_signer.py PORT

``GET /jwks.json`` gives the public keys, ``GET /token?sub=NAME&alg=RS256`` (or ``ES256``) a signed token. The
private keys are made in memory and are never written as PEM or DER: as careful as such a service can be in
one process.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://login.example.com/consumers"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def b64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_uint(value: int) -> str:
    """A number as a JWK has it."""
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwks() -> dict[str, object]:
    """The public keys."""
    n, point = RSA_KEY.public_key().public_numbers(), EC_KEY.public_key().public_numbers()
    x, y = (b64url(value.to_bytes(32, "big")) for value in (point.x, point.y))
    common = {"use": "sig", "issuer": ISSUER}
    rsa_jwk = {
        "kty": "RSA",
        "kid": "consumer-2016",
        "alg": "RS256",
        "n": b64url_uint(n.n),
        "e": b64url_uint(n.e),
    }
    ec_jwk = {"kty": "EC", "kid": "consumer-2023", "alg": "ES256", "crv": "P-256", "x": x, "y": y}
    return {"keys": [rsa_jwk | common, ec_jwk | common]}


def sign(subject: str, algorithm: str) -> str:
    """A signed token."""
    kid = "consumer-2023" if algorithm == "ES256" else "consumer-2016"
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": subject, "iat": now, "exp": now + 300}
    head = {"alg": algorithm, "kid": kid, "typ": "JWT"}
    text = ".".join(b64url(json.dumps(part).encode()) for part in (head, claims))
    if algorithm == "ES256":
        r, s = decode_dss_signature(EC_KEY.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    else:
        signature = RSA_KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{b64url(signature)}"


class Handler(BaseHTTPRequestHandler):
    """Answers the two requests."""

    def do_GET(self) -> None:
        """Serve the keys or a token."""
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/jwks.json":
            self.answer("application/json", json.dumps(jwks(), indent=1))
        elif url.path == "/token":
            self.answer("application/jwt", sign(asked.get("sub", "nobody"), asked.get("alg", "RS256")))
        else:
            self.send_error(404)

    def answer(self, kind: str, text: str) -> None:
        """Send text."""
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


def main() -> None:
    """Serve on a local port until ended."""
    server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(f"port {server.server_port}\nready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
