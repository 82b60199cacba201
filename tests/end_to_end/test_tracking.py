"""A training and its evaluations are one run at W&B, offline first and uploaded later."""

from pathlib import Path

import pytest
from composed import compose
from small_runs import configure
from unit.reporting.tracking.offline import begun, stays, summary, sync, table
from wandb_server import wandb_server

from imprint.errors import UserError
from imprint.reporting.metrics_file import read_metrics
from imprint.runs import Run
from imprint.verbs.evaluate import evaluate
from imprint.verbs.train import train

pytestmark = pytest.mark.slow

FEW = ["evaluation.pictures.subject.images=1", "evaluation.rows=[untuned]"]


@pytest.fixture(scope="module")
def run(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained and scored under `quick`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WANDB_MODE", raising=False)
        more = ["report=default", "report.wandb.tags=[mine]", "samples=default", "samples.seeds=[0]", "method=lora"]
        more += ["evaluation=quick", "+encoders@model.encoders=mini", "sweep.name=rates", "watch.every=3", *FEW]
        return train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("runs"), *more))


def test_scores_go_where_the_training_went(run: Run) -> None:
    training, scoring = stays(run.folder)[:2]
    for stay in (training, scoring):
        started = begun(stay)
        assert started["run_id"] == run.signature
        assert (started["run_group"], started["job_type"]) == ("rates", "train")
        assert {"mine", "lora", "subject"} <= set(started["tags"])
    columns = set(read_metrics(run.score_curve)) - {"step"}
    assert columns
    assert columns <= summary(training)["summary"].keys()
    assert columns <= summary(scoring)["summary"].keys(), "named as on the way"
    shown = table(scoring, "quick/pictures")
    assert len(shown) == 4
    assert all(-1 <= row["DINO"] <= 1 for row in shown)


def test_another_evaluation_follows_and_all_is_uploaded_as_one(run: Run, tmp_path: Path) -> None:
    asked = ["evaluation=oft", "evaluation.pictures.subject.numbers=[0]", *FEW, "accelerator=cpu"]
    before = len(stays(run.folder))
    evaluate(compose("evaluate", [f"run={run.folder}", *asked, "report=local"]))
    assert len(stays(run.folder)) == before, "it was told to stay local"
    for _ in range(2):
        evaluate(compose("evaluate", [f"run={run.folder}", *asked]))
        assert len(stays(run.folder)) == before + 1
    with wandb_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path))
        patch.setenv("WANDB_BASE_URL", server.url)
        patch.setenv("WANDB_API_KEY", "a" * 40)
        sync(run.folder)
        assert not server.unknown
    (stored,) = server.runs.values()
    told = {name.partition("@")[0] for name in stored.summary}
    assert {"loss", "seconds", "result_bytes", "samples", "quick/dino", "oft/dino", "oft/pictures"} <= told
    numbers = [row["_step"] for row in stored.history]
    assert numbers == sorted(set(numbers))
    assert server.artifacts[f"result-{run.signature}"]["metadata"]["uploaded"]


def test_pictures_of_no_run_are_not_tracked(run: Run, tmp_path: Path) -> None:
    given = [f"images={tmp_path}", f"references={tmp_path}", "noun=dog", "report=online"]
    with pytest.raises(UserError, match="report= is for run=FOLDER"):
        evaluate(compose("evaluate", given))
