"""The fleet finds what ``immure scan`` finds: of images that are cut anywhere, and of those that are not."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immure.fleet.engines import open_engine
from immure.keymaterial.key import PublicKey
from immure.keymaterial.sketch_make import sketch_of
from immure.scanning.finding import ImageReport
from immure.scanning.options import ScanOptions
from immure.scanning.scanner import scan_targets
from immure.synth import Segment, build_elf_core, build_minidump, plant
from scanning.material import filler, forms, private, public

from .making import KIB, assert_each_byte_once, facts, quiet_memory, scan_on

SIZE = 512 * KIB
#: Several chunks to a range, several ranges to an image.
OPTIONS = ScanOptions(chunk_bytes=32 * KIB, threads=1)
SPLIT = 96 * KIB
WRITTEN = (
    ("RSA-1024", "p", "le64"), ("RSA-1024", "d", "be"), ("RSA-1024", "qinv", "le64"), ("P-256", "d", "be"),
    ("P-256", "key", "pkcs8-der"), ("Ed25519", "seed", "raw"), ("Ed25519", "prefix", "raw"),
    ("Ed25519", "seed", "hex"),
)  # fmt: skip
KEYS = [public(kind) for kind in ("RSA-1024", "P-256", "Ed25519")]


def as_raw(memory: bytes) -> bytes:
    return memory


def as_core(memory: bytes) -> bytes:
    half = len(memory) // 2
    segments = [Segment(0x7000_0000, memory[:half]), Segment(0x7F00_0000_0004, memory[half:])]
    return build_elf_core(segments, process=(7, "signer", "signer --password hunter2")).data


def as_minidump(memory: bytes) -> bytes:
    return build_minidump([(0x10_0004, memory)]).data


def both(data: bytes, path: Path, keys: list[PublicKey], options: ScanOptions = OPTIONS) -> list[ImageReport]:
    """Scanned here and by a fleet; the reports agree."""
    path.write_bytes(data)
    alone = scan_targets([str(path)], keys=keys, options=options)
    with open_engine("threads:2") as engine:
        fleet = scan_on(engine, [str(path)], keys, options, SPLIT)
    assert facts(fleet.scan) == facts(alone)
    assert_each_byte_once(fleet)
    assert not fleet.account.lost
    return fleet.scan.images


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(WRITTEN), st.integers(1, SIZE // SPLIT), st.integers(-200, 40), st.booleans()
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([as_raw, as_core, as_minidump]),
)
def test_keys_around_the_seams(
    tmp_path_factory: pytest.TempPathFactory,
    places: list[tuple[tuple[str, str, str], int, int, bool]],
    form: Callable[[bytes], bytes],
) -> None:
    memory = quiet_memory(SIZE)
    for (kind, secret, encoding), seam, by, is_aligned in places:
        at = seam * SPLIT + by
        plant(memory, at // 8 * 8 if is_aligned else at, forms(kind)[secret, encoding])
    both(form(bytes(memory)), tmp_path_factory.mktemp("seams") / "image", KEYS)


@pytest.mark.parametrize("is_public_first", [True, False])
def test_a_key_whose_halves_are_in_different_ranges(tmp_path: Path, is_public_first: bool) -> None:
    """Nobody names the key: its public half is in one range, its private half in another."""
    memory = quiet_memory(SIZE)
    first, last = 10 * KIB, SIZE - 20 * KIB
    der = _public_der()
    plant(memory, first if is_public_first else last, der)
    plant(memory, last if is_public_first else first, forms("RSA-1024")["p", "le64"])
    report = both(bytes(memory), tmp_path / "image", [])[0]
    assert [finding.kind for finding in report.findings] == ["harvested"]


def _public_der() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    numbers = private("RSA-1024").public
    key = RSAPublicNumbers(numbers.e, numbers.n).public_key()  # type: ignore[union-attr]
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_a_number_that_alone_proves_nothing_is_swept_for_in_all_ranges(tmp_path: Path) -> None:
    memory = quiet_memory(SIZE)
    plant(memory, 8 * KIB, forms("RSA-1024")["p", "le64"])
    for seam in range(1, SIZE // SPLIT):
        plant(memory, seam * SPLIT - 24, forms("RSA-1024")["qinv", "le64"])
    report = both(bytes(memory), tmp_path / "image", [public("RSA-1024")])[0]
    places = [one for one in report.findings[0].occurrences if one.secret == "qinv"]
    assert len(places) == SIZE // SPLIT - 1


@pytest.mark.parametrize("mode", ["quick", "exhaustive"])
@pytest.mark.parametrize("harvest", [True, False])
def test_options_make_no_difference(tmp_path: Path, mode: str, harvest: bool) -> None:
    memory = quiet_memory(256 * KIB)
    memory[100 * KIB : 101 * KIB] = random.Random(1).randbytes(KIB)
    plant(memory, SPLIT - 64, forms("RSA-1024")["p", "le64"])
    detectors = ("rsa", "structure") if harvest else ("rsa",)
    options = ScanOptions(mode=mode, harvest=harvest, detectors=detectors, chunk_bytes=32 * KIB, threads=1)  # type: ignore[arg-type]
    assert both(bytes(memory), tmp_path / "image", [public("RSA-1024")], options)[0].findings


def test_sketches_find_their_secrets_on_both_sides_of_a_seam(tmp_path: Path) -> None:
    secret = random.Random(8).randbytes(48)
    sketch = sketch_of([("api", "hs256", secret)])
    memory = quiet_memory(SIZE)
    plant(memory, SPLIT - 20, secret)
    plant(memory, 4 * SPLIT + 512, secret[:30])
    options = ScanOptions(chunk_bytes=32 * KIB, threads=1, sketches=(sketch,))
    report = both(bytes(memory), tmp_path / "image", [], options)[0]
    assert report.findings[0].kind == "sketched"
    assert len(report.findings[0].occurrences) == 2


def test_what_cannot_be_cut_is_one_task(tmp_path: Path) -> None:
    memory = quiet_memory(SIZE)
    plant(memory, SPLIT - 64, forms("RSA-1024")["p", "le64"])
    packed = gzip.compress(bytes(memory) + random.Random(2).randbytes(2 * SPLIT))
    assert len(packed) > SPLIT
    assert both(packed, tmp_path / "image.gz", [public("RSA-1024")])[0].findings
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("one", "two"):
            member = tarfile.TarInfo(name)
            member.size = len(memory)
            archive.addfile(member, io.BytesIO(memory))
    images = both(stream.getvalue(), tmp_path / "images.tar", [public("RSA-1024")])
    assert [image.path.rpartition("!")[2] for image in images] == ["one", "two"]


def test_damaged_keys_are_looked_for_in_whole_images(tmp_path: Path) -> None:
    memory = quiet_memory(128 * KIB)
    prime = bytearray(forms("RSA-1024")["p", "le64"])
    prime[:16] = bytes(16)
    plant(memory, SPLIT - 32, bytes(prime))
    options = ScanOptions(chunk_bytes=32 * KIB, threads=1, deep=True)
    report = both(bytes(memory), tmp_path / "image", [public("RSA-1024")], options)[0]
    assert [finding.kind for finding in report.findings] == ["partial"]


def test_directories_broken_archives_and_odd_files(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    (top / "a").write_bytes(bytes(quiet_memory(64 * KIB)))
    (top / "empty").write_bytes(b"")
    (top / "sub" / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (top / "link").symlink_to(top / "a")
    alone = scan_targets([str(top)], keys=KEYS, options=OPTIONS)
    with open_engine("threads:2") as engine:
        fleet = scan_on(engine, [str(top)], KEYS, OPTIONS, SPLIT)
    assert facts(fleet.scan) == facts(alone)
    assert fleet.scan.complete == alone.complete


@pytest.mark.parametrize("harvest", [True, False])
@pytest.mark.parametrize("budget", [0, 4_000, 1 << 20])
def test_what_quick_mode_leaves_out_is_decided_for_the_whole_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harvest: bool, budget: int
) -> None:
    """No range alone is over the budgets that all of them together are over. Without harvest and structures
    the windows are only sampled."""
    from immure.scanning import image_survey, texts
    from immure.scanning.plan import BUDGETS

    for family in BUDGETS:
        monkeypatch.setitem(BUDGETS, family, budget)
    monkeypatch.setattr(texts, "EVERYWHERE_BYTES", 64)
    monkeypatch.setattr(image_survey, "SAMPLED_FROM", 64 * KIB)
    monkeypatch.setattr(image_survey, "SAMPLE_BYTES", 16 * KIB)
    monkeypatch.setattr(image_survey, "SAMPLED_OF", 2)
    memory = filler("ordinary", SIZE, seed=3)
    plant(memory, 3 * SPLIT - 32, forms("RSA-1024")["p", "le64"])
    detectors = ("rsa", "ec", "structure") if harvest else ("rsa",)
    options = ScanOptions(harvest=harvest, detectors=detectors, chunk_bytes=32 * KIB, threads=1)
    report = both(bytes(memory), tmp_path / "image", KEYS[:1], options)[0]
    reasons = {gap.reason for gap in report.not_searched}
    assert any("windows were not" in reason for reason in reasons) == (budget < 1 << 20)


def test_of_the_proofs_of_all_ranges_the_one_that_says_most_is_reported(tmp_path: Path) -> None:
    memory = quiet_memory(SIZE)
    plant(memory, 8 * KIB, forms("P-256")["d", "be"])
    plant(memory, SIZE - 40 * KIB, forms("P-256")["key", "pkcs8-der"])
    report = both(bytes(memory), tmp_path / "image", [public("P-256")])[0]
    assert report.findings[0].proof.startswith("a whole private key")


def test_aes_keys_by_their_schedules(tmp_path: Path) -> None:
    """One with its schedule in one range and its bytes in others, on a seam, too."""
    from immure.keymaterial.aes import LAYOUTS

    key = random.Random(77).randbytes(16)
    layout = next(one for one in LAYOUTS if one.key_bytes == 16)
    memory = quiet_memory(SIZE)
    plant(memory, SPLIT - 64, layout.write(key))
    plant(memory, 3 * SPLIT - 8, key)
    options = ScanOptions(chunk_bytes=32 * KIB, threads=1, aes=True)
    report = both(bytes(memory), tmp_path / "image", [], options)[0]
    assert [finding.kind for finding in report.findings] == ["schedule"]
    assert 3 * SPLIT - 8 in {one.offset for one in report.findings[0].occurrences}


def test_keys_that_openssh_has_shielded_in_pieces_far_apart(tmp_path: Path) -> None:
    """The record, the shielded bytes and the prekey are in three ranges."""
    import struct

    from scanning.test_shielded import HEAP, PREKEY_BYTES, record, shielded

    prekey = random.Random(5).randbytes(PREKEY_BYTES)
    sealed, memory = shielded(prekey, record()), quiet_memory(SIZE)
    first, second, third = SPLIT + 0x100, 3 * SPLIT - 16, 2 * SPLIT - 64
    memory[first : first + 32] = struct.pack("<4Q", HEAP + second, len(sealed), HEAP + third, PREKEY_BYTES)
    plant(memory, second, sealed)
    plant(memory, third, prekey)
    data = build_elf_core([Segment(HEAP, bytes(memory))]).data
    report = both(data, tmp_path / "image", [])[0]
    assert [finding.kind for finding in report.findings] == ["unnamed"]
