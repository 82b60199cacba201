"""Every command that README.md, docs/ and notebooks/ show can be given: verb and keys are there, and it composes."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from imprint.command_line import SERVICES, VERBS, as_overrides, check, options
from imprint.config import conf_folder, register_resolvers

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "notebooks").glob("*.ipynb"))]
CODE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LATER = re.compile(r"\s+#.*$|\s{3,}\S.*$")  # what is said of a command behind it
OWN = ("--config-dir", "hydra/launcher=ours")  # files that the page has its reader write


def commands(page: Path) -> Iterator[str]:
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"(?:!|\$ )?(?:[A-Z_]+=\S+ )*(imprint .*)", line.strip())
            if found and "..." not in found[1] and not any(own in found[1] for own in OWN):
                yield LATER.sub("", found[1])


def blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return CODE.findall(text)
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return ["".join(cell["source"]).replace("{run}", "outputs/RUN") for cell in cells]


def of_page(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_what_is_shown_can_be_typed(page: Path) -> None:
    wrong = [f"{command}: {fault}" for command in dict.fromkeys(commands(page)) if (fault := _fault(command))]
    assert not wrong, "\n".join(wrong)


def test_commands_are_found() -> None:
    assert len(list(commands(ROOT / "README.md"))) > 30


def _fault(command: str) -> str | None:
    _, verb, *arguments = shlex.split(command.partition(" | ")[0])
    if verb in SERVICES or verb.startswith("-"):
        return None
    if verb not in VERBS:
        return "there is no such verb"
    if "--help" in arguments:
        return None
    try:
        overrides = as_overrides(verb, arguments)
        check(verb, overrides)
        given = OverridesParser.create().parse_overrides(options(overrides).overrides)
        register_resolvers()
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            compose(verb, overrides=list(map(_one_of, given)), return_hydra_config=True)
    except Exception as error:
        return str(error).splitlines()[0]
    return None


def _one_of(override: Override) -> str:
    """Of an axis, its first value."""
    line = str(override.input_line)
    if not override.is_sweep_override() or override.is_hydra_override():
        return line
    if not override.is_discrete_sweep():
        return f"{line.partition('=')[0]}=1"
    return f"{line.partition('=')[0]}={next(iter(override.sweep_string_iterator()))}"
