"""Which seed of a run drew a picture: the way back to its noise, by the run's own model."""

from collections.abc import Iterator, Sequence

from PIL import Image, ImageOps

from imprint.errors import ConfigError, Problem, UserError
from imprint.models.inversion import check_invertible, invert
from imprint.pictures.store import INDEX, read_index
from imprint.results.load import source_of, trained_model
from imprint.runs import Run
from imprint.training.trainer import available_device
from imprint.verbs.trace.findings import Finding, Match
from imprint.verbs.trace.matching import best_match
from imprint.verbs.trace.request import Request

LARGEST_SEED = 2**63 - 1


def search(runs: Sequence[Run], picture: Image.Image, request: Request) -> list[Finding]:
    """Of each run, the seed that most likely drew the picture. Raises UserError before the first model is loaded."""
    for run in runs:
        facts = source_of(run, scale={}, sampler={}, base=request.base).facts
        check_invertible(facts)
        if request.steps > facts.timesteps:
            raise ConfigError([Problem("steps", request.steps, f"this model has {facts.timesteps}. Give fewer.")])
        if any(side % facts.pixel_multiple for side in request.size or ()):
            remedy = f"this model needs multiples of {facts.pixel_multiple}."
            raise ConfigError([Problem("size", list(request.size or ()), remedy)])
    candidates = {run.folder: _candidates(run, request.seeds) for run in runs}
    compared = 2 * sum(map(len, candidates.values()))  # with the picture's mirror image
    findings = []
    for run in runs:
        match = _match(run, picture, candidates[run.folder], compared, request)
        findings.append(Finding(run, match, match.p <= request.chance))
    return findings


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
