"""What a learner sees: the arm's own photos, every class alike, in an order that all arms share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from study_world import SUBJECTS

from imprint.study.cells import Cell
from imprint.study.examples import Example
from imprint.study.order import Pool, Seen, Training
from imprint.study.study import Study

Made = Callable[..., Study]
POSITIONS = 240


def unread() -> Image.Image:
    raise AssertionError("nothing is read here")


def example(name: str, *, source: str = "real", parent: str = "", number: int = 0, **labels: float) -> Example:
    subject = name.partition("/")[0]
    return Example(name, number, subject, source, labels or {subject: 1.0}, name, parent, None, False, unread)


def training(photos: int = 3, pictures: int = 0, share: float = 0.5) -> Training:
    pools = {
        subject: Pool(
            [example(f"{subject}/{number}", number=number) for number in range(photos)],
            [
                example(f"{subject}/p{number}", source="img2img", parent=f"{subject}/{number % photos}")
                for number in range(pictures)
            ],
        )
        for subject in ("cat", "dog")
    }
    return Training(
        pools=pools, answers={"cat": "cat", "dog": "dog"}, share=share, augmentation=None, seed=0, question=""
    )


def seen_by(cell: Cell) -> list[Seen]:
    return cell.training.first(POSITIONS)


@pytest.mark.parametrize("task", ["identify", "one_vs_all"])
def test_every_class_has_as_many_positions_and_as_many_drawn_ones(made: Made, task: str) -> None:
    """Without drawn ones among the negatives "is it drawn?" would be learned."""
    rivals = ["task.rivals=all"] if task == "one_vs_all" else []
    for cell in made("arms=[classical,synthetic]", f"task={task}", *rivals).cells:
        counts = Counter(seen.label for seen in seen_by(cell))
        made_ones = Counter(seen.label for seen in seen_by(cell) if seen.example.source != "real")
        each = POSITIONS // len(cell.training.classes)
        assert counts == dict.fromkeys(cell.training.classes, each)
        assert made_ones == (dict.fromkeys(cell.training.classes, each // 2) if cell.place.arm == "synthetic" else {})


def test_pictures_are_of_the_arms_own_photos(made: Made) -> None:
    for cell in made("arms=[classical,synthetic]").cells:
        own = {f"{subject}/{number:02d}.png" for subject in SUBJECTS for number in range(cell.place.shots)}
        seen = [one.example for one in seen_by(cell)]
        assert {one.key for one in seen if one.source == "real"} == own
        assert {one.parent for one in seen if one.source != "real"} == (own if cell.place.arm == "synthetic" else set())


def test_what_was_taught_from_other_photos_is_left_out() -> None:
    photos = {"cat": frozenset({"cat/0"}), "dog": frozenset({"dog/0"})}
    child = example("cat/p0", source="from_noise")
    assert child._replace(taught=frozenset({"cat/0"})).is_made_of(photos)
    assert not child._replace(taught=frozenset({"cat/0", "cat/1"})).is_made_of(photos)
    assert not child._replace(taught=frozenset()).is_made_of(photos)
    assert child._replace(parent="dog/0").is_made_of(photos)  # a mixture of two
    assert not child._replace(parent="dog/1").is_made_of(photos)


def test_arms_differ_by_pictures_alone() -> None:
    alone, helped = training(share=0), training(pictures=4)
    for one, other in zip(alone.first(POSITIONS), helped.first(POSITIONS), strict=True):
        assert one.label == other.label
        if other.example.source == "real":
            assert one.example == other.example


def test_all_have_their_turn_before_one_comes_again() -> None:
    counts = Counter(seen.example.key for seen in training(pictures=4).first(2 * 2 * 4 * 3))
    assert {counts[f"{subject}/p{number}"] for subject in ("cat", "dog") for number in range(4)} == {3}


def test_another_seed_is_another_order() -> None:
    one = training(pictures=4)
    other = replace(one, seed=1)
    assert [seen.example for seen in one.first(20)] != [seen.example for seen in other.first(20)]


def test_a_setting_is_chosen_without_photos_that_are_left_out_and_their_children() -> None:
    folds = list(training(photos=3, pictures=6).folds(4))
    assert len(folds) == 3
    left_out = [seen.example.key for _, out in folds for seen in out]
    assert sorted(left_out) == sorted(f"{subject}/{number}" for subject in ("cat", "dog") for number in range(3))
    for rest, out in folds:
        gone = {seen.example.key for seen in out}
        seen = [one.example for one in rest.first(POSITIONS)]
        assert not gone & {one.key for one in seen}
        assert not gone & {one.parent for one in seen}
    assert not list(training(photos=1).folds(4))


def test_a_mixture_has_shares() -> None:
    own = training()
    mixed = Seen(example("cat/m", cat=0.25, dog=0.75), "dog")
    assert torch.equal(own.target(mixed), torch.tensor([0.25, 0.75]))
    other_words = Seen(example("cat/m", animal=1.0), "cat")
    assert torch.equal(own.target(other_words), torch.tensor([1.0, 0.0]))


def test_photos_beyond_the_shots_change_nothing(made: Made, world: Path) -> None:
    both, one = made("arms=[classical]"), made("arms=[classical]", "shots=[1]")
    assert {cell.identity for cell in one.cells} < {cell.identity for cell in both.cells}
