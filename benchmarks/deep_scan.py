"""Claims: of an RSA-2048 prime of which up to 320 bits at either end are overwritten, every one is found; of
bits that are scattered at random, 30 in 100 rebuild 95 keys in 100; and in images of processes that do not
hold a key, none is found.

    python benchmarks/deep_scan.py [--cases N] [--keys N] [--image FILE]... [--rounds N] [--output FILE]

**Planted**: a prime of one of twenty fresh keys, in either order of bytes, 1 to 40 bytes of it overwritten
at either end by pointers, zeros, text or noise, in a chunk of 64 KiB of ordinary memory; found if the scan
reports the key as rebuilt. **Scattered**: fresh keys, each bit of p, q, d, dp and dq known with the
probability given; rebuilt if the private key comes out. **Clean**: images that are given, or cores of
processes that are started here (Python, Node, Java, as far as they are installed), scanned for fresh keys
of which there is nothing in them: every finding of one of these is a false one. With ``--rounds`` that is
done again with other keys, which is another trial of every byte. The bytes that were really read are
counted. Writes ``results/deep_scan.json``; a part that is not run keeps the result that is there."""

from __future__ import annotations

import argparse
import json
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import measure

sys.path.insert(0, str(measure.HERE.parent / "tests"))

from cryptography.hazmat.primitives.asymmetric import rsa

from immure.dumps.open import open_images
from immure.dumps.unreadable import Unreadable
from immure.keymaterial.key import Origin, PublicKey
from immure.keymaterial.private import RsaPrivate, ec_from_scalar, okp_from_seed, rsa_from_parts
from immure.scanning.deep.branch import rebuild_rsa
from immure.scanning.deep.multipliers import NUMBERS, KnownBits
from immure.scanning.finding import Finding, ImageReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_image
from scanning.deep.damage import Case, deep

#: Bars of the claim.
LEAST_PLANTED, LEAST_SCATTERED, MOST_FALSE = 1.0, 0.95, 0
SHARES = (0.27, 0.30, 0.35)
MOST_BYTES = 40
DISTINCT_KEYS = 20
SOURCE = "benchmark"

_NODE = (
    "const c = require('crypto'); globalThis.k = [];"
    "for (let i = 0; i < 999; i++) k.push(c.randomBytes(9 + i % 300)); setInterval(() => {}, 1e3)"
)
_PYTHON = (
    "import cryptography, http.server, json, sqlite3, ssl, time;"
    "k = ssl.create_default_context(); time.sleep(600)"
)
_JAVA = """import java.security.*; import java.util.*;
public class Sleeper { static List<Object> kept = new ArrayList<>();
 public static void main(String[] a) throws Exception { SecureRandom r = new SecureRandom();
  for (int i = 0; i < 2000; i++) { byte[] b = new byte[16 + i % 300]; r.nextBytes(b); kept.add(b); }
  for (int i = 0; i < 200; i++) kept.add(new java.math.BigInteger(2048, r));
  KeyPairGenerator g = KeyPairGenerator.getInstance("RSA"); g.initialize(2048); kept.add(g.generateKeyPair());
  Thread.sleep(600000); } }
"""


def fresh_key(bits: int = 2048) -> RsaPrivate:
    """A key that nobody had before."""
    made = rsa.generate_private_key(65537, bits).private_numbers()
    return rsa_from_parts(made.public_numbers.n, 65537, made.d, made.p, made.q)


def named(numbers: Any, kid: str) -> PublicKey:
    """A public key as the user would name it."""
    return PublicKey(numbers, Origin(SOURCE, kid=kid))


def planted(cases: int) -> dict[str, Any]:
    """How many damaged primes are found, and how long a scan takes."""
    keys = [fresh_key() for _ in range(DISTINCT_KEYS)]
    missed: list[dict[str, Any]] = []
    kinds: dict[str, int] = {}
    began = time.process_time()
    for seed in range(cases):
        key = keys[seed % len(keys)]
        case = Case.drawn(seed, (key.p.reveal(), key.q.reveal()), MOST_BYTES)
        kinds[case.kind] = kinds.get(case.kind, 0) + 1
        report = deep(case.image(), named(key.public, "planted"))
        if not any(finding.partial and finding.partial.rebuilt for finding in report.findings):
            missed.append({"seed": seed, "kind": case.kind, "bytes": case.length, "at_start": case.at_start})
    return {
        "cases": cases,
        "most_bits_overwritten": 8 * MOST_BYTES,
        "overwritten_by": kinds,
        "found": cases - len(missed),
        "missed": missed,
        "cpu_seconds_each": round((time.process_time() - began) / max(1, cases), 4),
    }


def scattered(keys: int, shares: Sequence[float]) -> list[dict[str, Any]]:
    """How many keys are rebuilt, by the share of bits that are known."""
    rows = []
    for share in shares:
        rebuilt, seconds = 0, []
        for seed in range(keys):
            key, began = fresh_key(), time.process_time()
            rebuilt += rebuild_rsa(key.public, _known(key, share, seed)) is not None
            seconds.append(time.process_time() - began)
        rows.append(
            {
                "share_known": share,
                "keys": keys,
                "rebuilt": rebuilt,
                "cpu_seconds_median": round(sorted(seconds)[len(seconds) // 2], 3),
                "cpu_seconds_most": round(max(seconds), 3),
            }
        )
    return rows


def _known(key: RsaPrivate, share: float, seed: int) -> dict[str, KnownBits]:
    chance = random.Random(f"{seed} {share}")
    result = {}
    for name in NUMBERS:
        value = getattr(key, name).reveal()
        bits = 2048 if name == "d" else 1024
        mask = sum(1 << at for at in range(bits) if chance.random() < share)
        result[name] = KnownBits(value & mask, mask)
    return result


def clean(images: list[Path], rounds: int, minutes: float) -> dict[str, Any]:
    """Findings for keys of which there is nothing in the images. Each round is of fresh keys, so a trial of
    its own for every byte; none is begun after so many minutes."""
    begun, rows, done = time.monotonic(), list[dict[str, Any]](), 0
    while done < rounds and (not done or time.monotonic() - begun < 60 * minutes):
        keys = [named(fresh_key(bits).public, f"rsa-{bits}") for bits in (2048, 3072)]
        keys.append(named(ec_from_scalar("P-256", secrets.randbits(255)).public, "p256"))
        keys.append(named(okp_from_seed("Ed25519", secrets.token_bytes(32)).public, "ed25519"))
        rows += [_scanned(path, report, seconds) for path, report, seconds in _reports(images, keys)]
        done += 1
        print(f"round {done}: {sum(row['bytes'] for row in rows) / 1e9:.2f} GB", file=sys.stderr, flush=True)
    return {
        "bytes": sum(row["bytes"] for row in rows),
        "bytes_of_the_images": sum(row["bytes"] for row in rows) // done,
        "rounds_of_fresh_keys": done,
        "attempts": sum(row["attempts"] for row in rows),
        "false_findings": sum(row["false_findings"] for row in rows),
        "images": rows,
    }


def _reports(images: list[Path], keys: list[PublicKey]) -> Iterator[tuple[Path, ImageReport, float]]:
    for path in images:
        for opened in open_images(str(path)):
            if isinstance(opened, Unreadable):
                sys.exit(f"{path}: {opened.reason}")
            with opened as image:
                began = time.process_time()
                options = ScanOptions(deep=True, harvest=False, threads=1)
                yield path, scan_image(image, keys, options), time.process_time() - began


def _scanned(path: Path, report: ImageReport, seconds: float) -> dict[str, Any]:
    return {
        "image": f"{path.parent.name}/{path.name}" if path.name == "image" else path.name,
        "bytes": report.size,
        "attempts": report.statistics["deep_attempts"],
        "false_findings": sum(_is_false(finding) for finding in report.findings),
        "own_keys": sum(not _is_false(finding) for finding in report.findings),
        "not_tried": [gap.reason for gap in report.not_searched if gap.detector == "deep"],
        "cpu_seconds": round(seconds, 2),
    }


def _is_false(finding: Finding) -> bool:
    """Whether it is of a fresh key; a process may well hold whole keys of its own, which are found as
    such."""
    return finding.partial is not None or finding.key.origin.source == SOURCE


def cores(directory: Path) -> list[Path]:
    """Cores of processes that are started here."""
    (directory / "Sleeper.java").write_text(_JAVA)
    commands = {
        "python": [sys.executable, "-c", _PYTHON],
        "node": ["node", "-e", _NODE],
        "java": ["java", "-Xmx256m", str(directory / "Sleeper.java")],
    }
    made = []
    for name, argv in commands.items():
        if shutil.which(argv[0]) is None:
            print(f"NOT TESTED: {argv[0]} is not installed", file=sys.stderr)
            continue
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                time.sleep(15)
                subprocess.run(
                    ["gcore", "-o", str(directory / name), str(process.pid)],
                    capture_output=True,
                    check=True,
                    timeout=300,
                )
            finally:
                process.kill()
        made.append(directory / f"{name}.{process.pid}")
    return made


def main() -> None:
    """Measure what was asked for, write the results, and say whether the claims hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, help="planted primes; 0 for none")
    parser.add_argument("--keys", type=int, default=100, help="keys with scattered bits; 0 for none")
    parser.add_argument("--share", type=float, action="append", help="of bits that are known; repeatable")
    parser.add_argument("--image", type=Path, action="append", default=[], help="a clean image; repeatable")
    parser.add_argument("--rounds", type=int, default=1, help="of clean images, each with fresh keys")
    parser.add_argument("--minutes", type=float, default=60, help="after which no round is begun")
    parser.add_argument("--no-clean", action="store_true", help="scan no clean image")
    parser.add_argument("--output", type=Path, default=measure.RESULTS / "deep_scan.json")
    options = parser.parse_args()
    result: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    result["machine"] = measure.machine()
    if options.cases:
        result["planted"] = planted(options.cases)
    if options.keys:
        result["scattered"] = scattered(options.keys, options.share or SHARES)
    if not options.no_clean:
        with tempfile.TemporaryDirectory() as directory:
            result["clean"] = clean(options.image or cores(Path(directory)), options.rounds, options.minutes)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    if failed := list(_failures(result)):
        sys.exit("; ".join(failed))


def _failures(result: dict[str, Any]) -> Iterator[str]:
    if (one := result.get("planted")) and one["found"] < LEAST_PLANTED * one["cases"]:
        yield f"{one['found']} of {one['cases']} planted primes were found"
    for row in result.get("scattered", ()):
        if row["share_known"] >= 0.30 and row["rebuilt"] < LEAST_SCATTERED * row["keys"]:
            yield f"{row['rebuilt']} of {row['keys']} keys from {row['share_known']:.0%} of their bits"
    if (one := result.get("clean")) and one["false_findings"] > MOST_FALSE:
        yield f"{one['false_findings']} false findings"


if __name__ == "__main__":
    main()
