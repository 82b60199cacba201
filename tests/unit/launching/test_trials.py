"""A search goes on where it was, and never mixes with another one."""

from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from imprint.errors import UserError
from imprint.launching.trials import FILE, Trials

ONE = {"dino": "maximize"}
TWO = {"dino": "maximize", "drift": "minimize"}
SPACE = {"lr": FloatDistribution(1e-5, 1e-3, log=True), "rank": CategoricalDistribution(["4", "8"])}
RANDOM = {"_target_": "optuna.samplers.RandomSampler", "seed": 0, "n_startup_trials": None}
TPE = {"_target_": "optuna.samplers.TPESampler", "seed": 0, "n_startup_trials": 2}


def trials(folder: Path, goals: Any = ONE, space: Any = SPACE, sampler: Any = RANDOM) -> Trials:
    return Trials(folder / "sweep", goals=goals, space=space, sampler=sampler, said="sweep.name=sweep")


def tried(search: Trials, value: float | None) -> dict[str, Any]:
    trial = search.ask()
    search.tell(trial, None if value is None else [value])
    return trial.params


@pytest.mark.parametrize("sampler", [RANDOM, TPE])
def test_launched_again_it_goes_on_and_does_not_repeat_itself(sampler: dict[str, Any], tmp_path: Path) -> None:
    first = trials(tmp_path, sampler=sampler)
    before = [tried(first, 0.1 * number) for number in range(3)]
    again = trials(tmp_path, sampler=sampler)
    assert again.finished == 3
    after = [tried(again, 0.5) for _ in range(3)]
    assert not any(params in before for params in after)


def test_interrupted_and_failed_trials_come_first_again(tmp_path: Path) -> None:
    search = trials(tmp_path)
    tried(search, 0.5)
    failed = tried(search, None)
    interrupted = search.ask().params
    again = trials(tmp_path)
    assert again.finished == 1
    assert [again.ask().params, again.ask().params] == [failed, interrupted]
    assert again.ask().params not in (failed, interrupted)


def test_what_failed_and_then_succeeded_is_not_tried_once_more(tmp_path: Path) -> None:
    failed = tried(trials(tmp_path), None)
    assert tried(trials(tmp_path), 0.5) == failed
    assert trials(tmp_path).ask().params != failed


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 500])
def test_a_damaged_record_is_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "sweep" / FILE
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"search\.db: .*Delete it: the search then begins anew") as told:
        trials(tmp_path)
    assert "\n" not in str(told.value)


def test_the_best_is_by_the_direction_of_the_metric(tmp_path: Path) -> None:
    up, down = trials(tmp_path / "up"), trials(tmp_path / "down", goals={"drift": "minimize"})
    for value in (0.2, 0.9, 0.4):
        tried(up, value)
        tried(down, value)
    assert [trial.values for trial in up.best] == [[0.9]]
    assert [trial.values for trial in down.best] == [[0.2]]
    assert trials(tmp_path / "none").best == []


def test_of_several_metrics_what_nothing_beats_in_all_is_best(tmp_path: Path) -> None:
    search = trials(tmp_path, goals=TWO, sampler=TPE)
    for values in ([0.9, 0.5], [0.5, 0.1], [0.4, 0.6]):
        search.tell(search.ask(), values)
    assert sorted(trial.values for trial in search.best) == [[0.5, 0.1], [0.9, 0.5]]


@pytest.mark.parametrize(
    "other",
    [
        {"goals": TWO},
        {"goals": {"drift": "minimize"}},
        {"space": {"lr": SPACE["lr"]}},
        {"space": {**SPACE, "steps": IntDistribution(1, 9)}},
        {"space": {**SPACE, "rank": CategoricalDistribution(["4", "16"])}},
    ],
)
def test_another_search_of_the_same_name_is_refused(other: dict[str, Any], tmp_path: Path) -> None:
    tried(trials(tmp_path), 0.5)
    with pytest.raises(UserError, match=r"sweep\.name=sweep.*Choose another name"):
        trials(tmp_path, **other).ask()
