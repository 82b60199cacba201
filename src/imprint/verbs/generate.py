"""imprint generate: pictures of a trained run, each with the prompt and seed that made it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Literal

from omegaconf import DictConfig
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.construct import rebuilt
from imprint.errors import UserError
from imprint.locations import locate
from imprint.methods.merging import merge_exactly
from imprint.models.base import ModelSource
from imprint.pictures.draw import drawn_by, fill
from imprint.pictures.recipe import Recipe, file_name
from imprint.pictures.store import Store
from imprint.requests import Scale, read_request
from imprint.results.base_model import other_model
from imprint.results.combine import Result, chosen, combined_model, named_apart
from imprint.runs import Run
from imprint.templates import placeholders, template_fault
from imprint.training.trainer import available_device
from imprint.types import Concept, Sampler, prompts_of

log = logging.getLogger(__name__)

SHOWN = 8  # files that are named at the end


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is drawn, and how."""

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
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    trust: list[str]
    outputs: str


@dataclass(frozen=True, kw_only=True)
class Request(Drawing):
    """What `generate.yaml` asks for."""

    run: str | list[str]
    rank: PositiveInt | None


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What draws: the results of runs in one model."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...] | None
    scale: tuple[tuple[str, float], ...]
    base: str | None
    rank: int | None

    @classmethod
    def of(cls, runs: Sequence[Run], asked: Drawing, *, rank: int | None) -> "Mix":
        weights = None if asked.weights is None else tuple(map(float, asked.weights))
        scale = tuple((role, float(strength)) for role, strength in asked.scale.by_role().items())
        return cls(runs=tuple(runs), weights=weights, scale=scale, base=asked.base, rank=rank)

    def chosen(self) -> tuple[ModelSource, list[Result]]:
        """The model and the results, not loaded. Raises UserError for what cannot be together."""
        return chosen(self.runs, weights=self.weights, scale=dict(self.scale), base=self.base)

    def recipe(self, prompt: str, seed: int, asked: Drawing) -> Recipe:
        """A picture of the mix. Its file is named by all that it is drawn from."""
        run = self.runs[0]
        manifest = run.read()
        node = manifest.config.model.get("sampler", {})
        usual = rebuilt(node, "model.sampler", Sampler, manifest=run.manifest, trust=run.trust)._asdict()
        given = {name: getattr(asked, name) for name in Sampler._fields if getattr(asked, name) is not None}
        sampler = Sampler(**{**usual, **given})
        sampler = sampler._replace(guidance=float(sampler.guidance))  # 5 and 5.0 are one picture
        height, width = asked.size or run.frame
        facts = {
            "model": manifest.content.model if self.base is None else _content(run, self.base),
            "weights": self.weights,
            "scale": dict(self.scale),
            "rank": self.rank,
            "sampler": sampler.hashed(),
            "size": [height, width],
        }
        file = file_name(prompt, seed, {**facts, "runs": [run.signature for run in self.runs]})
        told = {"runs": [run.folder.name for run in self.runs], "base": self.base, **facts}
        return Recipe(file, prompt, seed, sampler, (height, width), told)


def main(cfg: DictConfig) -> None:
    generate(cfg)


def generate(cfg: DictConfig) -> Path:
    """The folder of the pictures, and of those of earlier calls, with `pictures.json`, which says what made each."""
    request = read_request(Request, cfg)
    mix = Mix.of(
        [Run.finished(locate(folder), trust=request.trust) for folder in as_list(request.run)],
        request,
        rank=request.rank,
    )
    _, results = mix.chosen()
    alone = len(results) == 1 and results[0].weight == 1.0
    concepts = mix.runs[0].concepts if alone else named_apart([run.concepts for run in mix.runs])
    asked = dict.fromkeys(product(_prompts(request.prompt, concepts), request.seeds))
    store = Store(locate(request.outputs), [mix.recipe(prompt, seed, request) for prompt, seed in asked], {})
    if store.missing():
        scale = dict(mix.scale)
        model, _ = combined_model(mix.runs, weights=mix.weights, scale=scale, base=mix.base, rank=mix.rank)
        model = model.to(available_device(request.accelerator))
        merge_exactly(model.roles.values())
        fill(store, drawn_by(model), batch_size=request.batch_size, label="Drawing", counts_failures=False)
    pictures = store.drawn()
    for drawn in pictures[:SHOWN]:
        log.info("%s  %s", drawn.file, drawn.recipe.prompt)
    more = f" and {len(pictures) - SHOWN} more" if len(pictures) > SHOWN else ""
    log.info("Pictures%s: %s", more, store.folder)
    return store.folder


def as_list(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _prompts(given: str | Sequence[str], concepts: Sequence[Concept]) -> list[str]:
    texts = as_list(given)
    if isinstance(given, str) and given.endswith(".txt"):
        file = locate(given)
        if not file.is_file():
            raise UserError(f"prompt={given}: there is no such file. Give a prompt, a list, or a file with one a line.")
        texts = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not texts:
        raise UserError(f"prompt={given!r}: there is no prompt in it.")
    known = placeholders(concept.name for concept in concepts)
    if faults := [fault for text in texts if (fault := template_fault(text, known))]:
        raise UserError(f"prompt={given!r}: {' '.join(faults)}")
    return [filled for text in texts for filled in prompts_of(text, concepts)]


@lru_cache(maxsize=16)
def _content(run: Run, base: str) -> str:
    return other_model(run, base, {}).facts().fingerprint
