"""class_noun=auto: the class that the pictures show, if they show one clearly."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from small_runs import configure, draw_pictures
from torch import Tensor

from imprint.errors import ConfigError
from imprint.evaluation.encoders.base import Encoder
from imprint.models.families.sd import StableDiffusionSource
from imprint.planning import naming
from imprint.planning.prepare import prepare

NOUNS = ["dog", "cat", "vase"]


class Seer(Encoder):
    """Sees in every picture what it was told to, as far as cosines go."""

    sides = frozenset({"images", "texts"})
    sharpness = 10.0

    def __init__(self, *seen: float) -> None:
        super().__init__(name="seer")
        self.seen = seen
        self.looked = 0

    @property
    def fingerprint(self) -> str:
        return f"seer{self.seen}"

    def check(self, key: str = "encoder") -> None:
        pass

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        self.looked += len(pictures)
        return torch.tensor([self.seen] * len(pictures))

    def texts(self, texts: Sequence[str]) -> Tensor:
        return torch.eye(3)[[NOUNS.index(text.removeprefix("a photo of a ")) for text in texts]]


@pytest.fixture
def seeing(tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Prepares a run with an encoder that sees so much of a dog, a cat and a vase."""
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))

    def plan(encoder: Encoder | None, *settings: str, folder: Path = pictures) -> Any:
        encoders = {"clip": encoder} if encoder else {}
        before = StableDiffusionSource.__init__

        @functools.wraps(before)
        def with_encoder(self: StableDiffusionSource, **given: Any) -> None:
            before(self, **{**given, "encoders": encoders})

        with monkeypatch.context() as patch:
            patch.setattr(StableDiffusionSource, "__init__", with_encoder)
            words = ["dataset.class_noun=auto", f"dataset.nouns=[{','.join(NOUNS)}]"]
            return prepare(configure(tiny_sd, folder, tmp_path, *words, *settings))

    return plan


def test_the_likeliest_noun_is_the_class(seeing) -> None:
    plan = seeing(Seer(0.1, 0.9, 0.3))
    assert plan.concepts[0].noun == "cat"
    assert list(plan.nouns[""]) == ["cat", "vase", "dog"]
    assert sum(plan.nouns[""].values()) == pytest.approx(1, abs=0.01)


def test_it_is_the_run_of_the_same_noun_given(seeing, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    given = prepare(configure(tiny_sd, pictures, tmp_path, "dataset.class_noun=cat"))
    assert seeing(Seer(0.1, 0.9, 0.3)).run.signature == given.run.signature


def test_a_picture_is_looked_at_once_for_all_runs(seeing) -> None:
    encoder = Seer(0.1, 0.9, 0.3)
    for settings in ([], ["hparams.steps=7"]):
        seeing(encoder, *settings)
    assert encoder.looked == 3


def test_unclear_pictures_are_refused_with_what_they_may_show(seeing) -> None:
    with pytest.raises(ConfigError) as caught:
        seeing(Seer(0.58, 0.56, 0.57))
    for part in ("dataset.class_noun='auto'", "dog 3", "cat 3", "vase 3", "dataset.class_noun=dog?"):
        assert part in str(caught.value)


def test_without_an_encoder_the_remedy_is_told(seeing) -> None:
    with pytest.raises(ConfigError, match=r"\+encoder@model\.encoders\.clip=clip_b32"):
        seeing(None)


def test_bad_pictures_are_told_once(seeing, tmp_path: Path) -> None:
    folder = draw_pictures(tmp_path / "bad", count=1)
    (folder / "0.png").write_text("nothing")
    with pytest.raises(ConfigError) as caught:
        seeing(Seer(0.1, 0.9, 0.3), folder=folder)
    assert str(caught.value).count("0.png") == 1


def test_the_lists_are_lists_of_different_nouns() -> None:
    for name, least in (("mini", 15), ("common", 100)):
        nouns = naming.nouns_of(name)
        assert len(nouns) == len(set(nouns)) >= least
    with pytest.raises(ConfigError, match=r"dataset\.nouns='comon'.*common"):
        naming.nouns_of("comon")
