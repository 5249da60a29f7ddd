"""``immure fleet cost``: how long a scan will take, what it costs, and where it saturates."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from immure.cli.fleet_options import Bytes, Rate
from immure.cli.messages import say
from immure.fleet.cost import USUAL_DISPATCH, USUAL_RATE, USUAL_TASK, Model, Prices, estimate

if TYPE_CHECKING:
    from immure.fleet.cost import Estimate

#: Simulated tasks: more would take minutes.
_MOST_SIMULATED = 50_000

_EPILOG = """
A slot is a core of a worker, with the memory for one task. Three things bound a fleet: the processors of its
slots, the network between them and the store, and the coordinator, which hands out tasks one by one. From
the saturation point on, more slots cost more and help no more.

The default figures are of the right order and no more (docs/explanation/fleet-cost.md); measure yours with
benchmarks/fleet_scaling.py and give them here. Java heaps full of RSA numbers take up to ten times as long
as ordinary memory. Prices are in any currency; the defaults are only of the right order.

\b
Examples:
  immure fleet cost --bytes 1PB --workers 200
  immure fleet cost --bytes 20TB --image 40GB --workers 16 --slots 4 --network 10Gbit/s
  immure fleet cost --bytes 1PB --workers 500 --rate 450MB/s --slot-price 0.05 --format json
"""


@click.command(epilog=_EPILOG)
@click.option("--bytes", "total", type=Bytes(), required=True, metavar="BYTES", help="All images together.")
@click.option(
    "--image", "image_bytes", type=Bytes(), default="1GiB", show_default=True, metavar="BYTES",
    help="Bytes of one image.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 100_000), default=1, show_default=True, help="Machines.")
@click.option("--slots", type=click.IntRange(1, 1024), default=1, show_default=True, help="Cores of each.")
@click.option(
    "--split", "split_bytes", type=Bytes(), default="1GiB", show_default=True, metavar="BYTES",
    help="As fleet scan has it: larger images are cut, and read twice.",
)  # fmt: skip
@click.option(
    "--rate", type=Rate(), default=f"{USUAL_RATE / 1e6:g}MB/s", show_default=True, metavar="RATE",
    help="What a slot searches.",
)  # fmt: skip
@click.option(
    "--slot-network", type=Rate(), default="100MB/s", show_default=True, metavar="RATE",
    help="What a slot gets from the store.",
)  # fmt: skip
@click.option(
    "--network", type=Rate(), default="100Gbit/s", show_default=True, metavar="RATE",
    help="What all get together.",
)  # fmt: skip
@click.option(
    "--task-seconds", type=click.FloatRange(0), default=USUAL_TASK, show_default=True,
    help="What a task costs its slot besides.",
)  # fmt: skip
@click.option(
    "--dispatch-seconds", type=click.FloatRange(0), default=USUAL_DISPATCH, show_default=True,
    help="What a task costs the coordinator.",
)  # fmt: skip
@click.option(
    "--slot-price", type=click.FloatRange(0), default=0.04, show_default=True, help="A slot, an hour."
)
@click.option(
    "--transfer-price", type=click.FloatRange(0), default=0.0, show_default=True,
    help="10^9 bytes out of the store: 0 within a region, mostly.",
)  # fmt: skip
@click.option(
    "--request-price",
    type=click.FloatRange(0),
    default=0.0004,
    show_default=True,
    help="1,000 reads of the store.",
)
@click.option("--simulate", is_flag=True, help="Let the dispatcher itself act it out, in made-up time.")
@click.option(
    "-f", "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def cost(
    total: int, image_bytes: int, workers: int, slots: int, split_bytes: int, form: str, **given: Any
) -> int:
    """Say how long a scan will take, what it costs, and where more workers stop to help."""
    model = _model(image_bytes, split_bytes, given)
    prices = Prices(given["slot_price"], given["transfer_price"], given["request_price"])
    count = workers * slots
    found = estimate(model, total, count, prices)
    rows = [estimate(model, total, each, prices) for each in _around(count, model.saturation()[0])]
    simulated = _simulated(model, total, workers, slots) if given["simulate"] else None
    if form == "json":
        click.echo(json.dumps(_json(model, total, found, rows, simulated), indent=2))
    else:
        for line in _lines(model, total, found, rows, simulated):
            click.echo(line)
    return 0


def _model(image_bytes: int, split_bytes: int, given: dict[str, Any]) -> Model:
    is_cut = image_bytes > split_bytes
    return Model(
        rate=given["rate"],
        task_overhead_seconds=given["task_seconds"],
        dispatch_seconds=given["dispatch_seconds"],
        slot_network=given["slot_network"],
        network=given["network"],
        passes=2.0 if is_cut else 1.0,
        work_passes=1.5 if is_cut else 1.0,
        task_bytes=max(1, min(image_bytes, split_bytes)),
    )


def _around(slots: int, saturation: int) -> list[int]:
    """Numbers of slots to compare: what was asked, and steps up to where it saturates."""
    steps = {1, slots, saturation, 2 * saturation}
    steps |= {10**power for power in range(1, 6) if 10**power < saturation}
    return sorted(steps)


def _simulated(model: Model, total: int, workers: int, slots: int) -> float | None:
    from immure.fleet.simulate import simulate

    tasks = math.ceil(total / model.task_bytes)
    if tasks > _MOST_SIMULATED:
        say(f"note: {tasks:,} tasks are too many to act out: {_MOST_SIMULATED:,} are, and the time scaled up")
    acted = min(tasks, _MOST_SIMULATED)
    sizes = [min(model.task_bytes, total)] * acted
    return simulate(model, sizes, workers, slots).seconds * tasks / acted


def _json(
    model: Model, total: int, found: Estimate, rows: list[Estimate], simulated: float | None
) -> dict[str, Any]:
    slots, bound = model.saturation()
    return {
        "bytes": total,
        "estimate": _row(found),
        "saturation": {"slots": slots, "bound": bound},
        "limits": model.limits(found.slots),
        "by_slots": [_row(row) for row in rows],
        "simulated_seconds": simulated,
    }


def _row(row: Estimate) -> dict[str, Any]:
    return {
        "slots": row.slots, "seconds": row.seconds, "bound": row.bound, "tasks": row.tasks,
        "requests": row.requests, "work_cost": row.work_cost, "transfer_cost": row.transfer_cost,
        "request_cost": row.request_cost, "cost": row.cost,
    }  # fmt: skip


def _lines(
    model: Model, total: int, found: Estimate, rows: list[Estimate], simulated: float | None
) -> list[str]:
    from immure.scanning.report.words import bytes_words

    slots, bound = model.saturation()
    rate = total / found.seconds
    lines = [
        f"{bytes_words(total)} on {found.slots:,} slots: {_time(found.seconds)}, {bytes_words(int(rate))}/s,"
        f" bounded by the {found.bound}",
        f"cost {found.cost:,.2f}: work {found.work_cost:,.2f}, transfer {found.transfer_cost:,.2f},"
        f" {found.requests:,} requests {found.request_cost:,.2f}",
        f"saturates at {slots:,} slots, by the {bound}",
    ]
    if simulated is not None:
        lines.append(f"acted out: {_time(simulated)}")
    lines += ["", f"{'slots':>9}  {'time':>10}  {'cost':>12}  bounded by"]
    lines += [f"{row.slots:>9,}  {_time(row.seconds):>10}  {row.cost:>12,.2f}  {row.bound}" for row in rows]
    return lines


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:,.1f} days"
