"""imprint publish: a run's result, with its card, as a repository of the hub."""

import logging
from dataclasses import dataclass

from omegaconf import DictConfig

from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.requests import read_request
from imprint.runs import Run
from imprint.verbs.publish.contents import Contents, contents_of, problems_of
from imprint.verbs.publish.sending import is_repository_name, send

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `publish.yaml` asks for."""

    run: str
    repo: str
    private: bool
    update: bool
    pictures: bool
    dry_run: bool


def main(cfg: DictConfig) -> None:
    request = read_request(Request, cfg)
    run = Run.finished(locate(request.run))
    contents = contents_of(run, pictures=request.pictures)
    problems = [*_problems(request), *problems_of(run, contents, is_public=not request.private)]
    if problems:
        raise ConfigError(problems)
    for line in _said(request, contents):
        log.info("%s", line)
    if request.dry_run:
        log.info("Nothing was sent. dry_run=false sends it.")
        return
    address = send(
        contents,
        repo=request.repo,
        private=request.private,
        update=request.update,
        message=f"{run.read().name or run.folder.name} ({run.signature})",
    )
    log.info("Published: %s", address)


def _problems(request: Request) -> list[Problem]:
    if is_repository_name(request.repo):
        return []
    return [Problem("repo", request.repo, "this is no name of a repository. Give OWNER/NAME, as on the hub.")]


def _said(request: Request, contents: Contents) -> list[str]:
    who = "private: you alone see it" if request.private else "public: everybody sees it"
    lines = [f"To {request.repo} ({who}), {contents.size}:"]
    lines += [f"  {name:<44} {size}" for name, size in contents.sizes()]
    return [*lines, *contents.notes]
