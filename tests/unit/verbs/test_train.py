"""imprint train: what it says at its end."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from imprint.command_line import VERBS, as_overrides
from imprint.runs import Run
from imprint.verbs.train import next_steps


def test_the_next_commands_can_be_typed_where_it_was_trained(
    finished: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(
        "method=lora", "samples=default", "samples.prompts=['a {identifier} {noun}: red']", "samples.seeds=[0]"
    )
    monkeypatch.chdir(run.folder.parent)
    [shown, *commands] = next_steps(run)
    assert Path(shown.split()[-1]).is_file()
    assert commands
    for line in commands:
        _, program, verb, *arguments = shlex.split(line)
        assert program == "imprint"
        assert verb in VERBS
        assert f"run='{run.folder.name}'" in as_overrides(verb, arguments)


def test_without_samples_no_sheet_is_named(finished: Callable[..., Run]) -> None:
    assert not [line for line in next_steps(finished("method=lora")) if "sheet.png" in line]
