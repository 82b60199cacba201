"""Curves, what a photo is worth in pictures, the interval of a closed gap, arms of fewer pictures, and shifts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imprint.errors import ConfigError
from imprint.study.arms import Member
from imprint.study.curves import Curve, Worth, curves, worths
from imprint.study.gaps import share_interval
from imprint.study.scores import Board, Standing, _standings
from imprint.study.study import Study

Made = Callable[..., Study]
SUBJECTS = [f"subject{number}" for number in range(8)]
MEMBERS = {"classical": Member("classical", None), "drawn": Member("drawn", None), "drawn-5": Member("drawn", 5)}


def board(shots: int, metric: str = "accuracy", **by_arm: float) -> Board:
    """Of each arm its mean, about which subjects vary alike."""
    own = {
        arm: {metric: {subject: [mean + 0.01 * (index % 3)] for index, subject in enumerate(SUBJECTS)}}
        for arm, mean in by_arm.items()
    }
    standings: list[Standing] = list(_standings(own, metric, {}, "classical", "truth"))
    return Board(learner="probe", shots=shots, unit="subject", standings={metric: standings}, shifts={}, seconds={})


def pictures(*boards: Board) -> dict[tuple[str, int], float]:
    counts = {"classical": 0.0, "drawn": 20.0, "drawn-5": 5.0}
    return {(arm, board.shots): count for board in boards for arm, count in counts.items()}


def only(worth: list[Worth], arm: str, shots: int) -> Worth:
    [found] = [one for one in worth if (one.arm, one.shots) == (arm, shots)]
    return found


BOARDS = [
    board(1, classical=0.4, drawn=0.6, **{"drawn-5": 0.5}),
    board(4, classical=0.6, drawn=0.9, **{"drawn-5": 0.5}),
    board(16, classical=0.8, drawn=0.9, **{"drawn-5": 0.7}),
]


def test_curves_go_over_shots_and_over_pictures() -> None:
    found: list[Curve] = list(curves(BOARDS, MEMBERS, pictures(*BOARDS), against="classical"))
    over_shots = {one.arm: one for one in found if one.over == "shots"}
    assert set(over_shots) == {"classical", "drawn", "drawn-5"}
    assert [point.at for point in over_shots["drawn"].points] == [1, 4, 16]
    over_pictures = {one.shots: one for one in found if one.over == "pictures"}
    assert set(over_pictures) == {1, 4, 16}
    assert over_pictures[1].arm == "drawn"
    assert [(point.at, point.arm) for point in over_pictures[1].points] == [
        (0, "classical"),
        (5, "drawn-5"),
        (20, "drawn"),
    ]
    means = [point.mean for point in over_pictures[1].points]
    assert means == pytest.approx([mean + 0.00875 for mean in (0.4, 0.5, 0.6)])
    assert all(point.low is not None and point.low <= point.mean for point in over_pictures[1].points)


def test_pictures_are_worth_the_photos_that_do_as_well() -> None:
    found = list(worths(BOARDS, pictures(*BOARDS), against="classical"))
    same = only(found, "drawn", 1)
    assert (same.photos, same.pictures) == (pytest.approx(4), 20)
    assert same.each == pytest.approx(20 / 3)
    assert (same.low, same.high) == (pytest.approx(4), pytest.approx(4)), "all subjects vary alike"
    between = only(found, "drawn-5", 1)
    assert between.photos == pytest.approx(2)  # half of the way from 1 to 4, by the logarithm
    more = only(found, "drawn", 4)
    assert (more.photos, more.each, more.beyond) == (None, None, "most")
    harm = only(found, "drawn-5", 4)
    assert harm.photos == pytest.approx(2)
    assert harm.each is None
    assert not any(one.arm == "classical" for one in found)


def test_of_a_loss_fewer_is_better() -> None:
    boards = [board(1, "nll", classical=0.9, drawn=0.5), board(4, "nll", classical=0.5, drawn=0.3)]
    own = {key: count for key, count in pictures(*boards).items() if key[0] != "drawn-5"}
    assert only(list(worths(boards, own, against="classical")), "drawn", 1).photos == pytest.approx(4)


def test_of_one_number_of_shots_nothing_is_worth_anything() -> None:
    assert not list(worths(BOARDS[:1], pictures(*BOARDS[:1]), against="classical"))


def test_the_share_of_a_gap_has_the_true_one_in_its_interval() -> None:
    """Of arms that gain .6 of what the ceiling gains, with noise: 95% of the intervals should have it. That
    fewer than 51 of 60 have it happens once in a thousand times, where that is so."""
    generator = np.random.default_rng(0)
    hits, widths = 0, []
    for _ in range(60):
        most = 0.3 + 0.2 * generator.standard_normal(20)
        own = 0.6 * most + 0.1 * generator.standard_normal(20)
        interval = share_interval(*({str(n): float(v) for n, v in enumerate(each)} for each in (own, most)))
        assert interval is not None
        assert interval.low <= own.mean() / most.mean() <= interval.high
        hits += interval.low <= 0.6 <= interval.high
        widths.append(interval.high - interval.low)
    assert hits >= 51
    assert np.mean(widths) < 0.6


def test_a_gap_that_may_be_none_has_no_share() -> None:
    most = {str(number): value for number, value in enumerate([0.3, -0.2, 0.25, -0.3, 0.1, -0.05])}
    assert share_interval(most, most) is None
    few = {"a": 0.3, "b": 0.2}
    assert share_interval(few, few) is None


def test_arms_of_fewer_pictures_are_arms_of_their_own(made: Made, world: Path) -> None:
    study = made("arms=[classical,synthetic]", "learners=[probe]", "counts={synthetic:[1,2]}", "shots=[1,2]")
    assert list(study.arms) == ["classical", "synthetic", "synthetic-1", "synthetic-2"]
    one, two, whole = (
        study.arms[name].pictures(study.material, 2) for name in ("synthetic-1", "synthetic-2", "synthetic")
    )
    for subject, own in whole.items():
        assert (one[subject], two[subject]) == (own[:1], own[:2])
    study.carry_out()
    found: dict[str, Any] = json.loads((study.folder / "study.json").read_text(encoding="utf-8"))
    assert found["arms"]["synthetic-2"] == {"of": "synthetic", "pictures": 2}
    [over] = [
        each for each in found["curves"] if (each["over"], each["metric"], each["shots"]) == ("pictures", "accuracy", 2)
    ]
    assert [point["at"] for point in over["points"]] == [0, 1, 2, 4]
    assert {(each["arm"], each["shots"]) for each in found["worth"]} == {
        (arm, shots) for arm in ("synthetic", "synthetic-1", "synthetic-2") for shots in (1, 2)
    }
    same = {cell.place.arm: cell.identity for cell in study.cells if cell.place.shots == 1}
    assert same["synthetic"] == same["synthetic-2"], "with all pictures it is the arm itself, and not learned twice"


def test_counts_of_what_is_not_there_are_told_together(made: Made) -> None:
    with pytest.raises(ConfigError) as caught:
        made("arms=[classical,synthetic]", "counts={classical:[1],sythetic:[2]}")
    assert "counts.classical" in str(caught.value)
    assert "counts.sythetic" in str(caught.value)
    assert "synthetic" in str(caught.value)
    with pytest.raises(ConfigError, match=r"counts, synthetic-9, shots=1: there are fewer pictures(.|\n)*cat 2"):
        made("arms=[classical,synthetic]", "counts={synthetic:[9]}")


def test_scores_are_told_by_shift_where_test_photos_have_several(made: Made, world: Path, tmp_path: Path) -> None:
    """Of each subject one photo in another place: its own scores are of it alone, among the others of its kind."""
    tests = tmp_path / "test"
    for folder in sorted((world / "test").iterdir()):
        for file in sorted(folder.iterdir()):
            (tests / folder.name).mkdir(parents=True, exist_ok=True)
            (tests / folder.name / file.name).write_bytes(file.read_bytes())
        rows = [{"file_name": "00.png", "shift": "place"}, {"file_name": "01.png"}]
        (tests / folder.name / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    study = made("arms=[classical,synthetic]", "learners=[probe]", "shots=[2]", test=tests)
    study.carry_out()
    [told] = json.loads((study.folder / "study.json").read_text(encoding="utf-8"))["boards"]
    assert set(told["shifts"]) == {"none", "place"}
    for arm in ("classical", "synthetic"):
        whole, none, place = (each[arm]["accuracy"]["by_subject"] for each in (told["arms"], *told["shifts"].values()))
        for subject, [accuracy] in whole.items():
            assert accuracy == pytest.approx((2 * none[subject][0] + place[subject][0]) / 3)
    assert "Accuracy by shift" in (study.folder / "study.md").read_text(encoding="utf-8")
    plain = made("arms=[classical]", "learners=[probe]", "shots=[2]", out=tmp_path / "plain")
    plain.carry_out()
    assert json.loads((plain.folder / "study.json").read_text(encoding="utf-8"))["boards"][0]["shifts"] == {}


def test_masks_move_with_what_they_mark() -> None:
    from imprint.study.augmentation import Classical

    picture = torch.zeros(4, 3, 32, 32)
    picture[:, :, 6:20, 4:15] = 1
    augmentation = Classical(flip=0.5, crop=0.4, colour=0.0)
    changed = augmentation(picture, torch.Generator().manual_seed(3))
    moved = augmentation.moved(picture[:, :1], torch.Generator().manual_seed(3))
    assert torch.allclose(changed[:, :1], moved, atol=1e-5)
    coloured = Classical(flip=0.5, crop=0.4, colour=0.5)
    assert torch.equal(coloured.moved(picture[:, :1], torch.Generator().manual_seed(3)), moved)


def test_an_augmentation_that_moves_no_masks_is_refused_by_name(
    made: Made, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in ("photos", "test"):
        for file in sorted((world / side).glob("*/*.png")):
            target = tmp_path / side / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
            Image.new("L", (64, 64), 255).save(target.with_suffix(".mask.png"))
    monkeypatch.setattr("imprint.study.augmentation.Classical.moves_masks", False)
    with pytest.raises(ConfigError, match=r"arms.classical.augmentation: it does not say where"):
        made(
            "task=segment",
            "arms=[real,classical]",
            "learners=[patches]",
            data=f"[{tmp_path / 'photos'}]",
            test=tmp_path / "test",
        )
