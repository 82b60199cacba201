"""What libraries do not promise is used in imprint/libraries alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import imprint

SOURCE = Path(imprint.__file__).parent
EXCEPT = {"libraries", "miniature"}
PUBLIC = {"_asdict", "_fields", "_make", "_replace", "_exit"}  # of named tuples; of os


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_own(node: ast.expr) -> bool:
    """self, cls, super(): what a class has of its own."""
    name = node.func if isinstance(node, ast.Call) else node
    return isinstance(name, ast.Name) and name.id in {"self", "cls", "super"}


def private_uses(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("imprint"):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            if any(is_private(name) for name in names):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def test_no_other_file_uses_private_names_of_others() -> None:
    found = [
        f"{file.relative_to(SOURCE)}, {use}: give it a function in libraries/, with the reason and the release"
        for file in sorted(SOURCE.rglob("*.py"))
        if file.relative_to(SOURCE).parts[0] not in EXCEPT
        for use in private_uses(file)
    ]
    assert not found


def test_private_names_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "file.py"
    file.write_text("from torch.utils import _pytree\njob._value\nself._own\nrow._replace(a=1)\n", encoding="utf-8")
    assert [use.partition(":")[0] for use in private_uses(file)] == ["line 1", "line 2"]
