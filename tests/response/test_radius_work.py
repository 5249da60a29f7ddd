"""Radii out of logs: against the truth of scenarios, and against plain Python."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detections.turning import ledger, made
from immure.detections.gathered import _WORDS
from immure.detections.records import Acceptance
from immure.detections.settings import Input, Settings
from immure.detections.state import State
from immure.errors import LogError
from immure.registry.opening import open_store
from immure.response.errors import RadiusError
from immure.response.radius import BlastRadius, Interval
from immure.response.radius_logs import is_counted, read_state, records_of, take_in_logs
from immure.response.radius_settings import MOST_PARTIES, Known, RadiusSettings
from immure.response.radius_work import work_out
from response.states import BEGIN, END, counted, radius_of, used

DAY = 86_400


def worked_out(day: Path, kid: str, *, with_ledger: bool = True, **members: object) -> BlastRadius:
    """The radius of a key over a scenario."""
    with open_store(day / "keys.toml") as store:
        record, namesakes = records_of(store.records(), kid, "")
    assert record is not None
    reads = Settings(rules=(), inputs=[Input(day / "accepted")], threads=1,
                     ledger=ledger(day) if with_ledger else None)  # fmt: skip
    given = {"end": 1_900_000_000, "silence": 400 * DAY, "threads": 1, **members}
    with State(day / "state") as state:
        known = take_in_logs(state, reads)
        return work_out(state, RadiusSettings(kid, record.issuer or "", record, namesakes, **given), known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("stolen-key", 1),
        pytest.param("stolen-right-key", 2, marks=pytest.mark.drill),
        pytest.param("copied-jti", 3, marks=pytest.mark.drill),
        ("in-a-gap", 4),
        pytest.param("backfill", 5, marks=pytest.mark.drill),
        ("late-batches", 6),
        ("from-the-future", 7),
        pytest.param("quiet", 8, marks=pytest.mark.drill),
    ],
)
def test_the_truth_of_a_scenario(tmp_path: Path, name: str, seed: int) -> None:
    """Forged tokens are counted, each once, by tenant and subject; what cannot be judged makes its tenant
    unknown, and never adds to a count."""
    scenario = made(name, seed, tmp_path / "day")
    for kid in ("consumer-1", "enterprise-1"):
        radius = worked_out(tmp_path / "day", kid)
        mine = [use.token for use in scenario.uses if use.token.kid == kid]
        forged = {one.digest: one for one in mine if scenario.truth[one.digest] == "forged"}
        assert radius.tokens == len(forged)
        counts = Counter(one.claims["tid"] for one in forged.values())
        assert {one.tenant: one.tokens for one in radius.tenants if one.tokens} == counts
        for tenant in radius.tenants:
            people = {one.claims["sub"] for one in forged.values() if one.claims["tid"] == tenant.tenant}
            assert set(tenant.subjects) == people
        assert sum(cell.tokens for cell in radius.cells) == len(forged)
        vague = {one.claims["tid"] for one in mine if scenario.truth[one.digest] not in ("forged", "issued")}
        unsure = {one.tenant for one in radius.tenants for gap in one.unknown if "acceptance" in gap.reason}
        assert unsure == vague
        [party] = radius.relying_parties
        assert party.accepted == len(forged)
        assert (party.would_accept == "yes") == bool(forged)


def test_without_a_ledger_all_count(tmp_path: Path) -> None:
    scenario = made("quiet", 3, tmp_path / "day")
    radius = worked_out(tmp_path / "day", "enterprise-1", with_ledger=False)
    assert radius.judged == "all"
    assert radius.tokens == len(
        {use.token.digest for use in scenario.uses if use.token.kid == "enterprise-1"}
    )


def test_windows_do_not_change_the_answer(tmp_path: Path) -> None:
    made("stolen-key", 9, tmp_path / "day")
    whole = worked_out(tmp_path / "day", "consumer-1", with_ledger=False)
    for rows in (7, 50):
        parts = worked_out(tmp_path / "day", "consumer-1", with_ledger=False, window_rows=rows)
        assert parts == whole


def test_a_state_of_detection_is_read_as_it_is(tmp_path: Path) -> None:
    scenario = made("stolen-key", 10, tmp_path / "day")
    first = worked_out(tmp_path / "day", "consumer-1")
    with State(tmp_path / "day" / "state") as state:
        before = state.parts("acceptance")
        known = read_state(state, ledger(tmp_path / "day"))
        asked = RadiusSettings("consumer-1", end=1_900_000_000, silence=400 * DAY, threads=1)
        again = work_out(state, asked, known)
        assert state.parts("acceptance") == before
    assert (
        again.tokens
        == first.tokens
        == sum(scenario.truth[digest] == "forged" for digest in {use.token.digest for use in scenario.uses})
    )


def test_a_ledger_that_was_altered(tmp_path: Path) -> None:
    made("stolen-key", 11, tmp_path / "day")
    entries = tmp_path / "day" / "log" / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b'"last":', b'"lest":', 1))
    with pytest.raises(LogError):
        worked_out(tmp_path / "day", "consumer-1")


_ROWS = st.lists(
    st.builds(
        lambda number, at, kid, tenant, verdict, iat, bare: used(
            number, at, kid=kid, tenant=tenant, verdict=verdict, sub=f"u{number % 3}",
            iat=None if iat is None else BEGIN + number % 5 * 1000, record_id=f"{number}-{at}-{kid}-{tenant}",
            **({"digest": None, "token_id": f"t{number}-{tenant}-{kid}"} if bare else {}),
        ),
        st.integers(0, 12),
        st.integers(-100, DAY + 100),
        st.sampled_from(["k1", "k2", None]),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["accepted", "refused"]),
        st.sampled_from([None, 1]),
        st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


def _sane(rows: list[Acceptance]) -> list[Acceptance]:
    """A token has one tenant, key and time: they are in what its digest is over."""
    first: dict[object, Acceptance] = {}
    kept = []
    for row in rows:
        name = row.digest or row.token_id
        before = first.setdefault(name, row)
        if (before.tenant, before.kid, before.iat) == (row.tenant, row.kid, row.iat):
            kept.append(row)
    return kept


@given(_ROWS, st.sampled_from([1, 3, 1000]))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_against_plain_python(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Acceptance], window: int
) -> None:
    rows = _sane(rows)
    radius = radius_of(tmp_path_factory.mktemp("state"), rows, window_rows=window)
    assert {one.tenant: one.tokens for one in radius.tenants if one.tokens} == counted(rows)


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ([], {"there is no row of a log of acceptances of this time"}),
        ([used(1, kid=None)], {"1 acceptance without a key's name"}),
        ([used(1)], set()),
        ([used(1, -5)], {"there is no row of a log of acceptances of this time"}),
    ],
)
def test_what_is_unknown_for_everybody(tmp_path: Path, rows: list[Acceptance], reasons: set[str]) -> None:
    assert {one.reason for one in radius_of(tmp_path, rows).unknown} == reasons


def test_a_log_that_falls_silent(tmp_path: Path) -> None:
    rows = [used(1, 7200), used(2, 7300), used(3, 30_000)]
    radius = radius_of(tmp_path, rows, silence=3600)
    [party] = radius.relying_parties
    assert party.unknown == (
        Interval(BEGIN, BEGIN + 7200, "the log of mail begins only after this"),
        Interval(BEGIN + 7301, BEGIN + 30_000, "the log of mail says nothing from here to there"),
        Interval(BEGIN + 30_001, END, "the log of mail ends before this"),
    )
    [tenant] = radius.tenants
    assert set(party.unknown) <= set(tenant.unknown)
    assert (tenant.tokens, tenant.at_least) == (3, True)


def test_a_tenant_of_which_nothing_is_seen(tmp_path: Path) -> None:
    quiet = radius_of(tmp_path / "a", [used(1, at) for at in range(0, DAY, 600)], tenants=["fabrikam"])
    assert {one.tenant: one.standing for one in quiet.tenants} == {
        "contoso": "affected",
        "fabrikam": "not seen",
    }
    silent = radius_of(tmp_path / "b", [used(1, 50_000)], tenants=["fabrikam"], silence=3600)
    assert {one.tenant: one.standing for one in silent.tenants} == {
        "contoso": "affected",
        "fabrikam": "unknown",
    }


def test_what_could_not_be_read(tmp_path: Path) -> None:
    known = Known(None, ["audit.jsonl: is gone"], {"m365": 3})
    radius = radius_of(tmp_path, [used(1)], known=known, tenants=["fabrikam"])
    assert [one.reason for one in radius.unknown] == [
        "3 records of m365 not understood",
        "audit.jsonl: is gone",
    ]
    assert {one.standing for one in radius.tenants} == {"affected", "unknown"}


def test_the_same_kid_at_another_issuer(tmp_path: Path) -> None:
    """A kid names a key within an issuer; a token of a third issuer counts, as keys are abused so."""
    made("quiet", 1, tmp_path / "day")
    with open_store(tmp_path / "day" / "keys.toml") as store:
        first, second = store.records()
    from dataclasses import replace

    other = replace(second, kid=first.kid)
    record, namesakes = records_of([first, other], first.kid, first.issuer or "")
    assert (record, namesakes) == (first, (other,))
    rows = [
        used(1, kid=first.kid, iss=first.issuer),
        used(2, kid=first.kid, iss=second.issuer),
        used(3, kid=first.kid, iss="https://third.example"),
        used(4, kid="another", iss=second.issuer, thumbprint=first.thumbprint),
        used(5, kid=first.kid, iss=first.issuer, thumbprint=second.thumbprint),
    ]
    radius = radius_of(tmp_path / "state", rows, kid=first.kid, record=record, namesakes=namesakes)
    assert radius.tenants[0].subjects == ("user-1", "user-3", "user-4")
    assert records_of([first, other], first.kid, "") == (None, ())
    assert records_of([first, other], first.thumbprint, "")[0] == first


def test_times(tmp_path: Path) -> None:
    """Without --from: since the key was taken, or since it became active, or since the logs begin."""
    made("quiet", 1, tmp_path / "day")
    with open_store(tmp_path / "day" / "keys.toml") as store:
        record = store.records()[0]
    active = record.activated_at
    assert active is not None
    rows = [used(1, at) for at in (0, 600)]
    assert radius_of(tmp_path / "a", rows, begin=None).begin == BEGIN
    assert radius_of(tmp_path / "b", rows, begin=None, record=record).begin == int(active.timestamp())
    from immure.registry.state import KeyState

    taken = datetime.fromtimestamp(BEGIN - 500, UTC)
    now = datetime.fromtimestamp(END, UTC)
    worse = record.become(KeyState.COMPROMISED, reason="dump", by="ann", at=now, since=taken)
    radius = radius_of(tmp_path / "c", rows, begin=None, record=worse)
    assert radius.begin == BEGIN - 500
    assert [one.state for one in radius.states] == ["active", "compromised"]
    assert radius.states[1].begin == BEGIN - 500


@pytest.mark.parametrize("name", ["tokens.csv", "tokens.parquet"])
def test_every_token_in_a_file(tmp_path: Path, name: str) -> None:
    rows = [used(number, 60 * number, tenant=f"t{number % 2}") for number in range(1, 8)] * 2
    radius = radius_of(tmp_path / "state", rows, tokens=tmp_path / name, window_rows=3)
    import duckdb

    found = duckdb.sql(f"SELECT digest, tenant, subject FROM '{tmp_path / name}' ORDER BY digest").fetchall()
    assert found == [(f"{number:032x}", f"t{number % 2}", f"user-{number}") for number in range(1, 8)]
    assert radius.tokens == 7
    assert not list((tmp_path / "state").glob("spill-*"))


def test_no_token_in_a_file(tmp_path: Path) -> None:
    radius_of(tmp_path / "state", [], tokens=tmp_path / "tokens.csv")
    assert (
        tmp_path / "tokens.csv"
    ).read_text().strip() == "digest,token_id,session,tenant,subject,first,last"
    with pytest.raises(RadiusError, match="No such file"):
        radius_of(tmp_path / "other", [used(1)], tokens=tmp_path / "nowhere" / "tokens.csv")


def test_what_detection_says_is_not_said_twice() -> None:
    for words in _WORDS.values():
        assert is_counted(words.format("7"))
    for words in (
        "7 acceptances, and no ledger (--issued)",
        "1,007 records were not understood",
        "7 more findings of token-forged are not shown",
    ):
        assert is_counted(words)
    for words in ("nobody can tell.jsonl", "more findings of/a", "7 records were not understood"):
        assert not is_counted(f"{words}: cannot be read: Permission denied")
        assert not is_counted(f"logs/{words}")
    assert not is_counted("audit.jsonl: cannot be read: Permission denied")
    assert not is_counted("segments/a.parquet: rows of batch 3 are not those that were written")


def test_many_relying_parties(tmp_path: Path) -> None:
    """More than there are bits in a number; each token counts once, whoever took it."""
    rows = [used(number % 40, 60 + number, iat=BEGIN, relying_party=f"p{number % 130}", record_id=str(number))
            for number in range(400)]  # fmt: skip
    radius = radius_of(tmp_path / "state", rows)
    assert radius.tokens == 40
    wanted: dict[str, set[bytes | None]] = {}
    for row in rows:
        wanted.setdefault(row.relying_party or "", set()).add(row.digest)
    assert {one.name: one.accepted for one in radius.relying_parties} == {
        name: len(tokens) for name, tokens in wanted.items()
    }
    many = [used(number, relying_party=f"p{number}") for number in range(MOST_PARTIES + 1)]
    with pytest.raises(RadiusError, match="relying parties"):
        radius_of(tmp_path / "other", many)
