"""The store: each feature is computed once, kept by content and encoder, and never worth a failed run."""

import logging
import multiprocessing
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from fake_evidence import photo, shot
from PIL import Image
from torch import Tensor

from imprint.errors import UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.records import Needs, Photo, Question


class Grey(Encoder):
    """A picture's features are its first pixel's level and that number squared; a text's are its length."""

    sides = frozenset({"images", "texts", "layers", "answers", "patches"})

    def __init__(self, *, name: str = "grey", fingerprint: str = "grey-1") -> None:
        super().__init__(name=name)
        self._fingerprint = fingerprint
        self.batches: list[int] = []
        self.checked: list[str] = []

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def check(self, key: str = "encoder") -> None:
        self.checked.append(key)

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        self.batches.append(len(pictures))
        levels = [float(picture.getpixel((0, 0))) for picture in pictures]
        return torch.tensor([[level, level**2] for level in levels])

    def texts(self, texts: Sequence[str]) -> Tensor:
        self.batches.append(len(texts))
        return torch.tensor([[float(len(text))] for text in texts])

    def layers(self, pictures: Sequence[Image.Image]) -> list[Tensor]:
        self.batches.append(len(pictures))
        first = torch.tensor([[[float(picture.getpixel((0, 0)))]] for picture in pictures])
        return [first, first.repeat(1, 2, 3)]

    def patches(self, pictures: Sequence[Image.Image]) -> Tensor:
        return self.images(pictures)[:, None, None].expand(-1, 2, 2, -1)

    def answers(self, pictures: Sequence[Image.Image], questions: Sequence[Question]) -> Tensor:
        self.batches.append(len(pictures))
        pairs = zip(pictures, questions, strict=True)
        return torch.tensor([float(picture.getpixel((0, 0)) > int(question[0])) for picture, question in pairs])


class Broken(Grey):
    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        features = super().images(pictures)
        return torch.where(features == 2, torch.nan, features)


class Level(NamedTuple):
    """A picture of one level, told apart by it."""

    level: int

    @property
    def content(self) -> str:
        return f"level {self.level}"

    def load(self) -> Image.Image:
        return Image.new("L", (2, 2), self.level)


def levels(*values: int) -> list[Level]:
    return [Level(value) for value in values]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def grey() -> Grey:
    return Grey()


def store(*encoders: Encoder, batch_size: int = 3) -> FeatureStore:
    return FeatureStore(encoders={encoder.name: encoder for encoder in encoders}, batch_size=batch_size, device="cpu")


def test_features_come_in_the_order_asked_once_per_content_in_batches(grey: Grey) -> None:
    features = store(grey).images("grey", levels(3, 1, 3, 2, 5, 1))
    assert features.tolist() == [[3, 9], [1, 1], [3, 9], [2, 4], [5, 25], [1, 1]]
    assert grey.batches == [3, 1]


def test_what_is_known_is_not_computed_again(grey: Grey) -> None:
    kept = store(grey)
    kept.images("grey", levels(1, 2))
    assert kept.images("grey", levels(2, 7)).tolist() == [[2, 4], [7, 49]]
    assert grey.batches == [2, 1]


def test_another_program_finds_them_on_disk(grey: Grey) -> None:
    first = store(grey).images("grey", levels(1, 2))
    again = Grey()
    assert torch.equal(store(again).images("grey", levels(1, 2)), first)
    assert again.batches == []


def test_many_are_found_on_disk(grey: Grey) -> None:
    texts = [f"text {number}" for number in range(1200)]  # more than one query asks for
    first = store(grey, batch_size=400).texts("grey", texts)
    again = Grey()
    assert torch.equal(store(again).texts("grey", texts), first)
    assert again.batches == []


def test_another_encoder_has_features_of_its_own(grey: Grey) -> None:
    store(grey).images("grey", levels(1))
    other = Grey(name="other", fingerprint="grey-2")
    store(other).images("other", levels(1))
    assert other.batches == [1]


def test_two_roles_of_one_encoder_share_their_features(grey: Grey) -> None:
    shared = FeatureStore(encoders={"clip": grey, "dino": grey}, batch_size=2, device="cpu")
    shared.images("clip", levels(1))
    shared.images("dino", levels(1))
    assert grey.batches == [1]


def test_an_answer_is_kept_by_picture_and_question(grey: Grey) -> None:
    asked = [("3",), ("3",), ("6",), ("3",)]
    assert store(grey).answers("grey", levels(2, 5, 5, 2), asked).tolist() == [0, 1, 0, 0]
    again = Grey()
    assert store(again).answers("grey", levels(5, 5), [("6",), ("4",)]).tolist() == [0, 1]
    assert (grey.batches, again.batches) == ([3], [1])


def test_texts_are_kept_too_and_not_taken_for_pictures(grey: Grey) -> None:
    kept = store(grey)
    texts = ["a", "ab", "a", "level 1"]
    assert kept.texts("grey", texts).tolist() == [[1], [2], [1], [7]]
    assert kept.images("grey", levels(1)).tolist() == [[1, 1]]
    again = Grey()
    assert store(again).texts("grey", texts).tolist() == [[1], [2], [1], [7]]
    assert again.batches == []


def test_layers_are_joined_from_batches_and_not_kept(grey: Grey) -> None:
    depths = store(grey, batch_size=2).layers("grey", levels(4, 5, 6))
    assert [tuple(depth.shape) for depth in depths] == [(3, 1, 1), (3, 2, 3)]
    assert depths[0].flatten().tolist() == [4, 5, 6]
    assert grey.batches == [2, 1]


def test_patches_are_kept_on_disk_where_that_is_asked_for(grey: Grey) -> None:
    first = store(grey).patches("grey", levels(1, 2), kept=True)
    assert first.shape == (2, 2, 2, 2)
    again = store(grey).patches("grey", levels(2, 5, 1), kept=True)
    assert grey.batches == [2, 1], "the new one alone"
    assert torch.equal(again[[2, 0]], first)
    store(grey).patches("grey", levels(1, 2))
    assert grey.batches == [2, 1, 2]


def grey_photo(level: int) -> Photo:
    return photo(f"{level}")._replace(read=lambda: Image.new("L", (2, 2), level))


def test_a_feature_that_is_no_number_is_told_with_its_picture_and_not_kept(grey: Grey) -> None:
    pictures = [grey_photo(level) for level in (1, 2, 3)]
    with pytest.raises(UserError, match=r"broken makes no finite number of 2.jpg\."):
        store(Broken(name="broken")).images("broken", pictures)
    assert store(grey).images("grey", pictures).isfinite().all()


def test_a_picture_that_is_gone_is_told_by_its_file(grey: Grey) -> None:
    with pytest.raises(UserError, match="gone.png cannot be read"):
        store(grey).images("grey", [shot("gone")])


def refused(file: Path) -> None:
    """Not even an administrator can write what lies below a file."""
    file.parent.mkdir(parents=True)
    file.write_text("in the way")


def foreign(file: Path) -> None:
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE features (anything)")


def rubbish(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"nothing that SQLite knows" * 1000)


def torn(file: Path) -> None:
    store(Grey()).images("grey", levels(*range(200)))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)


def shortened(file: Path) -> None:
    store(Grey()).images("grey", levels(1))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE features SET data = X'0000'")


@pytest.mark.parametrize("harm", [foreign, rubbish, torn, shortened])
def test_a_damaged_or_foreign_file_is_made_again_and_said(
    harm: Callable[[Path], None], grey: Grey, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = cache / "grey-1.sqlite"
    harm(file)
    with caplog.at_level(logging.WARNING):
        assert store(grey).images("grey", levels(1, 2)).tolist() == [[1, 1], [2, 4]]
    assert f"{file} holds no usable features" in caplog.text
    again = Grey()
    store(again).images("grey", levels(1, 2))
    assert again.batches == []


def test_without_a_writable_cache_features_are_kept_in_memory_and_that_is_said_once(
    grey: Grey, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused(cache)
    kept = store(grey)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert kept.images("grey", levels(1, 2)).tolist() == [[1, 1], [2, 4]]
        kept.images("grey", levels(3))
    assert grey.batches == [2, 1]
    assert caplog.text.count("Features are not kept on disk") == 1


def test_a_file_that_cannot_be_written_is_left_as_it_is(
    grey: Grey, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or another program's lock says nothing against what is there."""
    store(grey).images("grey", levels(1))
    file = cache / "grey-1.sqlite"
    monkeypatch.setattr("imprint.evaluation.feature_cache.LOCK_TIMEOUT", 0.05)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with caplog.at_level(logging.WARNING):
            assert store(grey).images("grey", levels(1, 2)).tolist() == [[1, 1], [2, 4]]
    assert "database is locked" in caplog.text
    again = Grey()
    store(again).images("grey", levels(1))
    assert again.batches == []


def fill(start: int) -> None:
    for value in range(start, start + 40):
        store(Grey(), batch_size=1).images("grey", levels(value))


def test_several_programs_fill_one_file_at_once(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = multiprocessing.get_context("fork")
    programs = [context.Process(target=fill, args=(start,)) for start in (0, 20, 40, 60)]
    for program in programs:
        program.start()
    for program in programs:
        program.join()
    assert [program.exitcode for program in programs] == [0] * 4
    again = Grey()
    store(again).images("grey", levels(*range(100)))
    assert again.batches == []


NEEDS = Needs(sets=("subject",), untuned=(), encoders=("grey",), photos=0)


def test_all_that_encoders_lack_is_told_at_once(grey: Grey) -> None:
    class Blind(Grey):
        sides = frozenset({"layers"})

    needs = {
        "clip_i": NEEDS._replace(encoders=("clip",)),
        "clip_t": NEEDS._replace(encoders=("blind",), sides=("images", "texts")),
        "dino": NEEDS,
    }
    with pytest.raises(UserError) as refusal:
        store(grey, Blind(name="blind")).check(needs, "evaluation.encoders")
    problems = str(refusal.value).splitlines()
    assert len(problems) == 3
    assert "clip_i needs the encoder 'clip', and there is blind, grey. Give evaluation.encoders.clip=" in problems[0]
    assert "evaluation.encoders.blind: clip_t needs images, which blind has not" in problems[1]


def test_only_encoders_that_are_needed_are_looked_for(grey: Grey) -> None:
    idle = Grey(name="idle")
    store(grey, idle).check({"dino": NEEDS, "memorisation": NEEDS}, "evaluation.encoders")
    assert grey.checked == ["evaluation.encoders.grey"]
    assert idle.checked == []
