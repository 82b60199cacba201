"""Pictures along two axes: each is what generate draws, and each is drawn once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composed import compose
from drawing import ROUNDING, distance
from PIL import Image
from results import drawn
from small_runs import configure

from imprint.errors import ConfigError, UserError
from imprint.models.families.sd import StableDiffusion
from imprint.results.combine import CombinedModel
from imprint.runs import Run
from imprint.verbs.generate import generate
from imprint.verbs.grid import grid
from imprint.verbs.train import train

DRAWING = ["scheduler=model", "steps=3", "guidance=4", "accelerator=cpu"]
LORA = ["method=lora", "method.roles=[denoiser,text]", "hparams.clip=null"]


@pytest.fixture(scope="module")
def runs(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two ranks and two rates, but one."""
    folder = tmp_path_factory.mktemp("runs")
    for rank, rate in ((2, "2e-2"), (2, "5e-2"), (4, "2e-2")):
        train(configure(tiny_sd, pictures, folder, *LORA, f"method.rank={rank}", f"method.lr={rate}"))
    return folder


@pytest.fixture
def run(runs: Path) -> Run:
    return found(runs, rank=2, lr=2e-2)


def found(runs: Path, **settings: Any) -> Run:
    for manifest in runs.glob("*/manifest.json"):
        method = json.loads(manifest.read_text(encoding="utf-8"))["config"]["method"]
        if all(method[key] == value for key, value in settings.items()):
            return Run(manifest.parent)
    raise AssertionError(settings)


def made(folder: Path, *settings: str) -> dict[str, Any]:
    """The index of a grid."""
    page = grid(compose("grid", [f"outputs={folder}", *DRAWING, *settings]))
    assert page == folder / "index.html"
    content: dict[str, Any] = json.loads((folder / "grid.json").read_text(encoding="utf-8"))
    return content


def test_each_picture_is_what_generate_draws(run: Run, tmp_path: Path) -> None:
    axes = ["x.key=scale.text", "x.values=[0,0.5,1]", "y.key=scale.unet", "y.values=[0,1]"]
    index = made(tmp_path / "grid", f"run={run.folder}", "seeds=[0,5]", "prompt='a sks dog'", *axes)
    assert len(index["pictures"]) == 12
    for entry in index["pictures"]:
        scale = entry["scale"]
        assert (float(entry["x"]), float(entry["y"])) == (scale["text"], scale["denoiser"])
        there = [f"scale.denoiser={scale['denoiser']}", f"scale.text={scale['text']}", f"seeds=[{entry['seed']}]"]
        expected = drawn([run], tmp_path / f"{entry['x']}-{entry['y']}-{entry['seed']}", "prompt='a sks dog'", *there)
        assert distance([Image.open(tmp_path / "grid" / entry["file"])], expected) <= ROUNDING
    assert len({entry["file"] for entry in index["pictures"]}) == 12


def test_generate_adds_to_what_is_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def generated(*settings: str) -> dict[str, bytes]:
        folder = generate(compose("generate", [f"run={run.folder}", f"outputs={tmp_path}", *DRAWING, *settings]))
        assert folder == tmp_path
        return {file.name: file.read_bytes() for file in tmp_path.glob("*.png")}

    one = generated("prompt='a {identifier} dog'", "seeds=[0]")
    two = generated("prompt='a red {identifier}'", "seeds=[0]")
    stronger = generated("prompt='a {identifier} dog'", "seeds=[0,1]", "guidance=2")
    assert (len(one), len(two), len(stronger)) == (1, 2, 4)
    assert len(set(stronger.values())) == 4
    assert {name: stronger[name] for name in two} == two
    assert {name: two[name] for name in one} == one
    index = json.loads((tmp_path / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    told = [(entry["prompt"], entry["seed"], entry["sampler"]["guidance"]) for entry in index]
    assert told == [("a sks dog", 0, 4), ("a red sks", 0, 4), ("a sks dog", 0, 2), ("a sks dog", 1, 2)]
    assert {entry["file"] for entry in index} == set(stronger)
    monkeypatch.setattr("imprint.verbs.generate.combined_model", lambda *_, **__: pytest.fail("all of it was there"))
    assert generated("prompt='a {identifier} dog'", "seeds=[1]", "guidance=2") == stronger


def test_nothing_is_drawn_or_loaded_twice(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    draw, load = StableDiffusion.generate, CombinedModel.__init__
    loads: list[Any] = []

    def counted(self: Any, prompts: Any, seeds: Any, **rest: Any) -> Any:
        asked.append(len(prompts))
        return draw(self, prompts, seeds, **rest)

    def counted_load(self: CombinedModel, *arguments: Any) -> None:
        loads.append(arguments)
        load(self, *arguments)

    monkeypatch.setattr(StableDiffusion, "generate", counted)
    monkeypatch.setattr(CombinedModel, "__init__", counted_load)
    first = ["x.key=scale.unet", "x.values=[0,1]", "y.key=prompt", "y.values=['a {identifier} {noun}','a dog']"]
    made(tmp_path, f"run={run.folder}", "seeds=[0,1]", *first)
    assert (asked, len(loads)) == ([4, 4], 1)
    made(tmp_path, f"run={run.folder}", "seeds=[0,1]", *first)
    assert (asked, len(loads)) == ([4, 4], 1)
    made(tmp_path, f"run={run.folder}", "seeds=[0,1]", "x.key=scale.unet", "x.values=[0,0.5,1]", *first[2:])
    assert (asked, len(loads)) == ([4, 4, 4], 2)


def test_settings_of_runs_are_axes_and_a_missing_run_an_empty_cell(runs: Path, tmp_path: Path) -> None:
    index = made(tmp_path, f"runs={runs}", "x.key=method.rank", "y.key=method.lr", "prompt=['a {identifier}','a dog']")
    assert index["x"]["values"] == ["2", "4"]
    assert index["y"]["values"] == ["0.02", "0.05"]
    assert set(index["sheets"].values()) == {"a sks", "a dog"}
    for entry in index["pictures"]:
        if (entry["x"], entry["y"]) == ("4", "0.05"):
            assert entry["file"] is None
        else:
            assert entry["runs"] == [found(runs, rank=int(entry["x"]), lr=float(entry["y"])).folder.name]
    for name in index["sheets"]:
        assert len(np.unique(np.asarray(Image.open(tmp_path / name)))) > 10
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/webp;base64,") == 6
    assert page.count("no run") == 2
    assert "http" not in page.replace("http-equiv", "")


def test_a_setting_of_runs_goes_with_a_way_of_drawing(runs: Path, tmp_path: Path) -> None:
    index = made(tmp_path, f"runs={runs}", "x.key=method.lr", "y.key=seed", "y.values=[3,4]", "x.values=[5e-2]")
    assert [(entry["x"], entry["seed"]) for entry in index["pictures"]] == [("0.05", 3), ("0.05", 4)]


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ("guidance", "[1,4]"),
        ("steps", "[1,2]"),
        ("scheduler", "[DDIMScheduler,EulerDiscreteScheduler]"),
        ("negative_prompt", "['a cat','the snow']"),
        ("weights", "[[1],[0.3]]"),
        ("seed", "[3,9]"),
    ],
)
def test_every_way_of_drawing_is_an_axis(axis: str, values: str, run: Run, tmp_path: Path) -> None:
    index = made(tmp_path, f"run={run.folder}", "prompt='a {identifier} {noun}'", f"x.key={axis}", f"x.values={values}")
    one, other = (Image.open(tmp_path / entry["file"]) for entry in index["pictures"])
    assert distance([one], [other]) > 0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["run=null", "x.key=seed", "x.values=[1]"], "give either run"),
        (["x.key=sede", "x.values=[1]"], "x.key='sede': did you mean seed"),
        (["x.key=seed"], "x.values=None: say which values of seed"),
        (["x.key=seed", "x.values=[one]"], "x.values='one': a value of seed is a whole number"),
        (["x.key=seed", "x.values=[1]", "y.key=seed", "y.values=[2]"], "y.key='seed': the other axis has it"),
        (["x.key=method.rank"], "needs runs="),
        (["x.key=prompt", "x.values=['a {subject}']"], "only {identifier} and {noun}"),
    ],
)
def test_mistakes_are_told(settings: list[str], expected: str, run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        made(tmp_path, f"run={run.folder}", *settings)
    assert expected in str(caught.value)


def test_several_runs_for_one_cell_are_refused_by_name(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, f"runs={runs}", "x.key=method.rank")
    for lr in (2e-2, 5e-2):
        assert found(runs, rank=2, lr=lr).folder.name in str(caught.value)
    assert "differ in method.lr" in str(caught.value)


def test_a_strength_that_cannot_be_is_told_before_the_first_picture(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights=\(1\.0, 2\.0\)|weights="):
        made(tmp_path, f"run={run.folder}", "x.key=weights", "x.values=[[1],[1,2]]")
    assert not (tmp_path / "pictures").exists()
