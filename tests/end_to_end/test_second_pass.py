"""imprint generate hires=..., the same on a grid and in a program: larger pictures, with the low ones beside them."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from composed import compose
from drawing import ROUNDING, distance
from PIL import Image
from tiny import RESOLUTION

import imprint
from imprint.command_line import as_overrides
from imprint.errors import ConfigError
from imprint.hashing import file_hash
from imprint.models.families.sd import StableDiffusion
from imprint.pictures.low import LOW
from imprint.pictures.store import read_index
from imprint.provenance.marks import read_marks
from imprint.results.picture_request import read_picture_request
from imprint.runs import Run
from imprint.verbs.generate import Request, generate
from imprint.verbs.grid import grid
from imprint.verbs.grid.pictures import Request as GridRequest

ROOT = Path(__file__).parents[2]
DRAWING = ["scheduler=model", "steps=4", "guidance=4", "accelerator=cpu"]
PROMPT = "prompt='a {identifier} {noun}'"
LARGE = (2 * RESOLUTION, 2 * RESOLUTION)
TILES = ["hires=tiles", "hires.overlap=0.25", "hires.strength=0.5"]


@pytest.fixture(scope="module")
def run(finished: Callable[..., Run]) -> Run:
    return finished("method=lora")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The size of each picture that is drawn."""
    sizes: list[tuple[int, int]] = []
    draw = StableDiffusion.generate

    def counted(self: Any, prompts: Any, seeds: Any, **rest: Any) -> Any:
        sizes.extend([(rest["height"], rest["width"])] * len(prompts))
        return draw(self, prompts, seeds, **rest)

    monkeypatch.setattr(StableDiffusion, "generate", counted)
    return sizes


def generated(run: Run, folder: Path, *settings: str) -> list[dict[str, Any]]:
    """The entries of the index, each with its picture."""
    generate(compose("generate", [f"run={run.folder}", f"outputs={folder}", PROMPT, "seeds=[5]", *DRAWING, *settings]))
    _, entries = read_index(folder / "pictures.json")
    assert {entry["file"] for entry in entries} == {file.name for file in folder.glob("*.png")}
    return [{**entry, "picture": Image.open(folder / entry["file"])} for entry in entries]


def test_the_low_picture_lies_beside_the_large_one_which_says_how_it_was_made(run: Run, tmp_path: Path) -> None:
    [alone] = generated(run, tmp_path / "once")
    low, large = generated(run, tmp_path / "twice", "hires=second_pass", "hires.strength=0.5", "hires.guidance=2")
    name = Path(alone["file"]).stem
    assert low["file"] == f"{name}-low.png"
    assert large["file"].startswith(f"{name}-")
    assert distance([low["picture"]], [alone["picture"]]) == 0
    assert (low["picture"].size, large["picture"].size) == ((RESOLUTION, RESOLUTION), LARGE)
    assert large[LOW] == low["file"]
    assert "hires" not in low
    told = {"factor": 2.0, "strength": 0.5, "steps": 4, "guidance": 2.0, "enlarge": "lanczos"}
    assert large["hires"] == told
    assert (large["seed"], large["prompt"], large["size"]) == (5, "a sks dog", list(LARGE))
    marks = read_marks((tmp_path / "twice" / large["file"]).read_bytes())
    assert marks.parents == (file_hash(tmp_path / "twice" / low["file"]),)
    assert set(marks.settings) == {f"hires.{key}={value}" for key, value in told.items()}
    assert marks.synthetic == ["trainedAlgorithmicMedia"]
    assert read_marks((tmp_path / "twice" / low["file"]).read_bytes()).settings == ()


def test_nothing_is_drawn_twice_and_nothing_overwritten(run: Run, tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    small = (RESOLUTION, RESOLUTION)
    low, large = (entry["file"] for entry in generated(run, tmp_path, "hires=second_pass"))
    assert asked == [small, LARGE]
    there = {file: file.read_bytes() for file in tmp_path.glob("*.png")}
    generated(run, tmp_path, "hires=second_pass", "hires.tile_batch=4")
    assert asked == [small, LARGE]
    generated(run, tmp_path, "hires=second_pass", "hires.strength=0.6")  # of the same low picture
    assert asked == [small, LARGE, LARGE]
    assert {file: file.read_bytes() for file in there} == there
    (tmp_path / large).unlink()
    generated(run, tmp_path, "hires=second_pass")
    (tmp_path / low).unlink()
    generated(run, tmp_path, "hires=second_pass")
    assert asked == [small, LARGE, LARGE, LARGE, small]
    assert {file: file.read_bytes() for file in there} == there


def test_another_mark_is_written_to_both(run: Run, tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    generated(run, tmp_path, "hires=second_pass", "provenance=none")
    before = list(asked)
    low, large = generated(run, tmp_path, "hires=second_pass")
    assert asked == before
    assert read_marks((tmp_path / large["file"]).read_bytes()).parents == (file_hash(tmp_path / low["file"]),)


def test_a_program_draws_what_the_command_draws(run: Run, tmp_path: Path) -> None:
    opened = imprint.open(run.folder)
    told: dict[str, Any] = {"seed": 5, "scheduler": "model", "steps": 4, "guidance": 4.0, "device": "cpu"}
    settings = {"factor": 1.5, "tile": RESOLUTION, "overlap": 0.25, "strength": 0.5}
    given = [f"hires.{key}={value}" for key, value in settings.items()]
    [_, by_command] = generated(run, tmp_path, "hires=second_pass", *given)
    ours = opened.generate("a {identifier} {noun}", hires=settings, **told)
    assert by_command["picture"].size == (48, 48)
    assert distance(ours, [by_command["picture"]]) <= ROUNDING
    low = opened.generate("a {identifier} {noun}", hires="none", **told)
    assert low[0].size == (RESOLUTION, RESOLUTION)
    with pytest.raises(ConfigError, match=r"hires\.fctor=2: unknown key; did you mean factor"):
        opened.generate("a dog", hires={"fctor": 2}, **told)
    with pytest.raises(ConfigError, match=r"hires\.tile=37: this model needs a multiple of 8: 32 or 40\."):
        opened.generate("a dog", hires={"tile": 37}, **told)


def test_strength_factor_and_tiles_are_axes_over_one_low_picture(
    run: Run, tmp_path: Path, asked: list[tuple[int, int]]
) -> None:
    axes = ["x.key=hires.strength", "x.values=[0.3,0.8]", "y.key=hires.tile", f"y.values=[{RESOLUTION},48]"]
    drawn = ["seeds=[5]", PROMPT, *TILES, *DRAWING]
    grid(compose("grid", [f"run={run.folder}", f"outputs={tmp_path / 'grid'}", *axes, *drawn]))
    index = json.loads((tmp_path / "grid" / "grid.json").read_text(encoding="utf-8"))["pictures"]
    shown = [(float(entry["x"]), int(entry["y"])) for entry in index]
    assert shown == [(entry["hires"]["strength"], entry["hires"]["tile"]) for entry in index]
    assert asked == [(RESOLUTION, RESOLUTION), *[LARGE] * 4]
    assert len({entry["file"] for entry in index}) == 4
    there = [f"hires.strength={index[0]['x']}", f"hires.tile={index[0]['y']}"]
    [_, expected] = generated(run, tmp_path / "one", *TILES, *there)
    assert Path(index[0]["file"]).name == expected["file"]
    assert distance([Image.open(tmp_path / "grid" / index[0]["file"])], [expected["picture"]]) <= ROUNDING
    by_factor = ["x.key=hires.factor", "x.values=[1.5,3]"]
    grid(compose("grid", [f"run={run.folder}", f"outputs={tmp_path / 'factors'}", *by_factor, *drawn]))
    index = json.loads((tmp_path / "factors" / "grid.json").read_text(encoding="utf-8"))["pictures"]
    assert [entry["size"] for entry in index] == [[48, 48], [96, 96]]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["hires.factor=1", "hires.strength=0"], ["hires.factor=1: ", "hires.strength=0: "]),
        (["hires.strength=1.5", "hires.overlap=0.7"], ["hires.strength=1.5: ", "hires.overlap=0.7: "]),
        (["hires.enlarge=nearest"], ["hires.enlarge='nearest': "]),
        (["hires.strength=0.1"], ["hires.strength=0.1: of 4 steps this leaves none. Give at least 0.25, or more"]),
        (["hires.factor=1.01"], ["hires.factor=1.01: no side of [32, 32] grows by 8. Choose a larger one."]),
        (["hires.factor=400"], ["hires.factor=400.0: 12800 x 12800 pixels are more than the 80 million"]),
        (["size=[36,32]"], ["size=[36, 32]: this model needs multiples of 8."]),
        (["hires.tile=8"], ["hires.tile=8: nothing of it is left beside an overlap of 8 pixels"]),
        (
            ["hires.tile=20", "hires.strength=0.2"],
            ["hires.tile=20: this model needs a multiple of 8: 16 or 24.", "hires.strength=0.2: of 4 steps"],
        ),
    ],
)
def test_what_cannot_be_is_told_before_the_first_picture(
    settings: list[str], expected: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imprint.verbs.generate.combined_model", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(ConfigError) as caught:
        generated(run, tmp_path, "hires=second_pass", *settings)
    for part in expected:
        assert part in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            ["x.key=hires.strength", "x.values=[0.5]"],
            "hires.strength is an axis, and there is no second pass. Add",
        ),
        (["x.key=hires.strength", "x.values=[0.5,2]", "hires=second_pass"], "hires.strength=2.0: "),
        (
            ["x.key=hires.tile", "x.values=[20,28]", "hires=tiles"],
            "hires.tile=20: this model needs a multiple of 8: 16 or 24.\n  - hires.tile=28: ",
        ),
    ],
)
def test_axes_that_cannot_be_are_told(settings: list[str], expected: str, run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        grid(compose("grid", [f"run={run.folder}", f"outputs={tmp_path}", *DRAWING, *settings]))
    assert expected in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_every_command_of_the_guide_can_be_given() -> None:
    guide = (ROOT / "docs" / "high_resolution.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 4
    for line in lines:
        program, verb, *arguments = shlex.split(line, comments=True)
        assert program == "imprint"
        kind = {"generate": Request, "grid": GridRequest}[verb]
        assert read_picture_request(kind, compose(verb, as_overrides(verb, arguments))).hires is not None
