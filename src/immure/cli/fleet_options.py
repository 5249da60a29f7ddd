"""Options of ``immure fleet``, and amounts as parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from immure.errors import UsageError
from immure.fleet.amounts import parse_bytes, parse_rate

if TYPE_CHECKING:
    BytesType = click.ParamType[int]
    RateType = click.ParamType[float]
else:  # older releases of click know no type arguments
    BytesType = RateType = click.ParamType


class Bytes(BytesType):
    """A number of bytes: ``1PB``, ``64MiB``."""

    name = "bytes"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        if isinstance(value, int):
            return value
        try:
            return parse_bytes(value)
        except UsageError as error:
            self.fail(error.reason, param, ctx)


class Rate(RateType):
    """Bytes per second: ``500MB/s``, ``10Gbit/s``."""

    name = "rate"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        if isinstance(value, float):
            return value
        try:
            return parse_rate(value)
        except UsageError as error:
            self.fail(error.reason, param, ctx)


_FILE: Final = click.Path(dir_okay=False)
_ENGINE: Final = (
    click.option(
        "--engine", default="processes", show_default=True, metavar="ENGINE",
        help="processes[:N], threads[:N] or dask://HOST:PORT.",
    ),
    click.option("--tls-ca", metavar="FILE", type=_FILE, help="CA of the cluster's certificates (PEM)."),
    click.option("--tls-cert", metavar="FILE", type=_FILE, help="Our certificate for the cluster (PEM)."),
    click.option("--tls-key", metavar="FILE", type=_FILE, help="Its private key (PEM)."),
    click.option(
        "--allow-plain", is_flag=True, help="Talk to a cluster elsewhere without TLS, in the clear."
    ),
)  # fmt: skip
_BOUNDS: Final = (
    click.option(
        "--split", "split_bytes", type=Bytes(), default="1GiB", show_default=True, metavar="BYTES",
        help="Cut larger images into ranges of at most so much.",
    ),
    click.option(
        "--memory", "memory_bytes", type=Bytes(), default="1GiB", show_default=True, metavar="BYTES",
        help="What a task may keep of an image, to fetch it once.",
    ),
    click.option(
        "--tries", type=click.IntRange(1, 100), default=3, show_default=True,
        help="Attempts at what fails, and workers that may die of one task.",
    ),
    click.option(
        "--task-timeout", "task_seconds", type=click.FloatRange(1), default=3600.0, show_default=True,
        metavar="SECONDS", help="After so long an attempt has failed.",
    ),
    click.option(
        "--straggler", "straggler_seconds", type=click.FloatRange(0.1), default=20.0, show_default=True,
        metavar="SECONDS", help="What takes longer, and far longer than others, is begun twice.",
    ),
    click.option(
        "--worker-timeout", "worker_seconds", type=click.FloatRange(1), default=120.0, show_default=True,
        metavar="SECONDS", help="How long to wait for a worker if there is none.",
    ),
)  # fmt: skip


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where the work is done."""
    for option in reversed(_ENGINE):
        command = option(command)
    return command


def bounds(command: Callable[..., Any]) -> Callable[..., Any]:
    """How much a task is, and how patient the fleet."""
    for option in reversed(_BOUNDS):
        command = option(command)
    return command
