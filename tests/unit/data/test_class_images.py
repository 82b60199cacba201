"""The cache of class pictures: named by all they depend on, drawn once, whole."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_source

from imprint.data.pictures import PictureSet
from imprint.data.prior import GeneratedPrior
from imprint.data.reading import open_files
from imprint.errors import UserError
from imprint.models.facts import ModelInfo
from imprint.seeds import seed_of
from imprint.types import Concept, Sampler

SAMPLER = Sampler("DDIMScheduler", 4, 5.0, "")


class Painter:
    """Draws a picture of its seed, slowly, and remembers what it was asked for."""

    def __init__(self, fails_at_call: int | None = None) -> None:
        self.calls: list[list[int]] = []
        self.prompts: set[str] = set()
        self._fails_at_call = fails_at_call

    def generate(self, prompts: Sequence[str], seeds: Sequence[int], **asked: Any) -> list[Image.Image]:
        self.calls.append(list(seeds))
        self.prompts.update(prompts)
        if len(self.calls) == self._fails_at_call:
            raise KeyboardInterrupt
        time.sleep(0.01)
        size = (asked["width"], asked["height"], 3)
        pixels = (np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8) for seed in seeds)
        return [Image.fromarray(values) for values in pixels]

    @property
    def seeds(self) -> list[int]:
        return [seed for call in self.calls for seed in call]


@pytest.fixture
def facts(tiny_sd: Path) -> ModelInfo:
    return tiny_source(tiny_sd).facts()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Images:
    """Those of a prior with these settings."""

    def __init__(self, facts: ModelInfo, *, prompt: str, precision: str, **settings: Any) -> None:
        self._facts = facts
        self._precision = precision
        self._settings = {"weight": 1.0, "prompt": prompt, **settings}

    @property
    def folder(self) -> Path:
        prior = GeneratedPrior(**self._settings, count=1, batch_size=1)
        return prior.store(self._facts, prior.template, precision=self._precision).folder

    def draw(self, model: Any, *, count: int, batch_size: int) -> PictureSet:
        prior = GeneratedPrior(**self._settings, count=count, batch_size=batch_size)
        return prior.pictures(model, self._facts, Concept("sks", "dog"), precision=self._precision)


def images(facts: ModelInfo, **changes: Any) -> Images:
    return Images(facts, **({"prompt": "a dog", "seed": 0, "sampler": SAMPLER, "precision": "32"} | changes))


def seeds_of(indices: Sequence[int]) -> list[int]:
    return [seed_of(0, "class image", index) for index in indices]


def test_the_folder_is_named_by_everything_that_a_picture_depends_on(facts: ModelInfo) -> None:
    variants = [
        images(facts),
        images(facts._replace(fingerprint="another model")),
        images(facts._replace(resolution=64)),
        images(facts, prompt="a cat"),
        images(facts, seed=1),
        images(facts, precision="bf16-mixed"),
        images(facts, sampler=SAMPLER._replace(scheduler="PNDMScheduler")),
        images(facts, sampler=SAMPLER._replace(steps=5)),
        images(facts, sampler=SAMPLER._replace(guidance=6.0)),
        images(facts, sampler=SAMPLER._replace(negative_prompt="a cat")),
    ]
    assert len({variant.folder for variant in variants}) == len(variants)
    assert images(facts).folder == variants[0].folder


def test_pictures_are_drawn_once_whatever_number_or_batch_is_asked_for(facts: ModelInfo) -> None:
    painter = Painter()
    first = images(facts).draw(painter, count=5, batch_size=2)
    assert [len(call) for call in painter.calls] == [2, 2, 1]
    assert painter.seeds == seeds_of(range(5))
    assert painter.prompts == {"a dog"}
    again = images(facts).draw(painter, count=5, batch_size=4)
    fewer = images(facts).draw(painter, count=3, batch_size=1)
    assert len(painter.calls) == 3
    assert again.pictures == first.pictures
    assert fewer.pictures == first.pictures[:3]
    more = images(facts).draw(painter, count=7, batch_size=4)
    assert painter.seeds[5:] == seeds_of([5, 6])
    assert more.pictures[:5] == first.pictures
    assert len({picture.content for picture in more.pictures}) == 7


def test_only_what_an_interruption_left_out_is_drawn(facts: ModelInfo) -> None:
    with pytest.raises(KeyboardInterrupt):
        images(facts).draw(Painter(fails_at_call=3), count=8, batch_size=2)
    folder = images(facts).folder
    assert sorted(file.name for file in folder.glob("*.png")) == [f"{index:05d}.png" for index in range(4)]
    (folder / "00001.png").unlink()
    painter = Painter()
    resumed = images(facts).draw(painter, count=8, batch_size=3)
    assert painter.seeds == seeds_of([1, 4, 5, 6, 7])
    assert [picture.key for picture in resumed.pictures] == [f"{index:05d}.png" for index in range(8)]


def test_a_picture_whose_writing_is_cut_short_is_not_there(facts: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.write_bytes

    def half(self: Path, content: bytes) -> int:
        if self.parent.name.startswith(".00001"):
            real(self, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        return real(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(UserError, match=r"00001.*No space left"):
            images(facts).draw(Painter(), count=3, batch_size=3)
    assert [file.name for file in images(facts).folder.iterdir() if "png" in file.name] == ["00000.png"]
    painter = Painter()
    assert len(images(facts).draw(painter, count=3, batch_size=3)) == 3
    assert painter.seeds == seeds_of([1, 2])


def test_those_who_ask_at_once_draw_each_picture_once(facts: ModelInfo) -> None:
    painters = [Painter() for _ in range(4)]
    found: list[Any] = []

    def ask(painter: Painter) -> None:
        found.append(images(facts).draw(painter, count=6, batch_size=1).pictures)

    threads = [threading.Thread(target=ask, args=(painter,)) for painter in painters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(pictures == found[0] for pictures in found)
    drawn = [seed for painter in painters for seed in painter.seeds]
    assert sorted(drawn) == sorted(seeds_of(range(6)))


def test_other_files_in_the_folder_are_no_class_pictures(facts: ModelInfo) -> None:
    images(facts).draw(Painter(), count=2, batch_size=2)
    Image.new("RGB", (8, 8)).save(images(facts).folder / "zzz.png")
    Image.new("RGB", (8, 8)).save(images(facts).folder / "00002.jpg")
    assert [picture.key for picture in images(facts).draw(Painter(), count=2, batch_size=2).pictures] == [
        "00000.png",
        "00001.png",
    ]


def test_the_folder_keeps_its_name(facts: ModelInfo) -> None:
    made_before = images(facts._replace(fingerprint="0" * 64, resolution=64))
    assert made_before.folder.name == "008d2419cecfc7eb"


def test_pictures_of_an_earlier_version_are_used_and_a_damaged_one_is_drawn_again(facts: ModelInfo) -> None:
    """It kept no index."""
    before = images(facts).draw(Painter(), count=3, batch_size=2)
    folder = images(facts).folder
    (folder / "pictures.json").unlink()
    (folder / "00001.png").write_bytes(b"no picture")
    painter = Painter()
    assert images(facts).draw(painter, count=3, batch_size=2).pictures == before.pictures
    assert painter.seeds == seeds_of([1])
    assert len(json.loads((folder / "pictures.json").read_text())["pictures"]) == 3


def test_of_pictures_that_are_deleted_while_they_are_drawn_the_same_command_makes_new_ones(facts: ModelInfo) -> None:
    """As by another program that empties the cache."""

    def emptied(files: Sequence[Path]) -> PictureSet:
        files[0].unlink()
        return open_files(files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imprint.data.prior.open_files", emptied)
        with pytest.raises(UserError, match=r"deleted or changed meanwhile\. Give the same command again"):
            images(facts).draw(Painter(), count=2, batch_size=2)
    assert len(images(facts).draw(Painter(), count=2, batch_size=2)) == 2


def test_where_a_picture_cannot_be_drawn_the_run_ends(facts: ModelInfo) -> None:
    class Broken(Painter):
        def generate(self, prompts: Sequence[str], seeds: Sequence[int], **asked: Any) -> list[Image.Image]:
            if seeds_of([1])[0] in seeds:
                raise RuntimeError("out of paint")
            return super().generate(prompts, seeds, **asked)

    with pytest.raises(RuntimeError, match="out of paint"):
        images(facts).draw(Broken(), count=3, batch_size=3)
    painter = Painter()
    images(facts).draw(painter, count=3, batch_size=3)
    assert seeds_of([1])[0] in painter.seeds
