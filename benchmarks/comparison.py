"""Both sides on the same task, turn by turn."""

import datetime
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from imprint_loop import configuration, take_turns
from layouts import LAYOUTS
from models import model_of
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from plain_loop import PlainLoop, PlainSettings
from record import circumstances, load

from imprint.build import prepare

CASES = {"without prior": False, "with prior": True}
WARM_UP = 1  # rounds that do not count


def measure(size: str, *, rounds: int, steps: int, overrides: Sequence[str]) -> dict[str, Any]:
    """Every case, and what it was measured with."""
    before = load()
    side = LAYOUTS[size].resolution
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, weights = model_of(size, folder / "model")
        pictures = _draw_pictures(folder / "pictures", side)
        class_pictures = _draw_pictures(folder / "class_pictures", side)
        cases = []
        for case, has_prior in CASES.items():
            cfg = configuration(
                model=model,
                resolution=side,
                pictures=pictures,
                class_pictures=class_pictures if has_prior else None,
                more=[*overrides, f"outputs={folder}/runs"],
            )
            cases.append({"case": case, **compare(cfg, rounds=rounds, steps=steps)})
    return {
        "date": datetime.date.today().isoformat(),
        "size": size,
        "resolution": side,
        "weights": weights,
        "rounds": rounds,
        "steps": steps,
        "load": [before, load()],
        "circumstances": circumstances(),
        "cases": cases,
    }


def compare(cfg: DictConfig, *, rounds: int, steps: int) -> dict[str, Any]:
    settings = plain_settings(cfg)
    loop = PlainLoop(settings)
    turns = take_turns(cfg, steps=steps, rounds=WARM_UP + rounds, other=partial(_take, loop, steps))
    assert turns.trained_parameters == loop.trained_parameters, "the two sides do not train the same"
    own, plain = turns.seconds[WARM_UP:], turns.other_seconds[WARM_UP:]
    ratios = [theirs / ours for ours, theirs in zip(own, plain, strict=True)]
    return {
        "trained_parameters": loop.trained_parameters,
        "imprint": {**_times(own), "peak_bytes": _peak("imprint", OmegaConf.to_container(cfg, resolve=True))},
        "plain": {**_times(plain), "peak_bytes": _peak("plain", asdict(settings))},
        "ratio": {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)},
    }


def plain_settings(cfg: DictConfig) -> PlainSettings:
    """The task of `cfg`, for the plain loop. Its optimiser stays AdamW with the usual settings, whatever `cfg` has."""
    plan = prepare(cfg)
    return PlainSettings(
        model=cfg.model.source,
        pictures=cfg.dataset.path,
        class_pictures=cfg.prior.get("path"),
        prompt=plan.concepts[0].fill("a {identifier} {noun}"),
        class_prompt=plan.concepts[0].fill("a {noun}"),
        prior_weight=cfg.prior.get("weight", 0.0),
        resolution=cfg.model.resolution,
        batch_size=cfg.hparams.batch_size,
        lr=cfg.method.lr,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        clip=cfg.hparams.clip,
        device=str(plan.parts.trainer.device),
    )


def _take(loop: PlainLoop, steps: int) -> None:
    for _ in range(steps):
        loop.step()


def _times(seconds: Sequence[float]) -> dict[str, Any]:
    return {"seconds": statistics.median(seconds), "rounds": [round(value, 6) for value in seconds]}


def _peak(side: str, settings: Any) -> int:
    """Bytes that a process takes which does nothing but this side's steps."""
    told = json.dumps([torch.get_num_threads(), settings])
    command = [sys.executable, str(Path(__file__).with_name("alone.py")), side]
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


def _draw_pictures(folder: Path, side: int, number: int = 5) -> Path:
    """Noise, of the size that is trained on: to fit photographs to it is no part of the comparison."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(number):
        Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    return folder
