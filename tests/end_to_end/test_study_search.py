"""imprint study, as it is typed, where it has its data sets drawn and searches for their settings."""

import json
from pathlib import Path
from typing import Any

import pytest
from command import Typed, typed_with
from study_world import write_world

SEARCH = ["search.arm=copies", "arms.copies.share=.3,.6"]
THIN = [
    "encoders=mini",
    "accelerator=cpu",
    "seeds=[0]",
    "shots=[1,2]",
    "arms=[classical,copies]",
    "learners=[probe]",
    "learners.probe.positions=4",
    "learners.probe.decays=[1e-3]",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Typed:
    return typed_with(capfd)


def asked(world: Path, out: Path, *, test: str = "test", drawing: str = "") -> list[str]:
    """Photos again, as a generator without weights draws them."""
    words = f"collection=folders collection.path={world / 'photos'} collection.noun=dog synthesis=copies filter=none"
    return [
        str(world / "photos"),
        f"test={world / test}",
        f"out={out}",
        f"synthesise={words} trainer.accelerator=cpu {drawing or 'images=1'}",
        *THIN,
    ]


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "search.json").read_text(encoding="utf-8"))
    return found


def test_a_study_draws_a_data_set_for_each_number_of_shots(world: Path, tmp_path: Path, typed: Typed) -> None:
    out = tmp_path / "study"
    planned = typed("study", *asked(world, out), "dry_run=true")
    assert (planned.code, "3 pictures by copies" in planned.text, out.exists()) == (0, True, False), planned.text
    assert "can be told when this is drawn" in planned.text
    done = typed("study", *asked(world, out))
    assert done.code == 0, done.text
    photos = [json.loads(file.read_text())["photos"] for file in out.glob("drawn/*/synthesis.json")]
    assert sorted(len(each["dog"]) for each in photos) == [1, 2]
    plan = typed("study", *asked(world, out), "dry_run=true")
    assert "copies: 1 photo of each, and 1 by copies" in plan.text
    assert "copies: 2 photos of each, and 1 by copies" in plan.text


def test_a_search_compares_settings_in_one_study_and_is_tested_on_other_photos(
    world: Path, tmp_path: Path, typed: Typed
) -> None:
    out = tmp_path / "search"
    done = typed("study", *asked(world, out, drawing="images=1,2"), *SEARCH)
    assert done.code == 0, done.text
    assert "What was tried" in done.text
    arms = json.loads((out / "study.json").read_text())["boards"][0]["arms"]
    assert list(arms) == ["classical", *(f"images={n}, share={share}" for n in (1, 2) for share in (0.3, 0.6))]
    found = record(out)
    assert [len(found[key]) for key in ("trials", "tests", "failed")] == [4, 9, 0]
    for trial in found["trials"]:
        images, share = (text.partition("=")[2] for text in trial["settings"])
        arm = f"images={images}, share={share}"
        boards = json.loads((out / "study.json").read_text())["boards"]
        means = [board["arms"][arm]["accuracy"]["mean"] for board in boards]
        assert trial["value"] == pytest.approx(sum(means) / len(means))
    again = typed("study", *asked(world, out, drawing="images=1,2"), *SEARCH)
    assert "of 4: probe" not in again.text, "nothing is learned twice"

    same = typed("study", *asked(world, tmp_path / "final"), f"chosen={out}")
    assert (same.code, "chosen by 9 of these very photos" in same.text) == (1, True), same.text
    assert not (tmp_path / "final").exists()
    images, share = (text.partition("=")[2] for text in found["trials"][0]["settings"])
    words = f"synthesise=collection.path={world / 'photos'}"
    given = [each for each in asked(world, tmp_path / "final", test="truth") if not each.startswith("synthesise=")]
    plan = typed("study", *given, words, f"chosen={out}", "dry_run=true")
    assert plan.code == 0, plan.text
    assert f"{3 * int(images)} pictures by copies" in plan.text
    shown = typed("study", *given, words, f"chosen={out}", "arms.copies.share=.5", "dry_run=true")
    assert shown.code == 0, "the command's own settings have their way"


def test_optuna_chooses_what_is_tried(world: Path, tmp_path: Path, typed: Typed) -> None:
    pytest.importorskip("optuna")
    out = tmp_path / "search"
    given = [*asked(world, out, drawing="images=1,2"), "search.arm=copies", "arms.copies.share=interval(.2,.8)"]
    sampled = ["hydra/sweeper=optuna_random", "search.metric=nll"]
    assert typed("study", *given, *sampled, "hydra.sweeper.n_trials=2").code == 0
    assert typed("study", *given, *sampled, "hydra.sweeper.n_trials=3").code == 0
    found = record(out)
    values = [trial["value"] for trial in found["trials"]]
    assert len(values) == 3
    assert values == sorted(values), "of the negative logarithm the lowest is the best"
    shares = [float(text.partition("=")[2]) for trial in found["trials"] for text in trial["settings"][1:]]
    assert all(0.2 <= share <= 0.8 for share in shares)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["search.arm=copy"], "did you mean copies"),
        (["search.arm=classical"], "others are compared with this one"),
        (["search.arm=copies", "search.metric=iou"], "search.metric='iou'"),
        (["search.arm=copies"], "no key has several values"),
        ([*SEARCH, "learners.probe.positions=4,8"], "learners.probe.positions='several values'"),
        ([*SEARCH, "shots=[3]"], "there are fewer photos"),
        (["hydra/sweeper=optuna"], "say for which arm Optuna searches"),
        (["synthesise=collection=folders imges=3"], "did you mean images"),
        (["synthesise=collection=folders images=1,2"], "several values are for a search"),
        (["synthesise=collection=folders out=here"], "this is for the study to say"),
        (["synthesise=collection='folders"], "Close all quotes"),
        (["chosen=nowhere"], "no search ended there"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_drawn(
    settings: list[str], said: str, world: Path, tmp_path: Path, typed: Typed
) -> None:
    given = asked(world, tmp_path / "study")
    if any(each.startswith("synthesise=") for each in settings):
        given = [each for each in given if not each.startswith("synthesise=")]
    done = typed("study", *given, *settings)
    assert done.code == 1
    assert said in done.text
    assert "Traceback" not in done.text
    assert not (tmp_path / "study").exists()
