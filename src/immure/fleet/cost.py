"""What a scan of so many bytes takes: time, money, and where more workers stop to help.

Three things bound how fast a fleet is: the processors of its workers, the network between them and the store,
and the coordinator, which hands out tasks one after the other. The figures that go in should be measured
(``benchmarks/fleet_scaling.py``) on images of your own; what stands here is near the committed run.
:mod:`immure.fleet.simulate` holds the formulas against the dispatcher.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from immure.errors import UsageError
from immure.fleet.blocks import BLOCK_BYTES

Bound = Literal["processors", "network", "coordinator"]

#: What is taken if nobody says what was measured, of the right order for one core: bytes per second of a scan
#: of ordinary memory (quick mode, all detectors), and seconds that a task costs a worker besides, and the
#: coordinator.
USUAL_RATE: Final = 300e6
USUAL_TASK: Final = 0.05
USUAL_DISPATCH: Final = 0.002


@dataclass(frozen=True, slots=True)
class Prices:
    """In any one currency.

    Attributes:
        slot_hour: one worker slot (a core with its memory) for an hour.
        gigabyte: bringing 10^9 bytes from the store to a worker; nothing within a region, mostly.
        thousand_requests: a thousand reads of the store.
    """

    slot_hour: float = 0.04
    gigabyte: float = 0.0
    thousand_requests: float = 0.0004


@dataclass(frozen=True, slots=True)
class Model:
    """A fleet and what it is given.

    Attributes:
        rate: bytes per second that one slot searches once it has them.
        task_overhead_seconds: what a task costs its slot besides.
        dispatch_seconds: what a task costs the coordinator; one after the other.
        slot_network, network: bytes per second between the store and one slot, and all of them.
        passes: how often a byte is fetched: 1 for images that a task can keep, 2 for those that are cut
            (survey and search), up to 3 if keys are found in them (sweep).
        work_passes: how much more there is to compute for those that are cut, as a factor.
        task_bytes: bytes of a task.
    """

    rate: float = USUAL_RATE
    task_overhead_seconds: float = USUAL_TASK
    dispatch_seconds: float = USUAL_DISPATCH
    slot_network: float = 100e6
    network: float = 12.5e9
    passes: float = 1.0
    work_passes: float = 1.0
    task_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        least = min(self.rate, self.slot_network, self.network, self.passes, self.work_passes)
        if least <= 0 or self.task_bytes < 1 or min(self.task_overhead_seconds, self.dispatch_seconds) < 0:
            raise UsageError("rates, passes and sizes must be more than 0, and seconds not less")

    def task_seconds(self, size: float, under_way: int) -> float:
        """How long a slot is busy with ``size`` bytes while so many are under way.

        Blocks are fetched ahead while those before are searched: the slower of the two counts.
        """
        link = min(self.slot_network, self.network / max(1, under_way))
        return self.task_overhead_seconds + max(
            self.passes * size / link, self.work_passes * size / self.rate
        )

    def slot_throughput(self) -> float:
        """Bytes per second of one slot that has the network to itself."""
        return self.task_bytes / self.task_seconds(self.task_bytes, 1)

    def limits(self, slots: int) -> dict[Bound, float]:
        """Bytes per second that each part of the fleet can do."""
        handed_out = self.task_bytes / self.dispatch_seconds if self.dispatch_seconds else math.inf
        return {
            "processors": slots * self.slot_throughput(),
            "network": self.network / self.passes,
            "coordinator": handed_out,
        }

    def throughput(self, slots: int) -> tuple[float, Bound]:
        """Bytes per second of so many slots, and what bounds them."""
        limits = self.limits(slots)
        bound = min(limits, key=lambda name: limits[name])
        return limits[bound], bound

    def saturation(self) -> tuple[int, Bound]:
        """From how many slots on more do not help, and because of what."""
        limits = self.limits(1)
        others: list[Bound] = ["network", "coordinator"]
        bound = min(others, key=lambda name: limits[name])
        return max(1, math.ceil(limits[bound] / limits["processors"])), bound


@dataclass(frozen=True, slots=True)
class Estimate:
    """What it takes.

    Attributes:
        slots, seconds, bound: how many, how long, and what bounds it.
        tasks, requests: how many.
        work_cost, transfer_cost, request_cost: in the currency of the prices.
    """

    slots: int
    seconds: float
    bound: Bound
    tasks: int
    requests: int
    work_cost: float
    transfer_cost: float
    request_cost: float

    @property
    def cost(self) -> float:
        """All of it."""
        return self.work_cost + self.transfer_cost + self.request_cost


def estimate(model: Model, total: int, slots: int, prices: Prices | None = None) -> Estimate:
    """What ``total`` bytes take on so many slots.

    Raises:
        UsageError: there are no bytes, or no slots.
    """
    if total < 1 or slots < 1:
        raise UsageError("there must be at least one byte and one worker")
    prices = prices or Prices()
    throughput, bound = model.throughput(slots)
    tasks = max(1, math.ceil(total / model.task_bytes))
    last = min(total, model.task_bytes)
    # at the end the slots wait for the last task, on average for half of one
    rounds = total / throughput
    tail = model.task_seconds(last, min(slots, tasks)) / 2 if tasks > slots else 0.0
    least = model.task_seconds(last, min(slots, tasks))
    seconds = max(rounds + tail, least)
    requests = math.ceil(model.passes * total / BLOCK_BYTES) + 2 * tasks
    return Estimate(
        slots, seconds, bound, tasks, requests,
        work_cost=slots * seconds / 3600 * prices.slot_hour,
        transfer_cost=model.passes * total / 1e9 * prices.gigabyte,
        request_cost=requests / 1000 * prices.thousand_requests,
    )  # fmt: skip
