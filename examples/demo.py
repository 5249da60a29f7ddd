"""The incident in a minute or two: a token signer crashes, and its core dump holds the signing key.

``make demo`` runs this. It starts ``token_signer.py``, crashes it for real, lets the usual tools search the
core, and then ``immure scan``, which is given nothing but the public keys. Each of the usual tools is first
tried on a file that holds a throwaway key in PEM and DER, to see whether its silence means something. Then
the same happens within walls (``walls.py``): the dump is captured, redacted, proved, attested and released.
Everything is deleted at the end: the core *is* the key.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests"))

import walls  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402

from drill import crash  # noqa: E402

RULES = ROOT / "benchmarks" / "private_keys.yar"
TOKENS = 200
PEM = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.{40,6000}?-----END \1", re.DOTALL)
NUMBERS = itertools.count(1)
#: Seconds that one tool may take.
PATIENCE = 60


def say(text: str = "") -> None:
    """Narrate."""
    print(text, flush=True)


def step(text: str) -> None:
    """Begin a step."""
    number = next(NUMBERS)
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


def crash_for_us(target: crash.Target, core: Path) -> str:
    """SIGABRT, with the kernel told where to put the core: core_pattern is changed for a moment."""
    crash.crash(target.pid, core, reap=target.process)
    return "SIGABRT, and the kernel wrote its core"


def crash_where_it_stands(target: crash.Target, core: Path) -> str:
    """SIGABRT; the kernel puts the core into the directory of the signer, or does not."""
    os.kill(target.pid, 6)
    target.process.wait(timeout=60)
    written = sorted(core.parent.glob("core*"))
    if not written:
        raise crash.DrillError("the kernel wrote no core")
    written[0].rename(core)
    return "SIGABRT, and the kernel wrote its core"


def take_memory(target: crash.Target, core: Path) -> str:
    """Take the memory with gdb, as gcore does; the signer goes on."""
    crash.gcore(target.pid, core)
    return "gdb wrote its core (gcore): the kernel's are not ours to have here"


Taking = Callable[[crash.Target, Path], str]


def ways_to_take() -> list[Taking]:
    """The ways to a core that may work here, the most real first."""
    ways: list[Taking] = []
    pattern = crash.CORE_PATTERN.read_text().strip() if crash.CORE_PATTERN.exists() else "|"
    if crash.has_kernel_cores():
        ways.append(crash_for_us)
    elif pattern.startswith("core") and resource.getrlimit(resource.RLIMIT_CORE)[1]:
        ways.append(crash_where_it_stands)
    return [*ways, take_memory] if crash.has_debugger() else ways


def keys_in(data: bytes) -> int:
    """How many private keys in PEM can really be read out of what a tool has found."""
    count = 0
    for match in PEM.finditer(data.replace(b"\\n", b"\n")):
        try:
            serialization.load_pem_private_key(match.group() + b"-----\n", None)  # gitleaks cuts a hyphen off
        except (ValueError, TypeError):  # a header without a key
            continue
        count += 1
    return count


Judge = Callable[[bytes, Path, int], tuple[str, bool]]


@dataclass(frozen=True)
class Tool:
    """A tool that people search dumps with: how to start it, and what its output says.

    ``reads_stdin``: gitleaks leaves out binary *files*, so it is given the core on its standard input.
    """

    argv: tuple[str, ...]
    judge: Judge
    reads_stdin: bool = False
    wants_keys: bool = True

    @property
    def program(self) -> str | None:
        """Where it is installed, on PATH or beside this Python."""
        return shutil.which(self.argv[0]) or shutil.which(self.argv[0], path=str(Path(sys.executable).parent))

    def run(self, path: Path, n: int) -> tuple[float, str, bool]:
        """Let it search a file for the key with the modulus ``n``: seconds, what it said, and whether it
        found a private key."""
        argv = [str(self.program), *self.argv[1:], *([] if self.reads_stdin else [str(path)])]
        begun = time.monotonic()
        with path.open("rb") as image:
            try:
                done = subprocess.run(argv, stdin=image, capture_output=True, timeout=PATIENCE, check=False)
            except subprocess.TimeoutExpired:
                return time.monotonic() - begun, f"not done after {PATIENCE} s", False
        seconds = time.monotonic() - begun
        return seconds, *self.judge(done.stdout, path, n)


def by_modulus(output: bytes, _path: Path, n: int) -> tuple[str, bool]:
    """rsakeyfind prints the numbers of the keys that it finds."""
    shown = re.sub(rb"[^0-9a-f]", b"", output.lower())
    found = f"{n:x}".encode() in shown
    return f"{output.count(b'FOUND PRIVATE KEY')} hits", found


def by_text(output: bytes, _path: Path, _n: int) -> tuple[str, bool]:
    """Tools that print what they found."""
    hits = output.count(b'"Match"') or output.count(b"PRIVATE KEY-----") // 2
    return _words(hits, keys_in(output))


def by_place(output: bytes, path: Path, _n: int) -> tuple[str, bool]:
    """yara prints places: see whether a key stands there."""
    data = path.read_bytes()
    places = [int(place, 16) for place in re.findall(rb"^0x([0-9a-f]+):", output, re.MULTILINE)]
    keys = sum(
        keys_in(data[place : place + 8192]) or reads_as_der(data[place : place + 4096]) for place in places
    )
    return _words(len(places), keys)


def by_line(output: bytes, path: Path, _n: int) -> tuple[str, bool]:
    """detect-secrets prints the numbers of lines: see whether a key begins there."""
    lines = path.read_bytes().split(b"\n")
    hits = [hit for hits in json.loads(output or b"{}").get("results", {}).values() for hit in hits]
    begins = [hit["line_number"] - 1 for hit in hits if hit["type"] == "Private Key"]
    return _words(len(hits), sum(keys_in(b"\n".join(lines[line : line + 60])) for line in begins))


def _words(hits: int, keys: int) -> tuple[str, bool]:
    return f"{hits} hits, {keys} of them a private key" if hits else "0 hits", keys > 0


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


def no_signing_key(output: bytes, _path: Path, _n: int) -> tuple[str, bool]:
    """aeskeyfind looks for AES keys only."""
    return f"{len(output.split())} AES keys; it looks for no others", False


SCANNED_BY_KINGFISHER = ("scan", "--jobs", "1", "--no-validate", "--no-update-check", "--format", "json")
TOOLS = (
    Tool(("grep", "-a", "-A", "30", "-e", "-----BEGIN [A-Z ]*PRIVATE KEY-----"), by_text),
    Tool(("rsakeyfind",), by_modulus),
    Tool(("aeskeyfind", "-q"), no_signing_key, wants_keys=False),
    Tool(("yara", "-s", str(RULES)), by_place),
    Tool(("gitleaks", "detect", "--pipe", "--no-banner", "-r", "/dev/stdout"), by_text, reads_stdin=True),
    Tool(("kingfisher", *SCANNED_BY_KINGFISHER), by_text),
    Tool(("detect-secrets", "scan", "--all-files"), by_line),
)


def write_control(path: Path) -> int:
    """A file with a throwaway key in PEM and in DER between random bytes; returns its modulus."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    traditional, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    pem, der = (
        key.private_bytes(encoding, traditional, plain)
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER)
    )
    path.write_bytes(b"\n".join([os.urandom(20_000), pem, os.urandom(20_000), der, os.urandom(20_000)]))
    return key.public_key().public_numbers().n


def run_usual_tools(core: Path, n: int) -> bool:
    """Let every tool that is installed search the core; whether one of them found the key."""
    control = core.with_name("control.bin")
    control_n = write_control(control)
    say("   Each was first tried on a file with a throwaway key in PEM and DER between random bytes.")
    line = "   {:15} {:>8}  {:15}  {}"
    missing, any_found = [], False
    for tool in TOOLS:
        name = tool.argv[0]
        if tool.program is None:
            missing.append(name)
            continue
        works = tool.run(control, control_n)[2]
        seconds, words, found = tool.run(core, n)
        any_found |= found
        if tool.wants_keys and not works:
            words += "; nor does it find the throwaway key, so this says little"
        say(line.format(name, f"{seconds:.2f} s", "THE KEY" if found else "no signing key", words))
    control.unlink()
    if missing:
        say(f"   not installed, left out: {', '.join(missing)}")
    return any_found


def run_immure(target: str, jwks: Path) -> bool:
    """Scan as a user would, then once more for a machine to read; whether both keys were found."""
    program = str(Path(sys.executable).with_name("immure"))
    arguments = ["scan", target, "--keys", jwks.name]
    say(f"   $ immure {' '.join(arguments)}\n")
    subprocess.run([program, *arguments], cwd=jwks.parent, check=False)
    argv = [program, *arguments, "--format", "json", "--quiet"]
    done = subprocess.run(argv, cwd=jwks.parent, capture_output=True, check=False)
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
    say(f"\nCore and keys are deleted again. {time.monotonic() - begun:.0f} seconds in all.")
    return 0 if found else 1


def act(directory: Path) -> bool:
    """The incident, step by step, with the first way to a core that works."""
    ways = ways_to_take()
    for number, way in enumerate(ways, start=1):
        try:
            return act_with(directory, way)
        except crash.DrillError as error:
            last = number == len(ways)
            say(f"   No core that way: {error}. {'' if last else 'Once more, another way.'}")
    say("\n   No core can be had here: core_pattern is not ours to set, and there is no gdb that may attach.")
    say("   So the signer is searched while it lives; the usual tools, which read files, are skipped.")
    return act_with(directory, None)


def act_with(directory: Path, take: Taking | None) -> bool:
    """The incident, step by step."""
    step("A token signer starts. It makes its keys in memory and never writes them down.")
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
        if take is None:
            check_readable(target.pid)
            step("immure searches the living process, and is given nothing but the public keys.")
            return conclude(run_immure(f"pid:{target.pid}", jwks))

        step("It crashes.")
        core = directory / "signer.core"
        how = take(target, core)
    finally:
        target.stop()
    say(f"   {how}: {core.name}, {core.stat().st_size / 1e6:.1f} MB.")

    step("The usual tools search the core for the private keys.")
    if run_usual_tools(core, uint(next(key["n"] for key in public["keys"] if key["kty"] == "RSA"))):
        say("   So one of them found a key this time.")

    step("immure searches it, and is given nothing but the public keys.")
    found = conclude(run_immure(core.name, jwks))
    return found and with_walls(directory, core)


def with_walls(directory: Path, core: Path) -> bool:
    """The same crash with everything in place that the incident lacked."""
    around = walls.Walls(directory, say)
    around.prepare()
    step("The same once more, with Immure in place: a signer crashes.")
    if walls.can_capture():
        target, port = start_signer(directory)
        try:
            (directory / "jwks.json").write_bytes(fetch(port, "/jwks.json"))
            fetch(port, "/token?sub=alice&alg=RS256")
            fetch(port, "/token?sub=alice&alg=ES256")
            say(f"   {walls.crash_into_the_vault(around, target)}")
        finally:
            target.stop()
    else:
        say(f"   {walls.seal(around, core)}")
    walls.act(around, step)
    say("\n   A dump left production, and the keys did not.")
    return True


def check_readable(pid: int) -> None:
    """Say it if this machine (Yama's ptrace_scope, a container) keeps the memory of our processes from us."""
    try:
        Path(f"/proc/{pid}/mem").open("rb").close()
    except OSError as error:
        raise SystemExit(f"   Nor may we read its memory: {error.strerror}. Run this as root.") from None


def conclude(found: bool) -> bool:
    """Say what came of it."""
    say()
    if found:
        say("   Both signing keys are there: whoever gets this memory can sign tokens as the issuer.")
        say("   To search a dump of your own: .venv/bin/immure scan DUMP --keys JWKS-FILE-OR-URL")
    else:
        say("   The keys were NOT found: this is a bug.")
    return found


if __name__ == "__main__":
    sys.exit(main())
