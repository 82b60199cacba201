"""imprint trace: what a picture says of its origin, and which seed of which run drew it."""

import logging
from typing import NamedTuple

from omegaconf import DictConfig
from PIL import Image

from imprint.data.decoding import BadPicture, decode, read
from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.provenance.marks import Marks, read_marks
from imprint.requests import as_list, read_request
from imprint.runs import Run
from imprint.startup import imported
from imprint.tables.terminal import as_text
from imprint.verbs.trace.findings import Finding, found_table, marks_table
from imprint.verbs.trace.request import Request

log = logging.getLogger(__name__)


class Traced(NamedTuple):
    marks: Marks
    findings: list[Finding]


def main(cfg: DictConfig) -> None:
    traced = trace(cfg)
    print(as_text(marks_table(traced.marks, [finding.run for finding in traced.findings])))
    if traced.findings:
        print(as_text(found_table(traced.findings)))


def trace(cfg: DictConfig) -> Traced:
    """The marks in a picture's file and, of each run, the seed that most likely drew it. No file is changed."""
    request = read_request(Request, cfg)
    content, picture = _opened(request)
    marks = read_marks(content, anchors=_anchors(request))
    runs = [] if request.run is None else as_list(request.run)
    finished = [Run.finished(locate(folder), trust=request.trust) for folder in runs]
    findings = imported(f"{__name__}.searching").search(finished, picture, request) if finished else []
    return Traced(marks, findings)


def _opened(request: Request) -> tuple[bytes, Image.Image]:
    try:
        content = read(locate(request.picture))
        return content, decode(content, "white")
    except BadPicture as error:
        raise ConfigError([Problem("picture", request.picture, f"{error}. Give the file of a picture.")]) from error


def _anchors(request: Request) -> bytes:
    try:
        return locate(request.anchors).read_bytes() if request.anchors else b""
    except OSError as error:
        remedy = f"cannot be read ({error.strerror}). Give the certificates of authorities, in PEM form."
        raise ConfigError([Problem("anchors", request.anchors, remedy)]) from error
