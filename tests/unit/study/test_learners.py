"""What every learner of conf/learners must keep to: each is found by its file."""

import shutil
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from study_world import SUBJECTS

from imprint.config import conf_folder
from imprint.errors import ConfigError
from imprint.kinds import kind_of
from imprint.study.cells import Cell, Place, Result
from imprint.study.order import Seen, Training
from imprint.study.study import Study

Made = Callable[..., Study]
LEARNERS = sorted(file.stem for file in (conf_folder() / "learners").glob("*.yaml"))
AUGMENTED = ["classical", "trivial", "mixup", "cutmix"]


def class_of(name: str) -> Any:
    content = yaml.safe_load((conf_folder() / "learners" / f"{name}.yaml").read_text(encoding="utf-8"))
    module, _, kind = content[name]["_target_"].rpartition(".")
    return getattr(import_module(module), kind)


TASKS = {"probabilities": ("identify", "one_vs_all"), "maps": ("segment",), "boxes": ("detect",)}
ASKED = [(name, task) for name in LEARNERS for gives in TASKS if gives in class_of(name).gives for task in TASKS[gives]]
CLASSIFYING = [name for name in LEARNERS if "probabilities" in class_of(name).gives]


def done(study: Study) -> list[tuple[Cell, Result]]:
    study.learn()
    return study.done()


def results(study: Study) -> list[Result]:
    return [result for _, result in done(study)]


def board_numbers(study: Study) -> Any:
    return [board.standings for board in study.boards(done(study))]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_is_a_file_and_a_yaml_of_one_name(name: str) -> None:
    own = class_of(name)
    assert kind_of(own) == f"learner/{name}"
    assert own.__module__.rpartition(".")[2] == name


@pytest.mark.parametrize(("name", "task"), ASKED)
def test_labels_of_the_test_change_no_choice_and_no_weight(
    made: Made, world: Path, tmp_path: Path, name: str, task: str
) -> None:
    given = ["arms=[classical,synthetic]", f"task={task}", *(["task.rivals=all"] if task == "one_vs_all" else [])]
    places: dict[str, Any] = {}
    tests = world / "test"
    if task in ("segment", "detect"):
        tests = with_masks(tests, tmp_path / "test")
        places, given[0] = {"data": with_masks(world / "photos", tmp_path / "photos")}, "arms=[classical]"
    shuffled = tmp_path / "shuffled"
    names = list(SUBJECTS)
    for subject, other in zip(names, names[1:] + names[:1], strict=True):
        shutil.copytree(tests / subject, shuffled / other)
    study = made(*given, learners=[name], test=tests, **places)
    blind = made(*given, learners=[name], test=shuffled, out=tmp_path / "blind", **places)
    assert results(study)
    for one, other in zip(results(study), results(blind), strict=True):
        assert (one.place, one.choices, one.weights) == (other.place, other.choices, other.weights)
        assert (one.probabilities, one.maps, one.boxes) == (other.probabilities, other.maps, other.boxes)
    assert board_numbers(study) != board_numbers(blind)


@pytest.mark.parametrize("name", CLASSIFYING)
def test_arms_begin_alike_and_see_the_same_positions(made: Made, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The number of updates, the labels, and the photos where an arm has no picture in their place are equal."""
    study = made(f"arms=[{','.join(AUGMENTED)},synthetic]", "shots=[2]", learners=[name])
    positions: dict[str, list[tuple[int, Seen]]] = {}
    asked: list[tuple[int, Seen]] = []
    at = Training.at

    def noted(self: Training, position: int) -> Seen:
        asked.append((position, at(self, position)))
        return asked[-1][1]

    monkeypatch.setattr(Training, "at", noted)
    for cell in study.cells:
        asked.clear()
        cell.learner.learn(cell.training, study.tools)
        positions[cell.place.arm] = list(asked)
    assert positions["classical"]
    for one, other in pairwise(positions.values()):
        assert [(place, seen.label) for place, seen in one] == [(place, seen.label) for place, seen in other]
    for arm in AUGMENTED:
        assert positions[arm] == positions["classical"]


@pytest.mark.parametrize("name", CLASSIFYING)
def test_every_augmentation_changes_what_is_learned_and_does_so_again(made: Made, tmp_path: Path, name: str) -> None:
    given = [f"arms=[real,{','.join(AUGMENTED)}]", "shots=[2]"]
    found = []
    for seed in (1, 2):  # of nobody's: random numbers have names
        torch.manual_seed(seed)
        found.append(weights(made(*given, learners=[name], out=tmp_path / f"{seed}")))
    assert found[0] == found[1]
    assert len(set(found[0].values())) == len(found[0]) == 1 + len(AUGMENTED)


def weights(study: Study) -> dict[Place, str]:
    return {cell.place: result.weights for cell, result in done(study)}


def with_masks(folder: Path, out: Path) -> Path:
    """A copy in which each picture has one, in another place each."""
    for number, file in enumerate(sorted(shutil.copytree(folder, out).rglob("*.png"))):
        mask = Image.new("L", Image.open(file).size)
        mask.paste(255, (8 + number % 16, 8, 40, 40))
        mask.save(file.with_name(f"{file.stem}.mask.png"))
    return out


@pytest.mark.parametrize("name", CLASSIFYING)
def test_soft_labels_are_learned(made: Made, world: Path, tmp_path: Path, name: str) -> None:
    """Of pictures that are of two subjects, both learn."""
    data = shutil.copytree(world / "data", tmp_path / "data")
    rows = (data / "train/metadata.jsonl").read_text(encoding="utf-8")
    soft = rows.replace(
        '"labels": [{"label": "cat", "share": 1.0}]',
        '"labels": [{"label": "cat", "share": 0.5}, {"label": "dog", "share": 0.5}]',
    )
    assert soft != rows
    given = ["arms=[synthetic]", "against=synthetic", "shots=[2]"]
    hard = weights(made(*given, learners=[name]))
    (data / "train/metadata.jsonl").write_text(soft, encoding="utf-8")
    study = made(*given, learners=[name], data=f"[{world / 'photos'},{data}]", out=tmp_path / "soft")
    assert weights(study) != hard


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_features_are_what_the_last_layer_decides_by(made: Made, name: str) -> None:
    study = made("arms=[classical]", "shots=[2]", learners=[name])
    [cell] = study.cells
    learned: Any = cell.learner.learn(cell.training, study.tools)
    [last] = [layer for layer in learned._network.classifier.modules() if isinstance(layer, torch.nn.Linear)]
    logits = last(learned.features(cell.tests))
    assert torch.allclose(logits.softmax(dim=1).double(), learned.probabilities(cell.tests), atol=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("patch=7", "it must divide size=16"),
        ("heads=3", "they must divide width=16"),
        ("warmup=4", "fewer than updates=4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(made: Made, given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"learners.vit.{given}: .*{said}"):
        made("arms=[classical]", f"learners.vit.{given}", learners=["vit"])


def test_a_rate_rises_and_falls(made: Made) -> None:
    [learner] = made(
        "arms=[classical]", "learners.vit.updates=12", "learners.vit.warmup=4", learners=["vit"]
    ).learners.values()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rate = learner._rate(optimizer)  # type: ignore[attr-defined]
    rates = []
    for _ in range(12):
        rates.append(rate.get_last_lr()[0])
        optimizer.step()
        rate.step()
    assert rates.index(max(rates)) == 4
    assert rates[:5] == sorted(rates[:5])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[4] == pytest.approx(1)
    assert rates[-1] < 0.1
