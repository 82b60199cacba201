"""Texts as Hydra's overrides."""

import os
import re
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from imprint.config import choices
from imprint.errors import ConfigError, UserError
from imprint.overrides import as_override, check_letters, check_overrides, quoted, shortened


def written(text: str, *, sweeps: bool = False) -> str:
    return as_override(text, texts=("prompt",), sweeps=sweeps)


@pytest.mark.parametrize(
    "text", ["a/josé", "dog's", "a=b", "a[1]", "a{1}", "a(1)", "<toy>", "x#y!", "two\nlines", "é\\"]
)
def test_a_text_that_hydra_refuses_is_read_as_it_is(text: str) -> None:
    assert OverridesParser.create().parse_override(written(f"key={text}")).value() == text


@pytest.mark.parametrize(
    "text",
    [
        *("seed=1", "method.lr=1e-4,3e-4", "+new=x", "~samples", "key='it is'", "key=[a,b]", "key={a: 1}"),
        *("key=range(1,3)", "key=${oc.env:HOME}", "key=a b", "key=null", r"key=C:\x"),
    ],
)
def test_what_hydra_reads_stays(text: str) -> None:
    assert written(text) == text


def test_a_sentence_keeps_its_commas_and_a_grid_its_values() -> None:
    assert written("prompt=a dog, sat") == "prompt='a dog, sat'"
    assert written("key=é,b,c=d", sweeps=True) == "key='é',b,'c=d'"
    assert written("key=é,b") == "key='é,b'"


@pytest.mark.parametrize("text", ["${oc.env:HOME}", r"a \${x} b", r"\\${x}", "it's ${a:'b'}", "${", "$"])
def test_a_quoted_text_refers_to_nothing(text: str) -> None:
    value = OverridesParser.create().parse_override(f"key={quoted(text)}").value()
    assert OmegaConf.create({"key": value}).key == text


@pytest.mark.parametrize("text", ["prior=-1", "prior=true", "prior=1.5", "~method=1.5"])
def test_a_group_is_set_to_a_name(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has a name|leaves it out"):
        check_overrides([text], sweeps=False, own=tmp_path)
    check_overrides(["~method", "~method=lora", "hparams={steps: 7}", "prior=none"], sweeps=False, own=tmp_path)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    given = ["key=[é", "seed=1,2", "prior=null", "method=lorra", "experiment=demo", "hparams={steps: 7}"]
    with pytest.raises(ConfigError) as caught:
        check_overrides(given, sweeps=False, own=tmp_path)
    assert [str(problem).partition("=")[0] for problem in caught.value.problems] == ["key", "seed", "prior", "method"]
    check_overrides(["seed=1,2", "method=lora"], sweeps=True)


def test_choices_of_the_users_own_are_choices(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text("_target_: my.Method\n", encoding="utf-8")
    check_overrides(["method=mine"], sweeps=False, own=tmp_path)
    check_overrides(["method=theirs", "hydra.searchpath=[file:///elsewhere]"], sweeps=False)
    with pytest.raises(ConfigError, match="no such choice"):
        check_overrides(["method=mine"], sweeps=False)


def test_what_others_only_start_from_is_no_choice() -> None:
    assert {"lora", "dreambooth"} <= set(choices("method"))
    assert not {"adapters", "words"} & set(choices("method"))
    assert "none" in choices("evaluation")
    assert choices("seed") == []


def test_letters_that_the_terminal_lacks_are_told() -> None:
    with pytest.raises(UserError, match=re.escape("outputs=ü: this terminal's encoding")):
        check_letters(["outputs=" + os.fsencode("ü").decode("ascii", "surrogateescape")])
    check_letters(["outputs=ü"])


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("method.lr=0.00012520653814999459", "method.lr=0.0001252"),
        ("method.lr=1e-4", "method.lr=1e-4"),
        ("method.lr=0.00025", "method.lr=0.00025"),
        ("seed=1234567890", "seed=1234567890"),
        ("name=v1.2345678", "name=v1.2345678"),
    ],
)
def test_only_numbers_that_nobody_reads_are_shortened(override: str, read: str) -> None:
    assert shortened(override) == read
