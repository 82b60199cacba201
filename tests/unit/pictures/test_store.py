"""Stores are filled once, whoever fills them and however often it is interrupted; nothing is dropped in silence, and
nothing overwritten."""

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from leftovers import leave_half_of, left_in
from PIL import Image

from imprint.errors import UserError
from imprint.partial_files import partial_file
from imprint.pictures import generate as generating
from imprint.pictures.generate import Generate, generate_missing
from imprint.pictures.store import PictureStore, Recipe, file_name, read_index
from imprint.rng import generator
from imprint.types import Sampler

SAMPLER = Sampler("noise", 1, 1.0, "")


class Painter:
    """Draws noise from the seed alone, and remembers what it was asked for."""

    def __init__(self, fails: Callable[[Sequence[str]], bool] = lambda prompts: False, blank: str = "") -> None:
        self.batches: list[list[str]] = []
        self.fails = fails
        self.blank = blank

    def __call__(self, recipes: Sequence[Recipe]) -> list[Image.Image]:
        prompts = [recipe.prompt for recipe in recipes]
        self.batches.append(prompts)
        if self.fails(prompts):
            raise RuntimeError("out of paint")
        return [_black() if recipe.prompt == self.blank else _noise(recipe.seed) for recipe in recipes]

    @property
    def drawn(self) -> int:
        return sum(len(batch) for batch in self.batches)


def recipes(prompts: int = 3, images: int = 2, subject: int = 0) -> list[Recipe]:
    asked = [(number, k) for number in range(prompts) for k in range(images)]
    return [
        Recipe(f"{n:03d}-{k}.png", f"a dog {n}", 100 * n + k + 10000 * subject, SAMPLER, (8, 8), {"k": k})
        for n, k in asked
    ]


def store(folder: Path, prompts: int = 3, images: int = 2, subject: int = 0) -> PictureStore:
    return PictureStore(folder / "pictures", recipes(prompts, images, subject), {"sampler": "noise"})


def fill_store(folder: Path, draw: Generate, *, batch_size: int = 2, **settings: int) -> PictureStore:
    opened = store(folder, **settings)
    generate_missing(opened, draw, batch_size=batch_size, label="test", counts_failures=True)
    return opened


def test_half_a_picture_of_a_killed_program_goes_and_of_a_living_one_stays(tmp_path: Path) -> None:
    """They may write different pictures of one store at once."""
    leave_half_of(tmp_path / "pictures" / "000-0.png")
    with partial_file(tmp_path / "pictures" / "other.png") as living:
        living.write_bytes(b"half")
        fill_store(tmp_path, Painter())
        assert left_in(tmp_path) == [living.parent]
        leave_half_of(tmp_path / "pictures" / "pictures.json")
        fill_store(tmp_path, Painter())  # in which nothing is missing
        assert left_in(tmp_path) == [living.parent]
        assert living.read_bytes() == b"half"


def contents(filled: PictureStore) -> list[str]:
    return [drawn.content for drawn in filled.outcomes()]


def _noise(seed: int) -> Image.Image:
    pixels = torch.randint(0, 256, (8, 8, 3), generator=generator(seed), dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


def _black() -> Image.Image:
    return Image.new("RGB", (8, 8))


def _index(folder: Path) -> dict[str, dict]:
    described = json.loads((folder / "pictures" / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    return {entry["file"]: entry for entry in described}


def test_every_picture_is_drawn_once_and_told_of(tmp_path: Path) -> None:
    found = fill_store(tmp_path, painter := Painter()).outcomes()
    assert painter.drawn == len(found) == 6
    assert all(drawn.file.is_file() and drawn.state == "ok" for drawn in found)
    assert len({drawn.content for drawn in found}) == 6
    assert [entry["prompt"] for entry in _index(tmp_path).values()] == [drawn.recipe.prompt for drawn in found]
    assert not (tmp_path / "pictures" / ".claims").exists()


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_batches_do_not_change_a_picture(batch_size: int, tmp_path: Path) -> None:
    expected = contents(fill_store(tmp_path / "two", Painter(), batch_size=2))
    painter = Painter()
    assert contents(fill_store(tmp_path / "other", painter, batch_size=batch_size)) == expected
    assert len(painter.batches[0]) == min(batch_size, 6)


def test_what_is_there_is_not_drawn_again(tmp_path: Path) -> None:
    fill_store(tmp_path, Painter())
    fill_store(tmp_path, again := Painter())
    assert again.drawn == 0


def test_more_pictures_of_each_prompt_add_to_those_that_are_there(tmp_path: Path) -> None:
    fill_store(tmp_path, Painter(), images=1)
    fill_store(tmp_path, more := Painter(), images=3)
    assert more.drawn == 6


class Killed(BaseException):
    pass


def test_after_an_interruption_only_what_is_missing_is_drawn(tmp_path: Path) -> None:
    painter = Painter()

    def killed(recipes: Sequence[Recipe]) -> list[Image.Image]:
        if painter.batches:
            raise Killed
        return painter(recipes)

    with pytest.raises(Killed):
        fill_store(tmp_path, killed)
    fill_store(tmp_path, rest := Painter())
    assert (painter.drawn, rest.drawn) == (2, 4)


@pytest.mark.parametrize("damage", ["gone", "cut off", "changed"])
def test_a_picture_that_is_not_what_the_index_says_is_drawn_again(damage: str, tmp_path: Path) -> None:
    whole = contents(fill_store(tmp_path, Painter()))
    victim = tmp_path / "pictures" / "001-1.png"
    if damage == "gone":
        victim.unlink()
    elif damage == "cut off":
        victim.write_bytes(victim.read_bytes()[:40])
    else:
        _black().save(victim)
    mended = fill_store(tmp_path, again := Painter())
    assert again.batches == [["a dog 1"]]
    assert contents(mended) == whole


@pytest.mark.parametrize("damage", ["no index", "half an index", "a list of rows"])
def test_without_an_index_whole_files_count_and_damaged_ones_do_not(damage: str, tmp_path: Path) -> None:
    whole = contents(fill_store(tmp_path, Painter()))
    victim, index = tmp_path / "pictures" / "001-1.png", tmp_path / "pictures" / "pictures.json"
    victim.write_bytes(victim.read_bytes()[:40])
    if damage == "a list of rows":  # samples.json of an earlier version: it said nothing of contents
        rows = [{key: entry[key] for key in ("file", "prompt", "seed")} for entry in read_index(index)[1]]
        index.write_text(json.dumps(rows))
    else:
        index.write_text("{") if damage == "half an index" else index.unlink()
    mended = fill_store(tmp_path, again := Painter())
    assert again.batches == [["a dog 1"]]
    assert contents(mended) == whole
    assert {entry["content"] for entry in _index(tmp_path).values()} == set(whole)


def test_what_an_earlier_version_said_of_all_pictures_is_said_of_each(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    _noise(7).save(folder / "000-s0.png")
    before = {"run": "dog", "pictures": [{"file": "000-s0.png", "prompt": "a sks dog", "seed": 0}]}
    (folder / "pictures.json").write_text(json.dumps(before))
    fill_store(tmp_path, Painter())
    assert _index(tmp_path)["000-s0.png"] == {"file": "000-s0.png", "prompt": "a sks dog", "seed": 0, "run": "dog"}
    assert "run" not in _index(tmp_path)["000-0.png"]


def test_another_picture_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    first = contents(fill_store(tmp_path, Painter()))
    second = fill_store(tmp_path, others := Painter(), subject=1)
    assert others.drawn == 6
    assert not set(contents(second)) & set(first)
    assert [drawn.file.name for drawn in second.outcomes()][:2] == ["000-0-2.png", "000-1-2.png"]
    assert contents(fill_store(tmp_path, again := Painter())) == first
    assert contents(fill_store(tmp_path, again, subject=1)) == contents(second)
    assert again.drawn == 0


def test_all_that_a_picture_is_drawn_from_names_its_file() -> None:
    names = {
        file_name("a dog", 0, {"steps": 1}),
        file_name("a dog", 1, {"steps": 1}),
        file_name("a cat", 0, {"steps": 1}),
        file_name("a dog!", 0, {"steps": 1}),
        file_name("a dog", 0, {"steps": 2}),
        file_name("ein Höhlenbär/..", 0, {}),
        file_name("犬", 0, {}),
    }
    assert len(names) == 7
    assert sum(name.startswith("a-dog-s0-") for name in names) == 3
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names)


@pytest.mark.parametrize("name", ["../private.png", "{}/private.png", "link.png"])
def test_an_index_does_not_lead_out_of_its_folder(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _noise(1).save(tmp_path / "private.png")
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "private.png")
    rows = [{"file": name.format(tmp_path), "prompt": "a", "seed": 0}, {"file": "sub/x.png", "prompt": "b", "seed": 0}]
    (folder / "pictures.json").write_text(json.dumps({"pictures": rows}))
    assert [entry["file"] for entry in read_index(folder / "pictures.json")[1]] == ["sub/x.png"]
    assert "outside of its folder" in caplog.text


def test_pictures_of_several_sizes_are_drawn_size_by_size(tmp_path: Path) -> None:
    asked = recipes()
    mixed = [recipe._replace(size=(8, 8 + 8 * (place % 2))) for place, recipe in enumerate(asked)]
    sizes: list[set[tuple[int, int]]] = []

    def draw(batch: Sequence[Recipe]) -> list[Image.Image]:
        sizes.append({recipe.size for recipe in batch})
        return [_noise(recipe.seed) for recipe in batch]

    generate_missing(PictureStore(tmp_path, mixed, {}), draw, batch_size=None, label=None, counts_failures=False)
    assert sorted(map(sorted, sizes)) == [[(8, 8)], [(8, 16)]]


def test_a_failing_batch_is_tried_alone_and_what_still_fails_is_counted(tmp_path: Path) -> None:
    bad = Painter(fails=lambda prompts: "a dog 1" in prompts)
    found = fill_store(tmp_path, bad, batch_size=4).outcomes()
    assert [drawn.state for drawn in found] == ["ok", "ok", "failed", "failed", "ok", "ok"]
    assert all(not drawn.content and not drawn.file.exists() for drawn in found if drawn.state == "failed")
    assert "out of paint" in _index(tmp_path)["001-0.png"]["error"]


def test_a_batch_that_only_fails_as_a_batch_loses_nothing(tmp_path: Path) -> None:
    crowded = Painter(fails=lambda prompts: len(prompts) > 1)
    assert {drawn.state for drawn in fill_store(tmp_path, crowded, batch_size=3).outcomes()} == {"ok"}


def test_what_failed_is_tried_again_the_next_time(tmp_path: Path) -> None:
    fill_store(tmp_path, Painter(fails=lambda prompts: "a dog 1" in prompts))
    later = fill_store(tmp_path, painter := Painter())
    assert painter.drawn == 2
    assert {drawn.state for drawn in later.outcomes()} == {"ok"}


def test_where_nothing_can_be_drawn_the_reason_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not one of 6 pictures.*out of paint"):
        fill_store(tmp_path, Painter(fails=lambda prompts: True))


def test_what_the_user_can_mend_is_not_counted_as_a_failure(tmp_path: Path) -> None:
    def refuses(recipes: Sequence[Recipe]) -> list[Image.Image]:
        raise UserError("height=7: this model needs a multiple of 8.")

    with pytest.raises(UserError, match="height=7"):
        fill_store(tmp_path, refuses)
    assert not (tmp_path / "pictures" / "pictures.json").exists()


def test_a_picture_of_one_colour_is_told_apart(tmp_path: Path) -> None:
    found = fill_store(tmp_path, Painter(blank="a dog 2")).outcomes()
    assert [drawn.state for drawn in found] == ["ok"] * 4 + ["blank"] * 2
    fill_store(tmp_path, again := Painter())
    assert again.drawn == 0


def test_where_failures_do_not_count_the_first_one_ends_it_and_the_rest_stays(tmp_path: Path) -> None:
    opened = store(tmp_path)
    with pytest.raises(RuntimeError, match="out of paint"):
        bad = Painter(fails=lambda prompts: "a dog 1" in prompts)
        generate_missing(opened, bad, batch_size=6, label="test", counts_failures=False)
    assert [drawn.recipe.prompt for drawn in opened.outcomes()] == ["a dog 0", "a dog 0"]


def test_two_at_once_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generating, "POLL_INTERVAL", 0.01)
    meeting = threading.Barrier(2, timeout=30)

    class Slow(Painter):
        def __call__(self, recipes: Sequence[Recipe]) -> list[Image.Image]:
            if not self.batches:
                meeting.wait()  # both hold a batch now
            return super().__call__(recipes)

    painters = [Slow(), Slow()]
    threads = [
        threading.Thread(target=fill_store, args=(tmp_path, painter), kwargs={"prompts": 6}) for painter in painters
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sum(painter.drawn for painter in painters) == 12
    assert all(painter.drawn for painter in painters)
    batches = [batch for painter in painters for batch in painter.batches]
    assert all(batch == [batch[0]] * 2 for batch in batches), "batches are those of one that draws alone"
    assert len(set(contents(store(tmp_path, prompts=6)))) == 12
    assert len(_index(tmp_path)) == 12


def test_a_process_that_is_killed_holds_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generating, "POLL_INTERVAL", 0.01)
    processes = multiprocessing.get_context("fork")
    holds = processes.Event()

    def hangs(batch: Sequence[Recipe]) -> list[Image.Image]:
        holds.set()
        signal.pause()
        raise AssertionError

    other = processes.Process(target=fill_store, args=(tmp_path, hangs))
    other.start()
    assert holds.wait(timeout=60)
    painter = Painter()

    def kills(batch: Sequence[Recipe]) -> list[Image.Image]:
        if painter.drawn == 2:  # of six; the other process holds two
            assert other.pid
            os.kill(other.pid, signal.SIGKILL)
        return painter(batch)

    filled = fill_store(tmp_path, kills)
    other.join(timeout=60)
    assert other.exitcode == -signal.SIGKILL
    assert painter.drawn == len(set(contents(filled))) == 6
    assert not (tmp_path / "pictures" / ".claims").exists()
