"""Tasks: each file of conf/task is asked of a learner, or refused by name before anything is learned."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra.utils import get_class
from PIL import Image
from study_world import SUBJECTS, save
from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

from imprint.config import choices, conf_folder
from imprint.data.estimated_masks import save_estimated
from imprint.errors import ConfigError
from imprint.miniature.renderer import draw, mask
from imprint.miniature.sampling import reference_scenes
from imprint.miniature.subjects import named
from imprint.study.examples import Example, Marking
from imprint.study.order import Pool, Training
from imprint.study.study import Study
from imprint.study.tasks.base import Question, Task
from imprint.study.tasks.classify import Classify
from imprint.study.tasks.detect import Detect
from imprint.study.tasks.retrieve import Retrieve
from imprint.study.tasks.segment import Segment

Made = Callable[..., Study]
TASKS = sorted(choices("task"))
FILES = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in (conf_folder() / "learners").glob("*")}
REPRESENTING = sorted(
    name for name, content in FILES.items() if "features" in get_class(content[name]["_target_"]).gives
)
PLACES = ("segment", "detect")
NEEDS = {  # what a task must be given in the small world
    "one_vs_all": ["task.rivals=all", "learners=[probe]"],
    **{task: ["learners=[patches]", "learners.patches.positions=4", "learners.patches.size=64"] for task in PLACES},
}


@pytest.fixture(scope="session")
def masked(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photos, with their true masks beside them."""
    folder = tmp_path_factory.mktemp("masked")
    for subject in SUBJECTS:
        for number, scene in enumerate(reference_scenes(named(subject), 9)[:6]):
            side, own = ("photos", number) if number < 2 else ("test", number - 3)
            if own >= 0:
                save(draw(scene), folder / side / subject / f"{own:02d}.png")
                save(mask(scene), folder / side / subject / f"{own:02d}.mask.png")
    return folder


def numbers(study: Study) -> list[dict[str, Any]]:
    found: dict[str, Any] = json.loads((study.folder / "study.json").read_text(encoding="utf-8"))
    boards: list[dict[str, Any]] = found["boards"]
    return boards


@pytest.mark.parametrize("choice", TASKS)
def test_each_task_is_asked_scored_and_not_asked_twice(
    choice: str, made: Made, masked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["arms=[real,classical]", "shots=[1]", f"task={choice}", *NEEDS.get(choice, ["learners=[probe]"])]
    study = made(*given, data=f"[{masked / 'photos'}]", test=masked / "test") if choice in PLACES else made(*given)
    study.carry_out()
    [board] = numbers(study)
    task = study.task
    assert board["metrics"] == list(task.metrics)
    assert board["unit"] == task.unit
    for arm in ("real", "classical"):
        assert list(board["arms"][arm]) == list(task.metrics)
        for own in board["arms"][arm].values():
            assert set(own["by_subject"]) == ({"cat", "dog"} if task.unit == "class" else set(SUBJECTS))
            assert np.isfinite(own["mean"])
    monkeypatch.setattr("imprint.study.cells.Cell.run", lambda *_: pytest.fail("it is learned again"))
    study.carry_out()
    assert numbers(study) == [board]


@pytest.mark.parametrize("choice", TASKS)
def test_labels_of_the_test_change_no_answer(choice: str, made: Made, masked: Path, tmp_path: Path) -> None:
    for side in ("photos", "test"):
        shutil.copytree(masked / side, tmp_path / side)
    shuffled, names = tmp_path / "shuffled", list(SUBJECTS)
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        shutil.copytree(tmp_path / "test" / name, shuffled / other)
    given = ["arms=[classical]", "shots=[1]", f"task={choice}", *NEEDS.get(choice, ["learners=[probe]"])]
    found = []
    for test, out in ((tmp_path / "test", "seen"), (shuffled, "blind")):
        study = made(*given, data=f"[{tmp_path / 'photos'}]", test=test, out=tmp_path / out)
        study.learn()
        found.append([result for _, result in study.done()])
    for one, other in zip(*found, strict=True):
        assert (one.weights, one.choices, one.probabilities, one.maps, one.boxes) == (
            other.weights,
            other.choices,
            other.probabilities,
            other.maps,
            other.boxes,
        )


def test_a_learner_that_cannot_is_refused_by_name(made: Made, masked: Path) -> None:
    masks = {"data": f"[{masked / 'photos'}]", "test": masked / "test"}
    with pytest.raises(ConfigError, match=r"learners.resnet: it gives features and probabilities.*maps"):
        made("task=segment", "arms=[classical]", "learners=[resnet,patches]", **masks)
    with pytest.raises(ConfigError, match=r"patches: it gives boxes and maps, and .* asks for probabilities"):
        made("task=identify", "arms=[classical]", "learners=[patches]", **masks)
    with pytest.raises(ConfigError, match=r"patches: it gives boxes and maps, and .* asks for features"):
        made("task=retrieve", "arms=[classical]", "learners=[patches]", **masks)


# ---- classify


def test_a_class_has_several_subjects_and_is_tested_on_others(made: Made, world: Path, tmp_path: Path) -> None:
    tests = shutil.copytree(world / "test", tmp_path / "test")
    new = [draw(scene) for scene in reference_scenes(named("cat2"), 3)]
    for number, picture in enumerate(new):
        save(picture, tests / "cat2" / f"{number}.png")
    rows = [json.dumps({"file_name": f"{number}.png", "class": "cat"}) for number in range(3)]
    (tests / "cat2" / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    study = made("task=classify", "arms=[classical]", "learners=[probe]", "shots=[1]", test=tests)
    [question] = study.questions
    assert question.classes == ("cat", "dog")
    assert question.of == {"cat": "cat", "dog": "dog", "dog6": "dog"}
    assert question.strangers == {"cat2": "cat"}
    [cell] = study.cells
    assert len(cell.tests) == 12
    assert {one.example.subject for one in cell.training.first(60)} == set(SUBJECTS)
    assert (
        len(made("task=identify", "arms=[classical]", "learners=[probe]", "shots=[1]", test=tests).cells[0].tests) == 9
    )


def test_of_one_class_there_is_nothing_to_tell_apart(made: Made) -> None:
    with pytest.raises(ConfigError, match="all subjects are of one class, dog"):
        made("task=classify", "arms=[classical]", "subjects=[dog,dog6]")


def test_shares_of_classes_are_answers_too() -> None:
    question = Question("", ("cat", "dog"), {"tom": "cat", "rex": "dog"})
    one = example("rex")._replace(labels={"dog": 0.75, "cat": 0.25})
    training = Training(
        pools={"cat": Pool([example("tom")], []), "dog": Pool([one], [])},
        answers=question.answers,
        share=0,
        augmentation=None,
        seed=0,
        question="",
    )
    assert torch.equal(training.target(training.at(1)), torch.tensor([0.25, 0.75]))


def test_classes_are_scored_whatever_their_sizes() -> None:
    question = Question("", ("cat", "dog"), {"tom": "cat", "rex": "dog", "kit": "dog"}, {"new": "cat"})
    sure = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]], dtype=torch.double)
    found = Classify().scores(question, sure, [example("tom"), example("new"), example("rex"), example("kit")])
    assert {label: own["accuracy"] for label, own in found.items()} == {"cat": 0.5, "dog": 0.5}
    assert found["cat"]["brier"] == pytest.approx((2 * 0.1**2 + 2 * 0.8**2) / 2)


# ---- retrieve


class Looked:
    """What gives each picture the vector that it is called by."""

    weights = ""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self.choices: dict[str, float] = {}
        self.vectors = vectors

    def probabilities(self, examples: Any) -> Any:
        raise AssertionError("nobody asks for them")

    def features(self, examples: Any) -> torch.Tensor:
        return torch.tensor([self.vectors[one.key] for one in examples])


@pytest.mark.parametrize(
    ("known", "by", "likeness"), [("photos", "nearest", 1.0), ("photos", "mean", 0.5**0.5), ("all", "nearest", 1.0)]
)
def test_pictures_are_ranked_by_their_likeness_to_what_is_known(known: str, by: str, likeness: float) -> None:
    """Of two photos at right angles, the nearest is the same as the test, and the mean is at half of a right angle."""
    own = [example("cat", "cat/0"), example("cat", "cat/1")]
    drawn = [example("dog", "dog/p", "from_noise")]
    training = Training(
        pools={"cat": Pool(own, []), "dog": Pool([example("dog", "dog/0")], drawn)},
        answers={},
        share=0.5,
        augmentation=None,
        seed=0,
        question="",
    )
    vectors = {
        "cat/0": [1.0, 0, 0],
        "cat/1": [0, 2.0, 0],
        "dog/0": [0, 0, 1.0],
        "dog/p": [-1.0, 0, 0],
        "t": [3.0, 0, 0],
    }
    answers = Retrieve(known=known, by=by).answers(Looked(vectors), training, [example("cat", "t")])  # type: ignore[arg-type]
    assert answers[0, 0] == pytest.approx((1 + likeness) / 2, abs=1e-6)
    assert answers[0, 1] == pytest.approx(0.5)  # the drawn one is the opposite, and the photo nearer


@pytest.mark.parametrize("name", REPRESENTING)
def test_each_learner_that_has_features_is_asked_for_them(name: str, made: Made) -> None:
    """What was learned by another seed sees differently."""
    given = ["task=retrieve", "arms=[classical]", f"learners=[{name}]", "shots=[1]"]
    studies = [made(*given, seed) for seed in ("seeds=[0]", "seeds=[1]")]
    for study in studies:
        study.learn()
    one, other = ([result for _, result in study.done()] for study in studies)
    assert one[0].probabilities.keys() == other[0].probabilities.keys()
    assert one[0].probabilities != other[0].probabilities
    likeness = np.array([*one[0].probabilities.values()])
    assert likeness.shape == (9, 3)
    assert likeness.std() > 1e-4


def test_a_ranking_is_scored_over_all_pictures() -> None:
    question = Question("", ("cat", "dog"), {"cat": "cat", "dog": "dog"})
    like = torch.tensor([[0.9, 0.1], [0.3, 0.2], [0.6, 0.9], [0.1, 0.8]], dtype=torch.double)
    tests = [example("cat"), example("cat"), example("dog"), example("dog")]
    found = Retrieve(known="photos", by="nearest").scores(question, like, tests)
    assert found["dog"] == {"average_precision": pytest.approx(1), "ndcg": pytest.approx(1)}
    assert found["cat"]["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["cat"]["ndcg"] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))
    assert set(Retrieve(known="photos", by="nearest").scores(question, like[:2], tests[:2])) == {"cat"}


def test_tasks_that_ask_for_the_same_share_what_is_learned(made: Made) -> None:
    given = ["arms=[classical]", "learners=[probe]", "shots=[1]"]
    same, rankings = made("task=identify", *given).cells, made("task=retrieve", *given).cells
    assert {cell.identity for cell in same}.isdisjoint(cell.identity for cell in rankings)
    other = made("task=retrieve", "task.by=mean", *given).cells
    assert {cell.identity for cell in other}.isdisjoint(cell.identity for cell in rankings)


# ---- segment


def test_maps_are_measured_as_torchmetrics_measures_them(tmp_path: Path) -> None:
    true = torch.zeros(40, 40, dtype=torch.uint8)
    true[10:30, 5:25] = 1
    Image.fromarray((true * 255).numpy()).save(tmp_path / "mask.png")
    found = torch.zeros(40, 40, dtype=torch.uint8)
    found[12:34, 5:25] = 1
    found[0:2, 0:2] = 1  # apart from it: no part of the box
    found[38:, 38:] = 2
    one = example("cat")._replace(marking=Marking(tmp_path / "mask.png", "exact", ""))
    question = Question("", ("cat", "dog"), {"cat": "cat", "dog": "dog"})
    scores = Segment(learn_from=["exact"]).scores(question, found[None], [one])
    assert scores.keys() == {"cat"}
    own = scores["cat"]
    assert own["iou"] == pytest.approx(float(binary_jaccard_index((found == 1).int(), true.int())))
    assert own["dice"] == pytest.approx(float(binary_f1_score((found == 1).int(), true.int())))
    assert own["box_iou"] == pytest.approx(18 * 20 / (20 * 20 + 4 * 20))
    assert (own["found"], own["spill"]) == (1, 0)
    larger = Image.open(tmp_path / "mask.png").resize((80, 80), Image.Resampling.NEAREST)
    larger.save(tmp_path / "larger.png")
    twice = one._replace(marking=Marking(tmp_path / "larger.png", "exact", ""))
    assert Segment(learn_from=["exact"]).scores(question, found[None], [twice])["cat"]["iou"] == own["iou"]


def test_boxes_are_measured_as_coco_measures_them(tmp_path: Path) -> None:
    coco, evaluation = pytest.importorskip("pycocotools.coco"), pytest.importorskip("pycocotools.cocoeval")
    drawn = np.random.default_rng(0)
    subjects, tests, boxes = ("cat", "dog"), [], []
    for number in range(24):
        left, top = drawn.integers(2, 20, 2)
        mask_HW = np.zeros((40, 60), dtype=np.uint8)
        mask_HW[top : top + 18, left : left + 24] = 255
        Image.fromarray(mask_HW).save(tmp_path / f"{number}.png")
        own = example(subjects[number % 2], key=f"{number}")
        tests.append(own._replace(marking=Marking(tmp_path / f"{number}.png", "exact", "")))
        shifts = drawn.uniform(-3, 3, (2, 4))
        found = np.array([left, top, left + 24, top + 18]) + shifts
        sure = drawn.uniform(0.1, 1, 2) * (drawn.uniform(size=2) < 0.8)
        boxes.append([[*(box / [60, 40, 60, 40] * (s > 0)).clip(0, 1), s] for box, s in zip(found, sure, strict=True)])
    question = Question("", subjects, {subject: subject for subject in subjects})
    boxes_NK5 = torch.tensor(np.array(boxes))
    found = Detect(learn_from=["exact"]).scores(question, boxes_NK5, tests)

    true = coco.COCO()
    true.dataset = {
        "images": [{"id": number, "width": 60, "height": 40} for number in range(24)],
        "categories": [{"id": 1}, {"id": 2}],
        "annotations": [
            {"id": number + 1, "image_id": number, "category_id": 1 + number % 2, "iscrowd": 0, "area": 24 * 18}
            | {"bbox": [float(side) for side in _bbox(tmp_path / f"{number}.png")]}
            for number in range(24)
        ],
    }
    true.createIndex()
    told = [
        {"image_id": number, "category_id": 1 + kind, "score": float(sure)}
        | {"bbox": [left * 60, top * 40, (right - left) * 60, (bottom - top) * 40]}
        for number, own in enumerate(boxes)
        for kind, (left, top, right, bottom, sure) in enumerate(own)
        if sure > 0
    ]
    measured = evaluation.COCOeval(true, true.loadRes(told), "bbox")
    measured.evaluate()
    measured.accumulate()
    precision_TRK = measured.eval["precision"][:, :, :, 0, -1]
    for kind, subject in enumerate(subjects):
        assert 0.05 < found[subject]["box_ap"] < 0.95
        assert found[subject]["box_ap"] == pytest.approx(precision_TRK[:, :, kind].mean())
        assert found[subject]["box_ap50"] == pytest.approx(precision_TRK[0, :, kind].mean())


def _bbox(file: Path) -> tuple[int, ...]:
    with Image.open(file) as mask:
        left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    return left, top, right - left, bottom - top


def test_who_is_never_found_has_an_ap_of_none(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 255, dtype=np.uint8)).save(tmp_path / "mask.png")
    one = example("cat")._replace(marking=Marking(tmp_path / "mask.png", "given", ""))
    question = Question("", ("cat", "dog"), {"cat": "cat", "dog": "dog"})
    task = Detect(learn_from=["exact"])
    assert task.scores(question, torch.zeros(1, 2, 5).double(), [one]) == {"cat": {"box_ap": 0, "box_ap50": 0}}
    right = torch.tensor([[[0, 0, 1, 1, 0.5], [0, 0, 0, 0, 0]]]).double()
    assert task.scores(question, right, [one]) == {"cat": {"box_ap": 1, "box_ap50": 1}}


def test_what_is_nobodys_is_found_nowhere(tmp_path: Path) -> None:
    true = np.zeros((8, 8), dtype=np.uint8)
    true[2:5, 2:5] = 255
    Image.fromarray(true).save(tmp_path / "mask.png")
    one = example("cat")._replace(marking=Marking(tmp_path / "mask.png", "given", ""))
    question = Question("", ("cat", "dog"), {"cat": "cat", "dog": "dog"})
    nothing = torch.zeros(1, 8, 8, dtype=torch.uint8)
    own = Segment(learn_from=["exact"]).scores(question, nothing, [one])["cat"]
    assert (own["iou"], own["dice"], own["box_iou"], own["found"]) == (0, 0, 0, 0)


def test_places_are_learned(made: Made, masked: Path) -> None:
    """An ellipse in the middle that knows who it is has an IoU of .5, and without that knowledge a third of it."""
    study = made(
        "task=segment",
        "arms=[classical]",
        "shots=[2]",
        "learners=[patches]",
        "learners.patches.positions=12",
        "learners.patches.size=64",
        data=f"[{masked / 'photos'}]",
        test=masked / "test",
    )
    study.carry_out()
    [board] = numbers(study)
    assert board["arms"]["classical"]["iou"]["mean"] > 0.4
    assert any("learned from: 6 given" in remark for remark in study.remarks())


def test_estimated_masks_are_learned_from_where_that_is_said_and_never_tested_on(
    made: Made, masked: Path, tmp_path: Path
) -> None:
    for side in ("photos", "test"):
        shutil.copytree(masked / side, tmp_path / side)
    given = ["task=segment", "arms=[classical]", "learners=[patches]"]
    places = {"data": f"[{tmp_path / 'photos'}]", "test": tmp_path / "test"}
    guess = Image.new("L", (64, 64), 255)
    save_estimated(guess, tmp_path / "photos/cat/00.mask.png", by="border 0123")
    with pytest.raises(ConfigError, match=r"these have none: cat/00.png\. Put one"):
        made(*given, **places)
    said = "\n".join(made(*given, "task.learn_from=[given,estimated]", **places).remarks())
    assert "1 estimated by border 0123, 5 given" in said
    save_estimated(guess, tmp_path / "test/dog/01.mask.png", by="border 0123")
    (tmp_path / "test/dog/02.mask.png").unlink()
    with pytest.raises(ConfigError, match=r"estimated ones: dog/01.png, dog/02.png"):
        made(*given, "task.learn_from=[given,estimated]", **places)


def test_other_masks_are_another_cell(made: Made, masked: Path, tmp_path: Path) -> None:
    photos = shutil.copytree(masked / "photos", tmp_path / "photos")
    given = ["task=segment", "arms=[classical]", "shots=[1]", "learners=[patches]"]
    places = {"data": f"[{photos}]", "test": masked / "test"}
    [before] = made(*given, **places).cells
    save(Image.new("L", (64, 64), 255), photos / "cat/00.mask.png")
    [after] = made(*given, **places).cells
    assert before.identity != after.identity


def test_pictures_without_masks_are_left_out_and_told(made: Made, masked: Path, world: Path) -> None:
    data = f"[{masked / 'photos'},{world / 'data'}]"
    given = ["task=segment", "learners=[patches]"]
    said = "\n".join(made(*given, "arms=[classical]", data=data, test=masked / "test").remarks())
    assert "left out: 12 by img2img" in said
    with pytest.raises(ConfigError, match="arms.synthetic, shots=1: there is no picture of cat"):
        made(*given, "arms=[classical,synthetic]", data=data, test=masked / "test")


def example(subject: str, key: str = "", source: str = "real") -> Example:
    return Example(key or subject, 0, subject, source, {subject: 1.0}, key or subject, "", None, False, unread)


def unread() -> Image.Image:
    raise AssertionError("nothing is read here")


def test_each_task_says_what_it_is_about() -> None:
    for kind in Task.__subclasses__():
        assert kind.metrics
        assert kind.unit in ("subject", "class")
