"""The scores of one subject of a run under one profile, as they lie in the run's folder, in scores/.

A sheet holds every single number, so that tables, intervals and tests need no picture. Rows are what was judged:
`tuned`, the floors `untuned` and `prompt_only`, the ceilings `real` and `copies`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from imprint.evaluation.records import Value
from imprint.files import write_json

Better = Literal["higher", "lower", "neither"]
Row = Literal["tuned", "untuned", "prompt_only", "real", "copies"]
ARROWS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "neither": ""}


@dataclass(frozen=True, kw_only=True)
class MetricFacts:
    """What a number means. Numbers are comparable exactly if their fingerprints are equal."""

    title: str
    better: Better
    fingerprint: (
        str  # of the metric's settings, the encoders' weights and transforms, the pictures asked, the averaging
    )
    settings: Mapping[str, Any]
    encoders: Mapping[str, Mapping[str, str]]  # role -> name, fingerprint

    @property
    def heading(self) -> str:
        return headed(self.title, self.better)

    @property
    def encoder_names(self) -> str:
        return ", ".join(encoder["name"] for encoder in self.encoders.values())


@dataclass(frozen=True, kw_only=True)
class PictureCount:
    asked: int
    drawn: int
    failed: int
    blank: int


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A metric of one row. `mean` is averaged as the profile says; `by_category` likewise, within a category."""

    mean: float
    by_category: Mapping[str, float]
    values: Sequence[Value]


@dataclass(frozen=True, kw_only=True)
class ScoreSheet:
    run: str  # the run's folder name
    method: str
    settings: Mapping[str, Any]  # of the run, flat: hparams.steps, method.lr, ...
    subject: str
    kind: str  # live or object
    noun: str
    seed: int
    step: int
    profile: str
    averaging: str
    sampling: str  # fingerprint of sampler, prompts, pictures per prompt, size
    metrics: Mapping[str, MetricFacts]
    pictures: Mapping[str, PictureCount]  # by row
    prompts: Mapping[str, Sequence[tuple[str, str]]]  # set -> (template, category) by number
    rows: Mapping[
        str, Mapping[str, Scored]
    ]  # row -> metric -> scores; a metric that makes no sense for a row is absent
    seconds: Mapping[str, float]
    notes: Sequence[str] = ()  # what is to be said beside the numbers

    def write(self, file: Path) -> None:
        write_json(file, asdict(self))

    @classmethod
    def read(cls, file: Path) -> "ScoreSheet":
        content = json.loads(file.read_text(encoding="utf-8"))
        content["metrics"] = {name: MetricFacts(**facts) for name, facts in content["metrics"].items()}
        content["pictures"] = {row: PictureCount(**count) for row, count in content["pictures"].items()}
        content["prompts"] = {
            name: [tuple(prompt) for prompt in prompts] for name, prompts in content["prompts"].items()
        }
        content["rows"] = {
            row: {name: _scored(scored) for name, scored in metrics.items()} for row, metrics in content["rows"].items()
        }
        return cls(**content)


def headed(title: str, better: Better) -> str:
    """With an arrow towards the better numbers."""
    return f"{title} {ARROWS[better]}".strip()


def _scored(content: Mapping[str, Any]) -> Scored:
    return Scored(
        mean=content["mean"],
        by_category=content["by_category"],
        values=[Value(*value) for value in content["values"]],
    )
