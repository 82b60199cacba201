"""Imports run one way, as ARCHITECTURE.md draws it, and what it names is there."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import imprint

SOURCE = Path(imprint.__file__).parent
ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
FLOORS = [
    ["libraries"],
    [
        "errors",
        "first_release",
        "first_words",
        "kinds",
        "manifest",
        "messages",
        "suggestions",
        "locations",
        "liveness",
        "claims",
        "partial_files",
        "process_folder",
        "files",
        "foreign_files",
        "file_contents",
        "hashing",
        "rng",
        "seeds",
        "types",
        "runs",
        "setting_types",
        "sweeps",
        "startup",
        "tables",
        "log_format",
        "templates",
        "device_transfer",
    ],
    ["models"],
    ["pictures"],
    ["provenance"],
    ["methods", "objectives", "data", "evaluation"],
    ["labelled"],
    ["masks"],
    ["filters", "captioning"],
    ["training"],
    ["reporting"],
    [
        "config",
        "construct",
        "composing",
        "command_line",
        "composition_errors",
        "explaining",
        "migration",
        "overrides",
        "projects",
        "requests",
        "given_places",
        "launchers",
    ],
    ["planning"],
    ["results"],
    ["scoring"],
    ["synthesis", "study"],
    ["fitting"],
    ["batched_runs"],
    ["launching"],
    ["verbs", "serving"],
    ["cli"],
    ["api"],
]
# These stand side by side and do not know each other; within the other floors, parts may use one another.
STRANGERS = {"methods", "objectives", "data", "evaluation"}
FRONT_DOORS = {"__init__", "__main__"}
# A world of its own: it uses nothing of imprint. What it knows of its pictures is asked for in these files alone.
APART = {"miniature"}
ASK_THE_WORLD = {
    "evaluation/encoders/drawn_world.py",
    "evaluation/metrics/drawn_world.py",
    "synthesis/drawn_world.py",
}


def floor_of(part: str) -> int:
    return next(index for index, parts in enumerate(FLOORS) if part in parts)


def imports() -> Iterator[tuple[str, str, str]]:
    """(file, its part, an imported part) for every import of imprint in imprint."""
    for file in SOURCE.rglob("*.py"):
        own = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                steps = name.split(".")
                if steps[0] == "imprint" and len(steps) > 1 and steps[1] not in ("__version__", own):
                    yield str(file.relative_to(SOURCE)), own, steps[1]


def modules() -> dict[str, set[str]]:
    """Every module but the package's front door, and those that it imports, for annotations alone, too."""
    files = {
        ".".join(("imprint", *file.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__"): file
        for file in SOURCE.rglob("*.py")
    }
    del files["imprint"]
    found: dict[str, set[str]] = {name: set() for name in files}
    for name, file in files.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                named = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= (named & files.keys()) or ({node.module} & files.keys())
    return {name: imported - {name} for name, imported in found.items()}


def parts() -> set[str]:
    found = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    return {name for name in found if not name.startswith("__") and name != "conf"}


def test_every_part_has_a_floor() -> None:
    assert parts() - APART == {part for floor in FLOORS for part in floor}


def test_imports_run_down() -> None:
    wrong = [
        f"{file}: {own} imports {other}"
        for file, own, other in imports()
        if own not in FRONT_DOORS | APART and other not in APART and floor_of(other) > floor_of(own)
    ]
    assert not wrong


def test_no_modules_import_each_other() -> None:
    """Neither do three in a circle: each can be read, and tested, before those that use it."""
    TopologicalSorter(modules()).prepare()  # which raises an error that names the circle


def test_strangers_do_not_know_each_other() -> None:
    wrong = [
        f"{file}: {own} imports {other}"
        for file, own, other in imports()
        if own in STRANGERS and other in STRANGERS and own != other
    ]
    assert not wrong


def test_only_what_judges_by_the_miniatures_truth_uses_the_miniature() -> None:
    assert {file for file, own, other in imports() if own not in APART and other in APART} == ASK_THE_WORLD


def test_the_miniature_knows_nothing_of_the_rest() -> None:
    assert not [f"{file} imports {other}" for file, own, other in imports() if own in APART]


def test_every_package_is_in_the_map() -> None:
    mapped = re.findall(r"^  (\w+)/ ", ARCHITECTURE, re.MULTILINE)
    packages = {folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").is_file()}
    assert set(mapped) == packages
    assert len(mapped) == len(packages)


def test_every_file_that_is_named_exists() -> None:
    files = [f"/{path.relative_to(ROOT)}" for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py")]
    named = {name for name in re.findall(r"[\w/<>]+\.py\b", ARCHITECTURE) if not re.search("NAME|<", name)}
    assert len(named) > 20
    assert not {name for name in named if not any(file.endswith(f"/{name}") for file in files)}
