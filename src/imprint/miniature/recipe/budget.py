"""How far a stage has come, what its learning rate is now, and how long it will still take."""

from __future__ import annotations

import math
import time


class Budget:
    """Counts steps, and minutes where a limit is given; survives resumption through `state`.

    `progress` runs from 0 to 1 and ends the stage, by whichever limit comes first.
    """

    def __init__(self, *, steps: int, minutes: float | None, warmup: int, hold: float) -> None:
        self.step = 0
        self._steps, self._minutes, self._warmup, self._hold = steps, minutes, warmup, hold
        self._spent_before = 0.0
        self._started = time.monotonic()

    @property
    def spent_s(self) -> float:
        return self._spent_before + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        by_steps = self.step / self._steps
        return max(by_steps, self.spent_s / 60 / self._minutes) if self._minutes else by_steps

    @property
    def rate(self) -> float:
        """The share of the full learning rate: warm-up, hold, cosine to zero."""
        warm = min(1.0, (self.step + 1) / self._warmup)
        p = min(1.0, self.progress)
        return warm if p < self._hold else warm * 0.5 * (1 + math.cos(math.pi * (p - self._hold) / (1 - self._hold)))

    @property
    def left(self) -> str:
        p = self.progress
        s = (1 - p) / p * self.spent_s if p > 0 else 0.0
        return f"{s / 60:.0f} min left"

    def state(self) -> dict[str, float]:
        return {"step": self.step, "spent_s": self.spent_s}

    def restore(self, state: dict[str, float]) -> None:
        self.step, self._spent_before = int(state["step"]), state["spent_s"]
        self._started = time.monotonic()
