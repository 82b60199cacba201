"""What offline stays at one W&B run must know of each other.

W&B numbers the rows of a stay from 0 and sums up that stay alone, since offline it cannot ask what was there before.
When several are uploaded, rows of equal number and summaries would take each other's place. So each goes on where the
last one ended, and begins with its summary.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imprint.files import write_json

EVERY = 1.0  # seconds between two notes of where a stay is
MARGIN = 10_000  # rows that one which was killed may have written since its last note


class Stays:
    """`file` tells where the last stay ended. `id` is the W&B run's where it is not the one that was asked for: the agent
    of a W&B sweep chooses its own."""

    def __init__(self, file: Path) -> None:
        self._file = file
        before = self._read()
        self.next_row = int(before.get("next_row", 0)) + (0 if before.get("closed", True) else MARGIN)
        self.summary: Mapping[str, Any] = before.get("summary", {})
        self.id: str | None = before.get("id")
        self._noted = 0.0

    def row(self, at_least: int) -> int:
        """The number of a new row."""
        number = max(self.next_row, at_least)
        self.next_row = number + 1
        if time.monotonic() - self._noted > EVERY:
            self._note(closed=False, summary=self.summary)
        return number

    def close(self, summary: Mapping[str, Any]) -> None:
        self._note(closed=True, summary={**self.summary, **summary})

    def _note(self, *, closed: bool, summary: Mapping[str, Any]) -> None:
        chosen = {"id": self.id} if self.id else {}
        write_json(self._file, {**chosen, "next_row": self.next_row, "closed": closed, "summary": dict(summary)})
        self._noted = time.monotonic()

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # the first stay, or a note that cannot be read
            return {}
        return content
