"""Upscalers on a grid: of what its runs draw, and runs of upscalers as cells. Each picture is what generate makes."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from composed import compose
from drawing import FACTOR, ROUNDING, distance, low_picture
from PIL import Image
from small_runs import configure, draw_pictures
from tiny import RESOLUTION

from imprint.errors import ConfigError, UserError
from imprint.models.families.sd import StableDiffusion
from imprint.provenance.base import result_hash
from imprint.provenance.marks import read_marks
from imprint.results.combine import CombinedModel
from imprint.results.upscaling import Upscaler
from imprint.runs import Run
from imprint.verbs.generate import generate
from imprint.verbs.grid import grid
from imprint.verbs.train import train

FIXED = ["scheduler=model", "accelerator=cpu"]
CHAINED = [*FIXED, "steps=2", "upscaler.steps=2", "prompt='a {identifier} {noun}'"]
LARGE = RESOLUTION * FACTOR

Entry = dict[str, Any]


@pytest.fixture(scope="module")
def base(finished: Callable[..., Run]) -> Run:
    return finished("method=lora", "method.lr=1e-2")


@pytest.fixture(scope="module")
def upscalers(tiny_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Of two methods and two levels, but one, by method and level. Their word is another than the base's."""
    pictures = draw_pictures(tmp_path_factory.mktemp("large") / "subject", 2)
    folder = tmp_path_factory.mktemp("upscalers")
    fixed = ["method.lr=1e-2", "dataset.identifier=olis", "hparams.steps=2"]
    made = (("lora", 0), ("lora", 100), ("dreambooth", 0))
    return {
        f"{method} {level}": train(
            configure(
                tiny_folder("sd_upscaler"),
                pictures,
                folder,
                f"method={method}",
                f"model.low_res.level={level}",
                *fixed,
            )
        )
        for method, level in made
    }


@pytest.fixture(scope="module")
def upscaler(upscalers: dict[str, Run]) -> Run:
    return upscalers["lora 0"]


@pytest.fixture
def low(tmp_path: Path) -> Path:
    low_picture().save(tmp_path / "low.png")
    return tmp_path / "low.png"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What is drawn and loaded from now on."""
    counts: Counter[str] = Counter()

    def count(owner: Any, name: str, what: str, how_many: Callable[..., int]) -> None:
        original = getattr(owner, name)

        def counting(*given: Any, **settings: Any) -> Any:
            counts[what] += how_many(*given)
            return original(*given, **settings)

        monkeypatch.setattr(owner, name, counting)

    count(CombinedModel, "__init__", "runs loaded", lambda *_: 1)
    count(Upscaler, "load", "upscalers loaded", lambda *_: 1)
    count(Upscaler, "drawn", "enlarged", lambda *_: 1)
    count(StableDiffusion, "generate", "drawn", lambda _, prompts, *rest: len(prompts))
    return counts


def made(folder: Path, *settings: str) -> list[Entry]:
    """What the index of a grid says of its pictures."""
    grid(compose("grid", [f"outputs={folder}", *settings]))
    entries: list[Entry] = json.loads((folder / "grid.json").read_text(encoding="utf-8"))["pictures"]
    return entries


def generated(folder: Path, *settings: str) -> list[tuple[Entry, Image.Image]]:
    """The large pictures of `imprint generate`."""
    generate(compose("generate", [f"outputs={folder}", *settings]))
    entries = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    return [(entry, opened(folder / entry["file"])) for entry in entries if "upscaler" in entry]


def opened(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("RGB")


class TestOfWhatRunsDraw:
    @pytest.fixture
    def chain(self, base: Run, upscaler: Run) -> list[str]:
        return [f"run={base.folder}", f"upscaler.run={upscaler.folder}", *CHAINED]

    def test_each_cell_is_what_generate_draws_and_enlarges(
        self, chain: list[str], base: Run, upscaler: Run, tmp_path: Path
    ) -> None:
        axes = ["x.key=upscaler.level", "x.values=[0,300]", "y.key=guidance", "y.values=[1,4]"]
        entries = made(tmp_path, *chain, *axes, "seeds=[3]")
        assert [(entry["x"], entry["y"]) for entry in entries] == [("0", "1"), ("0", "4"), ("300", "1"), ("300", "4")]
        for entry in entries:
            assert entry["upscaler"]["level"] == int(entry["x"])
            assert entry["upscaler"]["run"] == upscaler.folder.name
            assert entry["upscaler"]["prompt"] == "a olis dog"
            told = [f"upscaler.level={entry['x']}", f"guidance={entry['y']}", "seeds=[3]"]
            folder = tmp_path / "one" / Path(entry["file"]).stem
            [(expected, picture)] = generated(folder, *chain, *told)
            assert Path(entry["file"]).name == expected["file"]
            assert distance([opened(tmp_path / entry["low"])], [opened(folder / expected["low"])]) <= ROUNDING
            assert picture.size == (LARGE, LARGE)
            assert distance([opened(tmp_path / entry["file"])], [picture]) <= ROUNDING
        assert distance([opened(tmp_path / entries[0]["file"])], [opened(tmp_path / entries[2]["file"])]) > 5
        marks = read_marks((tmp_path / "prompt-000.png").read_bytes())
        assert set(marks.results) == {result_hash(run.result) for run in (base, upscaler)}

    def test_nothing_is_drawn_or_loaded_twice(self, chain: list[str], tmp_path: Path, counted: Counter[str]) -> None:
        axes = ["x.key=upscaler.guidance", "x.values=[1,3]", "y.key=upscaler.tile", "y.values=[64,96]"]
        asked = [*chain, *axes, "upscaler.overlap=16", "seeds=[0,1]"]
        entries = made(tmp_path, *asked)
        assert len({entry["file"] for entry in entries}) == 8
        assert len({entry["low"] for entry in entries}) == 2
        first = {"runs loaded": 1, "upscalers loaded": 1, "enlarged": 8, "drawn": 10}
        assert counted == first
        assert made(tmp_path, *asked) == entries
        assert counted == first
        more = made(tmp_path, *chain, *axes[:2], "upscaler.overlap=16", "upscaler.tile=64", "seeds=[0,1]")
        assert {entry["file"] for entry in more} < {entry["file"] for entry in entries}
        assert counted == first

    def test_the_page_and_the_sheet_show_the_large_ones_and_low_ones_where_asked(
        self, chain: list[str], base: Run, tmp_path: Path
    ) -> None:
        made(tmp_path, *chain, "x.key=upscaler.level", "x.values=[0,300]", "upscaler.sheet=true")
        page = (tmp_path / "index.html").read_text(encoding="utf-8")
        assert "a sks dog, seed 0, enlarged by " in page
        assert "level 300" in page
        assert opened(tmp_path / "prompt-000.png").width > 2 * LARGE
        assert (tmp_path / "pictures" / "upscaling" / "sheet.png").is_file()

    def test_an_untuned_one_is_the_floor(self, base: Run, tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
        model = ["model@upscaler.model=sd_upscaler", f"upscaler.model.source={tiny_folder('sd_upscaler')}"]
        settings = [f"run={base.folder}", *model, f"upscaler.model.resolution={RESOLUTION}", *CHAINED]
        [entry, _] = made(tmp_path, *settings, "x.key=upscaler.steps", "x.values=[1,2]")
        assert entry["upscaler"]["run"] is None
        assert entry["upscaler"]["prompt"] == "a dog"
        assert entry["upscaler"]["sampler"]["steps"] == 1


class TestRunsOfUpscalers:
    def test_as_cells_each_enlarges_all_given_pictures_on_a_sheet_each(
        self, upscalers: dict[str, Run], tmp_path: Path, counted: Counter[str]
    ) -> None:
        given = tmp_path / "given"
        given.mkdir()
        low_picture().save(given / "one.png")
        low_picture().resize((18, 9)).save(given / "two.png")
        runs = next(iter(upscalers.values())).folder.parent
        asked = [f"runs={runs}", f"picture={given}", *FIXED, "steps=2", "x.key=method", "y.key=model.low_res.level"]
        entries = made(tmp_path / "grid", *asked)
        empty = [entry for entry in entries if entry["file"] is None]
        assert [(entry["x"], entry["y"]) for entry in empty] == [("dreambooth", "100")] * 2
        there = [entry for entry in entries if entry["file"]]
        assert len(there) == 6
        for entry in there:
            run = upscalers[f"{entry['x']} {entry['y']}"]
            assert entry["upscaler"]["run"] == run.folder.name
            assert entry["upscaler"]["level"] == int(entry["y"])
            assert entry["prompt"] == "a photo of a olis dog"
            size = {"one.png": (RESOLUTION, RESOLUTION), "two.png": (64, 32)}[entry["picture"]]
            assert opened(tmp_path / "grid" / entry["file"]).size == size
        assert counted["upscalers loaded"] == 3
        sheets = json.loads((tmp_path / "grid" / "grid.json").read_text(encoding="utf-8"))["sheets"]
        assert list(sheets.values()) == ["a photo of a olis dog · one.png", "a photo of a olis dog · two.png"]
        told = dict(counted)
        assert made(tmp_path / "grid", *asked) == entries
        assert counted == told

    def test_each_picture_is_the_one_of_generate(self, upscaler: Run, low: Path, tmp_path: Path) -> None:
        settings = [f"run={upscaler.folder}", f"picture={low}", *FIXED, "steps=2"]
        axes = ["x.key=upscaler.level", "x.values=[0,300]", "y.key=scale.denoiser", "y.values=[0,1]"]
        entries = made(tmp_path / "grid", *settings, *axes, "seeds=[4]")
        assert len({entry["file"] for entry in entries}) == 4
        for entry in entries:
            told = [f"upscaler.level={entry['x']}", f"scale.denoiser={entry['y']}", "seeds=[4]"]
            [(expected, picture)] = generated(tmp_path / Path(entry["file"]).stem, *settings, *told)
            assert Path(entry["file"]).name == expected["file"]
            assert distance([opened(tmp_path / "grid" / entry["file"])], [picture]) == 0

    def test_what_cannot_be_is_told_of_all_runs_at_once(
        self, base: Run, upscalers: dict[str, Run], low: Path, tmp_path: Path
    ) -> None:
        own = [upscalers["lora 0"], upscalers["dreambooth 0"]]
        for run in (base, *own):
            shutil.copytree(run.folder, tmp_path / "runs" / run.folder.name)
        runs = [f"runs={tmp_path / 'runs'}", *FIXED, "x.key=model", "y.key=method"]
        with pytest.raises(ConfigError) as caught:
            made(tmp_path / "grid", *runs, f"picture={low}", "upscaler.level=400", "size=[64,64]")
        assert f"{base.folder.name} draws from prompts" in str(caught.value)
        assert "as it is and by itself. Leave out size." in str(caught.value)
        with pytest.raises(ConfigError) as caught:
            made(tmp_path / "grid", *runs, "size=[64,64]")
        for run in own:
            assert f"picture=None: {run.folder.name} is the run of an upscaler" in str(caught.value)
        assert not (tmp_path / "grid").exists()


def test_what_cannot_be_is_told_together_and_before_anything_is_loaded(
    base: Run, upscaler: Run, low: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CombinedModel, "__init__", lambda *_: pytest.fail("it was loaded"))
    monkeypatch.setattr(Upscaler, "load", lambda *_: pytest.fail("it was loaded"))
    drawing, enlarging, by = f"run={base.folder}", f"run={upscaler.folder}", f"upscaler.run={upscaler.folder}"
    (tmp_path / "small").mkdir()
    for name in ("one", "two"):
        Image.new("RGB", (3, 9)).save(tmp_path / "small" / f"{name}.png")
    levels = ["x.key=upscaler.level", "x.values=[0,351,400]"]
    for settings, expected in (
        ([drawing, *levels], ["upscaler.level is an axis, and there is no upscaler. Add upscaler=RUN"]),
        (
            [drawing, *levels, "upscaler.steps=3"],
            ["upscaler.level is an axis, and there is no upscaler", "upscaler.steps=3: there is no upscaler"],
        ),
        (
            [drawing, *levels, "y.key=hires.strength", "y.values=[0.5]"],
            [
                "upscaler.level is an axis, and there is no upscaler",
                "hires.strength is an axis, and there is no second",
            ],
        ),
        (
            [drawing, by, *levels, "y.key=upscaler.tile", "y.values=[40,64]", "upscaler.overlap=16"],
            [
                "upscaler.level=351: this model knows levels of noise from 0 to 350",
                "upscaler.level=400: ",
                "upscaler.tile=40: give a multiple of 16",
            ],
        ),
        (
            [drawing, by, "x.key=upscaler.level", "x.values=[-1,351]"],
            ["upscaler.level=-1: ", "upscaler.level=351: "],
        ),
        (
            [drawing, by, "x.key=upscaler.level", "x.values=[low,0.5]", "y.key=seed", "y.values=[one]"],
            ["x.values='low': a value of upscaler.level is a whole number", "x.values=0.5: ", "y.values='one': "],
        ),
        ([drawing, by, *levels, "hires=second_pass"], ["upscaler and hires are both given"]),
        (
            [drawing, by, "x.key=hires.factor", "x.values=[2]"],
            ["hires.factor is an axis, and there is no second pass. Choose one way"],
        ),
        (
            [drawing, by, *levels, f"picture={low}", "hires=second_pass"],
            [f"{base.folder.name} draws from prompts", "upscaler and hires are both given"],
        ),
        ([enlarging, *levels], [f"picture=None: {upscaler.folder.name} is the run of an upscaler"]),
        ([enlarging, "x.key=seed", "x.values=[0]"], [f"picture=None: {upscaler.folder.name} is the run of"]),
        (
            [enlarging, f"picture={low}", *levels, "weights=[1]", "size=[32,32]", "hires=second_pass", by],
            ["as it is and by itself. Leave out upscaler.run, hires, size, weights."],
        ),
        (
            [enlarging, f"picture={low}", "x.key=upscaler.steps", "x.values=[1,2]", "steps=3"],
            ["steps=3: upscaler.steps=1 means the same", "steps=3: upscaler.steps=2 means the same"],
        ),
        (
            [enlarging, f"picture={tmp_path / 'small'}", *levels],
            ["one.png': it has less than 4 pixels on a side", "two.png': it has less than 4 pixels"],
        ),
        ([enlarging, f"picture={tmp_path / 'no.png'}", *levels], ["no.png': cannot be read as a picture"]),
        ([f"upscaler.run={base.folder}", drawing, *levels], ["this model draws from prompts. Give a run of an"]),
    ):
        with pytest.raises(UserError) as caught:
            made(tmp_path / "out", *FIXED, *settings)
        for part in expected:
            assert part in str(caught.value), settings
    assert not (tmp_path / "out").exists()
