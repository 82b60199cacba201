"""All that can be measured, by name."""

from collections.abc import Mapping
from pathlib import Path

from cases import drawing, grids, metric_pass, quality, scaling, steps
from cases.base import Case
from cases.training import Trainers

SHORT = ("step-mini-*", "class-pictures-mini")  # what is measured if nothing is said
ALL = ("*-mini", "*-mini-*", "*-mid", "*-mid-*", "*-sdxl-*", "*-flux-*", "*-z_image-*")
ALL_ON_GPU = ("*-full", "*-full-*", "*-sdxl_full-*", *ALL)


def every_case(peer: Path | None) -> Mapping[str, Case]:
    trainers = Trainers(peer)
    cases = [
        *steps.cases(trainers),
        *grids.cases(trainers),
        *drawing.cases(),
        *metric_pass.cases(),
        *scaling.cases(trainers),
        *quality.cases(trainers),
    ]
    return {case.name: case for case in cases}
