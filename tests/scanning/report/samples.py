"""Reports made by hand, one of each kind."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from immure.dumps.dump import Process, Region, Thread
from immure.keymaterial.key import EcNumbers, OkpNumbers, Origin, PublicKey, RsaNumbers
from immure.scanning.finding import Finding, ImageReport, NotSearched, Occurrence, ScanReport
from immure.scanning.options import DETECTORS

MIB = 1 << 20
HEAP = 0x5567_8C1F_0000

RSA = PublicKey(
    RsaNumbers(n=(1 << 2047) + 0x1234567, e=65537),
    Origin(
        source="jwks.json",
        kid="prod-2021-04",
        issuer="https://login.example/consumers/v2.0",
        cloud_instance_name="cloud.example",
        use="sig",
        alg="RS256",
        not_before=datetime(2021, 4, 5, tzinfo=UTC),
        not_after=datetime(2026, 4, 4, 12, 30, tzinfo=UTC),
    ),
)
EC = PublicKey(EcNumbers("P-256", 5, 7), Origin(source="image", harvested_at=0x5000))
OKP = PublicKey(OkpNumbers("Ed25519", bytes(32)), Origin(source="hostkey.pub", kid="ssh"))

#: A name as an attacker would choose it: markup, escape sequences, a right-to-left override, rich and SARIF
#: syntax.
NASTY = (
    "<script>alert(1)</script>\x1b[31m\u202egpj.exe [red]x[/red]"
    " [a](http://evil.example) {0} &amp; \x00\ud800"
)

REGIONS = (
    Region(0, 0x1000, None, "ELF header", None, "header"),
    Region(0x1000, 0x3000, None, "notes", None, "notes"),
    Region(0x4000, 2 * MIB, 0x5567_8A00_0000, "/usr/bin/signer", "r-xp"),
    Region(0x4000 + 2 * MIB, 12 * MIB, HEAP, "[heap]", "rw-p"),
    Region(0x4000 + 14 * MIB, 64 * MIB, 0x7F10_2000_0000, "", "rw-p"),
    Region(0x4000 + 78 * MIB, MIB, 0x7F10_3000_0000, "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "r--p"),
    Region(0x4000 + 79 * MIB, 3 * MIB, 0x7F10_3010_0000, "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "r-xp"),
    Region(0x4000 + 82 * MIB, MIB, 0x7FFF_1000_0000, "[stack] of thread 4711", "rw-p"),
)
SIZE = 0x4000 + 83 * MIB
PROCESS = Process(4711, "signer", "signer --token hunter2", 6, (Thread(4711), Thread(4712)), "x86_64")


def occurrence(index: int, secret: str = "p", encoding: str = "le64", *, whole: bool = True) -> Occurrence:
    offset = 0x4000 + 2 * MIB + 0x1230 + index * 0x100
    return Occurrence(
        offset, 128 if whole else 64, secret, encoding, HEAP + 0x1230 + index * 0x100, whole, "[heap]", "rw-p"
    )


def image(path: str = "signer.core", **changes: object) -> ImageReport:
    values: dict[str, object] = {
        "path": path,
        "format": "ELF core",
        "size": SIZE,
        "process": PROCESS,
        "regions": REGIONS,
        "statistics": {"seconds": 0.25, "bytes_per_second": 348_000_000.0},
    }
    return ImageReport(**(values | changes))  # type: ignore[arg-type]


def report(*images: ImageReport, **changes: object) -> ScanReport:
    values: dict[str, object] = {
        "images": list(images),
        "keys": [RSA, OKP],
        "detectors": DETECTORS,
        "statistics": {"seconds": 0.5, "threads": 2},
    }
    return ScanReport(**(values | changes))  # type: ignore[arg-type]


def rsa_finding(count: int = 9) -> Finding:
    secrets = ("p", "q", "dp", "dq", "qinv", "d")
    places = [occurrence(n, secrets[n % 6], whole=n % 4 != 3) for n in range(count)]
    return Finding(RSA, "named", "a 1024-bit number divides n of kid prod-2021-04", places)


def ec_finding() -> Finding:
    places = [
        Occurrence(SIZE - 4096, 32, "d", "be", 0x7FFF_1000_0000 + MIB - 4096, True, "[stack] of thread 4711")
    ]
    return Finding(EC, "harvested", "the number times the base point is the public point", places, [OKP])


GAPS = [
    NotSearched(0x4000 + 20 * MIB, 16 * MIB, "ec", "high-entropy run", 0x7F10_2000_0000 + 6 * MIB),
    NotSearched(0x4000 + 40 * MIB, 4 * MIB, "ec", "high-entropy run"),
    NotSearched(0x4000 + 60 * MIB, 12 * MIB, "all", "segment 7 ends beyond the file"),
    NotSearched(SIZE, 8192, "all", "no bytes in the file", 0x7FFF_F7FF_0000),
]

CLEAN = report(image())
EMPTY = report()
FOUND = report(image(findings=[rsa_finding(), ec_finding()]))
INCOMPLETE = report(image(not_searched=GAPS, warnings=["program header 7 lies about its size"]))
FOUND_INCOMPLETE = report(image(findings=[rsa_finding(140), ec_finding()], not_searched=GAPS))
ERRORED = report(
    image(error="signer.core: at offset 0x40: not an ELF file", regions=(), process=None, size=0)
)
NASTY_REPORT = report(
    ImageReport(
        NASTY,
        NASTY,
        100,
        [
            Finding(
                PublicKey(RSA.numbers, Origin(NASTY, NASTY, NASTY, NASTY)),
                "named",
                NASTY,
                [Occurrence(5, 10, NASTY, NASTY, 0, False, NASTY, NASTY)],
            )
        ],
        [NotSearched(50, 10, NASTY, NASTY)],
        Process(1, NASTY, NASTY, 999, (), NASTY),
        (Region(0, 40, 0, NASTY, NASTY), Region(40, 60, 1 << 63, NASTY + "2", None)),
        [NASTY],
        None,
        {NASTY: float("inf")},
    ),
    mode=NASTY,
)
MIXED = report(
    image("a.core"),
    image("b.core", findings=[rsa_finding()]),
    image("c.core", not_searched=GAPS),
    image("d.core"),
    image("e.core", error="c.core: cut short"),
)

SAMPLES: dict[str, ScanReport] = {
    "empty": EMPTY,
    "clean": CLEAN,
    "found": FOUND,
    "incomplete": INCOMPLETE,
    "found-incomplete": FOUND_INCOMPLETE,
    "errored": ERRORED,
    "nasty": NASTY_REPORT,
    "mixed": MIXED,
}


@cache
def big(occurrences: int = 40_000, regions: int = 8_000, gaps: int = 8_000) -> ScanReport:
    """A report with a great many of everything."""
    page = 1 << 16
    held = tuple(
        Region(n * page, page, 0x7000_0000_0000 + n * 2 * page, f"/lib/{n}.so", "rw-p")
        for n in range(regions)
    )
    size = regions * page
    step = size // occurrences
    places = [
        Occurrence(n * step, 128, "p", "le64", n * step, True, "/lib/0.so", "rw-p")
        for n in range(occurrences)
    ]
    left = [NotSearched(n * page, 4096, "ec", "high-entropy run") for n in range(gaps)]
    return report(
        ImageReport(
            "big.core", "ELF core", size, [Finding(RSA, "named", "divides n", places)], left, PROCESS, held
        )
    )
