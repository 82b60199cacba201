"""What a sweep takes, going by finished runs."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from imprint.launching.forecast import Cost, FinishedRun, cost, finished_runs, total
from imprint.launching.plan import PlannedPoint, ToDo, Work

LORA = ("LoRA", "model", "none")
KNOWN = [
    FinishedRun(Work(1000, LORA, None), 10.0, {"quick": 4.0}, 500),
    FinishedRun(Work(2000, LORA, "quick"), 20.0, {}, 700),
]


def planned(
    samples: int, *, profile: str | None = None, kind: tuple[str, ...] = LORA, to_do: ToDo = "to train"
) -> PlannedPoint:
    return cast(PlannedPoint, SimpleNamespace(work=Work(samples, kind, profile), to_do=to_do))


def test_time_goes_by_samples_seen() -> None:
    assert cost(planned(3000), KNOWN) == Cost(30.0, 600.0)


def test_scoring_comes_on_top() -> None:
    assert cost(planned(3000, profile="quick"), KNOWN).seconds == pytest.approx(34.0)
    assert cost(planned(3000, profile="quick", to_do="to score"), KNOWN) == Cost(4.0, 0.0)


@pytest.mark.parametrize(
    "unlike",
    [planned(10, kind=("LoRA", "another model", "none")), planned(10, profile="careful")],
    ids=["another model", "another evaluation"],
)
def test_nothing_is_said_of_what_nothing_alike_was_finished_of(unlike: PlannedPoint) -> None:
    assert cost(unlike, KNOWN) == Cost(None, None)
    assert total([planned(1000), unlike], KNOWN) == Cost(None, None)


def test_what_is_done_takes_nothing() -> None:
    assert total([planned(1000), planned(9, kind=("?",), to_do="done")], KNOWN) == Cost(10.0, 600.0)


def test_finished_runs_tell_what_they_took(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "hparams": {"steps": 5, "batch_size": 2},
        "method": {"_target_": "LoRA"},
        "prior": {"_target_": "none"},
        "evaluation": None,
    }
    facts = {"config": config, "content": {"model": "model"}, "training": {"seconds": 3.0}, "result_bytes": 9}
    stories: dict[str, dict[str, Any]] = {
        "a": {"status": "finished"},
        "b": {"status": "failed"},
        "c": {"status": "finished", "side_by_side": 3},
    }
    for name, more in stories.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps({**facts, **more}))
    assert finished_runs(tmp_path) == [FinishedRun(Work(10, LORA, None), seconds, {}, 9) for seconds in (3.0, 1.0)]
