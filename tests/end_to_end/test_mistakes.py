"""Ordinary mistakes at the command line: one message with key, value and remedy, and nothing is left behind."""

from pathlib import Path

import pytest
from command import Typed, typed_with

SEEDS = ("x.key=seed", "x.values=[0]")


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Typed in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return typed_with(capfd)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["generate"], "run has no value; give run="),
        (["generate", "prompt=a dog"], "run has no value; give run="),
        (["export"], "run has no value; give run="),
        (["merge"], "out has no value; give out="),
        (["report"], "folder has no value; give folder="),
        (["generate", "typo/run"], "no run here"),
        (["export", "typo/run"], "run='typo/run': there is no such folder"),
        (["merge", "typo/run", "typo/other", "out=x"], "no run here"),
        (["grid", "typo/run", "x.key=seed", "x.values=[0]"], "no run here"),
        (["grid"], "give either run=... or runs=..."),
        (["report", "typo"], "No run lies in"),
        (["train", "outputs=null"], "outputs=None: input should be a valid string"),
        (["train", "outputs=[a]"], "outputs=['a']: input should be a valid string"),
        (["train", "outputs=x", "hparams.steps=0"], "hparams.steps=0"),
        (["adopt", "none.safetensors", "outputs=x", "dataset.path=y", "dataset.class_noun=dog"], "no such file"),
        (["train", "outputs=/etc/passwd/x"], "outputs='/etc/passwd/x': /etc/passwd is no folder"),
        (["train", "evaluation=null"], "write evaluation=none"),
        (["train", "experiment=null"], "leave it out, or choose one: demo"),
        (["train", "method=lorra"], "method='lorra': there is no such choice; did you mean lora"),
        (["train", "method=lora,dreambooth"], "a grid, which needs -m"),
        (["train", "dataset.path=[josé"], "\"dataset.path='...'\""),
        (["generate", "-dash"], "written as ./NAME"),
        (["generate", "a=b/run"], "if it is a path, write run=a=b/run"),
        (["grid", "runs=typo", *SEEDS, "scale.txt=1"], "scale.txt=1: unknown key; did you mean scale.text"),
        (["grid", "runs=typo", *SEEDS, "hires.tile=64"], "with hires=none there is none. Choose second_pass or tiles."),
    ],
    ids=str,
)
def test_it_is_one_message_and_no_folder(command: list[str], expected: str, typed: Typed, tmp_path: Path) -> None:
    said = typed(*command)
    assert said.code == 1
    assert expected in said.text
    assert "Traceback" not in said.text
    assert len(said.text.strip().splitlines()) <= 4
    assert not list(tmp_path.iterdir())


def test_a_path_is_typed_as_it_is_called(typed: Typed, tmp_path: Path) -> None:
    name = "josé's=(1)"
    said = typed("train", "dataset=folder", f"dataset.path={tmp_path}/{name}", "dataset.class_noun=dog")
    assert f"{tmp_path}/{name}" in said.text
    assert "there is no such folder" in said.text


@pytest.mark.parametrize("name", ["a=b", "~name", r"a\b", "dog's"])
def test_a_folder_with_signs_in_its_name_is_found(name: str, typed: Typed, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    assert f"No run lies in {tmp_path / name}." in typed("report", name).text


def test_of_a_grid_each_value_is_quoted_by_itself(typed: Typed) -> None:
    said = typed("train", "-m", "dry_run=true", "dataset.identifier=josé,zoë", "outputs=ä").text
    assert "2 points" in said
    assert "dataset.identifier='zoë'" in said


def test_a_cache_that_cannot_be_used_is_named_with_its_variable(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "file"))
    settings = ["report=local", "report.progress=off", "prior=generated", "prior.count=1"]
    said = typed("train", "hparams.steps=1", *settings)
    assert said.code == 1
    assert "Set IMPRINT_CACHE to a folder that can be written to." in said.text
    assert "Traceback" not in said.text


def test_a_folder_beside_is_no_group(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("{}", encoding="utf-8")
    assert "no run here" in typed("export", "run=run").text
