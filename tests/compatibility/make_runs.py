"""How the runs in `runs/` were made: by the program as it was then, on the built-in miniature, which comes with it.

Today's program does not make them again: what an older one wrote is what the tests are about. A later release may add
its own:

    cd $(mktemp -d) && python /path/to/tests/compatibility/make_runs.py NAME_OF_THE_RELEASE

A run is bound to the weights that it learned beside. So where the miniature's change, the older program makes its runs
again, with the new weights in place of its own. Those of 0.1 were made by the commit "Runs of the first release, kept
to be opened by every later one", with its src/imprint/miniature/{weights,evaluators} replaced by those whose latents
have 8x8x32 numbers.

Nothing in them refers to a machine: the model and the photos are the package's, and `outputs` is relative.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from imprint.cli import main
from imprint.config import compose
from imprint.training.callbacks import FiniteLoss
from imprint.verbs.train import train

RUNS = Path(__file__).parent / "runs"
SMALL = [
    "model=mini",
    "model.resolution=32",
    "model.sampler.steps=2",
    "dataset=mini/dog6",
    "hparams.steps=4",
    "samples=none",
    "report=local",
    "report.progress=off",
    "report.every=1",
    "trainer.accelerator=cpu",
    "trainer.checkpoint_every=2",
    "outputs=outputs",
]
WORD = "dataset.identifier=sks"
ADAPTERS = [WORD, "method.rank=1", "method.targets=cross_attention", "method.lr=1e-3"]
SAMPLES = ["samples=default", "samples.prompts=['a {identifier} {noun}']", "samples.seeds=[0]"]
SCORES = ["evaluation=quick", "evaluation.pictures.subject.images=1", "evaluation.pictures.subject.numbers=[0]"]
COMMANDS = [
    ["method=lora", *ADAPTERS, *SAMPLES, *SCORES],
    ["method=textual_inversion"],
    [
        "method=pivotal",
        "method.network.rank=1",
        "method.network.targets=cross_attention",
        "objective=min_snr",
        "prior=generated",
        "prior.count=1",
    ],
    ["method=dreambooth", WORD, "method.layers=bias_norm", "optimizer=sgd"],
]
INTERRUPTED = ["method=lora", *ADAPTERS, "seed=1"]
SWEEP = ["method=lora", *ADAPTERS[:-1], "method.lr=1e-3,2e-3", "seed=2", "sweep.name=rates"]
NETWORKS = ("unet", "text_encoder", "vae", "tokenizer", "scheduler")
NOT_KEPT = (*NETWORKS, "*.lock", "*.ckpt", "*.html", "README.md", "sheet.png", "wandb")


def make(release: str) -> None:
    for command in COMMANDS:
        train(compose("train", [*SMALL, *command]))
    _interrupt(compose("train", [*SMALL, *INTERRUPTED]), after=3)
    try:
        main(["train", "-m", *SMALL, *SWEEP])
    except SystemExit as ended:
        if ended.code:
            raise
    shutil.copytree("outputs", RUNS / release, ignore=_left_out)


def _interrupt(cfg: DictConfig, *, after: int) -> None:
    """Ctrl-C, at the step behind a checkpoint."""
    check = FiniteLoss.on_before_backward

    def stop(self, trainer, module, loss) -> None:
        if trainer.global_step == after:
            raise KeyboardInterrupt
        check(self, trainer, module, loss)

    FiniteLoss.on_before_backward = stop
    try:
        train(cfg)
    except KeyboardInterrupt:
        FiniteLoss.on_before_backward = check
    [file] = Path("outputs").glob("*/checkpoints/last.ckpt")
    torch.save(_without(f"{Path.cwd()}/", torch.load(file, weights_only=True)), file)


def _without(place: str, value: Any) -> Any:
    """A checkpoint's content without the folder of the machine that wrote it."""
    if isinstance(value, dict):
        return {_without(place, name): _without(place, part) for name, part in value.items()}
    return value.replace(place, "") if isinstance(value, str) else value


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Whole networks (of DreamBooth's result only what it says of itself stays), locks, pages."""
    return set(shutil.ignore_patterns(*NOT_KEPT)(folder, names)) - {"last.ckpt"}


if __name__ == "__main__":
    make(sys.argv[1])
