"""imprint merge: several trained runs as one file or pipeline."""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig

from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.reporting.model_card import origin
from imprint.requests import Scale, as_list, read_request
from imprint.results.combine import combined_model
from imprint.results.extraction import extract_lora
from imprint.results.lora_file import LORA_FORMATS
from imprint.runs import Run
from imprint.suggestions import nearest
from imprint.verbs.export import WHOLE, FileRequest, write_lora_file

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request(FileRequest):
    """What `merge.yaml` asks for."""

    run: str | list[str]
    weights: list[float] | None
    scale: Scale
    out: str


def main(cfg: DictConfig) -> None:
    log.info("Wrote %s", merge(cfg))


def merge(cfg: DictConfig) -> Path:
    """The file or folder that was written."""
    request = read_request(Request, cfg)
    _check(request)
    runs = [Run.finished(locate(folder), trust=request.trust) for folder in as_list(request.run)]
    scale = request.scale.by_role()
    out = locate(request.out)
    if request.format in WHOLE:
        model, _ = combined_model(runs, weights=request.weights, scale=scale, base=request.base)
        model.formats[request.format].write(out, getattr(torch, request.dtype))
        return out
    lora = extract_lora(
        runs, weights=request.weights, scale=scale, rank=request.rank, format=request.format, base=request.base
    )
    if lora.model.words:
        log.warning("Their words (%s) are no part of it: they stay in files of their own.", ", ".join(lora.model.words))
    write_lora_file(lora, out, request, _origin(runs, request))
    return out


def _check(request: Request) -> None:
    problems = []
    if request.format not in (*LORA_FORMATS, *WHOLE):
        problems.append(Problem("format", request.format, nearest(request.format, [*LORA_FORMATS, *WHOLE])))
    if request.rank is not None and request.format in WHOLE:
        problems.append(Problem("rank", request.rank, "a whole model has no rank. Leave it out."))
    if len(as_list(request.run)) < 2:
        remedy = "give at least two runs: run=[one,other]. One alone is written by imprint export."
        problems.append(Problem("run", request.run, remedy))
    if problems:
        raise ConfigError(problems)


def _origin(runs: list[Run], request: Request) -> dict[str, str]:
    """What the file was made from."""
    facts = [origin(run) for run in runs]
    keys = dict.fromkeys(key for own in facts for key in own)
    merged = {key: ", ".join(dict.fromkeys(own[key] for own in facts if key in own)) for key in keys}
    weights = request.weights or [1.0] * len(runs)
    strengths = {"weights": ", ".join(f"{weight:g}" for weight in weights)}
    return {**merged, **strengths, "merged_from": merged["title"], "run": ", ".join(run.signature for run in runs)}
