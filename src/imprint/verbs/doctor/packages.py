"""Which versions are installed, and what the extras lack."""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from imprint import __version__
from imprint.verbs.doctor.findings import Finding

PACKAGE = "imprint-diffusion"
FOR_DEVELOPERS = ("dev", "docs")
EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


def versions() -> Iterator[Finding]:
    yield Finding("Versions", "imprint", __version__)
    yield Finding("Versions", "python", f"{platform.python_version()}, {platform.platform()}")
    for requirement in _required():
        if not requirement.marker:
            yield _installed(requirement)


def extras() -> Iterator[Finding]:
    by_extra: dict[str, list[Requirement]] = {}
    for requirement in _required():
        found = EXTRA.search(str(requirement.marker or ""))
        if found and found[1] not in FOR_DEVELOPERS and requirement.name != PACKAGE:
            by_extra.setdefault(found[1], []).append(requirement)
    for extra, needed in sorted(by_extra.items()):
        missing = [need.name for need in needed if _version(need.name) is None]
        remedy = f"pip install '{PACKAGE}[{extra}]'"
        if missing:
            yield Finding("Extras", extra, f"without {', '.join(missing)}", "note", remedy)
        else:
            yield Finding("Extras", extra, ", ".join(f"{need.name} {_version(need.name)}" for need in needed))


def _required() -> list[Requirement]:
    return [Requirement(text) for text in requires(PACKAGE) or ()]


def _installed(requirement: Requirement) -> Finding:
    found, remedy = _version(requirement.name), f"pip install '{requirement.name}{requirement.specifier}'"
    if found is None:
        return Finding("Versions", requirement.name, "not installed", "wrong", remedy)
    if not requirement.specifier.contains(found, prereleases=True):
        return Finding("Versions", requirement.name, f"{found}, asked for is {requirement.specifier}", "wrong", remedy)
    return Finding("Versions", requirement.name, found)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
