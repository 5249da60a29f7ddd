"""The report as a page: one file that needs nothing else and may load nothing else.

There is no script in it; its policy (CSP) forbids everything but its own style sheet, by that sheet's hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from immure.scanning.finding import ImageReport, ScanReport
from immure.scanning.report import tool
from immure.scanning.report.html_findings import findings_part, not_searched_part, warnings_part
from immure.scanning.report.html_map import hatching, map_figure
from immure.scanning.report.key_facts import scope_words, source_words
from immure.scanning.report.markup import Markup, element, facts, join, page_head, table
from immure.scanning.report.process import process_words
from immure.scanning.report.style import STYLE
from immure.scanning.report.summary import (
    Verdict,
    detectors_words,
    headline,
    keys_words,
    overall,
    overall_verdict,
    verdict,
    was_opened,
)
from immure.scanning.report.words import bytes_words, count_words, visible

_KEYS = 500
#: From this number of images on there is a list of them at the top.
_LISTED = 2

_GLYPHS = {
    Verdict.FOUND: Markup('<path d="M12 1 23 12 12 23 1 12Z" fill="currentColor"></path>'),
    Verdict.CLEAN: Markup(
        '<path d="M3 13l6 6L21 5" fill="none" stroke="currentColor" stroke-width="3.5"></path>'
    ),
    Verdict.INCOMPLETE: Markup(
        '<circle cx="12" cy="12" r="10" fill="none" stroke="currentColor" stroke-width="2.5"></circle>'
        '<path d="M12 2a10 10 0 0 1 0 20Z" fill="currentColor"></path>'
    ),
    Verdict.UNREADABLE: Markup(
        '<circle cx="12" cy="12" r="10" fill="none" stroke="currentColor" stroke-width="2.5"></circle>'
        '<path d="M6 12h12" stroke="currentColor" stroke-width="3"></path>'
    ),
}

_DETECTORS = {
    "rsa": "RSA primes and private exponents, as numbers in memory",
    "montgomery": "constants of modular arithmetic that give a prime away",
    "ec": "scalars and seeds of elliptic-curve keys, as bytes in memory",
    "structure": "encoded private keys (DER, PEM, JWK and others), also inside text",
}


def write_html(report: ScanReport, stream: TextIO) -> None:
    """Write ``report`` as a page in UTF-8."""
    for part in _page(report):
        stream.write(part)
        stream.write("\n")


def _page(report: ScanReport) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">'
    yield page_head(f"Immure: {overall(report)}", STYLE)
    yield "<body>"
    yield hatching()
    yield _banner(report)
    yield "<main>"
    if len(report.images) >= _LISTED:
        yield _contents(report)
    for number, image in enumerate(report.images, start=1):
        yield _image(image, report, f"i{number}")
    yield _searched(report)
    yield "</main>"
    yield _footer()
    yield "</body>\n</html>"


def _banner(report: ScanReport) -> Markup:
    kind = overall_verdict(report)
    glyph = element("svg", _GLYPHS[kind], viewBox="0 0 24 24", aria_hidden="true")
    detail = f"{visible(report.mode)} mode, {detectors_words(report.detectors)}; {keys_words(report)}"
    words = element("p", _capital(overall(report)), element("small", _capital(detail)))
    name = element("h1", element("b", "Immure"), " scan report")
    return element("header", name, element("div", glyph, words, class_=f"banner {kind.value}"))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _contents(report: ScanReport) -> Markup:
    rows = (
        (
            element("a", image.path, href=f"#i{number}"),
            element("span", verdict(image).value, class_=f"tag {verdict(image).value}"),
            f"{len(image.findings):,}",
            bytes_words(image.size) if was_opened(image) else "–",
            image.format if was_opened(image) else "–",
        )
        for number, image in enumerate(report.images, start=1)
    )
    listing = table(("Image", "Verdict", "Keys", "Size", "Format"), rows, "Images")
    return element("nav", element("h2", "Images"), listing, class_="card", aria_label="Images")


def _image(image: ImageReport, report: ScanReport, anchor: str) -> Markup:
    kind = verdict(image)
    said = element("p", element("span", kind.value), _capital(headline(image)), class_="verdict")
    if len(report.images) == 1:  # the banner says it
        said = Markup("")
    if not was_opened(image):
        parts = [said] if image.error is None else [said, not_searched_part(image, report)]
        heading = element("h2", image.path)
        return element("section", heading, *parts, class_=f"card {kind.value}", id=anchor)
    facts_line = [image.format, bytes_words(image.size)]
    if image.process is not None:
        facts_line.append(f"process {process_words(image.process)}")
    return element(
        "section",
        element("h2", image.path),
        element("p", " \u00b7 ".join(visible(fact) for fact in facts_line), class_="soft"),
        said,
        element("h3", "Memory map"),
        map_figure(image, anchor),
        findings_part(image, anchor),
        not_searched_part(image, report),
        warnings_part(image),
        _statistics("Figures of this image", image.statistics),
        class_=f"card {kind.value}",
        id=anchor,
    )


def _searched(report: ScanReport) -> Markup:
    detectors = [(name, _DETECTORS.get(name, "")) for name in report.detectors]
    parts = [
        element("h2", "What was searched for"),
        element("p", _capital(keys_words(report)), "."),
        facts([("Mode", report.mode), *detectors]),
        _keys(report),
        _statistics("Figures of the run", report.statistics),
    ]
    return element("section", *parts, class_="card")


def _keys(report: ScanReport) -> Markup:
    if not report.keys:
        return Markup("")
    rows = (
        (
            key.label,
            element("code", key.origin.kid or "\u2013"),
            element("code", key.thumbprint),
            scope_words(key),
            source_words(key),
        )
        for key in report.keys[:_KEYS]
    )
    listing = table(("Key", "kid", "Fingerprint", "Key scope", "Source"), rows, "Keys that were named")
    rest = len(report.keys) - _KEYS
    more = element("p", f"\u2026 and {count_words(rest, 'more key')}", class_="soft") if rest > 0 else ""
    summary = element("summary", f"{count_words(len(report.keys), 'key')} by name")
    # a handful is shown at once
    return element("details", summary, listing, more, open="" if len(report.keys) <= 8 else None)


def _statistics(title: str, figures: dict[str, float | int]) -> Markup:
    if not figures:
        return Markup("")
    pairs = [(name.replace("_", " "), _figure(value)) for name, value in figures.items()]
    return element("details", element("summary", title), facts(pairs))


def _figure(value: float | int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _footer() -> Markup:
    words = (
        "No byte of a private key is in this page; what it says of paths, keys and addresses may still be "
        "internal. A finding is certain: the number stands in the image and belongs to the key by "
        "arithmetic. No finding means no more than what was searched."
    )
    return join([element("footer", element("p", words), element("p", f"{tool.NAME} {tool.version()}"))])
