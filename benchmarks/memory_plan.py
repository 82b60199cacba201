"""The estimate of memory beside what training takes, on models of middle size. README.md says how to read it.

python benchmarks/memory_plan.py                     prints a table; takes half an hour
python benchmarks/memory_plan.py flux sd15           these models alone
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from memory import measured

SIDE, STEPS = 256, 2
MODELS = ("sd15", "sdxl", "flux", "sd3", "z_image")
METHODS: Mapping[str, Sequence[str]] = {
    "lora": ["method=lora"],
    "textual_inversion": ["method=textual_inversion", "dataset.identifier=auto"],
    "dreambooth": ["method=dreambooth"],
}
SETTINGS: Mapping[str, Sequence[str]] = {
    "plain": [],
    "kept cheap": ["hparams.precision=bf16-mixed", "trainer.keep_parts=needed", "trainer.gradient_checkpointing=true"],
}

# What is freed goes back to the system at once. Otherwise what the C library keeps would be measured, a third of all.
RETURNED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "1"}


def main(models: Sequence[str]) -> None:
    titles = ("model", "method", "settings", "estimate", "largest phase", "measured", "estimate / measured")
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            folder = Path(scratch) / model
            _alone("write", model, str(folder))
            for method in METHODS:
                for settings in SETTINGS:
                    print(
                        _row(model, method, settings, _alone("compare", model, str(folder), method, settings)),
                        flush=True,
                    )


def _row(model: str, method: str, settings: str, found: Mapping[str, float | str]) -> str:
    estimate, peak = float(found["estimate"]), float(found["anonymous"])
    columns = [
        model,
        method,
        settings,
        f"{estimate:.0f} MiB",
        found["phase"],
        f"{peak:.0f} MiB",
        f"{estimate / peak:.2f}",
    ]
    return f"| {' | '.join(map(str, columns))} |"


def write(model: str, folder: str) -> Mapping[str, float]:
    from material import noise
    from published import of_middle_size

    of_middle_size(model, Path(folder) / "model")
    noise(Path(folder) / "pictures", SIDE, 3)
    return {}


def compare(model: str, folder: str, method: str, settings: str) -> Mapping[str, float | str]:
    """The estimate, and what the process had at most beyond what a run of a tiny model left in it, without pages of
    mapped files."""
    import peft  # noqa: F401 - libraries are no part of the model
    import pytorch_lightning  # noqa: F401
    from published import tiny_model

    from imprint.planning.memory.estimate import Unknown, estimate
    from imprint.planning.prepare import prepare
    from imprint.verbs.train import train

    own = Path(folder)
    if not (own / "tiny").is_dir():
        tiny_model(model, own / "tiny")
    train(_configuration(model, own / "tiny", own, method, settings))  # so that all that is imported is there
    cfg = _configuration(model, own / "model", own, method, settings)
    plan = prepare(cfg)
    found = estimate(plan, plan.parts.trainer.device)
    if isinstance(found, Unknown):
        raise SystemExit(found.reason)
    with measured() as peak:
        train(cfg)
    return {"estimate": found.peak / 2**20, "phase": found.largest.name, **peak}


def _configuration(model: str, source: Path, own: Path, method: str, settings: str) -> Any:
    from imprint.config import compose

    return compose(
        "train",
        [
            f"model={model}",
            f"model.source={source}",
            f"model.resolution={SIDE}",
            "dataset=folder",
            f"dataset.path={own / 'pictures'}",
            "dataset.class_noun=dog",
            "dataset.identifier=x",
            f"outputs={own / 'runs' / source.name / method / settings}",
            f"hparams.steps={STEPS}",
            "hparams.batch_size=1",
            "samples=none",
            "report=local",
            "report.progress=off",
            "trainer.accelerator=cpu",
            "trainer.memory=null",
            *METHODS[method],
            *SETTINGS[settings],
        ],
    )


def _alone(*arguments: str) -> Mapping[str, float | str]:
    """In a process of its own, whose memory nothing has used before."""
    command = [sys.executable, __file__, "--child", *arguments]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | RETURNED).stdout
    found: Mapping[str, float | str] = json.loads(output.splitlines()[-1])
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        what, *given = sys.argv[2:]
        print(json.dumps({"write": write, "compare": compare}[what](*given)))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("models", nargs="*", metavar="MODEL", default=[], help=", ".join(MODELS))
        main(parser.parse_args().models or MODELS)
