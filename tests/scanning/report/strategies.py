"""Reports as they might come out of hostile images and key sets."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from hypothesis import strategies as st

from immure.dumps.dump import Process, Region, RegionKind, Thread
from immure.keymaterial.key import EcNumbers, OkpNumbers, Origin, PublicKey, RsaNumbers
from immure.scanning.finding import Finding, FindingKind, ImageReport, NotSearched, Occurrence, ScanReport
from immure.scanning.options import DETECTORS

from .samples import NASTY

#: Any character at all, lone surrogates and controls too, and often what means something to somebody.
strings = st.one_of(
    st.text(st.characters(), max_size=40),
    st.sampled_from(
        [NASTY, "", "]]>", "--><svg onload=x>", '" onmouseover="x', "'", "\x9b31m", "\u2066", "</style>"]
    ),
)
offsets = st.integers(0, (1 << 64) - 1)
small = st.integers(0, 1 << 20)
addresses = st.none() | offsets
moments = st.none() | st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2099, 1, 1))
maybe = st.none() | strings

numbers = st.one_of(
    st.builds(RsaNumbers, n=st.integers(1 << 1023, 1 << 1024), e=st.integers(3, 65537)),
    st.builds(EcNumbers, st.just("P-256"), small, small),
    st.builds(OkpNumbers, st.just("Ed25519"), st.binary(min_size=32, max_size=32)),
)
origins = st.builds(
    Origin,
    source=strings,
    kid=maybe,
    issuer=maybe,
    cloud_instance_name=maybe,
    use=maybe,
    alg=maybe,
    not_before=moments,
    not_after=moments,
    harvested_at=addresses,
)
keys = st.builds(PublicKey, numbers, origins)
occurrences = st.builds(
    Occurrence,
    offset=small | offsets,
    length=small,
    secret=strings | st.sampled_from(["p", "d", "seed"]),
    encoding=strings,
    virtual_address=addresses,
    whole=st.booleans(),
    region=strings,
    permissions=maybe,
)
findings = st.builds(
    Finding,
    key=keys,
    kind=st.sampled_from(get_args(FindingKind)),
    proof=strings,
    occurrences=st.lists(occurrences, max_size=6),
    also_known_as=st.lists(keys, max_size=2),
)
not_searched = st.builds(
    NotSearched,
    offset=small | offsets,
    length=small,
    detector=strings | st.sampled_from(["all", *DETECTORS]),
    reason=strings,
    virtual_address=addresses,
)
processes = st.builds(
    Process,
    pid=st.none() | small,
    name=maybe,
    command_line=st.just("signer --password hunter2"),
    signal=st.none() | st.integers(-5, 300),
    threads=st.lists(st.builds(Thread, small), max_size=2).map(tuple),
    machine=maybe,
)
regions = st.builds(
    Region,
    offset=small,
    length=small,
    address=addresses,
    name=strings,
    permissions=maybe,
    kind=st.sampled_from(get_args(RegionKind)),
)
statistics = st.dictionaries(strings, st.floats() | st.integers(), max_size=3)
images = st.builds(
    ImageReport,
    path=strings,
    format=strings,
    size=small,
    findings=st.lists(findings, max_size=3),
    not_searched=st.lists(not_searched, max_size=4),
    process=st.none() | processes,
    regions=st.lists(regions, max_size=6).map(tuple),
    warnings=st.lists(strings, max_size=2),
    error=maybe,
    statistics=statistics,
)
reports = st.builds(
    ScanReport,
    images=st.lists(images, max_size=3),
    keys=st.lists(keys, max_size=3),
    mode=strings,
    detectors=st.lists(st.sampled_from(DETECTORS), unique=True).map(tuple),
    statistics=statistics,
)
