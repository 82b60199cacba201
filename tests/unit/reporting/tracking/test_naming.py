"""How runs are told apart at W&B."""

from pathlib import Path

from unit.reporting.runs_on_disk import make_run
from unit.reporting.tracking.offline import begun, settings, stays

from imprint.reporting.tracking.naming import display_name, grouped, plain_scores
from imprint.reporting.tracking.wandb import WandbTracker
from imprint.runs import Run
from imprint.sweeps import Point, Sweep

POINTS = {
    "rex-lora-mini-00000001": ("method=lora", "method.lr=1e-3", "method.rank=16", "hparams.steps=400"),
    "rex-lora-mini-00000002": ("method=lora", "method.lr=1e-4", "method.rank=16", "hparams.steps=400"),
    "rex-dreambooth-mini-00000003": ("method=dreambooth", "method.lr=1e-4", "hparams.steps=400"),
}


def points(outputs: Path) -> list[Run]:
    runs = {name: Run(make_run(outputs / name, settings={}, drawn_at=())) for name in POINTS}
    for run in runs.values():
        run.note({"config": {"sweep": {"name": "grid"}}})
    made = [Point(overrides, runs[name]) for name, overrides in POINTS.items()]
    Sweep.named("grid", outputs).note(question=None, command="imprint train -m", objectives=[], points=made)
    return list(runs.values())


def test_points_are_named_by_what_is_set_for_them_alone(tmp_path: Path) -> None:
    names = [display_name(run, run.folder.name.rpartition("-")[0]) for run in points(tmp_path)]
    assert names == [
        "rex-lora-mini lr=0.001 rank=16",
        "rex-lora-mini lr=0.0001 rank=16",
        "rex-dreambooth-mini lr=0.0001",
    ]


def test_a_run_by_itself_keeps_its_name(tmp_path: Path) -> None:
    run = points(tmp_path)[0]
    run.note({"config": {"sweep": {"name": None}}})
    assert display_name(run, "rex-lora-mini") == "rex-lora-mini"
    run.note({"config": {"sweep": {"name": "of other runs"}}})
    assert display_name(run, "rex-lora-mini") == "rex-lora-mini"
    run.note({"config": {"sweep": {"name": "grid"}}})
    (tmp_path / "sweeps" / "grid" / "sweep.json").write_text("{")
    assert display_name(run, "rex-lora-mini") == "rex-lora-mini"


def test_it_is_what_stands_in_legends(tmp_path: Path) -> None:
    run = points(tmp_path)[0]
    tracker = WandbTracker(settings(), run, name="rex-lora-mini", config={"method": {"_kind_": "method/lora"}})
    tracker.log_metrics({"loss": 1.0}, 1)
    tracker.conclude(None)
    (stay,) = stays(run.folder)
    assert begun(stay)["display_name"] == "rex-lora-mini lr=0.001 rank=16"


def test_plain_keys_stand_beside_the_settings() -> None:
    config = {
        "seed": 3,
        "method": {"_kind_": "method/lora", "lr": 1e-4, "rank": 16, "alpha": 8},
        "prior": {"_kind_": "prior/generated", "weight": 1.0},
        "hparams": {"steps": 400, "batch_size": 2},
    }
    assert grouped(config) == {
        "method": "lora",
        "prior": "generated",
        "lr": 1e-4,
        "steps": 400,
        "batch_size": 2,
        "seed": 3,
        "lora_rank": 16,
        "lora_alpha": 8,
        "settings": config,
    }
    assert grouped({}) == {"settings": {}}


def test_scores_have_plain_names_too() -> None:
    scores = {"quick/dino@abc123": 0.5, "loss": 0.1, "quick/dino@abc123, scale.denoiser=0.5": 0.4}
    assert plain_scores(scores) == {"quick/dino": 0.5}
