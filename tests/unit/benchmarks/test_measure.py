"""Rounds, ratios, and the files that keep them. How fast anything is, is not asserted."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

Module = Callable[[str], Any]


@pytest.fixture
def fake(module: Module, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A case whose sides take what they are said to, one value a round."""
    task = module("task")
    monkeypatch.setattr(module("measure"), "prepare", lambda size, folder: task.Material(
        size=size, resolution=32, model=folder, weights="none", pictures=folder, class_pictures=folder
    ))  # fmt: skip

    def make(sides: Mapping[str, list[dict[str, float]]], order: list[str] | None = None, **settings: Any) -> Any:
        base = module("cases.base")

        def side(name: str, several: list[dict[str, float]]) -> Callable[[Any], dict[str, float]]:
            def measured(setting: Any) -> dict[str, float]:
                assert not list(setting.scratch.iterdir())
                (setting.scratch / "left behind").touch()
                if order is not None:
                    order.append(name)
                return several[setting.round]

            return measured

        keys = next(iter(sides.values()))[0]
        given: dict[str, Any] = {
            "name": "case",
            "size": "tiny",
            "title": "A case",
            "rounds": 3,
            "quantities": {key: base.Quantity(f"the {key}", target=0.5) for key in keys},
            "sides": {name: side(name, several) for name, several in sides.items()},
        }
        return base.Case(**{**given, **settings})

    return make


def measured(module: Module, case: Any) -> dict[str, Any]:
    result = module("measure").measure(
        case, rounds=None, clock="cpu", threads=1, precision="32", tell=lambda line: None
    )
    return {"command": "none", **result}


def test_sides_take_turns_and_ratios_are_of_rounds(fake: Callable[..., Any], module: Module) -> None:
    order: list[str] = []
    sides = {"imprint": [{"step": 1.0}, {"step": 2.0}, {"step": 9.0}], "peer": [{"step": 4.0}] * 3}
    result = measured(module, fake(sides, order))
    assert order == ["imprint", "peer", "peer", "imprint", "imprint", "peer"]
    assert result["medians"] == {"imprint": {"step": 2.0}, "peer": {"step": 4.0}}
    assert result["ratios"]["peer"]["step"] == {"median": 0.5, "lowest": 0.25, "highest": 2.25, "met": True}


@pytest.mark.parametrize(
    ("figure", "keys"),
    [("curve", ["1", "4"]), ("quality", [f"{key}-{n}" for n in (5, 9) for key in ("seconds", "dino", "clip_t")])],
)
def test_the_page_shows_tables_targets_and_figures(
    figure: str, keys: list[str], fake: Callable[..., Any], module: Module, tmp_path: Path
) -> None:
    keeping = module("keeping")
    slow = {"imprint": [{"step": 3.0}] * 3, "peer": [{"step": 4.0}] * 3}
    drawn = {"imprint": [dict.fromkeys(keys, 1.0)] * 3, "plain": [dict.fromkeys(keys, 2.0)] * 3}
    for case in (fake(slow), fake(drawn, name="drawn", figure=figure, axis="points")):
        keeping.keep(measured(module, case), keeping.file_of(tmp_path, case.name, list(case.sides)))
    page = keeping.write_page(tmp_path).read_text()
    assert "| A case: the step | tiny | 3 s | peer | 4 s | **0.75** | 0.75 to 0.75 | ≤ 0.50 | no |" in page
    assert "![A case](drawn-plain.svg)" in page
    assert (tmp_path / "drawn-plain.svg").is_file()
    for private in (str(tmp_path), str(Path.home())):
        assert private not in page


def test_the_page_says_which_machine_it_was(fake: Callable[..., Any], module: Module, tmp_path: Path) -> None:
    keeping = module("keeping")
    for name, processor in (("first", "one"), ("second", "another")):
        result = measured(
            module, fake({"imprint": [{"step": 1.0}] * 3, "peer": [{"step": 4.0}] * 3}, name=name, title=name)
        )
        result["circumstances"] = {**result["circumstances"], "processor": processor}
        keeping.keep(result, keeping.file_of(tmp_path, name, ["imprint", "peer"]))
    page = keeping.write_page(tmp_path).read_text()
    assert "- [1] one (" in page
    assert "- [2] another (" in page
    assert "| first: the step [1] |" in page
    assert "| second: the step [2] |" in page


def test_what_was_measured_with_this_code_is_passed_over(
    fake: Callable[..., Any], module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    case = fake({"imprint": [{"step": 1.0}], "peer": [{"step": 2.0}]}, order, rounds=1)
    monkeypatch.setattr(module("cases"), "every_case", lambda peer: {"case": case})
    monkeypatch.setattr(module("record"), "code", lambda: "this")
    run = module("run").main
    run(["case", f"--out={tmp_path}"])
    run(["case", f"--out={tmp_path}"])
    assert order == ["imprint", "peer"]
    run(["case", f"--out={tmp_path}", "--again"])
    monkeypatch.setattr(module("record"), "code", lambda: "that")
    run(["case", f"--out={tmp_path}"])
    assert len(order) == 6
    [kept] = tmp_path.glob("*/case.json")
    assert json.loads(kept.read_text())["command"].startswith("python benchmarks/run.py case --clock=")


def test_a_case_that_fails_leaves_the_others(
    fake: Callable[..., Any], module: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(setting: Any) -> dict[str, float]:
        raise RuntimeError("it broke")

    good = fake({"imprint": [{"step": 1.0}], "peer": [{"step": 2.0}]}, rounds=1)
    bad = replace(good, name="bad", sides={"imprint": broken})
    monkeypatch.setattr(module("cases"), "every_case", lambda peer: {"bad": bad, "good": good})
    with pytest.raises(SystemExit, match="failed: bad"):
        module("run").main(["*", f"--out={tmp_path}"])
    assert len(list(tmp_path.glob("*/*.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--peer=/nowhere"], "this is no checkout of diffusers"), (["no-such-case"], "there is no such case")],
)
def test_what_cannot_be_measured_is_said(
    arguments: list[str], words: str, module: Module, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        module("run").main(arguments)
    assert words in capsys.readouterr().err
