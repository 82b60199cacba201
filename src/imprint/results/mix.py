"""The results of runs in one model, which generates: what its pictures are made from, and which cannot be drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from imprint.construct import rebuilt
from imprint.errors import ConfigError, Problem
from imprint.hashing import file_hash
from imprint.models.base import ModelSource
from imprint.models.facts import ModelInfo
from imprint.models.tiles import tile_size
from imprint.pictures.passes import Passes
from imprint.pictures.second_pass import KEY as HIRES
from imprint.pictures.second_pass import Wanted
from imprint.pictures.store import Recipe, file_name
from imprint.planning.sizes import too_large_pictures
from imprint.provenance.base import MadeBy, Provenance, result_hash
from imprint.results.combine import Result, checked_results, named_apart
from imprint.results.load import other_model, own_model
from imprint.results.picture_request import PictureRequest
from imprint.runs import Run
from imprint.training.trainer import available_device
from imprint.types import Concept, Sampler


@dataclass(frozen=True, kw_only=True)
class Mix:
    """The results of runs in one model, which generates."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...] | None
    scale: tuple[tuple[str, float], ...]
    base: str | None
    rank: int | None
    precision: str  # of the weights, and of what is computed with them
    as_trained: bool  # one run by itself is drawn on the base that it learned beside, though that be quantised

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        request: PictureRequest,
        *,
        rank: int | None,
        precision: str = "32",
        as_trained: bool = False,
    ) -> "Mix":
        weights = None if request.weights is None else tuple(map(float, request.weights))
        scale = tuple((role, float(strength)) for role, strength in request.scale.by_role().items())
        return cls(
            runs=tuple(runs),
            weights=weights,
            scale=scale,
            base=request.base,
            rank=rank,
            precision=precision,
            as_trained=as_trained,
        )

    @property
    def is_one_run(self) -> bool:
        """As it was trained, but for strengths."""
        return len(self.runs) == 1 and self.weights in (None, (1.0,))

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """What its prompts may have words for."""
        return self.runs[0].concepts if self.is_one_run else named_apart([run.concepts for run in self.runs])

    def chosen(self) -> tuple[ModelSource, list[Result]]:
        """The model and the results, not loaded. Raises UserError for what cannot be together."""
        return checked_results(self.runs, weights=self.weights, scale=dict(self.scale), base=self.base)

    def recipe(self, prompt: str, seed: int, request: PictureRequest) -> Recipe:
        """A picture of the mix. Its file is named by everything that the picture depends on."""
        run = self.runs[0]
        manifest = run.read()
        node = manifest.config.model.get("sampler", {})
        usual = rebuilt(node, "model.sampler", Sampler, manifest=run.manifest, trust=run.trust)._asdict()
        given = {name: getattr(request, name) for name in Sampler._fields if getattr(request, name) is not None}
        sampler = Sampler(**{**usual, **given})
        sampler = sampler._replace(guidance=float(sampler.guidance))  # 5 and 5.0 are one picture
        height, width = request.size or run.frame
        facts: dict[str, Any] = {
            "model": self._base_hash(),
            "weights": self.weights,
            "scale": dict(self.scale),
            "rank": self.rank,
            "sampler": sampler.hashed(),
            "size": [height, width],
            **({} if self.precision == "32" else {"precision": self.precision}),
        }
        file = file_name(prompt, seed, {**facts, "runs": [run.signature for run in self.runs]})
        facts = {"runs": [run.folder.name for run in self.runs], "base": self.base, **facts}
        return Recipe(file, prompt, seed, sampler, (height, width), facts)

    def wanted(self, prompt: str, seed: int, request: PictureRequest) -> Wanted:
        """The picture that is asked for, be it drawn once or twice."""
        recipe = self.recipe(prompt, seed, request)
        return Wanted(recipe) if request.hires is None else request.hires.wanted(recipe, self.facts())

    def facts(self) -> ModelInfo:
        return _facts(self.runs, self.base)

    def made_by(self) -> MadeBy:
        """What its pictures say of the weights that drew them."""
        return MadeBy((self._base_hash(),), tuple(result_hash(run.result) for run in self.runs))

    def _base_hash(self) -> str:
        run = self.runs[0]
        if self.base is not None:
            return _content(run, self.base)
        manifest = run.read()
        if manifest.config.model.get("quantise") is None or (self.as_trained and self.is_one_run):
            return manifest.content.model
        return _content_unquantised(run)


def passes_of(mix: Mix, folder: Path, wanted: Sequence[Wanted], provenance: Provenance) -> Passes:
    """The pictures of a mix. One that was drawn again says of what, and how."""
    made_by = cache(mix.made_by)
    twice = {one.recipe.file: one for one in wanted if one.low}

    def save(picture: Image.Image, file: Path) -> None:
        one = twice[file.name]
        low = (file_hash(folder / one.low.file),) if one.low else ()
        settings = tuple(f"{HIRES}.{name}={value}" for name, value in one.recipe.facts[HIRES].items())
        provenance.save(picture, file, made_by()._replace(parents=low, settings=settings))

    writer = provenance.writer(made_by)
    return Passes(folder, wanted, writer=writer, large_writer=writer._replace(save=save))


def check_second_passes(wanted: Iterable[tuple[Mix, Wanted]], request: PictureRequest) -> None:
    """Raises ConfigError with all that is wrong with how pictures are drawn again."""
    problems: dict[str, Problem] = {}
    device = available_device(request.accelerator)
    for mix, one in wanted:
        if one.low is None or one.again is None:
            continue
        found = list(one.again.settings.problems(one.low.size, one.low.sampler, mix.facts()))
        if not found:
            tiles = one.again.tiles
            key, seen = ("factor", one.recipe.size) if tiles is None else ("tile", tile_size(one.recipe.size, tiles))
            found = list(too_large_pictures(mix.facts(), f"{HIRES}.{key}", seen, device))
        problems |= {str(problem): problem for problem in found}
    if problems:
        raise ConfigError(problems.values())


def check_size(mix: Mix, request: PictureRequest) -> None:
    """Raises ConfigError where no memory here holds a picture of the size that is asked for, or no prompt makes one."""
    facts, device = mix.chosen()[0].facts(), available_device(request.accelerator)
    if facts.upscaling is not None:
        raise ConfigError([no_picture(mix)])
    if request.size and (problems := list(too_large_pictures(facts, "size", request.size, device))):
        raise ConfigError(problems)


def no_picture(mix: Mix) -> Problem:
    """Of the run of an upscaler that is to draw from prompts."""
    is_one = f"{mix.runs[0].folder.name} is the run of an upscaler, which enlarges pictures"
    remedy = f"{is_one}. Give a file or a folder of them. To enlarge what another run draws: upscaler=RUN."
    return Problem("picture", None, remedy)


@lru_cache(maxsize=16)
def _content(run: Run, base: str) -> str:
    return other_model(run, base, {}).facts().fingerprint


@lru_cache(maxsize=16)
def _facts(runs: tuple[Run, ...], base: str | None) -> ModelInfo:
    source, _ = checked_results(runs, weights=None, scale={}, base=base)
    return source.facts()


@lru_cache(maxsize=16)
def _content_unquantised(run: Run) -> str:
    return own_model(run, {}).unquantised().facts().fingerprint
