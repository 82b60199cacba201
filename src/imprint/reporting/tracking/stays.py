"""What stays at one W&B run must know of each other.

Offline, W&B sums up one stay alone, since it cannot ask what was there before: when several are uploaded, the last
summary takes the place of the others'. So each begins with the summary that the last one ended with.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imprint.files import write_json


class Stays:
    """`file` tells how the last stay ended: its summary and, where it is not the one that was asked for, the W&B run's
    id, which the agent of a W&B sweep chooses."""

    def __init__(self, file: Path) -> None:
        self._file = file
        before = self._read()
        self.id: str | None = before.get("id")
        self.summary: Mapping[str, Any] = before.get("summary", {})

    def close(self, id: str | None, summary: Mapping[str, Any]) -> None:
        write_json(self._file, {"id": id, "summary": {**self.summary, **summary}})

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # the first stay, or a note that cannot be read
            return {}
        return content
