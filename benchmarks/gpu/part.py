"""What a part is given, and how it is carried out in its own process."""

import importlib
import shutil
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu.document import Document


class Skipped(Exception):
    """What a part or an item of it needs is not here; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    document: Document
    rehearse: bool  # on a CPU, with tiny models
    work: Path  # what all parts share: models, pictures
    out: Path  # what is brought back
    peer: Path | None
    until: float  # seconds of the clock

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.time()

    @property
    def scratch(self) -> Path:
        folder = self.work / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fresh(self, name: str) -> Path:
        """An empty folder: a run that is there already would be passed over."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def item(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """Notes what `measure` finds, unless an earlier start has. An item that fails leaves the others."""
        there = self.document.items(self.name).get(name)
        if there is not None and "failed" not in there:
            return there  # type: ignore[no-any-return]
        began = time.time()
        try:
            found = measure()
        except Skipped as reason:
            found = {"skipped": str(reason)}
        except Exception as error:
            traceback.print_exc()
            found = {"failed": _shortened(error)}
        found = {**found, "took": round(time.time() - began, 2)}
        print(f"{self.name}, {name}: {found}"[:2000], flush=True)
        self.document.note(self.name, name, found)
        return found if not {"failed", "skipped"} & set(found) else None


def carry_out(part: Part) -> None:
    """Writes how it ended."""
    began = time.time()
    state, why = "done", ""
    part.document.about(_circumstances())
    try:
        importlib.import_module(f"gpu.{part.name}").run(part)
        items = part.document.items(part.name)
        if failed := [name for name, values in items.items() if "failed" in values]:
            state, why = "failed", f"{', '.join(failed)}: {items[failed[0]]['failed']}"
        elif items and all("skipped" in values for values in items.values()):
            state, why = "skipped", next(iter(items.values()))["skipped"]
    except Skipped as reason:
        state, why = "skipped", str(reason)
    except Exception as error:
        traceback.print_exc()
        state, why = "failed", _shortened(error)
    part.document.end(part.name, state, why, time.time() - began)


def _shortened(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return text if len(text) < 1500 else f"{text[:300]} ... {text[-1200:]}"


def _circumstances() -> dict[str, Any]:
    """Machine and versions; without what is asked for by libraries that are not here."""
    try:
        from record import circumstances
    except Exception as error:
        return {"circumstances": _shortened(error)}
    return {"circumstances": circumstances()}
