"""imprint preview: what a training will see, as a page."""

import logging
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, open_dict
from pydantic import PositiveInt

from imprint.files import write_text
from imprint.locations import locate
from imprint.planning.prepare import prepare
from imprint.reporting.screen import has_screen
from imprint.requests import read_request
from imprint.tables.html import page_environment
from imprint.verbs.preview.seen import SeenSubject, seen

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `preview.yaml` asks for beside a training."""

    views: PositiveInt
    pictures: PositiveInt
    out: str
    open: bool


def main(cfg: DictConfig) -> None:
    page, subjects = preview(cfg)
    for subject in subjects:
        log.info("%s", subject.summary)
    log.info("Preview: %s", page)


def preview(cfg: DictConfig) -> tuple[Path, list[SeenSubject]]:
    """Writes the page. Raises ConfigError with all that is wrong with the training, as `imprint train` does."""
    request = read_request(Request, cfg.preview)
    with open_dict(cfg):
        del cfg["preview"]
    with _warnings() as warnings:
        plan = prepare(cfg)
        subjects = list(seen(plan, views=request.views, most=request.pictures))
    page = locate(request.out)
    template = page_environment("imprint.reporting").get_template("preview.html.j2")
    texts = {"run": plan.run.folder.name, "remarks": list(plan.remarks()), "warnings": list(dict.fromkeys(warnings))}
    write_text(page, template.render(subjects=subjects, **texts))
    if request.open and has_screen():
        webbrowser.open(page.as_uri())
    return page, subjects


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What is logged as a warning meanwhile; the terminal has it, too."""
    found: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger("imprint")
    root.addHandler(handler)
    try:
        yield found
    finally:
        root.removeHandler(handler)
