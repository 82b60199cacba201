"""Whatever is typed: what it says, or a message; never a stack trace, and nothing in the terminal but text."""

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hostile.answers import STEERING, answer, check_message, folder_in
from hostile.budget import examples
from hostile.invented import json_values, numbers, texts
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from imprint import cli
from imprint.overrides import as_override, check_overrides, in_quotes, quoted

KEYS = [
    "seed",
    "name",
    "outputs",
    "method.lr",
    "method.rank",
    "method",
    "model",
    "model.sampler",
    "model.sampler.steps",
]
KEYS += ["dataset.identifier", "dataset.class_noun", "hparams", "hparams.steps", "prior", "evaluation", "experiment"]
KEYS += ["samples.prompts", "method.templates", "sweep.name", "report.loggers", "trainer.precision", "hydra.job.name"]
VALUES = [
    "",
    "null",
    "[]",
    "{}",
    "[a",
    "{a:",
    "'",
    '"',
    "${seed}",
    "${nothing}",
    "${oc.env:NOTHING}",
    "${",
    "a,b",
    "???",
]
VALUES += [
    "range(1,3)",
    "glob(*)",
    "sort(3,1)",
    "int(a)",
    "{a:{b:[1,'x']}}",
    "nan",
    "1e999",
    "0x10",
    "true",
    "\\",
    "a b",
]

sayable = texts.map(lambda text: text.encode("utf-8", "ignore").decode().replace("\0", ""))
values = st.one_of(
    st.sampled_from(VALUES), sayable, json_values.map(json.dumps), numbers.map(str), sayable.map(in_quotes)
)
keys = st.one_of(st.sampled_from(KEYS), sayable)
marks = st.sampled_from(["", "", "", "+", "++", "~"])
arguments = st.one_of(
    st.builds(lambda mark, key, value: f"{mark}{key}={value}", marks, keys, values),
    sayable,
    st.sampled_from(["-m", "--x"]),
)


@given(text=st.text())
@example(text="\\'")
@example(text="a\\")
@example(text="\\\\'\\")
def test_a_text_in_quotes_is_that_text(text: str) -> None:
    for written in (in_quotes(text), quoted(text)):
        [override] = OverridesParser.create().parse_overrides([f"key={written}"])
        assert override.value() == text


@examples(1)
@given(typed=st.lists(arguments, max_size=3), sweeps=st.booleans())
def test_each_is_read_or_named(typed: list[str], sweeps: bool) -> None:
    answer(lambda: cli.as_overrides("train", typed), lines=3)
    answer(lambda: cli.as_overrides("generate", typed), lines=3)
    written = [as_override(text, texts=("prompt",), sweeps=sweeps) for text in typed]
    answer(lambda: check_overrides(written, sweeps=sweeps), lines=6)


def said(verb: str, typed: Sequence[str]) -> tuple[int, str]:
    """The exit code, and what is in the terminal."""
    terminal = io.StringIO()
    with redirect_stderr(terminal), redirect_stdout(terminal):
        try:
            code = cli.run(verb, typed)
        except SystemExit as exit:  # of the parser of options
            code = int(exit.code or 0)
    return code, terminal.getvalue()


def check_train(folder: Path, typed: Sequence[str]) -> None:
    code, text = said("train", [f"outputs={in_quotes(str(folder / 'outputs'))}", "dry_run=true", *typed])
    if code:
        check_message(text, lines=20)
    assert not STEERING.search(text)
    assert "Traceback" not in text
    assert not (folder / "outputs").exists()


@examples(0.05, shrinks=False)
@example(typed=["prior=-1", "~method=1.5"])
@given(
    typed=st.lists(
        st.builds(lambda mark, key, value: f"{mark}{key}={value}", marks, st.sampled_from(KEYS), values),
        min_size=1,
        max_size=2,
    )
)
def test_a_command_does_something_or_says_why_not(ground: Path, typed: list[str]) -> None:
    with folder_in(ground) as folder:
        check_train(folder, typed)


@pytest.mark.parametrize("value", ["\x1b[31mred\x1b]0;title\x07", "../../../elsewhere"])
def test_names_that_nobody_wants(ground: Path, value: str) -> None:
    with folder_in(ground) as folder:
        check_train(folder, [f"name={in_quotes(value)}", f"dataset.identifier={in_quotes(value)}"])
