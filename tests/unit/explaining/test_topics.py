"""imprint help: what it finds, and that everything in conf/ is explained."""

import pytest

from imprint.command_line import VERBS
from imprint.config import choices
from imprint.errors import UserError
from imprint.explaining import pages
from imprint.explaining.settings import sections
from imprint.explaining.topics import Help

HELP = Help({name: verb.summary for name, verb in VERBS.items()})


@pytest.mark.parametrize("verb", VERBS)
def test_every_setting_of_a_verb_is_explained(verb: str) -> None:
    empty = {"none", "null", ""}
    unexplained = [
        setting.key
        for section in sections(verb)
        for setting in section.settings
        if not setting.comment and section.chosen not in empty and ".prompts." not in setting.key
    ]
    assert not unexplained


@pytest.mark.parametrize("group", ["method", "prior", "objective", "optimizer", "trainer", "dataset", "provenance"])
def test_every_choice_says_what_it_is(group: str) -> None:
    page = HELP.page([group])
    for name in choices(group):
        if "/" not in name:
            assert f"  {name} " in page, f"conf/{group}/{name}.yaml begins with no comment"


@pytest.mark.parametrize("written", ["method.lora", "method=lora", "method/lora", "lora"])
def test_a_choice_is_explained_with_what_it_begins_with(written: str) -> None:
    page = HELP.page([written])
    assert "low-rank matrices" in page
    assert "method.rank=4" in page  # of adapters.yaml, without the recipe of any model
    assert "rsLoRA" in page


def test_a_verb_is_explained_with_what_was_chosen() -> None:
    page = HELP.verb("train", ["method=lora", "hparams.steps=7"])
    assert "method=lora; also" in page
    assert "hparams.steps=7" in page
    assert "use_rslora" in page
    assert "use_rslora" not in HELP.verb("train", [])


def test_a_setting_is_found_by_its_own_name() -> None:
    page = HELP.page(["keep_parts"])
    assert "trainer.keep_parts=all" in page
    assert "encode captions and pictures first" in " ".join(page.split())


def test_what_is_not_there_has_neighbours() -> None:
    with pytest.raises(UserError, match=r"hparams\.stepz; did you mean hparams\.steps"):
        HELP.page(["hparams.stepz"])


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_pages_keep_to_the_width(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = HELP.page(["train", "method"]).splitlines()
    whole = [line for line in lines if line.startswith("  ") and line[2] != " "]  # commands and long values
    assert not [line for line in lines if len(line) > pages.width() and line not in whole and " " in line.strip()]
    assert not [line for line in whole if len(line) > pages.width() and "   " in line.strip()]
