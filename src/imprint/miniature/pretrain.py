"""Pre-trains the miniature from nothing, resumably: `python -m imprint.miniature pretrain --work work/`.

Killed at any moment, the same command goes on where it stopped. Stages: autoencoder, decoder (its second half alone),
denoiser (text encoder and UNet together), export; flow, export_flow, which go on from that; upscaler_autoencoder,
upscaler, export_upscaler; then the evaluators, which never meet the generator: clip, instance, oracle.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from omegaconf.errors import OmegaConfBaseException

from imprint.miniature.recipe import settings as recipe
from imprint.miniature.recipe.stages import STAGES
from imprint.miniature.recipe.stages.job import EVALUATORS, FLOW_WEIGHTS, UPSCALER_WEIGHTS, WEIGHTS, Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--work", type=Path, required=True, help="folder for caches and checkpoints")
    parser.add_argument(
        "--stages", nargs="+", choices=list(STAGES), default=list(STAGES), metavar="STAGE",
        help=f"only these of: {', '.join(STAGES)}",
    )  # fmt: skip
    parser.add_argument(
        "--minutes",
        type=float,
        help="end each training stage after this long, with its schedule fitted to it",
    )
    parser.add_argument("--continue-from", type=Path, help="start the stages from this pipeline's weights")
    parser.add_argument(
        "--continue-evaluators-from", type=Path, help="start the stage clip from what this folder of evaluators holds"
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="where export writes the pipeline")
    parser.add_argument("--flow-out", type=Path, default=FLOW_WEIGHTS, help="where export_flow writes its")
    parser.add_argument("--upscaler-out", type=Path, default=UPSCALER_WEIGHTS, help="where export_upscaler writes its")
    parser.add_argument("--evaluators", type=Path, default=EVALUATORS, help="where their stages write")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="override values of recipe.yaml")


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.continue_from and not (arguments.continue_from / "model_index.json").exists():
        parser.error(f"--continue-from {arguments.continue_from}: no pipeline folder (it has no model_index.json)")
    known = arguments.continue_evaluators_from
    if known and not (known / "clip" / "config.json").exists():
        parser.error(f"--continue-evaluators-from {known}: no folder of evaluators (it has no clip/config.json)")
    try:
        settings = recipe.read(arguments.set)
    except OmegaConfBaseException as error:
        parser.error(f"--set: {error}".splitlines()[0])
    job = Job(
        settings=settings,
        work=arguments.work,
        minutes=arguments.minutes,
        continue_from=arguments.continue_from,
        continue_evaluators_from=arguments.continue_evaluators_from,
        out=arguments.out,
        flow_out=arguments.flow_out,
        upscaler_out=arguments.upscaler_out,
        evaluators=arguments.evaluators,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
    )
    for number, stage in enumerate(arguments.stages, 1):
        print(f"stage {number} of {len(arguments.stages)}: {stage}", flush=True)
        STAGES[stage](job)
