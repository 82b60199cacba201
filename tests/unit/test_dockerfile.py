"""Dockerfile: what it copies and installs is there. It is built where there is a builder; here it is read."""

import re
import shlex
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = re.findall(r"^([A-Z]+) (.*)$", re.sub(r"\\\n\s*", "", TEXT), re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def said(step: str) -> list[str]:
    return [rest for name, rest in STEPS if name == step]


def copied() -> set[str]:
    return {source for line in said("COPY") for source in line.split()[:-1]}


def test_what_is_copied_is_there_and_not_ignored() -> None:
    assert copied()
    assert not [name for name in copied() if not (ROOT / name).exists()]
    assert not [name for name in copied() if f"!{name}" not in IGNORED]


def test_all_that_the_package_is_built_from_is_copied() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"], "pyproject.toml", "constraints.txt"}
    needed |= {path.split("/")[0] for path in wheel["only-include"]}
    assert needed <= copied()
    assert "conf/local" in IGNORED  # somebody's own


def test_the_extras_are_those_of_the_package() -> None:
    [install] = [line for line in said("RUN") if "pip install" in line]
    words = shlex.split(install.split("&&")[0])
    [package] = [word for word in words if word.startswith(".[")]
    assert set(package[2:-1].split(",")) <= PROJECT["project"]["optional-dependencies"].keys()
    assert words[words.index("--constraint") + 1] == "constraints.txt"


def test_it_runs_the_program_and_not_as_root() -> None:
    assert said("ENTRYPOINT") == ['["imprint"]']
    assert "imprint" in PROJECT["project"]["scripts"]
    [user] = said("USER")
    assert f"--uid {user} " in TEXT  # a number, by which a cluster sees that it is not root
    assert int(user) > 0
    names = [name for name, _ in STEPS]
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_its_python_is_one_that_the_package_supports() -> None:
    [base] = said("FROM")
    found = re.fullmatch(r"python:(\d+\.\d+)-slim", base)
    assert found
    assert f"Programming Language :: Python :: {found[1]}" in PROJECT["project"]["classifiers"]
