"""One training: its step, how long until the first, the memory it takes; and the class pictures drawn before it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from programs import Clock, Taken
from task import RATES, Task

from cases.base import Case, Quantity, Setting, Side, Values
from cases.training import Programs, Trainers, taken, whole

START, MEMORY = 0.8, 1.05  # targets of every single run


class Kind(NamedTuple):
    title: str
    task: Task
    target: float  # of its step


KINDS = {
    "dreambooth-prior": Kind(
        "DreamBooth, batch 1 + prior",
        Task(method="dreambooth", lr=RATES["dreambooth"], steps=0, prior="found"),
        0.65,
    ),
    "lora": Kind("LoRA, batch 1", Task(method="lora", lr=RATES["lora"], steps=0), 0.65),
    "lora-4-prior": Kind(
        "LoRA, batch 4 + prior", Task(method="lora", lr=RATES["lora"], steps=0, batch_size=4, prior="found"), 0.60
    ),
    "dreambooth-4-prior": Kind(
        "DreamBooth, batch 4 + prior",
        Task(method="dreambooth", lr=RATES["dreambooth"], steps=0, batch_size=4, prior="found"),
        0.60,
    ),
    "textual_inversion": Kind(
        "Textual Inversion, batch 1",
        Task(method="textual_inversion", lr=RATES["textual_inversion"], steps=0),
        0.70,
    ),
}
FAMILY_STEP = 0.7  # target
LORA = Task(method="lora", lr=RATES["lora"], steps=0)
# Of the families whose scripts differ in this: those of flows keep latents if they are told to.
OF_FAMILIES: Mapping[str, Mapping[str, Kind]] = {
    "sdxl": {
        "lora": Kind("SDXL, LoRA, batch 1", LORA, FAMILY_STEP),
        "textual_inversion": Kind(
            "SDXL, Textual Inversion, batch 1", KINDS["textual_inversion"].task, KINDS["textual_inversion"].target
        ),
    },
    **{
        family: {
            "lora": Kind(f"{title}, LoRA, batch 1", LORA, FAMILY_STEP),
            "lora-kept": Kind(
                f"{title}, LoRA, batch 1, the peer keeps latents", replace(LORA, peer_caches=True), FAMILY_STEP
            ),
        }
        for family, title in {"flux": "FLUX.1", "z_image": "Z-Image"}.items()
    },
}
FAMILY_SIZES = {"sdxl": "sdxl", "sdxl_full": "sdxl", "flux": "flux", "z_image": "z_image"}
STEPS = {"tiny": 6, "mini": 80, "mid": 30, "full": 60}
FAMILY_STEPS = {"sdxl": 20, "sdxl_full": 30, "flux": 10, "z_image": 10}
ROUNDS = {"tiny": 1, "mini": 5, "mid": 3, "full": 3}
FAMILY_ROUNDS = 2
CLASS_PICTURES = {"tiny": 2, "mini": 20, "mid": 8, "full": 8}


def cases(trainers: Trainers) -> list[Case]:
    return [
        *(_step(trainers, size, name, kind) for size in STEPS for name, kind in KINDS.items()),
        *(
            _step(trainers, size, name, kind)
            for size, family in FAMILY_SIZES.items()
            for name, kind in OF_FAMILIES[family].items()
            if trainers.has(family, kind.task.method)
        ),
        *(_class_pictures(trainers, size, count) for size, count in CLASS_PICTURES.items()),
    ]


def _step(trainers: Trainers, size: str, name: str, kind: Kind) -> Case:
    rounds = FAMILY_ROUNDS if size in FAMILY_SIZES else ROUNDS[size]
    task = replace(kind.task, steps=(FAMILY_STEPS if size in FAMILY_SIZES else STEPS)[size])
    return Case(
        name=f"step-{size}-{name}",
        size=size,
        title=f"{kind.title}, {task.steps} steps",
        rounds=rounds,
        quantities={
            "step": Quantity("a step", "ms", kind.target),
            "start": Quantity("start until the first step is done", target=START),
            "whole": Quantity("whole program"),
            "memory": Quantity("peak memory", "MB", MEMORY),
        },
        sides=trainers.both([task], read_run),
    )


def read_run(found: Sequence[Taken], clock: Clock) -> Values:
    [run] = found
    return {
        "step": run.step(clock) * 1000,
        "start": run.start(clock),
        "whole": run.whole(clock),
        "memory": run.peak_bytes / 1e6,
    }


def _class_pictures(trainers: Trainers, size: str, count: int) -> Case:
    return Case(
        name=f"class-pictures-{size}",
        size=size,
        title=f"{count} class pictures, 50 steps with guidance",
        rounds=ROUNDS[size],
        quantities={"drawing": Quantity("what a run takes longer that has to draw them")},
        sides={
            name: _longer(make, count)
            for name, make in {"imprint": trainers.imprint, trainers.other_name: trainers.other}.items()
        },
    )


def _longer(make: Programs, count: int) -> Side:
    """A run of one step that draws its class pictures, less one that finds them."""
    task = Task(method="lora", lr=RATES["lora"], steps=1, class_count=count)

    def measured(setting: Setting) -> Values:
        spent = {}
        for prior in ("drawn", "found"):
            apart = setting.apart(prior)
            spent[prior] = whole(taken(make, [replace(task, prior=prior)], apart), setting.clock)
        return {"drawing": spent["drawn"] - spent["found"]}

    return measured
