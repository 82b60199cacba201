"""Pictures for an evaluation, in batches, against one picture a call with the adapter beside the network."""

import json
from collections.abc import Callable
from pathlib import Path

import programs
from judges import encoders
from sides import own
from task import RATES, Task

from cases.base import Case, Quantity, Setting, Values

SCRIPTS = Path(__file__).parents[1] / "evaluating"
PICTURES = {"tiny": (2, 1), "mini": (25, 4), "mid": (6, 4), "full": (5, 4)}  # prompts, and pictures of each
TARGETS = {"mini": 1 / 5.5, "mid": 1 / 1.6}
ROUNDS = {"tiny": 1, "mini": 3, "mid": 2, "full": 1}
GROWING = (1, 5, 10, 25)  # prompts, of four pictures each

Drawing = Callable[[Setting, Path, int, int], list[str]]


def cases() -> list[Case]:
    return [*(_case(size) for size in PICTURES), *(_growing(size) for size in ("tiny", "mini"))]


def _case(size: str) -> Case:
    prompts, each = PICTURES[size]
    return Case(
        name=f"drawing-{size}",
        size=size,
        title=f"{prompts * each} pictures of {prompts} prompts, 50 steps with guidance",
        rounds=ROUNDS[size],
        quantities={"drawing": Quantity("drawing", target=TARGETS.get(size))},
        sides={
            "imprint": lambda setting: {"drawing": _drawn(setting, in_batches, prompts, each)},
            "one picture a call": lambda setting: {"drawing": _drawn(setting, one_by_one, prompts, each)},
        },
    )


def _growing(size: str) -> Case:
    numbers = GROWING if size != "tiny" else (1, 2)

    def side(draw: Drawing) -> Callable[[Setting], Values]:
        return lambda setting: {
            str(number): _drawn(setting.apart(str(number)), draw, number, 4 if size != "tiny" else 1)
            for number in numbers
        }

    return Case(
        name=f"scaling-{size}-prompts",
        size=size,
        title="Drawing four pictures of each prompt",
        rounds=1,
        figure="curve",
        axis="prompts",
        quantities={str(number): Quantity(f"{number} prompts") for number in numbers},
        sides={"imprint": side(in_batches), "one picture a call": side(one_by_one)},
    )


def in_batches(setting: Setting, run: Path, prompts: int, each: int) -> list[str]:
    return [
        str(SCRIPTS / "draw_in_batches.py"),
        str(run),
        *asked(each),
        f"evaluation.pictures.subject.numbers={list(range(prompts))}",
        "evaluation.sampler={scheduler: DDIMScheduler, steps: 50, guidance: 7.5, negative_prompt: null}",
        *judged_by(setting),
    ]


def one_by_one(setting: Setting, run: Path, prompts: int, each: int) -> list[str]:
    return [
        str(SCRIPTS / "draw_one_by_one.py"),
        *map(str, (setting.material.model, run / "result", prompts, each)),
    ]


def asked(each: int) -> list[str]:
    """DreamBooth's prompts, DINO, CLIP-I and CLIP-T, and no other row than the tuned model's."""
    return ["evaluation=oft", "evaluation.rows=[]", f"evaluation.pictures.subject.images={each}"]


def judged_by(setting: Setting) -> list[str]:
    return encoders(setting.material.size, setting.scratch / "judges")


def noted(setting: Setting, program: list[str]) -> float:
    """What the program noted itself."""
    programs.run(program, setting.scratch, threads=setting.threads)
    told = json.loads((setting.scratch / "spent.json").read_text(encoding="utf-8"))
    return float(told[setting.clock])


def _drawn(setting: Setting, draw: Drawing, prompts: int, each: int) -> float:
    """With an adapter that a step has trained."""
    outputs = setting.scratch / "outputs"
    [train] = own.programs([Task(method="lora", lr=RATES["lora"], steps=1)], setting.material, outputs)
    programs.run(train, setting.scratch, threads=setting.threads)
    [run] = [file.parent for file in outputs.glob("*/result")]
    return noted(setting, draw(setting, run, prompts, each))
