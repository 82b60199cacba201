"""imprint generate: pictures of a trained run, each with the prompt and seed that made it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import torch
from omegaconf import DictConfig
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.build import stacked_family
from imprint.errors import UserError
from imprint.families.base import Family
from imprint.files import write_json
from imprint.locations import locate
from imprint.methods.merging import merge_exactly
from imprint.reporting.samples import save_png
from imprint.requests import Scale, read_request
from imprint.runs import Run
from imprint.templates import placeholders, template_fault
from imprint.training.trainer import available_device
from imprint.types import Concept, Sampler, prompts_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What is drawn, and how."""

    trust: list[str]
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
    outputs: str


@dataclass(frozen=True, kw_only=True)
class Request(Drawing):
    """What `generate.yaml` asks for."""

    run: str | list[str]
    rank: PositiveInt | None


def main(cfg: DictConfig) -> None:
    folder = generate(cfg)
    log.info("Pictures: %s", folder)


def generate(cfg: DictConfig) -> Path:
    """The folder of the pictures and of `pictures.json`, which says what made each."""
    request = read_request(Request, cfg)
    runs = [Run.finished(locate(folder), trust=request.trust) for folder in as_list(request.run)]
    scale = request.scale.by_role()
    family, concepts = stacked_family(runs, weights=request.weights, scale=scale, base=request.base, rank=request.rank)
    family = family.to(available_device(request.accelerator))
    merge_exactly(family.roles.values())
    prompts = _prompts(request.prompt, concepts)
    sampler = _sampler(request, family)
    height, width = request.size or runs[0].frame
    facts = {
        "run": runs[0].folder.name if len(runs) == 1 else [run.folder.name for run in runs],
        "weights": request.weights,
        "base": request.base,
        "scale": scale,
        "sampler": sampler._asdict(),
    }
    folder = locate(request.outputs)
    index = []
    for batch in _batches(list(product(enumerate(prompts), request.seeds)), request.batch_size):
        asked = [prompt for (_, prompt), _ in batch]
        with torch.no_grad():
            pictures = family.generate(asked, [seed for _, seed in batch], sampler=sampler, height=height, width=width)
        for ((number, prompt), seed), picture in zip(batch, pictures, strict=True):
            file = f"{number:03d}-s{seed}.png"
            save_png(picture, folder / file)
            index.append({"file": file, "prompt": prompt, "seed": seed})
        write_json(folder / "pictures.json", {**facts, "pictures": index})
        log.info("%d of %d", len(index), len(prompts) * len(request.seeds))
    return folder


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


def _sampler(request: Request, family: Family) -> Sampler:
    """How the model is usually sampled, but for what is asked."""
    asked = {name: getattr(request, name) for name in Sampler._fields if getattr(request, name) is not None}
    return Sampler(**{**family.sampler._asdict(), **asked})


def _batches(asked: list, size: int) -> list[list]:
    return [asked[start : start + size] for start in range(0, len(asked), size)]
