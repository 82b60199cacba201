"""imprint init: a project folder, with settings of its own that are found without flags."""

import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from omegaconf import DictConfig

from imprint.config import choices
from imprint.errors import ConfigError, Problem
from imprint.files import write_text
from imprint.locations import locate
from imprint.projects import CONF, MARK, is_trusted, trust
from imprint.requests import read_request
from imprint.suggestions import nearest

log = logging.getLogger(__name__)
OF_A_NAME = re.compile(r"[^a-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Names of choices."""

    model: str
    method: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `init.yaml` asks for."""

    folder: str
    noun: str
    usual: Usual
    trust: bool


def main(cfg: DictConfig) -> None:
    request = read_request(Request, cfg)
    folder, written, left = init(request)
    for file in left:
        log.info("Left as it is: %s", file)
    for file in written:
        log.info("Wrote %s", file)
    if not written:
        log.info("Trusted: %s is used by commands in %s and below.", folder / CONF, folder)
        return
    log.info("Put photos into %s; then, in %s:\n  imprint preview\n  imprint train", folder / "photos", folder)


def init(request: Request) -> tuple[Path, list[Path], list[Path]]:
    """The project, the files that were written, and those that were there. Raises ConfigError before anything is."""
    folder = locate(request.folder)
    _check(request, folder)
    if (folder / MARK).is_file():
        trust(folder)
        return folder, [], []
    written, left = [], []
    for name, text in _files(request, folder).items():
        file = folder / name
        if file.exists() or file.is_symlink():
            left.append(file)
        else:
            write_text(file, text)
            written.append(file)
    (folder / "photos").mkdir(exist_ok=True)
    trust(folder)
    return folder, written, left


def _check(request: Request, folder: Path) -> None:
    problems = [
        Problem(f"usual.{group}", given, nearest(given, known))
        for group, given in asdict(request.usual).items()
        if given not in (known := choices(group))
    ]
    if folder.exists() and not folder.is_dir():
        problems.append(Problem("folder", request.folder, "that is a file. Give another name."))
    elif not request.trust and (folder / CONF).exists() and not ((folder / MARK).is_file() and is_trusted(folder)):
        remedy = f"there is a {CONF}/ already, which may have any code run. Read it; then give trust=true."
        problems.append(Problem("folder", request.folder, remedy))
    if problems:
        raise ConfigError(problems)


def _files(request: Request, folder: Path) -> dict[str, str]:
    """By their names in the project. The mark comes last: what a killed program has begun is no project yet."""
    name = OF_A_NAME.sub("-", folder.resolve().name.lower()).strip("-") or "photos"
    return {
        f"{CONF}/dataset/{name}.yaml": "".join(_data_set(request, name)),
        f"{CONF}/local/default.yaml": "".join(_usual(request, name)),
        "README.md": _readme(name),
        ".gitignore": "outputs/\n",
        MARK: f"The top of a project of imprint: see {CONF}/. Who gets it from others: imprint init . trust=true\n",
    }


def _data_set(request: Request, name: str) -> Iterator[str]:
    yield f"# The pictures of this project.\n#   imprint train dataset={name}\n"
    yield "defaults: [folder, _self_]\n\n"
    yield "path: photos  # relative to where a command is given: at the top of the project\n"
    yield yaml.safe_dump({"class_noun": request.noun}, allow_unicode=True)
    yield "rights: null  # whose the pictures are, under which licence, and who of those shown has consented\n"


def _usual(request: Request, name: str) -> Iterator[str]:
    yield "# @package _global_\n"
    yield "# What imprint train, preview and adopt take in this project where the command says nothing else. It comes\n"
    yield "# before what an experiment=... says, too: give such a choice on the command line.\n"
    yield "defaults:\n"
    yield f"  - override /dataset: {name}\n"
    yield f"  - override /model: {request.usual.model}\n"
    yield f"  - override /method: {request.usual.method}\n"


def _readme(name: str) -> str:
    return f"""# {name}

```
imprint preview                         # what a training will see of photos/: crops, captions, copies
imprint train dry_run=true              # what would be done, what it takes of memory
imprint train
imprint generate outputs/RUN prompt="a {{identifier}} {{noun}} on the beach"
```

`{CONF}/local/default.yaml` says what these take where nothing else is given, `{CONF}/dataset/{name}.yaml` what is in
the photos. More of your own, such as `{CONF}/experiment/NAME.yaml`, is found in the same way: `experiment=NAME`.
"""
