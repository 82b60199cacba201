"""Pre-trains the miniature from nothing, resumably: `python -m imprint.miniature.pretrain --work work/`.

Killed at any moment, the same command goes on where it stopped. Stages: autoencoder, denoiser (text
encoder and UNet together), export; then the evaluators, which never meet the generator: clip, instance, oracle.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from imprint.miniature.recipe import settings as recipe
from imprint.miniature.recipe import stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for caches and checkpoints")
    parser.add_argument("--stages", nargs="+", choices=list(stages.STAGES), default=list(stages.STAGES))
    parser.add_argument(
        "--minutes",
        type=float,
        help="end each training stage after this long, with its schedule fitted to it",
    )
    parser.add_argument("--continue-from", type=Path, help="start the stages from this pipeline's weights")
    parser.add_argument("--out", type=Path, default=stages.WEIGHTS, help="where export writes the pipeline")
    parser.add_argument("--evaluators", type=Path, default=stages.EVALUATORS, help="where their stages write")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="override values of recipe.yaml")
    arguments = parser.parse_args()
    job = stages.Job(
        settings=recipe.read(arguments.set),
        work=arguments.work,
        minutes=arguments.minutes,
        continue_from=arguments.continue_from,
        out=arguments.out,
        evaluators=arguments.evaluators,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
    )
    for stage in arguments.stages:
        stages.STAGES[stage](job)


if __name__ == "__main__":
    main()
