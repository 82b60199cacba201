"""Measures the miniature's networks and writes report.json, report.md and a contact sheet; fills the cards' tables.

Parts that are not asked for keep what report.json says of them, if it is of these very networks. With `--parts`
alone, nothing is measured and only the pages are written again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import diffusers
from diffusers import StableDiffusionPipeline

from imprint.miniature.quality import prompts, tables
from imprint.miniature.quality.contact import contact_sheet
from imprint.miniature.quality.costs import denoiser_ms, fingerprint, megabytes, parameters
from imprint.miniature.quality.generating import Sampler, loaded
from imprint.miniature.quality.judging import judge
from imprint.miniature.quality.realism import drawn, realism
from imprint.miniature.quality.telling import telling
from imprint.miniature.quality.validity import (
    CANDIDATES,
    clip_validity,
    held_out_scenes,
    instance_validity,
    oracle_validity,
)
from imprint.miniature.recipe.autoencoder import psnr
from imprint.miniature.recipe.bundle import read_oracle
from imprint.miniature.recipe.stages.job import EVALUATORS, WEIGHTS
from imprint.miniature.subjects import NAMED_SUBJECTS

PARTS = ("generator", "realism", "evaluators", "costs", "sheet")
SHEET: dict[str, Any] = {"quality": 92, "subsampling": 0, "optimize": True}  # as .png, it would weigh a megabyte
Arguments = argparse.Namespace
PHOTOS = Path(__file__).parents[1] / "photos"


def generator(pipeline: StableDiffusionPipeline, a: Arguments) -> dict[str, Any]:
    oracle, sampler = read_oracle(a.evaluators / "oracle"), sampler_of(a)
    lists = {"unseen": prompts.unseen(a.seed), "paper": prompts.paper(a.seed)}
    measured = {
        name: judge(pipeline, oracle, some, each=a.each, sampler=sampler, seed=a.seed) for name, some in lists.items()
    }
    return {"sampler": asdict(sampler), "prompts": measured}


def distances(pipeline: StableDiffusionPipeline, a: Arguments) -> dict[str, Any]:
    sampler = sampler_of(a)
    measured = realism(pipeline, a.evaluators, count=a.pictures, sampler=sampler, seed=a.seed)
    return {"sampler": asdict(sampler), "pictures": a.pictures, "distances": measured}


def evaluators(pipeline: StableDiffusionPipeline, a: Arguments) -> dict[str, Any]:
    return {
        "clip": clip_validity(a.evaluators / "clip", count=a.scenes),
        "instance": instance_validity(a.evaluators / "instance"),
        "oracle": oracle_validity(a.evaluators / "oracle", count=a.scenes),
        "subject": telling(a.evaluators, pipeline, names=NAMED_SUBJECTS, each=a.each),
    }


def costs(pipeline: StableDiffusionPipeline, a: Arguments) -> dict[str, Any]:
    return {
        "parameters": parameters(pipeline),
        "megabytes": megabytes([a.weights, a.evaluators, PHOTOS]),
        "autoencoder psnr": round(psnr(pipeline.vae, drawn(held_out_scenes(256))), 2),
        "denoiser ms": denoiser_ms(pipeline),
    }


MEASURES = {"generator": generator, "realism": distances, "evaluators": evaluators, "costs": costs}


def sampler_of(a: Arguments) -> Sampler:
    return Sampler(scheduler=a.scheduler, steps=a.steps, guidance=a.guidance, karras=a.karras)


def write(a: Arguments) -> None:
    """Measures the parts one after another; each is on disk before the next begins."""
    file, marks = a.out / "report.json", {"weights": fingerprint(a.weights), "evaluators": fingerprint(a.evaluators)}
    report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if report.get("fingerprints") != marks:
        report = {"fingerprints": marks}
    pipeline = loaded(a.weights)
    a.out.mkdir(parents=True, exist_ok=True)
    for part in (part for part in PARTS if part in a.parts):
        print(f"report: {part} ...", flush=True)
        if part == "sheet":
            sheet = a.sheet or a.out / "sheet.jpg"
            sheet.parent.mkdir(parents=True, exist_ok=True)
            contact_sheet(pipeline, sampler_of(a), across=a.across, seed=a.seed).save(sheet, **SHEET)
        else:
            report[part] = MEASURES[part](pipeline, a)
            file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (a.out / "report.md").write_text(tables.page(report), encoding="utf-8")
    for card in a.cards:
        card.write_text(tables.filled(card.read_text(encoding="utf-8"), report), encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    usual = Sampler()
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder of report.json and report.md")
    parser.add_argument("--sheet", type=Path, help="the contact sheet's file; usually sheet.jpg beside the report")
    parser.add_argument(
        "--parts", nargs="*", choices=PARTS, default=list(PARTS), metavar="PART",
        help=f"what to measure: of {', '.join(PARTS)}",
    )  # fmt: skip
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--evaluators", type=Path, default=EVALUATORS)
    parser.add_argument(
        "--cards", type=Path, nargs="*", default=[WEIGHTS / "README.md", EVALUATORS / "README.md"],
        help="Markdown files whose marked blocks are filled",
    )  # fmt: skip
    parser.add_argument("--scheduler", default=usual.scheduler, help="a class of diffusers")
    parser.add_argument("--karras", action="store_true", help="with Karras's noise levels")
    parser.add_argument("--steps", type=int, default=usual.steps)
    parser.add_argument("--guidance", type=float, default=usual.guidance)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=2, help="pictures a prompt, and a subject")
    parser.add_argument("--pictures", type=int, default=400, help="pictures of each set for the distances")
    parser.add_argument("--scenes", type=int, default=1000, help="scenes that the evaluators are tried on")
    parser.add_argument("--across", type=int, default=6, help="generated pictures in a row of the sheet")


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.scenes < 1 or arguments.scenes % CANDIDATES:
        parser.error(f"--scenes {arguments.scenes}: must be a multiple of {CANDIDATES}, the captions to choose from")
    if not hasattr(diffusers, arguments.scheduler):
        parser.error(f"--scheduler {arguments.scheduler}: diffusers has no such scheduler")
    for folder, file in ((arguments.weights, "model_index.json"), (arguments.evaluators, "oracle/config.json")):
        if not (folder / file).exists():
            parser.error(f"{folder}: has no {file}; `pretrain` makes it")
    write(arguments)
    print(f"wrote {arguments.out}/report.json, report.md")
