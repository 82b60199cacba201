"""A study's own run at W&B."""

from collections.abc import Callable
from pathlib import Path

import pytest
import wandb
from unit.reporting.tracking.offline import artifacts, begun, settings, stays, summary, table
from unit.study.told import ARMS, learn_nothing, places, write_hostile

from imprint.study.study import Study
from imprint.study.tracking import study_id

Made = Callable[..., Study]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "MODE", "BASE_URL", "DATA_DIR", "RUN_ID", "SWEEP_ID", "PROJECT", "ENTITY"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()


@pytest.fixture
def small(made: Made, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    learn_nothing(monkeypatch)
    hostile = write_hostile(world, tmp_path / "hostile")

    def make(*given: str) -> Study:
        return made(ARMS, *given, **places(hostile))

    return make


def test_a_study_is_one_run_with_tables_pictures_and_headline_numbers(small: Callable[..., Study]) -> None:
    study = small()
    study.carry_out(settings())
    (stay,) = stays(study.folder)
    started = begun(stay)
    assert (started["run_id"], started["job_type"]) == (study_id(study.findings([])), "study")
    assert {"a", "b", "Identify"} == set(started["tags"])
    told = summary(stay)["summary"]
    assert {"results", "cost", "acceptance", "sheets", "differences", "shots", "reliability"} <= told.keys()
    assert {"resnet/2/synthetic/accuracy", "resnet/2/synthetic/less classical", "headlines"} <= told.keys()
    rows = table(stay, "results")
    assert {one["arm"] for one in rows} == {"real", "classical", "synthetic", "truth"}
    mean = next(
        one["mean"]
        for one in rows
        if (one["learner"], one["shots"], one["arm"], one["metric"]) == ("resnet", 2, "synthetic", "accuracy")
    )
    assert mean == pytest.approx(told["resnet/2/synthetic/accuracy"])
    (artifact,) = artifacts(stay)
    files = {entry["path"] for entry in artifact["manifest"]["contents"]}
    assert files == {"study.json", "study.csv", "study.md", "study.html"}


def test_what_was_logged_is_not_logged_again_and_more_goes_to_the_same_run(small: Callable[..., Study]) -> None:
    study = small()
    for _ in range(2):
        study.carry_out(settings())
        assert len(stays(study.folder)) == 1
    small("seeds=[0,1]").carry_out(settings())
    first, second = stays(study.folder)
    assert begun(first)["run_id"] == begun(second)["run_id"]


def test_nothing_is_logged_where_it_is_off(small: Callable[..., Study]) -> None:
    study = small()
    study.carry_out(settings("off"))
    study.carry_out(None)
    assert not (study.folder / "wandb").exists()
