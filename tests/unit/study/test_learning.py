"""Cells of a study that several processes carry out."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from imprint.claims import claimed
from imprint.study.cells import FOLDER, Cell, read
from imprint.study.study import Study

Made = Callable[..., Study]
FEW = ("arms=[classical,synthetic]", "shots=[2]")


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> Counter[Any]:
    """How often each cell was learned."""
    found: Counter[Any] = Counter()
    run = Cell.run

    def count(cell: Cell, tools: Any) -> Any:
        found[cell.identity] += 1
        return run(cell, tools)

    monkeypatch.setattr(Cell, "run", count)
    return found


def test_two_that_carry_out_one_study_share_its_cells(made: Made, learned: Counter[Any]) -> None:
    both = [made(*FEW) for _ in range(2)]
    threads = [threading.Thread(target=study.learn) for study in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both[0].missing()
    assert learned == {cell.identity: 1 for cell in both[0].cells}
    assert not list((both[0].folder / FOLDER).glob(".claims/*"))


def test_what_another_process_is_at_is_waited_for(made: Made, learned: Counter[Any]) -> None:
    """And learned where that process ends without having learned it."""
    study = made(*FEW)
    held, *others = study.cells
    waiting = threading.Thread(target=study.learn)
    with claimed(study.folder / FOLDER / ".claims", [held.identity]) as own:
        assert own == [held.identity]
        waiting.start()
        while any(read(study.folder, cell) is None for cell in others):
            waiting.join(timeout=0.05)
        waiting.join(timeout=0.5)
        assert waiting.is_alive()
        assert held.identity not in learned
    waiting.join(timeout=60)
    assert not waiting.is_alive()
    assert learned == {cell.identity: 1 for cell in study.cells}


def test_a_study_that_was_killed_goes_on_from_the_cells_that_are_there(
    made: Made, learned: Counter[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = made(*FEW)
    first, second, *_ = study.cells
    run = Cell.run

    def kill(cell: Cell, tools: Any) -> Any:
        if cell.identity == second.identity:
            raise KeyboardInterrupt
        return run(cell, tools)

    with monkeypatch.context() as patch:
        patch.setattr(Cell, "run", kill)
        with pytest.raises(KeyboardInterrupt):
            study.carry_out()
    assert read(study.folder, first) is not None
    made(*FEW).carry_out()
    assert learned == {cell.identity: 1 for cell in study.cells}
    content = json.loads((study.folder / "study.json").read_text(encoding="utf-8"))
    assert len(content["cells"]) == 4
