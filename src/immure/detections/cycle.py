"""One turn: read what is new, look it up, ask the rules, and write down what was found.

    with State(directory) as state:
        outcome = Cycle(state, settings).run()

Turns follow one another on the same state: with ``--follow`` every few seconds, else once a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from immure.detections.counter import counter_findings, judged
from immure.detections.engine import Engine
from immure.detections.finding import Finding
from immure.detections.forged import MOST_FORGED, forged_findings, rowless_findings
from immure.detections.gathered import Gathered
from immure.detections.habit_rules import baseline, first_seen, volume
from immure.detections.ingest import take_in
from immure.detections.key_facts import Knowledge, bind_acceptances
from immure.detections.ledger_run import ledger_findings, ledger_sides
from immure.detections.ledger_side import IssuerSide
from immure.detections.outcome import Outcome
from immure.detections.reconcile import bind_issued, declare, reconcile
from immure.detections.row_rules import MOST_FINDINGS, row_findings
from immure.detections.rule import Rule
from immure.detections.settings import Input, Settings
from immure.detections.sources.reading import files_of, identity, read, source_named
from immure.detections.sources.source import Source
from immure.detections.state import Part, State
from immure.detections.tables import bind
from immure.detections.waiting import WAITING, keep_final, keep_waiting
from immure.detections.weak import bind_used, weak_counts, weak_findings
from immure.errors import InputError

#: Is told what is done, of what, and how far it is.
Told = Callable[[str, str, int], None]


def nobody(phase: str, name: str, count: int) -> None:
    """Tells nobody."""


class Cycle:
    """See the module."""

    def __init__(self, state: State, settings: Settings, *, told: Told = nobody) -> None:
        self._state, self._settings, self._told = state, settings, told
        self._rules: dict[str, Rule] = {rule.id: rule for rule in settings.rules}
        self._hidden: Counter[str] = Counter()
        self._missing: list[str] = []
        self._notes: list[str] = []
        self._sides: dict[str, IssuerSide] = {}
        self._windows = 0

    def run(self) -> Outcome:
        """One turn.

        Raises:
            ImmureError: ledger, log or state cannot be used. A source that cannot be read is in the outcome.
        """
        self._read()
        if self._settings.ledger is not None:
            self._told("verify", str(self._settings.ledger.segments), 0)
            self._sides = ledger_sides(self._state, self._settings.ledger)
            with self._state.transaction():
                for finding in ledger_findings(self._rules, self._sides):
                    self._state.find(finding)
        folders = [] if self._settings.ledger is None else [self._settings.ledger.segments]
        with Engine(
            self._state.directory, folders, memory=self._settings.memory, threads=self._settings.threads
        ) as engine:
            self._key_rules(engine)
            self._reconcile(engine)
            self._mail(engine)
            self._counters(engine)
        return self._outcome()

    # --- reading ---

    def _read(self) -> None:
        for given in self._settings.inputs:
            try:
                files = files_of(given.path)
            except InputError as error:
                self._missing.append(str(error))
                continue
            for path in files:
                self._read_file(given, path)

    def _read_file(self, given: Input, path: Path) -> None:
        name = identity(path.resolve())
        try:
            chunks = read(path, self._state.position(name), source=_source(given), ended=self._settings.ended)
            take_in(self._state, name, chunks, told=lambda _, count: self._told("read", str(path), count))
        except InputError as error:
            self._missing.append(str(error))

    # --- rules ---

    def _of_kind(self, kind: str) -> Iterator[Rule]:
        return (rule for rule in self._settings.rules if rule.kind == kind)

    def _path(self, part: Part) -> str:
        return str(self._state.path(part.name))

    def _write(self, rule: Rule, findings: Iterable[Finding], *, add: bool = False) -> None:
        for number, finding in enumerate(findings):
            if number >= MOST_FINDINGS:
                self._hidden[rule.id] += 1
            else:
                self._state.find(finding, add=add)

    def _key_rules(self, engine: Engine) -> None:
        """The rules over single acceptances, for those that no rule has seen."""
        parts = [part for part in self._state.parts("acceptance") if not part.seen]
        rules = [rule for rule in self._of_kind("row") if rule.about == "acceptance"]
        if not parts:
            return
        bind_acceptances(engine, [self._path(part) for part in parts], self._knowledge())
        with self._state.transaction():
            for rule in rules:
                self._told("rule", rule.id, 0)
                self._write(rule, row_findings(engine, rule), add=True)
            self._state.seen(part.name for part in parts)

    def _knowledge(self) -> Knowledge:
        """With the lives of tokens that are learned from the ledger, where nobody states them."""
        known = self._settings.knowledge
        learned = {name: side.lifetime for name, side in self._sides.items() if side.lifetime}
        return Knowledge(
            known.records, known.audiences, {**learned, **known.lifetimes}, known.key_life, known.skew
        )

    def _reconcile(self, engine: Engine) -> None:
        rule = self._rules.get("token-forged")
        parts = [part for part in self._state.parts("acceptance") if part.state != "judged"]
        marks = repr(sorted((name, side.watermark, side.known_from) for name, side in self._sides.items()))
        if self._state.get("marks") == marks:  # what was not known is not known yet
            parts = [part for part in parts if part.state == "new"]
        if parts and rule is None:
            rows = sum(part.rows for part in parts)
            words = "acceptances are not held against the ledger: token-forged is not asked"
            self._notes.append(f"{rows:,} {words}")
        if not parts or rule is None:
            return
        names: dict[int, str] = {}

        def target(number: int) -> Path:
            if number not in names:
                names[number] = self._state.new_name("verdicts")
            return self._state.path(names[number])

        with self._state.transaction():
            paths = [self._path(part) for part in parts]
            done = reconcile(
                engine, paths, self._sides, target, rows=self._settings.window_rows,
                told=lambda count, total: self._told("reconcile", f"{count} of {total} windows", 0),
            )  # fmt: skip
            self._windows = done.windows
            for verdict, count in done.verdicts.items():
                if verdict not in WAITING:
                    self._state.count("verdicts", verdict, count)
            if done.files:
                self._fold(engine, rule, done.files)
            self._fold_bare(engine, done.bare)
            self._state.judged(part.name for part in parts if part.state == "new")
            self._state.drop(part.name for part in parts if part.state == "pending")
            self._state.put("marks", marks)
            self._state.sync()
            self._state.drop(file.name for file in (*done.files, *done.bare))

    def _fold(self, engine: Engine, rule: Rule, files: Sequence[Path]) -> None:
        """Findings of forged tokens, and what must be looked up again."""
        engine.files("verdicts", files)
        for finding in forged_findings(engine, rule, self._state.hear):
            self._state.find(finding, add=True)
        (forged,) = engine.one("SELECT count(DISTINCT record_id) FROM verdicts WHERE finding = 'forged'")
        self._hidden[rule.id] += max(0, forged - MOST_FORGED)
        kept = keep_waiting(engine, self._state.path(name := self._state.new_name("acceptance")))
        if kept:
            self._state.add_part(name, "acceptance", kept, "pending", seen=True)
        final = keep_final(engine, self._state.path(name := self._state.new_name("verdicts")))
        if final:
            self._state.add_part(name, "verdicts", final, "judged", seen=True)

    def _fold_bare(self, engine: Engine, files: Sequence[Path]) -> None:
        """Acceptances without a digest, of which the ledger has no row either."""
        rule = self._rules.get("token-without-row")
        if rule is None or not files:
            return
        engine.files("bare", files)
        for finding in rowless_findings(engine, rule, self._state.hear):
            self._state.find(finding, add=True)

    def _mail(self, engine: Engine) -> None:
        parts = {kind: self._state.parts(kind) for kind in ("mail", "signin")}
        mail = [self._path(part) for part in parts["mail"]]
        signins = [self._path(part) for part in parts["signin"]]
        bare = [self._path(part) for part in self._state.parts("acceptance") if part.state != "judged"]
        bare = bare if signins else []
        stamp = f"{len(mail)}:{len(signins)}:{','.join(bare)}"
        if (not mail and not signins) or self._state.get("mail-stamp") == stamp:
            return
        with self._state.transaction():
            self._state.set_count("duplicates", "mail", bind(engine, "mail", mail))
            self._state.set_count("duplicates", "signin", bind(engine, "signin", signins))
            bind_used(engine, bare)
            for rule in self._settings.rules:
                if rule.about != "acceptance":
                    self._told("rule", rule.id, 0)
                    self._write(rule, self._found(engine, rule, bool(mail), bool(signins)))
            if signins and (mail or bare):
                for name, count in weak_counts(engine).items():
                    self._state.set_count("weak reconciliation", name, count)
            self._state.put("mail-stamp", stamp)

    def _found(self, engine: Engine, rule: Rule, mail: bool, signins: bool) -> Iterable[Finding]:
        if rule.kind == "weak":
            return weak_findings(engine, rule) if signins else ()
        if not (mail if rule.about == "mail" else signins):
            return ()
        if rule.kind == "row":
            return row_findings(engine, rule)
        if rule.kind == "volume":
            return volume(engine, rule)
        known = baseline(engine, rule.about, self._settings.baseline_days)
        if known is None:
            self._state.put("short-baseline", "yes")
            return ()
        self._state.put("short-baseline", "")
        return first_seen(engine, rule, known)

    def _counters(self, engine: Engine) -> None:
        rule, readings = self._rules.get("signatures-without-rows"), self._settings.readings
        if rule is None or readings is None:
            return
        files = sorted({path for side in self._sides.values() for path in side.files})
        declare(engine, self._sides)
        bind_issued(engine, files, self._sides)

        def rows(kid: str, low: int, high: int) -> int:
            sql = "SELECT count(*) FROM issued WHERE kid = ? AND iat >= ? AND iat < ?"
            return int(engine.one(sql, (kid, low, high))[0]) if files else 0

        def watermark(_: str) -> int:
            return min((side.watermark for side in self._sides.values()), default=0)

        with self._state.transaction():
            self._write(rule, counter_findings(rule, readings, rows, watermark=watermark))
        done, waiting = judged(readings, watermark=watermark)
        self._notes.append(f"counters: {done:,} spans held against the ledger, {waiting:,} not yet known")

    # --- what came out ---

    def _outcome(self) -> Outcome:
        found = Gathered(self._state, self._settings, self._sides, self._missing, self._notes, self._hidden)
        return found.outcome(windows=self._windows)


def _source(given: Input) -> Source | None:
    if given.mapping is not None:
        from immure.detections.sources.mapped import MappedSource
        from immure.detections.sources.mapping import read_mapping

        return MappedSource(read_mapping(given.mapping))
    return source_named(given.source) if given.source else None
