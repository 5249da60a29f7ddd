"""The scan of whole images: what findings must not depend on, what is none, what a report may not say."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import os
import random
import re
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import immure.dumps.open
from immure.dumps import spool
from immure.dumps.dump import Image
from immure.dumps.limits import Limits
from immure.errors import UsageError
from immure.keymaterial.key import EcNumbers, Origin, PublicKey, RsaNumbers
from immure.keymaterial.private import okp_from_seed
from immure.keymaterial.published import where_published
from immure.keymaterial.serialize import to_pkcs8
from immure.scanning import plan
from immure.scanning.finding import ImageReport
from immure.scanning.options import Mode, NoProgress, ScanOptions
from immure.scanning.plan import BUDGETS
from immure.scanning.report.formats import FORMATS, ReportOptions, write_report
from immure.scanning.scanner import scan_image, scan_targets
from immure.synth import Segment, build_elf_core, build_minidump, plant

from .material import EC, OKP, PAGE, filler, forms, image_of, planted, private, public, scan
from .test_search import FILLERS, alone, of_key

KINDS = ("RSA-1024", "P-256", "P-521", "Ed25519", "Ed448")
#: Those whose search takes least, for what does not depend on the keys.
FEW_KINDS = ("RSA-1024", "P-256", "Ed25519")
PLANTED = (
    ("RSA-1024", "p", "le64"), ("RSA-1024", "d", "be"), ("RSA-1024", "qinv", "le64"), ("P-256", "d", "be32w"),
    ("P-521", "d", "le64"), ("P-521", "d", "base64"), ("Ed25519", "seed", "raw"),
    ("Ed25519", "prefix", "raw"),
    ("Ed448", "seed", "hex"), ("P-256", "key", "pkcs8-der"),
)  # fmt: skip


def memory_with_keys(size: int = 40 * PAGE) -> bytes:
    """Ordinary memory with several keys, some of them where chunks of 4 KiB and of 64 KiB meet."""
    memory = filler("ordinary", size, seed=7)
    for turn, (kind, secret, encoding) in enumerate(PLANTED):
        data = forms(kind)[secret, encoding]
        border = (16 if turn % 2 else 4 * turn + 1) * PAGE
        plant(memory, border + (turn // 2) * 1024 - (len(data) // 2) // 8 * 8, data)
    return bytes(memory)


MEMORY = memory_with_keys()
CORE = build_elf_core(
    [Segment(0x7F0000000000, MEMORY[: 24 * PAGE]), Segment(0x7F0000100000, MEMORY[24 * PAGE :])]
)


def facts(report: ImageReport) -> list[object]:
    """All that may not depend on how an image is cut and by how many it is scanned."""
    return [
        (finding.key.thumbprint, finding.kind, finding.proof, finding.occurrences, finding.also_known_as)
        for finding in report.findings
    ]


@pytest.fixture(scope="module")
def expected() -> list[object]:
    found = facts(scan(CORE.data, *KINDS))
    assert len(found) == len(KINDS)
    return found


@pytest.mark.parametrize(
    ("chunk_bytes", "threads"),
    # small chunks are slow: each is read with what overlaps it
    [(4096, 1), (5 * 4096, 2), (5 * 4096, 5), (1 << 16, 1), (1 << 16, 5), (8 << 20, 2), (8 << 20, 5)],
)
def test_findings_depend_on_neither_chunks_nor_threads(
    chunk_bytes: int, threads: int, expected: list[object]
) -> None:
    assert facts(scan(CORE.data, *KINDS, chunk_bytes=chunk_bytes, threads=threads)) == expected


def test_quick_and_exhaustive_mode_agree_on_small_images(expected: list[object]) -> None:
    """But for which copy is proved first."""
    quick, every = scan(CORE.data, *KINDS), scan(CORE.data, *KINDS, mode="exhaustive")
    assert [found.occurrences for found in quick.findings] == [found.occurrences for found in every.findings]
    assert every.complete
    assert [gap for gap in quick.not_searched if "texts" not in gap.reason] == []


def zst(data: bytes) -> bytes:
    return bytes(zstandard.compress(data))


def tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("crash/core.1")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("core", data)
    return out.getvalue()


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "zst": zst, "gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "lz4": lz4.frame.compress,
    "tar": tar, "zip": zipped, "tar.gz": lambda data: gzip.compress(tar(data)),
}  # fmt: skip


@pytest.fixture(scope="module")
def expected_of_few() -> list[object]:
    found = facts(scan(CORE.data, *FEW_KINDS))
    assert len(found) == len(FEW_KINDS)
    return found


@pytest.mark.parametrize("name", CONTAINERS)
def test_findings_do_not_depend_on_the_container(
    name: str, tmp_path: Path, expected_of_few: list[object]
) -> None:
    path = tmp_path / f"core.{name}"
    path.write_bytes(CONTAINERS[name](CORE.data))
    keys = [public(kind) for kind in FEW_KINDS]
    [image] = scan_targets([str(path)], keys=keys, options=ScanOptions(threads=2)).images
    assert (image.error, image.format, facts(image)) == (None, "elf-core", expected_of_few)
    assert [gap for gap in image.not_searched if "texts" not in gap.reason] == []


@pytest.mark.parametrize("mode", ["quick", "exhaustive"])
def test_a_stream_that_is_read_once_has_the_findings_of_a_file(
    mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for family in BUDGETS:  # so that the plan is settled somewhere in the middle
        monkeypatch.setitem(BUDGETS, family, 2048)
    monkeypatch.setattr(plan, "EDGE_CANDIDATES", 64)
    monkeypatch.setattr(spool, "_AHEAD", 1 << 16)
    monkeypatch.setattr(immure.dumps.open, "Limits", partial(Limits, spool_memory_bytes=1 << 16))
    options = ScanOptions(
        mode=mode, detectors=("rsa", "montgomery", "ec"), harvest=False, threads=2, chunk_bytes=1 << 14
    )
    keys = [public(kind) for kind in KINDS]

    def scanned(data: bytes) -> ImageReport:
        (tmp_path / "core").write_bytes(data)
        [image] = scan_targets([str(tmp_path / "core")], keys=keys, options=options).images
        return image

    def gaps(image: ImageReport) -> set[tuple[str, str]]:
        """Windows where chunks overlap are counted with both; where holes are known earlier, others do."""
        return {(gap.detector, re.sub(r"\d+", "", gap.reason)) for gap in image.not_searched}

    plain = scanned(CORE.data)
    assert len(plain.findings) == 4
    for name in ("zst", "gz", "lz4"):
        packed = scanned(CONTAINERS[name](CORE.data))
        assert facts(packed) == facts(plain), name
        assert gaps(packed) == gaps(plain), name


@pytest.mark.parametrize("shift", range(8))
def test_words_are_aligned_as_their_addresses_are(shift: int) -> None:
    """In a minidump memory begins at any offset."""
    data = forms("RSA-1024")["rr_p", "le64"]
    before = b"\1" * (PAGE + shift)
    built = build_minidump([(0x10000, before), (0x20000, bytes(planted(data, PAGE, size=2 * PAGE)))])
    finding = of_key(scan(built.data, "RSA-1024"), "RSA-1024")
    assert finding is not None
    [one] = finding.occurrences
    assert (one.offset, one.virtual_address) == (built.offset_of(0x20000 + PAGE), 0x20000 + PAGE)
    assert one.secret == "rr_p"


QUICK_KINDS = ("RSA-1024", "RSA-2048", *EC, *OKP)


@settings(max_examples=70, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_a_number_at_a_random_place_is_found(data: st.DataObject) -> None:
    """Any secret that gives the key away, in any encoding, with any neighbours, where chunks meet or not."""
    kind = data.draw(st.sampled_from(QUICK_KINDS))
    secret, encoding, multiple = data.draw(st.sampled_from(alone(kind)))
    number = forms(kind)[secret, encoding]
    chunk = data.draw(st.sampled_from((4096, 4 * 4096, 1 << 16)))
    size = data.draw(st.integers(len(number) + 2 * PAGE, 8 * PAGE))
    start = data.draw(
        st.one_of(st.integers(8, size - len(number) - 8), st.integers(PAGE - len(number), PAGE + 8))
    )
    start = max(8, start // multiple * multiple)
    memory = planted(number, start, name=data.draw(st.sampled_from(FILLERS)), size=size, seed=start)
    if encoding not in ("le64", "be", "raw") and "der" not in encoding:
        plant(memory, start - 2, b"\0\0")  # text beside it would be another text
        plant(memory, start + len(number), b"\0\0"[: size - start - len(number)])
    report = scan(memory, kind, chunk_bytes=chunk, mode="exhaustive", threads=data.draw(st.integers(1, 3)))
    finding = of_key(report, kind)
    assert finding is not None
    assert finding.whole
    assert any(one.offset <= start + 1 < one.offset + one.length for one in finding.occurrences)
    assert [found for found in report.findings if found is not finding] == []


@cache
def other_halves(kind: str) -> dict[str, bytes]:
    """The public half of a key as images hold it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

    key = load_der_private_key(to_pkcs8(private(kind)), None).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = {
        "spki": spki,
        "pem": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "base64": base64.b64encode(spki),
    }
    jwk = ",".join(f'"{name}":"{value}"' for name, value in public(kind).to_jwk().items())
    found["jwk"] = b'{"keys":[{"kid":"here",' + jwk.encode() + b"}]}"
    if kind.startswith("RSA") or kind in ("P-256", "P-384", "P-521", "Ed25519"):
        found["ssh"] = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" me@host\n"
    numbers = public(kind).numbers
    if isinstance(numbers, RsaNumbers):
        modulus = numbers.n.to_bytes(numbers.n.bit_length() // 8 + 1, "big")
        found["modulus"] = b"\x02\x82" + len(modulus).to_bytes(2, "big") + modulus + b"\x02\x03\x01\x00\x01"
    return found


HARVESTED = [
    (kind, form) for kind in ("RSA-2048", "P-256", "P-521", "Ed25519", "Ed448") for form in other_halves(kind)
]


@pytest.mark.parametrize(("kind", "form"), HARVESTED)
@pytest.mark.parametrize("is_behind", [False, True])
def test_keys_that_nobody_named_are_harvested(kind: str, form: str, is_behind: bool) -> None:
    """From before the number and from behind it; alone they are no finding."""
    secret = ("p", "le64") if kind.startswith("RSA") else ("seed", "raw") if kind in OKP else ("d", "be")
    memory = planted(other_halves(kind)[form], (20 if is_behind else 2) * PAGE, size=24 * PAGE)
    assert scan(memory, chunk_bytes=1 << 16).findings == []
    plant(memory, 9 * PAGE, forms(kind)[secret])
    report = scan(memory, chunk_bytes=1 << 14)
    finding = of_key(report, kind)
    assert finding is not None
    assert (finding.kind, finding.key.origin.source) == ("harvested", "image")
    assert report.statistics["keys_harvested"] == 1
    assert scan(memory, harvest=False, detectors=("rsa", "ec")).findings == []


def truncated_pems() -> bytes:
    lines = []
    for kind in ("RSA-2048", "P-256", "Ed25519"):
        text = base64.encodebytes(to_pkcs8(private(kind))).replace(b"\n", b"")
        keep = 300 if kind == "RSA-2048" else 40
        lines += [b"-----BEGIN PRIVATE KEY-----", text[:keep], b"-----END PRIVATE KEY-----", b""]
    return b"\n".join(lines)


PREFIXES = (
    "308204a40201000282010100", "302e020100300506032b657004220420", "3047020100300506032b6571043b0439",
    "30770201010420", "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420",
)  # fmt: skip
CONSTANTS = {
    "PEM headers": b"-----BEGIN RSA PRIVATE KEY-----\0-----BEGIN EC PRIVATE KEY-----\0-----END PRIVATE" * 9,
    "DER prefixes before text": b"".join(
        bytes.fromhex(one) + b"crypto/asn1/key_pkey.c: no method found " * 2 for one in PREFIXES
    ),
    "DER prefixes before numbers": b"".join(bytes.fromhex(one) + bytes(range(0, 240, 3)) for one in PREFIXES),
    "truncated PEM": truncated_pems(),
    "an encrypted key": b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + b"MIIB" * 40,
    "public keys": b"\0".join(other_halves("RSA-2048").values()) + b"\0".join(other_halves("P-256").values()),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_what_only_looks_like_a_key_is_no_finding(name: str) -> None:
    report = scan(planted(CONSTANTS[name], 3 * PAGE, name="ordinary"), "RSA-2048", "P-256", "Ed25519")
    assert (report.findings, report.not_searched) == ([], [])


SEED = bytes.fromhex(
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
)  # RFC 8037, appendix A.1


def test_a_published_key_is_a_warning() -> None:
    key = okp_from_seed("Ed25519", SEED)
    report = scan(planted(to_pkcs8(key), 3 * PAGE))
    assert report.findings == []
    [warning] = report.warnings
    name = PublicKey(key.public, Origin("x")).thumbprint
    assert warning.startswith(
        f"Ed25519 key {name} at offset {3 * PAGE} is a published example key (test key of RFC 8037"
    )
    assert warning.endswith(", not reported")


def test_a_published_key_that_is_named_is_a_finding() -> None:
    """Whoever signs with it has a problem."""
    key = PublicKey(okp_from_seed("Ed25519", SEED).public, Origin("jwks.json"))
    assert where_published(key) is not None
    report = scan_image(image_of(planted(SEED, 3 * PAGE)), [key], ScanOptions(threads=1))
    assert [finding.key for finding in report.findings] == [key]
    assert report.warnings == []


BAD_KEYS = [
    (EcNumbers("P-256", 5, 7), "not searched for: not a point of P-256"),
    (RsaNumbers((1 << 511) + 111, 65537), "of a size that is not searched for"),
    (RsaNumbers((1 << 20000) + 1, 65537), "of a size that is not searched for"),
    (RsaNumbers(1 << 2047, 65537), "of a size that is not searched for"),
]


@pytest.mark.parametrize(("numbers", "words"), BAD_KEYS)
def test_keys_that_cannot_be_searched_for_are_said(numbers: EcNumbers | RsaNumbers, words: str) -> None:
    key = PublicKey(numbers, Origin("jwks.json"))
    memory = planted(forms("P-256")["d", "be"], 3 * PAGE)
    report = scan_image(image_of(memory), [key, public("P-256")], ScanOptions(threads=1))
    assert [finding.key.label for finding in report.findings] == ["P-256"]
    [warning] = report.warnings
    assert key.thumbprint in warning
    assert warning.endswith(words)


def test_a_fake_modulus_with_small_factors_is_no_finding() -> None:
    """Any number shares those with what is in an image."""
    chance = random.Random(3)
    fakes = [RsaNumbers((chance.getrandbits(1003) | 1 | 1 << 1002) * 1048583, 65537) for _ in range(60)]
    keys = [PublicKey(numbers, Origin("x")) for numbers in fakes]
    report = scan_image(image_of(filler("random", 16 * PAGE)), keys, ScanOptions(threads=1))
    assert report.findings == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detectors": ()}, "unknown detector (none)"),
        ({"detectors": ("rsa", "nonsense")}, "unknown detector nonsense"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"chunk_bytes": 4095}, "a multiple of 4,096"),
        ({"chunk_bytes": 2048}, "a multiple of 4,096"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        scan(b"x" * PAGE, **options)


def test_an_empty_image_has_no_findings() -> None:
    assert scan(b"", "RSA-1024").findings == []


def secret_texts(kind: str) -> set[bytes]:
    """Every secret in every encoding, and as Python writes bytes and numbers."""
    found = {data for (_, encoding), data in forms(kind).items() if not encoding.endswith("utf16le")}
    return found | {repr(data)[2:-1].encode() for data in found}


@pytest.mark.parametrize("kind", ["RSA-1024", "P-256", "P-521", "Ed25519", "Ed448"])
def test_no_secret_is_in_any_output(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    memory = bytearray(b"\0" * 64).join(forms(kind).values()) + bytes(64)
    path = tmp_path / "memory.raw"
    path.write_bytes(memory)
    report = scan_targets([str(path)], keys=[public(kind)], options=ScanOptions(threads=1))
    assert report.findings
    outputs = [repr(report).encode(), repr(report.findings[0]).encode(), caplog.text.encode()]
    for form in FORMATS:
        stream = io.StringIO()
        write_report(report, stream, form, ReportOptions(show_all=True))
        outputs.append(stream.getvalue().encode())
    outputs += [part.encode() for part in capfd.readouterr()]
    for secret in secret_texts(kind):
        assert not any(secret in output for output in outputs)


class Breaking(Exception):
    """What a reader raises that is broken."""


def test_no_secret_is_in_a_traceback() -> None:
    """Of an error in the middle of a scan, however it is printed; with the values of all arguments, too."""
    import traceback

    image = image_of(planted(forms("P-256")["d", "le64"], 3 * PAGE))
    reads = 0

    class Reader(type(image.reader)):  # type: ignore[misc]
        def read_into(self, offset: int, view: memoryview) -> int:
            nonlocal reads
            reads += 1
            if reads > 2:
                raise Breaking
            return int(super().read_into(offset, view))

    image.reader.__class__ = Reader
    with pytest.raises(Breaking) as caught:
        scan(image, "P-256")
    text = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    ).encode()
    assert b"Breaking" in text
    scanner = text[text.index(b"scanner.py") :]
    for secret in secret_texts("P-256"):
        assert secret not in scanner
    assert isinstance(image, Image)


def as_facts(report: ImageReport) -> list[object]:
    return [
        (finding.key.thumbprint, finding.kind, finding.proof, finding.occurrences)
        for finding in report.findings
    ]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("mode", ["quick", "exhaustive"])
def test_a_file_is_searched_in_place_with_the_same_result(tmp_path: Path, mode: Mode, threads: int) -> None:
    memory = memory_with_keys()
    path = tmp_path / "image"
    path.write_bytes(memory)
    keys = [public(kind) for kind in KINDS]
    options = ScanOptions(mode=mode, threads=threads, chunk_bytes=1 << 14)
    with immure.dumps.open.open_image(path) as image:
        mapped = scan_image(image, keys=keys, options=options)
    copied = scan_image(image_of(memory), keys=keys, options=options)
    assert as_facts(mapped) == as_facts(copied)
    assert len(mapped.findings) > 3


class Cutting(NoProgress):
    """Cuts the file short as soon as the search has begun."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self.now = ""

    def phase(self, name: str) -> None:
        self.now = name

    def advance(self, count: int) -> None:
        if self.now == "search":
            os.truncate(self.path, self.size)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_file_that_is_cut_short_meanwhile(tmp_path: Path, threads: int) -> None:
    """No crash; what is left is searched, and what is not is said."""
    data, size = bytearray(filler("ordinary", 512 * PAGE, seed=3)), 40 * PAGE
    secret = forms("RSA-1024")["p", "le64"]
    plant(data, 39 * PAGE, secret)
    path = tmp_path / "image"
    path.write_bytes(data)
    options = ScanOptions(mode="exhaustive", detectors=("rsa",), threads=threads, chunk_bytes=1 << 14)
    with immure.dumps.open.open_image(path) as image:
        report = scan_image(image, keys=[public("RSA-1024")], options=options, progress=Cutting(path, size))
    assert [one.offset for finding in report.findings for one in finding.occurrences] == [39 * PAGE]
    gaps = [gap for gap in report.not_searched if gap.reason == "could not be read"]
    assert gaps
    assert min(gap.offset for gap in gaps) >= size
