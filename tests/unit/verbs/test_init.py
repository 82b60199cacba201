"""imprint init: a project whose own conf/ is found inside of it, if it was made or trusted here."""

import json
import os
from pathlib import Path

import pytest
from command import Typed, typed_with

from imprint.explaining.completion import candidates
from imprint.projects import MARK, is_trusted, own_conf, project_above

EVIL = "_target_: subprocess.Popen\nargs: [touch, ran]\n"


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return typed_with(capfd)


def of_others(folder: Path) -> Path:
    """A project as it comes from elsewhere."""
    (folder / "conf/method").mkdir(parents=True)
    (folder / MARK).touch()
    (folder / "conf/method/theirs.yaml").write_text(EVIL, encoding="utf-8")
    return folder


@pytest.mark.parametrize("inside", [".", "photos"])
def test_what_a_project_says_is_found_without_flags(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    said = typed("init", "my, [odd] rex", "noun=sheep dog", "usual.model=mini", "usual.method=lora")
    assert said.code == 0, said.text
    project = tmp_path / "my, [odd] rex"
    monkeypatch.chdir(project / inside)
    for arguments in (["--cfg", "job"], ["--help"]):
        said = typed("train", *arguments)
        assert said.code == 0, said.text
        assert "sheep dog" in said.text
        assert "imprint.methods.lora.LoRA" in said.text or "method=lora" in said.text
    said = typed("train", "hparams.stepz=4")
    assert "did you mean hparams.steps" in said.text
    found = candidates("imprint train dataset=my", verbs=["train"], with_places=[], topics=[], own=project / "conf")
    assert found == ["dataset=my-odd-rex"]


def test_help_and_completion_know_what_a_project_adds(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed("init", "rex", "noun=dog").code == 0
    mine = "# A LoRA for rex.\ndefaults: [lora, _self_]\n\nrank: 7  # a lucky one\n"
    (tmp_path / "rex/conf/method").mkdir()
    (tmp_path / "rex/conf/method/mine.yaml").write_text(mine, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "rex/photos")
    for word in ("method.mine", "mine"):
        page = typed("help", word).text
        assert "A LoRA for rex." in page
        assert "method.rank=7" in page
        assert "method.targets=" in page  # of what it begins with
    assert "  mine " in typed("help", "method").text
    assert "mine," in typed("train", "--help").text
    assert typed("completion", "line", "imprint help method.mi").text.strip() == "method.mine"


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe"])
def test_help_goes_on_without_a_file_that_cannot_be_read(
    content: bytes, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed("init", "rex", "noun=dog").code == 0
    (tmp_path / "rex/conf/method").mkdir()
    (tmp_path / "rex/conf/method/broken.yaml").write_bytes(content)
    monkeypatch.chdir(tmp_path / "rex")
    said = typed("help", "method.lora")
    assert said.code == 0, said.text
    assert "low-rank matrices" in said.text
    assert "Traceback" not in typed("help", "method.broken").text


def test_a_project_whose_yaml_is_broken_is_told_by_its_file(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed("init", "rex", "noun=dog").code == 0
    (tmp_path / "rex/conf/local/default.yaml").write_text("a: [", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "rex")
    for command in (["train"], ["train", "--help"], ["help", "method"]):
        said = typed(*command)
        assert said.code == 1
        assert "default.yaml" in said.text


def test_what_is_made_is_what_a_training_takes(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("init", "rex", "noun=dog", "usual.model=mini")
    monkeypatch.chdir(tmp_path / "rex")
    said = typed("train", "dry_run=true")
    assert said.code == 1
    assert "photos" in said.text
    assert "no picture" in said.text or "empty" in said.text, said.text


def test_nothing_is_overwritten(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    (tmp_path / ".gitignore").symlink_to(tmp_path / "nowhere")
    said = typed("init", "usual.model=mini")
    assert said.code == 0, said.text
    assert f"Left as it is: {tmp_path / 'README.md'}" in said.text
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "nowhere").exists()
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.yaml")}
    assert typed("init", "usual.model=sdxl").code == 0
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*.yaml")}


def test_a_project_of_others_is_not_used_until_it_is_trusted(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = of_others(tmp_path / "theirs")
    monkeypatch.chdir(project)
    said = typed("train", "method=theirs", "dry_run=true")
    assert said.code == 1
    assert f"{project / 'conf'} is not used" in said.text
    assert f"imprint init {project} trust=true" in said.text
    assert not (project / "ran").exists()
    assert own_conf(project) is None
    said = typed("init")
    assert said.code == 1
    assert "trust=true" in said.text
    assert typed("init", "trust=true").code == 0
    assert own_conf(project) == project / "conf"
    assert "subprocess.Popen" in typed("train", "method=theirs", "--cfg", "job").text


def test_a_conf_that_is_there_already_is_not_made_a_project_by_the_way(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "conf/method").mkdir(parents=True)
    said = typed("init")
    assert said.code == 1
    assert "Read it; then give trust=true" in said.text
    assert not (tmp_path / MARK).exists()
    assert typed("init", "trust=true").code == 0


def test_a_named_configuration_comes_before_the_project(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed("init", "rex", "noun=dog", "usual.model=mini")
    monkeypatch.chdir(tmp_path / "rex")
    (tmp_path / "other/local").mkdir(parents=True)
    (tmp_path / "other/local/default.yaml").write_text("# @package _global_\nseed: 41\n", encoding="utf-8")
    said = typed("train", "--config-dir", str(tmp_path / "other"), "--cfg", "job")
    assert "seed: 41" in said.text
    assert "photos\n" not in said.text


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners have no numbers here")
def test_trust_is_of_a_path_and_its_owner(typed: Typed, tmp_path: Path) -> None:
    typed("init", "rex", "noun=dog")
    project = tmp_path / "rex"
    assert is_trusted(project)
    assert project_above(project / "photos") == project.resolve()
    project.rename(tmp_path / "moved")
    assert not is_trusted(tmp_path / "moved")
    registry = tmp_path / "config/imprint/projects.json"
    [entry] = json.loads(registry.read_text(encoding="utf-8"))
    registry.write_text(json.dumps([{**entry, "path": str(tmp_path / "moved"), "owner": entry["owner"] + 1}]))
    assert not is_trusted(tmp_path / "moved")


def test_a_damaged_list_of_projects_is_told(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("init", "rex")
    registry = tmp_path / "config/imprint/projects.json"
    registry.write_text("[{", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "rex")
    said = typed("train", "--cfg", "job")
    assert said.code == 1
    assert str(registry) in said.text
    assert "Remove it" in said.text


def test_all_mistakes_at_once_and_nothing_written(typed: Typed, tmp_path: Path) -> None:
    said = typed("init", "rex", "usual.model=sdxxl", "usual.method=loraa")
    assert said.code == 1
    assert "sdxl" in said.text
    assert "lora" in said.text
    assert not (tmp_path / "rex").exists()
