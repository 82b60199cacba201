"""What a sweep's folder says of its launches."""

import threading
from pathlib import Path
from typing import Any

import pytest

from imprint import sweeps
from imprint.runs import Run
from imprint.sweeps import Point, Sweep


def test_two_programs_that_add_points_at_once_lose_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = Sweep.named("both", tmp_path)
    names = iter(("second", "third"))
    others: list[threading.Thread] = []
    write = sweeps.write_json

    def note(name: str) -> None:
        point = Point((f"name={name}",), Run(tmp_path / name))
        Sweep(sweep.folder).note(question=None, command=name, objectives=[], points=[point])

    def interrupted(file: Path, content: Any) -> None:
        """Another program comes between reading and writing."""
        if name := next(names, None):
            others.append(threading.Thread(target=note, args=(name,)))
            others[-1].start()
            others[-1].join(timeout=0.3)  # it waits, or has lost
        write(file, content)

    monkeypatch.setattr(sweeps, "write_json", interrupted)
    note("first")
    for other in others:
        other.join()
    assert sorted(point.run.folder.name for point in sweep.points) == ["first", "second", "third"]
    assert sorted(sweep.commands) == ["first", "second", "third"]
