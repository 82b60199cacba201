"""imprint trace: what a picture says of its origin, and which seed of which run drew it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from annotated_types import Gt, Lt
from omegaconf import DictConfig
from PIL import Image, ImageOps
from pydantic import NonNegativeInt, PositiveInt

from imprint.data.decoding import BadPicture, decode, read
from imprint.errors import ConfigError, Problem, UserError
from imprint.locations import locate
from imprint.models.inversion import check_invertible, invert
from imprint.pictures.store import INDEX, read_index
from imprint.provenance.marks import Marks, read_marks
from imprint.requests import as_list, read_request
from imprint.results.load import source_of, trained_model
from imprint.runs import Run
from imprint.tables.terminal import as_text
from imprint.training.trainer import available_device
from imprint.verbs.trace.findings import Finding, found_table, marks_table
from imprint.verbs.trace.matching import Match, best_match

log = logging.getLogger(__name__)

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `trace.yaml` asks for."""

    picture: str
    run: str | list[str] | None
    seeds: PositiveInt | list[NonNegativeInt]
    size: tuple[PositiveInt, PositiveInt] | None
    base: str | None
    steps: PositiveInt
    chance: Annotated[float, Gt(0), Lt(1)]
    anchors: str | None
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    trust: list[str]
    outputs: str


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
    for run in finished:  # all that is wrong before the first model is loaded
        facts = source_of(run, scale={}, sampler={}, base=request.base).facts
        check_invertible(facts)
        if request.steps > facts.timesteps:
            raise ConfigError([Problem("steps", request.steps, f"this model has {facts.timesteps}. Give fewer.")])
        if any(side % facts.pixel_multiple for side in request.size or ()):
            remedy = f"this model needs multiples of {facts.pixel_multiple}."
            raise ConfigError([Problem("size", list(request.size or ()), remedy)])
    candidates = {run.folder: _candidates(run, request.seeds) for run in finished}
    compared = 2 * sum(map(len, candidates.values()))  # with the picture's mirror image
    findings = []
    for run in finished:
        match = _match(run, picture, candidates[run.folder], compared, request)
        findings.append(Finding(run, match, match.p <= request.chance))
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


def _match(run: Run, picture: Image.Image, seeds: Sequence[int], compared: int, request: Request) -> Match:
    model = trained_model(run, scale={}, base=request.base).model.to(available_device(request.accelerator))
    height, width = request.size or run.frame
    scaled = picture.resize((width, height), Image.Resampling.LANCZOS)
    noises_BCHW = invert(model, [scaled, ImageOps.mirror(scaled)], steps=request.steps)
    return best_match(noises_BCHW, seeds, compared=compared)


def _candidates(run: Run, seeds: int | Sequence[int]) -> list[int]:
    """Those asked for, and those of which the run's folder has, or had, pictures."""
    asked = range(seeds) if isinstance(seeds, int) else seeds
    return list(dict.fromkeys([*asked, *_recorded(run)]))


def _recorded(run: Run) -> Iterator[int]:
    for index in [run.sample_index, *sorted(run.folder.rglob(INDEX))]:
        try:
            _, entries = read_index(index)
        except (OSError, UserError):  # a damaged one names no seeds
            continue
        for entry in entries:
            seed = entry.get("seed")
            if isinstance(seed, int) and 0 <= seed <= LARGEST_SEED:
                yield seed
