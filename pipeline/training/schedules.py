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


def share_of_full_rate(step: int, steps: int, warm_up_steps: int, schedule: str) -> float:
    """Return what the learning rate is multiplied by: it rises over the warm-up, then follows the schedule.

    Args:
        step: counted from 0.
        steps: of the whole training.
        warm_up_steps: the last of these reaches 1; 0 begins with the schedule.
        schedule: a name in `SCHEDULES`.
    """
    if step < warm_up_steps:
        return (step + 1) / warm_up_steps
    return SCHEDULES[schedule]((step - warm_up_steps) / max(1, steps - warm_up_steps))
