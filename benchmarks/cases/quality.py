"""The same quality in fewer seconds: scores after as many samples, with the same settings and the same drawing."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import programs
from judges import encoders
from task import IDENTIFIER, Method, Task

from cases.base import Case, Quantity, Setting, Side, Values
from cases.drawing import SCRIPTS
from cases.training import Programs, Trainers, taken, whole
from imprint.config import compose
from imprint.locations import locate

PHOTOS = "pkg://imprint.miniature/photos"
SUBJECTS = (("dog6", "dog", "live"), ("teapot", "teapot", "object"))  # one a round
METRICS = {"dino": "DINO", "clip_i": "CLIP-I", "clip_t": "CLIP-T"}


class Lesson(NamedTuple):
    title: str
    task: Task


LESSONS: dict[Method, Lesson] = {
    "lora": Lesson("LoRA, rank 8, batch 4", Task(method="lora", lr=1e-3, rank=8, batch_size=4, steps=0)),
    "dreambooth": Lesson("DreamBooth, batch 4", Task(method="dreambooth", lr=3e-4, batch_size=4, steps=0)),
}
STEPS = {"tiny": (2,), "mini": (50, 150, 300)}


def cases(trainers: Trainers) -> list[Case]:
    return [
        Case(
            name=f"quality-{size}-{method}",
            size=size,
            title=f"{lesson.title}: scores after as many steps",
            rounds=len(SUBJECTS) if size == "mini" else 1,
            figure="quality",
            quantities={
                f"{what}-{steps}": quantity
                for steps in several
                for what, quantity in {
                    "seconds": Quantity(f"{steps} steps, whole program"),
                    **{key: Quantity(f"{title} after {steps} steps", "") for key, title in METRICS.items()},
                }.items()
            },
            sides={
                "imprint": _side(trainers.imprint, lesson.task, several),
                trainers.other_name: _side(trainers.other, lesson.task, several),
            },
        )
        for size, several in STEPS.items()
        for method, lesson in LESSONS.items()
    ]


def _side(make: Programs, task: Task, several: Sequence[int]) -> Side:
    def measured(setting: Setting) -> Values:
        subject, noun, kind = SUBJECTS[setting.round % len(SUBJECTS)]
        folder = _photos(subject, setting.scratch / "photos")
        material = replace(setting.material, pictures=folder, noun=noun)
        found = {}
        for steps in several:
            apart = replace(setting.apart(str(steps)), material=material)
            lesson = replace(task, steps=steps, seed=setting.round)
            found[f"seconds-{steps}"] = whole(taken(make, [lesson], apart), setting.clock)
            found |= {f"{key}-{steps}": value for key, value in _scores(apart, kind).items()}
        return found

    return measured


def _photos(subject: str, folder: Path) -> Path:
    """The pictures alone: the peer opens whatever lies in a folder."""
    folder.mkdir()
    for file in sorted(locate(f"{PHOTOS}/{subject}").glob("*.[jp][pn]g")):
        shutil.copy(file, folder)
    return folder


def _scores(setting: Setting, kind: str) -> dict[str, float]:
    [result] = [*setting.scratch.glob("outputs/*/result"), *setting.scratch.glob("outputs/[0-9][0-9]")]
    prompts, images = setting.scratch / "prompts.txt", setting.scratch / "images"
    prompts.write_text("\n".join(_prompts(kind, setting.material.noun)), encoding="utf-8")
    draw = [str(SCRIPTS / "draw_result.py"), *map(str, (setting.material.model, result, prompts, images))]
    judge = [
        "imprint",
        "evaluate",
        f"images={images}",
        f"prompts={prompts}",
        f"references={setting.material.pictures}",
        f"noun={setting.material.noun}",
        f"identifier={IDENTIFIER}",
        f"kind={kind}",
        "evaluation=oft",
        "evaluation.rows=[]",
        *encoders(setting.material.size, setting.scratch / "judges"),
    ]
    for program in (draw, judge):
        programs.run(program, setting.scratch, threads=setting.threads)
    [sheet] = (images / "scores").glob("*.json")
    scores = json.loads(sheet.read_text(encoding="utf-8"))["rows"]["tuned"]
    return {key: float(scores[key]["mean"]) for key in METRICS}


def _prompts(kind: str, noun: str) -> list[str]:
    """DreamBooth's."""
    asked = compose("evaluate", ["evaluation=oft"]).evaluation.pictures.subject.prompts[kind]
    return [template.format(identifier=IDENTIFIER, noun=noun) for templates in asked.values() for template in templates]
