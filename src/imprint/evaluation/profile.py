"""An evaluation profile: which pictures are generated, which metrics are measured, and how the numbers are averaged."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import NonNegativeFloat, PositiveInt

from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.pairs import OTHERS
from imprint.evaluation.prompts import PromptSet
from imprint.evaluation.records import Candidate, PictureRequest
from imprint.evaluation.score_sheet import Row
from imprint.evaluation.statistics.nesting import Averaging
from imprint.kinds import of_kind
from imprint.suggestions import nearest

Precision = Literal["32", "bf16-mixed", "16-mixed", "bf16"]  # bf16: of the weights, too
SUBJECT = "subject"  # the prompts about the subject itself


@dataclass(frozen=True, kw_only=True)
class SamplerParts:
    """The sampler's settings; null: those of the model."""

    scheduler: str | None
    steps: PositiveInt | None
    guidance: NonNegativeFloat | None
    negative_prompt: str | None

    def given(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class PhotoCounts(NamedTuple):
    """How many real pictures there are."""

    photos: int
    trained_on: int
    held_out: int
    class_photos: int


REMEDIES = (
    ("photos", "real pictures of the subject", "Give more"),
    ("trained_on", "pictures that were trained on", "Give more"),
    ("held_out", "pictures that were kept out of training", "Train with dataset.holdout=..."),
    ("class_photos", "real pictures of other members of the class", "Give class_photos=FOLDER"),
)


@of_kind("evaluation/profile")
class Profile:
    """pictures      by set, the prompts and how many pictures of each
    size          height and width in pixels; null: the run's own
    encoders      by role; a model may bring its own in their place
    counted       by metric, the only categories that it is measured on
    averaging     macro: pictures, then prompts; pairs: all pairs of a picture and a photo alike
    rows          what is scored beside the run: bicubic, untuned, prompt_only, real, copies
    others        a folder of pictures of other things that an upscaler enlarges; null: nothing is asked of such
    batch_size    pictures generated at a time, null: by their size; changes memory and speed alone
    """

    former_defaults: ClassVar[Mapping[str, Any]] = {"others": None}

    def __init__(
        self,
        *,
        name: str,
        pictures: Mapping[str, PromptSet],
        size: tuple[PositiveInt, PositiveInt] | None,
        sampler: SamplerParts,
        precision: Precision,
        encoders: Mapping[str, Encoder],
        metrics: Mapping[str, Metric],
        averaging: Averaging,
        counted: Mapping[str, list[str]],
        rows: list[Row],
        others: str | None,
        batch_size: PositiveInt | None,
    ) -> None:
        self.name = name
        if others is None:  # what is asked of them waits for a folder
            pictures = {name: own for name, own in pictures.items() if name != OTHERS}
            metrics = {name: metric for name, metric in metrics.items() if OTHERS not in metric.needs.sets}
        self.pictures = pictures
        self.size = size
        self.sampler = sampler
        self.precision = precision
        self.encoders = encoders
        self.metrics = metrics
        self.averaging = averaging
        self.counted = counted
        self.rows = rows
        self.others = others
        self.batch_size = batch_size
        if faults := list(self._faults()):
            raise ValueError("\n".join(faults))

    def requests(self, kind: str, noun: str) -> dict[str, list[PictureRequest]]:
        """Every picture of a subject that is generated, by set."""
        return {name: self.pictures[name].requests(name, kind, noun) for name in self.generated_sets}

    def templates(self, kind: str) -> dict[str, list[tuple[str, str]]]:
        """(template, category) of every prompt of these sets, by its number; restricted ones too."""
        return {
            name: [(prompt.template, prompt.category) for prompt in self.pictures[name].of(kind)]
            for name in self.generated_sets
        }

    @property
    def generated_sets(self) -> tuple[str, ...]:
        """The sets that some row has pictures of: those that a metric needs, and the subject's where a row does."""
        without_identifier = self.anonymous_sets if {"prompt_only", "bicubic"}.intersection(self.rows) else ()
        return self._sets({*self.tuned_sets, *self.untuned_sets, *without_identifier})

    @property
    def anonymous_sets(self) -> tuple[str, ...]:
        """The sets of a row that is told no identifier: the subject's, and that of other things."""
        return self._sets({SUBJECT} | {OTHERS}.intersection(self.tuned_sets))

    def of_sets(self, names: Sequence[str], untuned: Sequence[str] = ()) -> tuple["Profile", list[str]]:
        """This profile without the metrics that need other sets, of the model or of the untuned one, and which these
        are."""
        chosen = copy.copy(self)
        chosen.metrics = {
            name: metric
            for name, metric in self.metrics.items()
            if set(metric.needs.sets) <= set(names) and set(metric.needs.untuned) <= set(untuned)
        }
        chosen.counted = {name: counted for name, counted in self.counted.items() if name in chosen.metrics}
        left_out = [name for name in self.metrics if name not in chosen.metrics]
        return chosen, [f"{name} needs pictures that are not here, and is left out." for name in left_out]

    @property
    def compares_pairs(self) -> bool:
        """Whether its pictures are photos that an upscaler enlarged."""
        return any(metric.compares_pairs for metric in self.metrics.values())

    @property
    def tuned_sets(self) -> tuple[str, ...]:
        """The sets that the run's model generates."""
        return self._sets({name for metric in self.metrics.values() for name in metric.needs.sets})

    @property
    def untuned_sets(self) -> tuple[str, ...]:
        """The sets that the untuned model generates: for metrics that compare with it, and for its own row."""
        compared = {name for metric in self.metrics.values() for name in metric.needs.untuned}
        return self._sets(compared | (set(self.tuned_sets) if "untuned" in self.rows else set()))

    def sets(self) -> dict[str, Mapping[str, object]]:
        """By set, the settings that decide which pictures are asked for, whatever the subject."""
        return {name: chosen.settings() for name, chosen in self.pictures.items()}

    def applies(self, metric: Metric, row: Row) -> bool:
        """Whether a metric applies to a row."""
        needs = metric.needs
        if row == "tuned":
            return True
        if needs.untuned:
            return False
        if row in ("prompt_only", "bicubic"):
            return needs.sets in ((SUBJECT,), (OTHERS,))
        return row == "untuned" or (needs.sets == (SUBJECT,) and (row != "real" or needs.photos > 0))

    def problems(self, counts: PhotoCounts) -> Iterator[str]:
        """Which metrics need more real pictures than there are."""
        for name, metric in self.metrics.items():
            for what, kind, how in REMEDIES:
                needed, there = getattr(metric.needs, what), getattr(counts, what)
                if there < needed:
                    yield (
                        f"evaluation.metrics.{name} needs {needed} {kind}; there are {there}. {how}, "
                        f"or leave the metric out (~evaluation.metrics.{name})."
                    )

    def unmeasurable(self, candidate: Candidate) -> Iterator[str]:
        """Which metrics mean nothing of this subject, or of the prompts that they are measured on."""
        found: dict[str, list[str]] = {}
        for name, metric in self.metrics.items():
            counted = self.counted.get(name)
            prompts = {
                set: [prompt for prompt in members if not counted or prompt[1] in counted]
                for set, members in candidate.prompts.items()
            }
            for problem in metric.problems(candidate._replace(prompts=prompts)):
                found.setdefault(problem, []).append(f"evaluation.metrics.{name}")
        for problem, names in found.items():
            without = " ".join(f"~{name}" for name in names)
            yield f"{', '.join(names)}: {problem} Or leave out what cannot be measured ({without})."

    def _sets(self, needed: set[str]) -> tuple[str, ...]:
        return tuple(name for name in self.pictures if name in needed)

    def _categories(self, name: str) -> set[str]:
        chosen = self.pictures.get(name)
        return chosen.known_categories if chosen else set()

    def _faults(self) -> Iterator[str]:
        if not re.fullmatch(r"[\w.-]+", self.name):
            yield f"name={self.name!r}: files are called by it. Use letters, digits, dots and dashes."
        if not self.metrics:
            yield "metrics: there is none. Give at least one."
        for name, metric in self.metrics.items():
            for needed in sorted({*metric.needs.sets, *metric.needs.untuned} - set(self.pictures)):
                yield (
                    f"metrics.{name} needs pictures of {needed} prompts, and pictures.{needed} is not there. "
                    "Add it, or leave the metric out."
                )
            for needed in sorted({*metric.needs.sets, *metric.needs.untuned} & set(self.pictures)):
                if self.pictures[needed].images < metric.needs.pictures:
                    yield (
                        f"pictures.{needed}.images={self.pictures[needed].images}: metrics.{name} needs "
                        f"{metric.needs.pictures} of each prompt. Ask for more, or leave the metric out."
                    )
        for name, categories in self.counted.items():
            if name not in self.metrics:
                yield f"counted.{name}: there is no such metric; {nearest(name, self.metrics)}"
                continue
            known = {category for wanted in self.metrics[name].needs.sets for category in self._categories(wanted)}
            for category in categories:
                if category not in known:
                    yield f"counted.{name}: no prompt is of the category {category!r}; {nearest(category, known)}"
        yield from self._faults_of_pairs()
        if len({"tuned", *self.rows}) <= len(self.rows):
            yield f"rows={self.rows}: each may be given only once, and tuned is always there."

    def _faults_of_pairs(self) -> Iterator[str]:
        """Of what upscalers alone are asked for."""
        if "bicubic" in self.rows and not self.compares_pairs:
            yield (
                f"rows={self.rows}: bicubic enlarges the low pictures that an upscaler is given, and here pictures are "
                "drawn from prompts alone. Leave it out; for an upscaler, choose evaluation=upscaling."
            )
        if self.others is not None and OTHERS not in self.tuned_sets:
            yield (
                f"others={self.others!r}: no metric of this profile looks at pictures of other things. Set it to null; "
                "for an upscaler, choose evaluation=upscaling."
            )
