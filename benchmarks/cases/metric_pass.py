"""DINO, CLIP-I and CLIP-T of a folder of pictures, against encoding references and prompts anew for each picture."""

from collections.abc import Callable

import numpy as np
from material import noise
from PIL import Image

from cases.base import Case, Quantity, Setting, Values
from cases.drawing import SCRIPTS, asked, judged_by, noted

PROMPTS, REFERENCES = 25, 5
PICTURES = {"tiny": 1, "mini": 4, "mid": 4}  # of each prompt
ENCODERS = {"tiny": "tiny encoders", "mini": "the miniature's encoders", "mid": "CLIP B/32 and DINO S/16"}
TARGETS = {"mid": 1 / 7}


def cases() -> list[Case]:
    return [
        Case(
            name=f"metrics-{size}",
            size=size,
            title=f"Metrics of {PROMPTS * each} pictures, {REFERENCES} references, {ENCODERS[size]}",
            rounds=1 if size == "tiny" else 3,
            quantities={"measuring": Quantity("measuring", target=TARGETS.get(size))},
            sides={"imprint": _side(_in_batches, each), "naive": _side(_naively, each)},
        )
        for size, each in PICTURES.items()
    ]


def _side(judge: Callable[[Setting], list[str]], each: int) -> Callable[[Setting], Values]:
    def measured(setting: Setting) -> Values:
        _pictures(setting, each)
        return {"measuring": noted(setting, [*judge(setting), *asked(each), *judged_by(setting)])}

    return measured


def _in_batches(setting: Setting) -> list[str]:
    return [
        str(SCRIPTS / "measure_in_batches.py"),
        f"images={setting.scratch / 'images'}",
        f"prompts={setting.scratch / 'prompts.txt'}",
        f"references={setting.scratch / 'references'}",
        "noun=dog",
    ]


def _naively(setting: Setting) -> list[str]:
    given = (setting.scratch / name for name in ("images", "prompts.txt", "references"))
    return [str(SCRIPTS / "measure_naively.py"), *map(str, given)]


def _pictures(setting: Setting, each: int) -> None:
    side = setting.material.resolution
    noise(setting.scratch / "references", side, REFERENCES)
    images = setting.scratch / "images"
    images.mkdir()
    random = np.random.default_rng(2)
    for prompt in range(PROMPTS):
        for k in range(each):
            Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(images / f"{prompt}-{k}.png")
    lines = [f"a dog in place {number}" for number in range(PROMPTS)]
    (setting.scratch / "prompts.txt").write_text("\n".join(lines), encoding="utf-8")
