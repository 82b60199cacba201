"""The file of results. It is rewritten as a whole whenever something is known, so what is there is never half of it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Document:
    """Parts by name, each with its state, reason, seconds, command and items. One process writes at a time."""

    def __init__(self, file: Path, *, private: Mapping[str, Path]) -> None:
        """`private` are folders of this machine, and what they are called in the file."""
        self.file = file
        self._private = {str(folder): name for name, folder in private.items()}

    def begin(self, *, command: str, code: str | None, again: bool) -> None:
        """What was done with other code is forgotten."""
        held = self._read()
        if again or held.get("code") != code:
            held["parts"] = {}
        held.update(command=command, code=code)
        self._write(held)

    def about(self, facts: dict[str, Any]) -> None:
        """What holds for all parts: machine, versions."""
        held = self._read()
        held.update(facts)
        self._write(held)

    def start(self, part: str, *, command: str) -> None:
        held = self._read()
        items = held["parts"].get(part, {}).get("items", {})
        held["parts"][part] = {"state": "running", "why": "", "seconds": 0.0, "command": command, "items": items}
        self._write(held)

    def end(self, part: str, state: str, why: str, seconds: float) -> None:
        held = self._read()
        entry = held["parts"].setdefault(part, {"command": "", "items": {}})
        entry.update(state=state, why=why, seconds=round(seconds, 1))
        self._write(held)

    def note(self, part: str, item: str, values: dict[str, Any]) -> None:
        held = self._read()
        held["parts"][part]["items"][item] = values
        self._write(held)

    def items(self, part: str) -> dict[str, Any]:
        items: dict[str, Any] = self._read()["parts"].get(part, {}).get("items", {})
        return items

    def state(self, part: str) -> str | None:
        state: str | None = self._read()["parts"].get(part, {}).get("state")
        return state

    def reason(self, part: str) -> str:
        return str(self._read()["parts"][part]["why"])

    def summary(self) -> str:
        states = [part["state"] for part in self._read()["parts"].values()]
        return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))

    def _read(self) -> dict[str, Any]:
        if not self.file.is_file():
            return {"parts": {}}
        held: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return held

    def _write(self, held: dict[str, Any]) -> None:
        beside = self.file.with_suffix(".part")
        text = json.dumps(held, indent=1)
        for folder in sorted(self._private, key=len, reverse=True):
            text = text.replace(json.dumps(folder)[1:-1], self._private[folder])
        beside.write_text(text + "\n", encoding="utf-8")
        os.replace(beside, self.file)
