"""The incident in one minute: a token signer crashes, and its core dump holds the signing key.

``make demo`` runs this. It starts ``token_signer.py``, crashes it for real, lets the usual tools search the
core, and then ``immure scan``, which is given nothing but the public keys. Everything is deleted at the end:
the core *is* the key.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests"))

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402

from drill import crash  # noqa: E402

RULES = ROOT / "benchmarks" / "private_keys.yar"
TOKENS = 200
PEM = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.{40,6000}?-----END \1-----", re.DOTALL)


def say(text: str = "") -> None:
    """Narrate."""
    print(text, flush=True)


def step(number: int, text: str) -> None:
    """Begin a step."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("", "")
    say(f"\n{bold}{number}. {text}{plain}")


def fetch(port: int, path: str) -> bytes:
    """Ask the signer for something."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return bytes(answer.read())


def uint(text: str) -> int:
    """A number of a JWK."""
    return int.from_bytes(unbase64url(text), "big")


def unbase64url(text: str) -> bytes:
    """Bytes from base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_token(token: str, jwks: dict[str, list[dict[str, str]]]) -> None:
    """Verify an RS256 token as a relying party would."""
    text, signature = token.rsplit(".", 1)
    key = next(key for key in jwks["keys"] if key["kty"] == "RSA")
    public = rsa.RSAPublicNumbers(uint(key["e"]), uint(key["n"])).public_key()
    public.verify(unbase64url(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())


def start_signer(directory: Path) -> tuple[crash.Target, int]:
    """Start the signer; it says on which port it listens."""
    target, said = crash.start_saying([sys.executable, str(HERE / "token_signer.py"), "0"], directory)
    return target, int(re.search(r"port (\d+)", said).group(1))  # type: ignore[union-attr]


def take_core(target: crash.Target, core: Path) -> str:
    """Crash the signer; if the kernel's cores are not ours to direct, take its memory with gdb and end it."""
    if crash.has_kernel_cores():
        crash.crash(target.pid, core, reap=target.process)
        return "SIGABRT; the kernel wrote its core"
    if not crash.has_debugger():
        raise SystemExit("core_pattern is not writable and gdb is not installed: no core can be taken here")
    crash.gcore(target.pid, core)
    return "core_pattern is not ours to set here, so gdb wrote the core (gcore)"


def keys_in(data: bytes) -> int:
    """How many private keys in PEM can really be read out of what a tool has found."""
    count = 0
    for match in PEM.finditer(data.replace(b"\\n", b"\n")):
        try:
            serialization.load_pem_private_key(match.group(), None)
        except (ValueError, TypeError):  # a header without a key
            continue
        count += 1
    return count


def by_modulus(output: bytes, _core: Path, n: int) -> tuple[str, bool]:
    """rsakeyfind prints the numbers of the keys that it finds."""
    shown = re.sub(rb"[^0-9a-f]", b"", output.lower())
    return f"{len(output.splitlines())} lines of output", f"{n:x}".encode() in shown


def by_text(output: bytes, _core: Path, _n: int) -> tuple[str, bool]:
    """Tools that print what they found."""
    hits, keys = output.count(b'"Match"') or output.count(b"PRIVATE KEY-----"), keys_in(output)
    return f"{hits} hits, {keys} of them a key", keys > 0


def by_place(output: bytes, core: Path, _n: int) -> tuple[str, bool]:
    """yara prints places: see whether a key stands there."""
    data = core.read_bytes()
    places = [int(place, 16) for place in re.findall(rb"^0x([0-9a-f]+):", output, re.MULTILINE)]
    keys = sum(
        keys_in(data[place : place + 8192]) or reads_as_der(data[place : place + 4096]) for place in places
    )
    return f"{len(places)} hits, {keys} of them a key", keys > 0


def reads_as_der(data: bytes) -> int:
    """1 if a private key in DER begins here."""
    if data[:1] != b"\x30" or len(data) < 4:
        return 0
    long = data[1] & 0x7F if data[1] & 0x80 else 0
    size = 2 + long + (int.from_bytes(data[2 : 2 + long], "big") if long else data[1])
    try:
        serialization.load_der_private_key(data[:size], None)
    except (ValueError, TypeError):
        return 0
    return 1


def no_signing_key(output: bytes, _core: Path, _n: int) -> tuple[str, bool]:
    """aeskeyfind looks for AES keys only."""
    return f"{len(output.splitlines())} lines of output (it looks for AES keys)", False


TOOLS: list[tuple[list[str], Callable[[bytes, Path, int], tuple[str, bool]]]] = [
    (["grep", "-a", "-A", "30", "-e", "-----BEGIN [A-Z ]*PRIVATE KEY-----"], by_text),
    (["rsakeyfind"], by_modulus),
    (["aeskeyfind", "-q"], no_signing_key),
    (["gitleaks", "detect", "--no-git", "--no-banner", "-r", "/dev/stdout", "-s"], by_text),
    (["yara", "-s", str(RULES)], by_place),
]


def run_usual_tools(core: Path, n: int) -> None:
    """Let every tool that is installed search the core."""
    for argv, judge in TOOLS:
        if shutil.which(argv[0]) is None:
            say(f"   {argv[0]:12} not installed, left out")
            continue
        begun = time.monotonic()
        done = subprocess.run([*argv, str(core)], capture_output=True, timeout=60, check=False)
        words, found = judge(done.stdout, core, n)
        verdict = "FOUND THE KEY" if found else "did not find it"
        say(f"   {argv[0]:12} {time.monotonic() - begun:5.2f} s   {verdict:16} {words}")


def run_immure(core: Path, jwks: Path) -> bool:
    """Scan the core as a user would, then once more for a machine to read; whether both keys were found."""
    program = str(Path(sys.executable).with_name("immure"))
    say(f"   $ immure scan {core.name} --keys {jwks.name}\n")
    subprocess.run([program, "scan", core.name, "--keys", jwks.name], cwd=core.parent, check=False)
    argv = [program, "scan", core.name, "--keys", jwks.name, "--format", "json", "--quiet"]
    done = subprocess.run(argv, cwd=core.parent, capture_output=True, check=False)
    if done.returncode != 1:  # 1: private keys found
        return False
    findings = [finding for image in json.loads(done.stdout)["images"] for finding in image["findings"]]
    wanted = {key["kid"] for key in json.loads(jwks.read_text())["keys"]}
    return wanted <= {finding["key"]["kid"] for finding in findings}


def main() -> int:
    """Act it out; 0 if the keys were found."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="immure-demo-") as temporary:
        found = act(Path(temporary))
    say(f"\nThe core is deleted again. {time.monotonic() - begun:.0f} seconds in all.")
    return 0 if found else 1


def act(directory: Path) -> bool:
    """The incident, step by step."""
    step(1, "A token signer starts. It makes its keys in memory and never writes them down.")
    target, port = start_signer(directory)
    try:
        jwks = directory / "jwks.json"
        jwks.write_bytes(fetch(port, "/jwks.json"))
        public = json.loads(jwks.read_text())
        for number in range(TOKENS):
            token = fetch(port, f"/token?sub=user{number}&alg={'RS256' if number % 2 else 'ES256'}").decode()
        check_token(token, public)
        say(f"   It has signed {TOKENS} tokens; one was checked against its public keys, jwks.json:")
        for key in public["keys"]:
            say(f"   {key['kid']}: {key['kty']}, {key['alg']}, issuer {key['issuer']}")

        step(2, "It crashes.")
        core = directory / "signer.core"
        how = take_core(target, core)
    finally:
        target.stop()
    say(f"   {how}: {core.name}, {core.stat().st_size / 1e6:.1f} MB.")

    step(3, "The usual tools search the core for the private key.")
    run_usual_tools(core, uint(next(key["n"] for key in public["keys"] if key["kty"] == "RSA")))

    step(4, "immure searches it, and is given nothing but the public keys.")
    found = run_immure(core, jwks)
    say()
    say("   The signing keys are in the core." if found else "   The keys were NOT found: this is a bug.")
    return found


if __name__ == "__main__":
    sys.exit(main())
