"""A plot of growth as SVG: seconds over millions of rows, with the straight line through the last point."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, EDGE = 560, 340, 56


def plot(points: Sequence[tuple[float, float, float]]) -> str:
    """The text of the SVG.

    Args:
        points: millions of rows on each side, seconds, GB; rising.
    """
    right, top = points[-1][0], max(seconds for _, seconds, _ in points)

    def place(millions: float, seconds: float) -> tuple[float, float]:
        x = EDGE + (WIDTH - 2 * EDGE) * millions / right
        return round(x, 1), round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * seconds / top, 1)

    spots = [(place(millions, seconds), millions, seconds, memory) for millions, seconds, memory in points]
    corner, end = place(0, 0), spots[-1][0]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{EDGE}" y="24" font-size="13">Accepted minus issued, in windows: seconds and GB</text>',
        _line((EDGE, corner[1]), (WIDTH - EDGE, corner[1]), "black"),
        _line((EDGE, EDGE), corner, "black"),
        _line(corner, end, "silver"),
        f'<text x="{WIDTH - EDGE}" y="{HEIGHT - 14}" text-anchor="end">millions on each side</text>',
        f'<text x="{EDGE}" y="{EDGE - 10}">seconds</text>',
    ]
    for (x, y), millions, seconds, memory in spots:
        parts += [
            f'<circle cx="{x}" cy="{y}" r="3.5" fill="navy"/>',
            f'<text x="{x - 6}" y="{y - 8}" text-anchor="end">{seconds:.1f} s, {memory:.2f} GB</text>',
            f'<text x="{x}" y="{corner[1] + 16}" text-anchor="middle">{millions:g}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _line(start: tuple[float, float], end: tuple[float, float], color: str) -> str:
    return f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="{color}"/>'
