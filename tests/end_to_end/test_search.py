"""A search on tiny models: its trials are runs, its sweep goes on where it was."""

from pathlib import Path

import optuna
import pytest
from launched import SCORED, runs, started, train
from small_runs import overrides

from imprint.sweeps import Sweep

pytestmark = pytest.mark.slow

RATE = "method.lr=tag(log,interval(1e-4,1e-2))"


def study(outputs: Path) -> optuna.Study:
    return optuna.load_study(study_name="found", storage=f"sqlite:///{outputs}/sweeps/found/search.db")


def search(model: Path, pictures: Path, outputs: Path, *more: str) -> list[str]:
    usual = [each for each in overrides(model, pictures, outputs) if not each.startswith("method.lr")]
    return ["-m", *usual, *SCORED, "hydra/sweeper=optuna", "sweep.name=found", RATE, *more]


def test_it_goes_on_until_its_trials_are_finished(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = search(tiny_sd, pictures, tmp_path, "seed=0,1")
    said = train(*settings, "hydra.sweeper.n_trials=2")
    assert "Highest: " in said
    train(*settings, "hydra.sweeper.n_trials=3")
    assert len(study(tmp_path).trials) == 3
    assert len(runs(tmp_path)) == 3
    sweep = Sweep.open(tmp_path / "sweeps" / "found")
    assert [point.run.status for point in sweep.points] == ["finished"] * 3
    assert all(len(point.overrides) == 2 for point in sweep.points)
    before = {run.folder.name: run.read() for run in runs(tmp_path)}
    train(*settings, "hydra.sweeper.n_trials=3")
    assert {run.folder.name: run.read() for run in runs(tmp_path)} == before


def test_what_it_is_told_are_the_scores_of_the_runs(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = search(tiny_sd, pictures, tmp_path, "hydra.sweeper.n_jobs=2", "hydra/launcher=joblib")
    settings[settings.index("hydra/sweeper=optuna")] = "hydra/sweeper=optuna_pareto"
    said = train(*settings, "hydra.sweeper.n_trials=4")
    assert "Not beaten: " in said
    trials = study(tmp_path).trials
    assert [direction.name for direction in study(tmp_path).directions] == ["MAXIMIZE", "MAXIMIZE"]
    scores = [next(iter(run.read().scores.values())).means for run in runs(tmp_path)]
    measured = sorted([means["dino"], means["clip_t"]] for means in scores)
    assert sorted(trial.values for trial in trials) == [pytest.approx(values) for values in measured]


def test_trials_that_are_launched_together_are_trained_side_by_side(
    tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = search(tiny_sd, pictures, tmp_path, "method=lora", "hydra.sweeper.n_jobs=2")
    said = train(*settings, "hydra.sweeper.n_trials=4")
    assert said.count("2 points side by side") == 2
    scores = [next(iter(run.read().scores.values())).means["dino"] for run in runs(tmp_path)]
    assert sorted(trial.value for trial in study(tmp_path).trials) == pytest.approx(sorted(scores))


def test_failing_trials_are_told_of_and_do_not_end_it(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = search(tiny_sd, pictures, tmp_path, "prior._target_=accidents.Failing,imprint.data.prior.NoPrior")
    settings[settings.index("hydra/sweeper=optuna")] = "hydra/sweeper=optuna_random"
    done = started(*settings, "hydra.sweeper.n_trials=4")
    states = [trial.state.name for trial in study(tmp_path).trials]
    assert sorted(set(states)) == ["COMPLETE", "FAIL"], "the seed draws both"
    assert len(states) == 4
    assert done.returncode == 1
    assert "it rained" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_where_every_trial_fails(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = search(tiny_sd, pictures, tmp_path, "prior._target_=accidents.Failing")
    done = started(*settings, "hydra.sweeper.n_trials=20", "hydra.sweeper.failures_in_a_row=2")
    assert done.returncode == 1
    assert "The last 2 trials failed" in done.stderr
    assert len(study(tmp_path).trials) == 2


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["evaluation=none"], "add evaluation=quick"),
        (["sweep.objectives=[pres]"], "choose among those of this evaluation: dino"),
        (["method.lr=1e-3"], "gives none"),
        (["hparams.steps=0"], "hparams.steps=0"),
    ],
)
def test_what_stands_in_its_way_is_said_before_a_trial(
    settings: list[str], expected: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    base = search(tiny_sd, pictures, tmp_path)
    if settings == ["evaluation=none"]:
        base = [each for each in base if each not in SCORED]
    done = started(*base, *settings)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not runs(tmp_path)
    assert not (tmp_path / "sweeps").exists()
