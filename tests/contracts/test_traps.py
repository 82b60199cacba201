"""The table of known traps in tests/README.md names tests that exist."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TRAPS = set(range(1, 58)) - {3}


def table() -> dict[int, list[tuple[str, str]]]:
    """Per trap the (file, test) that its row names."""
    lines = (TESTS / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [match for line in lines if (match := re.match(r"\| (\d+)\. [^|]+\|([^|]+)\|$", line))]
    return {int(row[1]): re.findall(r"`([\w/]+\.py)::(\w+)`", row[2]) for row in rows}


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_trap_has_a_test_that_exists() -> None:
    found = table()
    assert found.keys() >= TRAPS
    for trap, tests in found.items():
        assert tests, trap
        for file, name in tests:
            assert (TESTS / file).is_file(), file
            assert name in functions(TESTS / file), f"{file}::{name}"
