"""Waiting for events that other threads put into a queue."""

from __future__ import annotations

from queue import Empty, SimpleQueue

from immure.fleet.engine import Event


def drained(queue: SimpleQueue[Event], timeout: float) -> list[Event]:
    """All events that are there; waits up to ``timeout`` seconds for the first."""
    try:
        events = [queue.get(timeout=max(timeout, 0.001))]
    except Empty:
        return []
    while not queue.empty():
        events.append(queue.get_nowait())
    return events
