"""Galleries are filled once, whoever fills them and however often it is interrupted; nothing is dropped in silence."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from imprint.draws import generator
from imprint.errors import UserError
from imprint.evaluation import drawing
from imprint.evaluation.drawing import Draw, complete, seed_for
from imprint.evaluation.gallery import Gallery, Order
from imprint.evaluation.records import Asked


class Painter:
    """Draws noise from the seed alone, and remembers what it was asked for."""

    def __init__(self, fails: Callable[[Sequence[str]], bool] = lambda prompts: False, blank: str = "") -> None:
        self.batches: list[list[str]] = []
        self.seeds: list[int] = []
        self.fails = fails
        self.blank = blank

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        self.batches.append(list(prompts))
        if self.fails(prompts):
            raise RuntimeError("out of paint")
        self.seeds += seeds
        return [_black() if prompt == self.blank else _noise(seed) for prompt, seed in zip(prompts, seeds, strict=True)]

    @property
    def drawn(self) -> int:
        return sum(len(batch) for batch in self.batches)


def gallery(folder: Path, prompts: int = 3, images: int = 2, subject: str = "rex") -> Gallery:
    asked = [Asked("subject", n, f"a {{noun}} {n}", "place", k) for n in range(prompts) for k in range(images)]
    orders = [Order(one, f"a dog {one.number}", seed_for(subject, one)) for one in asked]
    return Gallery(folder / "pictures", orders, {"sampler": "noise"})


def fill(folder: Path, draw: Draw, *, batch_size: int = 2, **settings: int) -> Gallery:
    opened = gallery(folder, **settings)
    complete(opened, draw, batch_size=batch_size, told="test")
    return opened


def _noise(seed: int) -> Image.Image:
    pixels = torch.randint(0, 256, (8, 8, 3), generator=generator(seed), dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


def _black() -> Image.Image:
    return Image.new("RGB", (8, 8))


def _index(folder: Path) -> dict[str, dict]:
    described = json.loads((folder / "pictures" / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    return {entry["file"]: entry for entry in described}


def test_every_picture_is_drawn_once_and_told_of(tmp_path: Path) -> None:
    shots = fill(tmp_path, painter := Painter()).shots()
    assert painter.drawn == len(shots) == 6
    assert all(shot.file.is_file() and shot.state == "ok" for shot in shots)
    assert len({shot.content for shot in shots}) == 6
    assert [entry["prompt"] for entry in _index(tmp_path).values()] == [shot.prompt for shot in shots]
    assert not (tmp_path / "pictures" / ".claims").exists()


def test_a_pictures_seed_is_fixed_by_subject_prompt_and_number_alone() -> None:
    one = Asked("subject", 4, "a {noun}", "place", 1)
    assert seed_for("rex", one) == seed_for("rex", one._replace(set="class", number=9, category="property"))
    others = [
        seed_for("pip", one),
        seed_for("rex", one._replace(k=2)),
        seed_for("rex", one._replace(template="the {noun}")),
    ]
    assert len({seed_for("rex", one), *others}) == 4


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_batches_do_not_change_a_picture(batch_size: int, tmp_path: Path) -> None:
    expected = [shot.content for shot in fill(tmp_path / "two", Painter(), batch_size=2).shots()]
    painter = Painter()
    assert [shot.content for shot in fill(tmp_path / "other", painter, batch_size=batch_size).shots()] == expected
    assert len(painter.batches[0]) == min(batch_size, 6)


def test_what_is_there_is_not_drawn_again(tmp_path: Path) -> None:
    fill(tmp_path, Painter())
    fill(tmp_path, again := Painter())
    assert again.drawn == 0


def test_more_pictures_of_each_prompt_add_to_those_that_are_there(tmp_path: Path) -> None:
    fill(tmp_path, Painter(), images=1)
    fill(tmp_path, more := Painter(), images=3)
    assert more.drawn == 6


class Killed(BaseException):
    pass


def test_after_an_interruption_only_what_is_missing_is_drawn(tmp_path: Path) -> None:
    painter = Painter()

    def killed(prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        if painter.batches:
            raise Killed
        return painter(prompts, seeds)

    with pytest.raises(Killed):
        fill(tmp_path, killed)
    fill(tmp_path, rest := Painter())
    assert (painter.drawn, rest.drawn) == (2, 4)


@pytest.mark.parametrize("damage", ["gone", "changed", "not in the index", "no index"])
def test_a_picture_that_is_not_what_the_index_says_is_drawn_again(damage: str, tmp_path: Path) -> None:
    whole = [shot.content for shot in fill(tmp_path, Painter()).shots()]
    victim, index = tmp_path / "pictures" / "001-1.png", tmp_path / "pictures" / "pictures.json"
    if damage == "gone":
        victim.unlink()
    elif damage == "changed":
        _black().save(victim)
    elif damage == "no index":
        index.write_text("{")
    else:
        content = json.loads(index.read_text())
        content["pictures"] = [entry for entry in content["pictures"] if entry["file"] != victim.name]
        index.write_text(json.dumps(content))
    mended = fill(tmp_path, again := Painter())
    assert again.drawn == (6 if damage == "no index" else 1)
    assert [shot.content for shot in mended.shots()] == whole


def test_another_prompt_or_noise_is_another_picture(tmp_path: Path) -> None:
    fill(tmp_path, Painter())
    fill(tmp_path, others := Painter(), subject="pip")
    assert others.drawn == 6


def test_a_failing_batch_is_tried_alone_and_what_still_fails_is_counted(tmp_path: Path) -> None:
    bad = Painter(fails=lambda prompts: "a dog 1" in prompts)
    shots = fill(tmp_path, bad, batch_size=4).shots()
    assert [shot.state for shot in shots] == ["ok", "ok", "failed", "failed", "ok", "ok"]
    assert all(not shot.content and not shot.file.exists() for shot in shots if shot.state == "failed")
    assert "out of paint" in _index(tmp_path)["001-0.png"]["error"]


def test_a_batch_that_only_fails_as_a_batch_loses_nothing(tmp_path: Path) -> None:
    crowded = Painter(fails=lambda prompts: len(prompts) > 1)
    assert {shot.state for shot in fill(tmp_path, crowded, batch_size=3).shots()} == {"ok"}


def test_what_failed_is_tried_again_the_next_time(tmp_path: Path) -> None:
    fill(tmp_path, Painter(fails=lambda prompts: "a dog 1" in prompts))
    later = fill(tmp_path, painter := Painter())
    assert painter.drawn == 2
    assert {shot.state for shot in later.shots()} == {"ok"}


def test_where_nothing_can_be_drawn_the_reason_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not one of 6 pictures.*out of paint"):
        fill(tmp_path, Painter(fails=lambda prompts: True))


def test_what_the_user_can_mend_is_not_counted_as_a_failure(tmp_path: Path) -> None:
    def refuses(prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
        raise UserError("height=7: this model needs a multiple of 8.")

    with pytest.raises(UserError, match="height=7"):
        fill(tmp_path, refuses)
    assert not (tmp_path / "pictures" / "pictures.json").exists()


def test_a_picture_of_one_colour_is_told_apart(tmp_path: Path) -> None:
    shots = fill(tmp_path, Painter(blank="a dog 2")).shots()
    assert [shot.state for shot in shots] == ["ok"] * 4 + ["blank"] * 2
    fill(tmp_path, again := Painter())
    assert again.drawn == 0


def test_two_at_once_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "PATIENCE", 0.01)
    meeting = threading.Barrier(2, timeout=30)

    class Slow(Painter):
        def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image]:
            if not self.batches:
                meeting.wait()  # both hold a batch now
            return super().__call__(prompts, seeds)

    painters = [Slow(), Slow()]
    galleries = [gallery(tmp_path, prompts=6) for _ in painters]
    threads = [
        threading.Thread(target=complete, args=(opened, painter), kwargs={"batch_size": 2, "told": "test"})
        for opened, painter in zip(galleries, painters, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sum(painter.drawn for painter in painters) == 12
    assert all(painter.drawn for painter in painters)
    assert [shot.content for shot in galleries[0].shots()] == [shot.content for shot in galleries[1].shots()]
    assert len(_index(tmp_path)) == 12
