"""imprint generate: pictures of a trained run, each with the prompt and seed that made it."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeVar

from omegaconf import DictConfig
from PIL import Image
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.construct import rebuilt
from imprint.errors import ConfigError, Problem, UserError
from imprint.hashing import file_hash
from imprint.locations import locate
from imprint.methods.adapter_layers import merge_exactly
from imprint.models.base import ModelInfo, ModelSource
from imprint.models.block_swap import BlockSwap
from imprint.models.residency import reclaim
from imprint.models.roles import DENOISER
from imprint.models.tiles import tile_size
from imprint.pictures.passes import Passes
from imprint.pictures.second_pass import KEY as HIRES
from imprint.pictures.second_pass import SecondPass, Wanted
from imprint.pictures.store import Outcome, Recipe, file_name
from imprint.planning.assemble import computing
from imprint.planning.residence import loading_to_draw
from imprint.planning.sizes import too_large_pictures
from imprint.provenance.base import MadeBy, Provenance, result_hash
from imprint.reporting.upscaling_sheet import FILE as SHEET
from imprint.reporting.upscaling_sheet import FOLDER as UPSCALING
from imprint.reporting.upscaling_sheet import enlarged_in, sheet_of
from imprint.requests import Scale, as_list, prompts_in, read_request
from imprint.results.combine import Result, checked_results, combined_model, named_apart
from imprint.results.enlarging import Enlarging
from imprint.results.given_pictures import given_pictures, keep_given
from imprint.results.load import other_model, own_model
from imprint.results.upscaling import Upscaler, UpscalerSettings
from imprint.runs import Run
from imprint.setting_types import Place
from imprint.templates import placeholders, template_fault
from imprint.training.trainer import available_device, has_own_memory
from imprint.types import Concept, Sampler, prompts_of

log = logging.getLogger(__name__)

SHOWN = 8  # files that the log names at the end


@dataclass(frozen=True, kw_only=True)
class PictureRequest:
    """Which pictures are generated, and how."""

    weights: list[float] | None
    base: str | None
    prompt: str | list[str]
    seeds: list[NonNegativeInt]
    steps: PositiveInt | None
    guidance: NonNegativeFloat | None
    scheduler: str | None
    negative_prompt: str | None
    size: tuple[PositiveInt, PositiveInt] | None
    batch_size: PositiveInt
    scale: Scale
    hires: SecondPass | None
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    provenance: Provenance
    trust: list[str]
    outputs: Place


P = TypeVar("P", bound=PictureRequest)


@dataclass(frozen=True, kw_only=True)
class Request(PictureRequest):
    """What `generate.yaml` asks for."""

    run: str | list[str]
    rank: PositiveInt | None
    picture: str | None
    upscaler: UpscalerSettings
    precision: Literal["32", "bf16"]
    blocks_on_device: Literal["all"] | PositiveInt


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


def main(cfg: DictConfig) -> None:
    generate(cfg)


def generate(cfg: DictConfig) -> Path:
    """The folder of the pictures, and of those of earlier calls, with `pictures.json`, which says what made each."""
    request = read_picture_request(Request, cfg)
    runs = [Run.finished(locate(folder), trust=request.trust) for folder in as_list(request.run)]
    mix = Mix.of(runs, request, rank=request.rank, precision=request.precision, as_trained=True)
    source, _ = mix.chosen()
    upscaler = _upscaler(mix, source.facts(), request)
    concepts = mix.runs[0].concepts if mix.is_one_run else named_apart([run.concepts for run in mix.runs])
    asked = dict.fromkeys(product(_prompts(request.prompt, concepts), request.seeds))
    folder = locate(request.outputs)
    if upscaler is None:
        check_size(source, request)
        pictures = _draw(mix, [mix.wanted(prompt, seed, request) for prompt, seed in asked], request)
    else:
        pictures = _enlarge(upscaler, mix, asked, concepts, request)
    for drawn in pictures[:SHOWN]:
        log.info("%s  %s", drawn.file, drawn.recipe.prompt)
    more = f" and {len(pictures) - SHOWN} more" if len(pictures) > SHOWN else ""
    log.info("Pictures%s: %s", more, folder)
    return folder


def _draw(mix: Mix, wanted: Sequence[Wanted], request: Request) -> list[Outcome]:
    """With a model that is in memory for as long as this takes."""
    check_second_passes([(mix, one) for one in wanted], request)
    passes = passes_of(mix, locate(request.outputs), wanted, request.provenance)
    if passes.missing():
        device = available_device(request.accelerator)
        loading = loading_to_draw(request.precision, device)
        swapped = request.blocks_on_device != "all" and has_own_memory(device)
        loading = replace(loading, device=None) if swapped else loading
        model, _ = combined_model(
            mix.runs, weights=mix.weights, scale=dict(mix.scale), base=mix.base, rank=mix.rank, loading=loading
        )
        model = model if swapped else model.to(device)
        merge_exactly(model.roles.values())
        if swapped and request.blocks_on_device != "all":
            model.block_swap = BlockSwap([model.roles[DENOISER]], device, request.blocks_on_device)
            model.to(device)
        with computing(request.precision, device):
            passes.draw(model, batch_size=request.batch_size, label="Drawing")
    passes.rewrite()
    return passes.outcomes()


def _upscaler(mix: Mix, facts: ModelInfo, request: Request) -> Upscaler | None:
    """What enlarges, if anything does. Raises ConfigError where that cannot be with the rest of the request."""
    chosen = request.upscaler.chosen(request.trust)
    if facts.upscaling is None:
        if request.picture is not None:
            remedy = (
                "this run draws from prompts. Give the run of an upscaler, or upscaler=RUN to enlarge what it draws."
            )
            raise ConfigError([Problem("picture", request.picture, remedy)])
        if chosen is not None and request.hires is not None:
            raise ConfigError(["upscaler and hires are both given. Choose one way to enlarge pictures."])
        return chosen
    if request.picture is None:
        remedy = "this run is an upscaler's, which enlarges pictures. Give a file or a folder of them."
        raise ConfigError([Problem("picture", None, f"{remedy} To enlarge what another run draws: upscaler=RUN.")])
    others = {name: getattr(request, name) for name in ("hires", "base", "size", "rank", "weights")}
    if chosen is not None or len(mix.runs) > 1 or any(value is not None for value in others.values()):
        left_out = ", ".join(("upscaler.run", "other runs", *others))
        raise ConfigError(
            [f"The run of an upscaler enlarges the picture as it is and by itself. Leave out {left_out}."]
        )
    own = {name: getattr(request, name) for name in Sampler._fields if getattr(request, name) is not None}
    source = own_model(mix.runs[0], {})
    return Upscaler(replace(request.upscaler, **own), source, mix.runs[0], dict(mix.scale))


def _enlarge(
    upscaler: Upscaler, mix: Mix, asked: Iterable[tuple[str, int]], concepts: Sequence[Concept], request: Request
) -> list[Outcome]:
    """The large pictures: of what the mix draws, or of the given ones."""
    folder, device = locate(request.outputs), available_device(request.accelerator)
    given = [] if request.picture is None else given_pictures(request.picture, key="picture", upscaler=upscaler)
    if given:
        recipes = [one.named(mix.recipe(prompt, seed, request)) for prompt, seed in asked for one in given]
        enlarging = Enlarging(upscaler, recipes, concepts, folder=folder)
        enlarging.check(device)
        keep_given(given, enlarging.lows, folder)
        low_made_by = MadeBy((), ())
    else:
        check_size(mix.chosen()[0], request)
        enlarging = Enlarging(upscaler, [mix.recipe(*one, request) for one in asked], concepts, folder=folder)
        enlarging.check(device)
        _draw(mix, [Wanted(low) for low in enlarging.lows], request)
        reclaim()
        low_made_by = mix.made_by()
    enlarging.draw(request.provenance, low_made_by, precision=request.precision, device=device)
    if request.upscaler.sheet:
        rows, shown = enlarged_in(folder)
        made_by = MadeBy.all_of([low_made_by, upscaler.made_by()])
        request.provenance.save(sheet_of(rows), folder / UPSCALING / SHEET, made_by, parts=shown)
    return enlarging.outcomes()


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


def check_size(source: ModelSource, request: PictureRequest) -> None:
    """Raises ConfigError where no memory here holds a picture of the size that is asked for, or no prompt makes one."""
    facts, device = source.facts(), available_device(request.accelerator)
    if facts.upscaling is not None:
        raise ConfigError(
            ["This run is an upscaler's, which draws nothing from prompts: imprint generate RUN picture=..."]
        )
    if request.size and (problems := list(too_large_pictures(facts, "size", request.size, device))):
        raise ConfigError(problems)


def read_picture_request(kind: type[P], cfg: DictConfig) -> P:
    """Raises ConfigError with everything that is wrong."""
    request = read_request(kind, cfg)
    if problems := list(request.provenance.problems()):
        raise ConfigError(problems)
    return request


def _prompts(given: str | Sequence[str], concepts: Sequence[Concept]) -> list[str]:
    texts = as_list(given)
    if isinstance(given, str) and given.endswith(".txt"):
        texts = prompts_in(given, key="prompt")
    if not texts:
        raise UserError(f"prompt={given!r}: there is no prompt in it.")
    return filled(texts, concepts, key=f"prompt={given!r}")


def filled(templates: Sequence[str], concepts: Sequence[Concept], *, key: str) -> list[str]:
    """The prompts with the words of the concepts in them. `key` begins the message of an error."""
    known = placeholders(concept.name for concept in concepts)
    if faults := [fault for text in templates if (fault := template_fault(text, known))]:
        raise UserError(f"{key}: {' '.join(faults)}")
    return [prompt for text in templates for prompt in prompts_of(text, concepts)]


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
