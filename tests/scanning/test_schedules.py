"""AES keys by their key schedules: in built images, and in what real programs leave."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from immure.dumps.open import open_image
from immure.keymaterial.aes import LAYOUTS, SURELY_FLIPPED, Layout
from immure.keymaterial.aes_published import DRBG, drbg_states
from immure.scanning import schedules
from immure.scanning.finding import Finding, ImageReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import prove_image, scan_targets
from immure.scanning.schedules import aes_key
from immure.synth import plant

from .material import filler, image_of, planted, scan

CHANCE = random.Random("aes")
KEY = CHANCE.randbytes(32)
PLAIN = Layout(32, "encryption", swapped=False)

needs_gdb = pytest.mark.skipif(
    shutil.which("gdb") is None or os.geteuid() != 0,
    reason="NOT TESTED: needs gdb and the permission to read another process",
)


def search(memory: bytes | bytearray, **options: object) -> ImageReport:
    return scan(memory, **{"harvest": False, "detectors": ("ec",), "aes": True} | options)


@pytest.mark.parametrize("memory", ["zeros", "ordinary", "random"])
@pytest.mark.parametrize(
    "layout", LAYOUTS, ids=lambda one: f"{8 * one.key_bytes}-{one.order}{'-be32w' * one.swapped}"
)
def test_a_schedule_is_found(layout: Layout, memory: str) -> None:
    key = random.Random(layout.name).randbytes(layout.key_bytes)
    report = search(planted(layout.write(key), 4096, name=memory))
    (finding,) = report.findings
    assert finding.proof == (
        f"{layout.length} bytes are the {layout.order} key schedule of an AES-{8 * layout.key_bytes} key"
    )
    assert (finding.kind, finding.key.kty, finding.key.size) == ("schedule", "oct", 8 * layout.key_bytes)
    assert finding.key.label == f"AES-{8 * layout.key_bytes} key"
    (place,) = finding.occurrences
    assert (place.offset, place.length, place.whole) == (4096, layout.length, True)
    assert place.encoding == layout.name
    assert key.hex() not in repr(report)


def test_a_schedule_for_decryption_is_whole_with_its_first_round_key() -> None:
    layout = Layout(16, "decryption", swapped=True)
    image = planted(layout.last_round(KEY[:16]) + layout.write(KEY[:16]), 4096)
    (finding,) = search(image).findings
    (place,) = finding.occurrences
    assert (place.offset, place.length, place.whole) == (4096, 176, True)


def test_one_schedule_leads_to_the_other_copies() -> None:
    image = planted(PLAIN.write(KEY), 4096)
    plant(image, 9001, KEY)
    plant(image, 12003, KEY.hex().encode())
    plant(image, 20001, PLAIN.write(KEY)[40:100])
    (finding,) = search(image).findings
    found = [(one.offset, one.length, one.encoding, one.whole) for one in finding.occurrences]
    assert found == [
        (4096, 240, "aes-schedule", True),
        (9001, 32, "raw", True),
        (12003, 64, "hex", True),
        (20001, 60, "aes-schedule", False),
    ]


@pytest.mark.parametrize("flips", [1, SURELY_FLIPPED])
def test_a_decayed_schedule_is_found_and_said_to_be_one(flips: int) -> None:
    data = bytearray(PLAIN.write(KEY))
    for bit in CHANCE.sample(range(8 * len(data)), flips):
        data[bit // 8] ^= 1 << bit % 8
    report = search(planted(bytes(data), 4096))
    (finding,) = report.findings
    assert finding.key == aes_key(KEY)
    assert finding.proof.endswith(f"but for {flips} flipped bit{'s' * (flips > 1)}")
    assert [(one.offset, one.length) for one in finding.occurrences] == [(4096, 240)]


@pytest.mark.parametrize("chunk_bytes", [4096, 1 << 20])
@pytest.mark.parametrize("threads", [1, 2])
def test_borders_of_chunks(chunk_bytes: int, threads: int) -> None:
    for offset in (4096 - 120, 4096 - 4, 4096):
        image = planted(PLAIN.write(KEY), offset, name="ordinary")
        (finding,) = search(image, chunk_bytes=chunk_bytes, threads=threads).findings
        assert [one.offset for one in finding.occurrences] == [offset]


@pytest.mark.parametrize("name", ["zeros", "random", "text", "ordinary"])
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    report = search(filler(name, 256 << 10))
    assert (report.findings, report.warnings) == ([], [])


def test_only_exhaustive_mode_looks_at_odd_places() -> None:
    image = planted(PLAIN.write(KEY), 4099)
    assert search(image).findings == []
    (finding,) = search(image, mode="exhaustive").findings
    assert finding.occurrences[0].offset == 4099


def test_it_is_not_asked_for_by_default() -> None:
    image = planted(PLAIN.write(KEY), 4096)
    assert scan(image).findings == []


def test_a_test_vector_is_no_leak() -> None:
    image = planted(PLAIN.write(bytes(range(32))), 4096)
    report = search(image)
    assert report.findings == []
    assert report.warnings == [
        "an AES key whose schedule is at offset 4096 is not reported: test vector of FIPS 197, appendix C"
    ]


def test_the_state_of_a_generator_is_no_leak() -> None:
    """Also if the state is found before its schedule; a mere copy of the key makes no state."""
    (_, state), _ = drbg_states(KEY)
    other = CHANCE.randbytes(16)
    image = planted(PLAIN.write(KEY), 8192)
    plant(image, 4096, state)
    plant(image, 12000, Layout(16, "encryption", swapped=False).write(other))
    plant(image, 14000, other)
    report = search(image)
    assert [finding.key for finding in report.findings] == [aes_key(other)]
    assert report.warnings == [
        "an AES key whose schedule is at offset 8192 is not reported: state of a random number generator"
        " (CTR_DRBG of OpenSSL)"
    ]
    assert not any(one.encoding == DRBG for finding in report.findings for one in finding.occurrences)


def test_the_key_can_be_had_by_whoever_erases() -> None:
    report, proofs = prove_image(
        image_of(planted(PLAIN.write(KEY), 4096)), (), ScanOptions(aes=True, threads=1)
    )
    (proof,) = proofs
    assert proof.scalar is not None
    assert proof.scalar.reveal() == KEY
    assert len(report.findings) == 1
    needles = {encoding: data for _, encoding, data in proof.needles()}
    assert needles["aes-schedule"] == PLAIN.write(KEY)
    assert KEY.hex() not in repr(proof)


def test_what_was_not_searched_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    image = filler("zeros", 64 << 10)
    for number in range(20):
        plant(image, 4096 + 2048 * number, PLAIN.write(CHANCE.randbytes(32)))
    monkeypatch.setattr(schedules, "MOST_KEYS", 7)
    report = search(image)
    assert len(report.findings) == 7
    (gap,) = report.not_searched
    assert (gap.offset, gap.detector) == (4096 + 2048 * 7, "aes")
    assert gap.reason == "the image holds more than 7 AES keys"


def test_a_fingerprint_is_of_the_key_alone_and_no_plain_digest() -> None:
    assert aes_key(KEY) == aes_key(bytes(KEY))
    assert aes_key(KEY).thumbprint != aes_key(KEY[:16]).thumbprint
    assert len(aes_key(KEY).thumbprint) == 43


PYTHON = """
import os, ssl, sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
keys = [bytes(byte ^ 90 for byte in bytes.fromhex(word)) for word in sys.stdin.readline().split()]
encryptor = Cipher(algorithms.AES(keys[0]), modes.CBC(bytes(16))).encryptor()
decryptor = Cipher(algorithms.AES(keys[1]), modes.CBC(bytes(16))).decryptor()
sealer = AESGCM(keys[2])
encryptor.update(bytes(16)), decryptor.update(bytes(16)), sealer.encrypt(bytes(12), b"x", None)
ssl.RAND_bytes(16)
print("ready", flush=True)
sys.stdin.read()
"""
GO = """
package main
import ("bufio"; "crypto/aes"; "crypto/cipher"; "encoding/hex"; "fmt"; "io"; "os"; "strings")
func main() {
    in := bufio.NewReader(os.Stdin)
    line, _ := in.ReadString('\\n')
    var made []cipher.Block
    for _, word := range strings.Fields(line) {
        key, _ := hex.DecodeString(word)
        for i := range key { key[i] ^= 90 }
        block, _ := aes.NewCipher(key)
        made = append(made, block)
    }
    fmt.Println("ready")
    io.ReadAll(in)
    for _, block := range made { block.Encrypt(make([]byte, 16), make([]byte, 16)) }
}
"""
JAVA = """
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;
public class Aes {
    public static void main(String[] arguments) throws Exception {
        Scanner in = new Scanner(System.in);
        List<Cipher> made = new ArrayList<>();
        for (String word : in.nextLine().split(" ")) {
            byte[] key = HexFormat.of().parseHex(word);
            for (int i = 0; i < key.length; i++) key[i] ^= 90;
            Cipher cipher = Cipher.getInstance("AES/CBC/NoPadding");
            int mode = made.isEmpty() ? Cipher.DECRYPT_MODE : Cipher.ENCRYPT_MODE;
            cipher.init(mode, new SecretKeySpec(key, "AES"), new IvParameterSpec(new byte[16]));
            cipher.update(new byte[64]);
            made.add(cipher);
        }
        System.out.println("ready");
        while (in.hasNextLine()) in.nextLine();
        for (Cipher cipher : made) cipher.update(new byte[64]);
    }
}
"""


def findings_in(command: list[str], tmp_path: Path, keys: list[bytes]) -> tuple[list[Finding], list[str]]:
    """What a scan finds in the core of a program that was told the keys, each byte changed."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            print(*(bytes(byte ^ 90 for byte in key).hex() for key in keys), file=process.stdin, flush=True)
            assert process.stdout.readline() == "ready\n"
            core = tmp_path / "core"
            gdb = ["gdb", "-nx", "-batch", "-p", str(process.pid), "-ex", f"gcore {core}"]
            subprocess.run(gdb, capture_output=True, check=True)
        finally:
            process.kill()
    options = ScanOptions(aes=True, harvest=False, detectors=("ec",), threads=2)
    (image,) = scan_targets([str(core)], options=options).images
    core.unlink()
    assert image.error is None
    assert not any(key.hex() in repr(image) for key in keys)
    return image.findings, image.warnings


def three_keys() -> list[bytes]:
    return [os.urandom(size) for size in (16, 24, 32)]


@needs_gdb
@pytest.mark.real
def test_the_core_of_a_python_process(tmp_path: Path) -> None:
    keys = three_keys()
    findings, warnings = findings_in([sys.executable, "-c", PYTHON], tmp_path, keys)
    assert {finding.key for finding in findings} == {aes_key(key) for key in keys}
    encodings = {finding.key.size: {one.encoding for one in finding.occurrences} for finding in findings}
    assert "aes-schedule" in encodings[128]
    assert "aes-decrypt" in encodings[192]
    assert any("CTR_DRBG of OpenSSL" in warning for warning in warnings)
    assert any("FIPS 197, appendix C" in warning for warning in warnings)


@needs_gdb
@pytest.mark.real
@pytest.mark.drill
@pytest.mark.skipif(shutil.which("go") is None, reason="NOT TESTED: needs golang-go")
def test_the_core_of_a_go_process(tmp_path: Path) -> None:
    source = tmp_path / "main.go"
    source.write_text(GO)
    environment = {
        **os.environ,
        "GOCACHE": str(tmp_path / "cache"),
        "GOFLAGS": "-mod=mod",
        "GO111MODULE": "off",
    }
    build = ["go", "build", "-o", str(tmp_path / "aes"), str(source)]
    subprocess.run(build, check=True, capture_output=True, env=environment)
    keys = three_keys()
    findings, _ = findings_in([str(tmp_path / "aes")], tmp_path, keys)
    assert {finding.key for finding in findings} == {aes_key(key) for key in keys}
    for finding in findings:
        assert {"aes-schedule", "aes-decrypt"} <= {one.encoding for one in finding.occurrences if one.whole}


@needs_gdb
@pytest.mark.real
@pytest.mark.drill
@pytest.mark.skipif(shutil.which("java") is None, reason="NOT TESTED: needs a JDK")
def test_the_core_of_a_java_process(tmp_path: Path) -> None:
    source = tmp_path / "Aes.java"
    source.write_text(JAVA)
    keys = three_keys()
    command = ["java", "-Xmx64m", "-XX:+UseSerialGC", str(source)]
    findings, _ = findings_in(command, tmp_path, keys)
    assert {aes_key(key) for key in keys} <= {finding.key for finding in findings}
    whole = {one.encoding for finding in findings for one in finding.occurrences if one.whole}
    assert "aes-decrypt-rotated-be32w" in whole


def test_an_image_that_is_opened_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "memory.raw"
    path.write_bytes(planted(PLAIN.write(KEY), 4096))
    with open_image(path) as image:
        assert len(search_image(image).findings) == 1


def search_image(image: object) -> ImageReport:
    return scan(image, harvest=False, detectors=("ec",), aes=True)  # type: ignore[arg-type]
