"""The result of a drill as a table."""

from __future__ import annotations

from collections.abc import Sequence

from drill.hold import Outcome

HEAD = ("stack", "image", "MiB", "keys in it", "keys found", "numbers in it", "reported", "scan s", "other")


def render(outcomes: Sequence[Outcome], skipped: Sequence[str]) -> str:
    """A Markdown table, what was skipped and why, and the sums."""
    rows = [HEAD, *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    present, reported = (
        sum(getattr(outcome, name) for outcome in outcomes) for name in ("present", "reported")
    )
    signers = [outcome for outcome in outcomes if outcome.signs]
    controls = [outcome for outcome in outcomes if not outcome.signs]
    lines.append(f"\n{len(signers)} images of signers: {present} whole private numbers, {reported} reported.")
    false = sum(len(outcome.strangers) for outcome in controls)
    lines.append(f"{len(controls)} images of programs with only public keys: {false} findings.")
    lines += [f"skipped: {reason}" for reason in skipped]
    return "\n".join(lines) + "\n"


def _row(outcome: Outcome) -> tuple[str, ...]:
    other = [*outcome.strangers, *(f"(also there: {words})" for words in outcome.learned)]
    if not outcome.signs:
        size = str(outcome.size >> 20)
        return (outcome.stack, outcome.capture, size, "public only", "-", "-", "-", "-", "; ".join(other))
    return (
        outcome.stack,
        outcome.capture,
        str(outcome.size >> 20),
        str(outcome.keys_present),
        str(outcome.keys_found),
        str(outcome.present),
        str(outcome.reported),
        f"{outcome.seconds:.1f}",
        "; ".join(other),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
