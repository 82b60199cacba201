"""Every module says with which releases it was tested: those of constraints.txt."""

import ast
import re
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import imprint

FOLDER = Path(imprint.__file__).parent / "libraries"
CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"
MODULES = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")


def releases_in(module: str) -> dict[str, str]:
    """Library -> release, as the module's docstring has them."""
    text = ast.get_docstring(ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))) or ""
    words = " ".join(text.partition("Tested with")[2].split())
    return dict(re.findall(r"([\w-]+) (\d+(?:\.\d+)+)", words))


def constrained() -> dict[str, str]:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", "\n".join(lines), re.M))


@pytest.mark.parametrize("module", MODULES)
def test_it_is_the_release_that_the_tests_run_on(module: str) -> None:
    known = constrained()
    tested = releases_in(module)
    assert tested, f"libraries/{module}.py does not say with which release it was tested"
    stale = {name: (release, known.get(name)) for name, release in tested.items() if known.get(name) != release}
    assert not stale, f"libraries/{module}.py was tested with other releases than constraints.txt: look, and note it"


@pytest.mark.parametrize("module", MODULES)
def test_what_it_takes_from_the_library_is_there(module: str) -> None:
    try:
        import_module(f"imprint.libraries.{module}")
    except ImportError as error:
        here = {name: version(name) for name in releases_in(module)}
        pytest.fail(f"libraries/{module}.py was tested with {releases_in(module)}; here is {here}: {error}")
