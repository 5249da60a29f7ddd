"""``immure access tpm``: that the key of a workstation is in its TPM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from immure.cli.access_options import EXIT_CODES, LOG, QUIET, ROOM, opened, read_file
from immure.cli.exit_codes import ExitCode
from immure.errors import InputError, UsageError

_MOST_CERTIFICATE = 1 << 14
_EPILOG = f"""
\b
In turn, on the workstation and where the room is:
  immure access tpm offer --device /dev/tpmrm0 --name laptop-17 --keys tpm-keys -o offer.json
  immure access tpm challenge room prd-ada offer.json -o challenge.json
  immure access tpm answer challenge.json --device /dev/tpmrm0 --keys tpm-keys -o answer.json
  immure access tpm verify room answer.json --request laptop-17.csr -o evidence.json
and then, with a certificate for laptop-17.csr:
  immure access workstation room prd-ada laptop-17.pem --tpm evidence.json --as prd-ada --key file:log.key
{EXIT_CODES}"""
_DEVICE = click.option(
    "--device", metavar="PATH", default="/dev/tpmrm0", show_default=True,
    help="The TPM: a device, or the Unix socket of a swtpm.",
)  # fmt: skip
_KEYS = click.option(
    "--keys", metavar="DIR", required=True, help="What is kept of the keys; the TPM has wrapped it."
)
_OUTPUT = click.option("-o", "--output", metavar="FILE", required=True, type=click.Path(dir_okay=False))


@click.group(epilog=_EPILOG)
def tpm() -> None:
    """Prove that the key by which a workstation shows itself was made in its TPM, and cannot leave it.

    The certificate of the TPM must lead to a root that the policy names (workstations.tpm_roots). Then the
    TPM opens a secret that only it can open, and signs that the key is in it.
    """


@tpm.command(epilog=_EPILOG)
@_DEVICE
@click.option("--name", metavar="NAME", required=True, help="Of the machine, in the certificate request.")
@_KEYS
@click.option(
    "--certificate", metavar="FILE", help="Certificate of the TPM (PEM or DER). [default: the one in it]"
)
@click.option(
    "--chain",
    metavar="FILE",
    multiple=True,
    help="A certificate between that and its root, the lowest first.",
)
@_OUTPUT
@QUIET
def offer(
    device: str, name: str, keys: str, certificate: str | None, chain: tuple[str, ...], output: str,
    quiet: bool,
) -> int:  # fmt: skip
    """On the workstation: make keys in its TPM, and say what there is.

    DIR is made. It holds the keys as only this TPM can load them, and key.pem, by which OpenSSL's provider
    for TPMs (Debian: tpm2-openssl) uses the workstation's key for TLS.
    """
    from immure.access.tpm.device import Tpm
    from immure.access.tpm.enrolling import make_offer

    known = None if certificate is None else _certificate(certificate)
    with Tpm(Path(device)) as machine:
        made = make_offer(
            machine, Path(keys), name, endorsement=known, chain=[_certificate(one) for one in chain]
        )
    _write(output, json.dumps(made.to_json()).encode())
    if not quiet:
        click.echo(f"{output}: the key of {name}, in the TPM; keys are kept in {keys}")
    return ExitCode.CLEAN


@tpm.command(epilog=_EPILOG)
@ROOM
@click.argument("account", metavar="ACCOUNT")
@click.argument("offer", metavar="OFFER")
@_OUTPUT
@LOG
@QUIET
def challenge(room: str, account: str, offer: str, output: str, log_path: str | None, quiet: bool) -> int:
    """Where the room is: look at an offer, and make a challenge that only the TPM in it can answer.

    It is for one answer within a quarter of an hour, and for a workstation of ACCOUNT. Nothing is logged.
    """
    with opened(room, log_path, None) as door:
        made = door.begin_tpm(account, read_json(offer))
    _write(output, json.dumps(made).encode())
    if not quiet:
        click.echo(f"{output}: to be answered within a quarter of an hour")
    return ExitCode.CLEAN


@tpm.command(epilog=_EPILOG)
@click.argument("challenge", metavar="CHALLENGE")
@_DEVICE
@_KEYS
@_OUTPUT
@QUIET
def answer(challenge: str, device: str, keys: str, output: str, quiet: bool) -> int:
    """On the workstation: let the TPM open the secret of a challenge, and sign that the key is in it."""
    from immure.access.tpm.device import Tpm
    from immure.access.tpm.enrolling import answer_challenge

    asked = read_json(challenge)
    with Tpm(Path(device)) as machine:
        made = answer_challenge(machine, Path(keys), asked)
    _write(output, json.dumps(made).encode())
    if not quiet:
        click.echo(f"{output}: the TPM has opened the secret, and signed")
    return ExitCode.CLEAN


@tpm.command(epilog=_EPILOG)
@ROOM
@click.argument("answer", metavar="ANSWER")
@click.option(
    "--request", metavar="FILE", type=click.Path(dir_okay=False),
    help="Write the certificate request (PEM) to FILE: it is for the key that is in the TPM.",
)  # fmt: skip
@_OUTPUT
@LOG
@QUIET
def verify(
    room: str, answer: str, request: str | None, output: str, log_path: str | None, quiet: bool
) -> int:
    """Where the room is: verify an answer, and write what it proves. It is good for a day, in this room.

    An authority should issue a certificate for what --request writes, and for no other request.
    """
    from immure.access.tpm.challenges import prove, read_evidence

    with opened(room, log_path, None) as door:
        evidence = door.finish_tpm(read_json(answer))
        proven = prove(evidence, door.policy.tpm.roots, door.time())
    _write(output, json.dumps(evidence).encode())
    if request is not None:
        _, offered, _ = read_evidence(evidence)
        _write(request, _pem(offered.request))
    if not quiet:
        click.echo(f"{output}: the key is in a TPM: {proven.model}, sha256:{proven.endorsement[:16]}")
    return ExitCode.CLEAN


def read_json(path: str) -> Mapping[str, Any]:
    """The JSON object in a file; raises UsageError."""
    from immure.access.tpm.evidence import MOST_BYTES, load_json

    try:
        found = load_json(read_file(path, MOST_BYTES))
    except InputError as error:
        raise UsageError(error.reason, path=path) from error
    if not isinstance(found, dict):
        raise UsageError("is no object of JSON", path=path)
    return found


def _certificate(path: str) -> bytes:
    from immure.access.webauthn.chain import der
    from immure.access.workstation import parse_workstation

    try:
        return der(parse_workstation(read_file(path, _MOST_CERTIFICATE)))
    except (InputError, UsageError) as error:
        raise UsageError(error.reason, path=path) from error


def _pem(request: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_csr(request).public_bytes(Encoding.PEM)


def _write(path: str, data: bytes) -> None:
    from immure.files import write_whole

    try:
        write_whole(Path(path), data)
    except OSError as error:
        raise UsageError(error.strerror or "cannot be written", path=path) from error
