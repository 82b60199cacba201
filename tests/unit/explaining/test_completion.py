"""What TAB offers."""

from pathlib import Path

import pytest

from imprint.explaining.completion import candidates


def offered(line: str) -> list[str]:
    return candidates(
        line, verbs=["train", "generate"], with_places=["generate"], topics=["method.lora", "train"], own=None
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("imprint tr", ["train"]),
        ("imprint train method=do", []),
        ("imprint train method=dr", ["method=dreambooth"]),
        ("imprint train -m method=lora,dre", ["method=lora,dreambooth"]),
        ("imprint train meth", ["method.", "method="]),
        ("imprint train method=lora method.use_r", ["method.use_rslora="]),
        ("imprint train method.use_r", []),
        ("imprint train name='two words' trainer.cac", ["trainer.cache="]),
        ("imprint train name='two wo", []),
        ("imprint train trainer.cache=", ["trainer.cache=false", "trainer.cache=true"]),
        ("imprint train --config-d", ["--config-dir"]),
        ("imprint train method=nonsense hparams.st", ["hparams.steps="]),
        ("imprint help me", ["method.lora"]),
        ("imprint completion f", ["fish"]),
        ("imprint nonsense a", []),
    ],
)
def test_names_and_choices(line: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where nothing lies
    assert offered(line) == words


def test_a_new_word_begins_after_a_space() -> None:
    assert "hparams." in offered("imprint train method=lora ")
    assert offered("imprint ")[:2] == ["train", "generate"]


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outputs" / "run one").mkdir(parents=True)
    (tmp_path / "outputs" / ".hidden").mkdir()
    monkeypatch.chdir(tmp_path)
    assert offered("imprint generate out") == ["outputs=", "outputs/"]
    assert offered("imprint generate outputs/") == ["outputs/run one/"]
    assert offered("imprint train dataset.path=out") == ["dataset.path=outputs/"]
    assert offered("imprint train out") == ["outputs="]
