"""Learning-rate schedules: warm-up, then constant or cosine decay."""

from __future__ import annotations

import math
from collections.abc import Callable


def constant(progress: float) -> float:
    """Return 1: the learning rate stays."""
    return 1.0


def cosine(progress: float) -> float:
    """Return 1 at the start (`progress` 0) falling to 0 at the end (`progress` 1) along half a cosine."""
    return (1 + math.cos(math.pi * progress)) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {"constant": constant, "cosine": cosine}


def warm_up_then(schedule: str, position: float, warm_up: float, end: float) -> float:
    """Return what the learning rate is multiplied by: it rises over the warm-up, then follows the schedule.

    Args:
        schedule: a name in `SCHEDULES`.
        position: 0 up to `end`, in any unit.
        warm_up: where the full rate is reached, before `end`; 0 begins with the schedule.
    """
    if position < warm_up:
        return position / warm_up
    return SCHEDULES[schedule]((position - warm_up) / (end - warm_up))


def share_of_full_rate(step: int, steps: int, warm_up_steps: int, schedule: str) -> float:
    """Return what the learning rate of a step is multiplied by.

    Args:
        step: counted from 0.
        steps: of the whole training.
        warm_up_steps: the last of these reaches 1, where the schedule begins with the next; as many as `steps`, or
            more, leave it no step.
        schedule: a name in `SCHEDULES`.
    """
    # The first step has a rate already, and the last one has one left.
    position = step + 1 if step < warm_up_steps else step
    return warm_up_then(schedule, position, warm_up_steps, max(steps, warm_up_steps + 1))
