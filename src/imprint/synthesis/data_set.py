"""A data set that is asked for: checked, told what it would be, and made."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

import imprint
from imprint import messages
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.records import Needs
from imprint.filters.base import Filter
from imprint.filters.judging import check, encoders_of, fingerprints
from imprint.labelled.folder import is_labelled, read_about, write_about
from imprint.masks.base import Estimator
from imprint.models.beginning import first_step
from imprint.planning.opt_out import reasons_against
from imprint.provenance.base import Provenance
from imprint.reporting.units import duration
from imprint.synthesis import held_out
from imprint.synthesis.base import Asked, Settings, Synthesis
from imprint.synthesis.drawing import How, draw_missing, missing, sampler_of
from imprint.synthesis.held_out import HeldOut, photos_to_test
from imprint.synthesis.prompts import named_places
from imprint.synthesis.taught import Taught
from imprint.synthesis.writing import context_of, write_data_set

log = logging.getLogger(__name__)

ENCODER_BATCH_SIZE = 32  # changes only memory and speed
SHOWN = 5  # of prompts, and of settings, in a message
DRAWING, FINISHED = "drawing", "finished"


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """`settings` is what else its pictures depend on, by names that messages use. Of subjects that are not trained yet,
    everything is known but how their models are sampled."""

    folder: Path
    method: Synthesis
    subjects: Sequence[Taught]
    images: int
    drawing: Settings
    how: How
    filters: Mapping[str, Filter]
    estimator: Estimator | None
    encoders: Mapping[str, Encoder]
    test: str | None
    provenance: Provenance
    settings: Mapping[str, Any]

    @cached_property
    def asked(self) -> list[Asked]:
        """The pictures, subject by subject."""
        return [
            one
            for subject in self.subjects
            for one in self.method.ask(subject, self.subjects, self.images, self.drawing)
        ]

    @cached_property
    def tested(self) -> list[HeldOut]:
        return photos_to_test(self.test, self.subjects)

    @cached_property
    def features(self) -> FeatureStore:
        needed = {role for filter in self.filters.values() for role in filter.needs.encoders}
        return FeatureStore(
            encoders={role: encoder for role, encoder in self.encoders.items() if role in needed},
            batch_size=ENCODER_BATCH_SIZE,
            device=self.how.device,
        )

    @property
    def identity(self) -> dict[str, Any]:
        """All that its pictures depend on, but for how many there are."""
        runs = {subject.label: subject.run.folder.name for subject in self.subjects}
        estimated = {} if self.estimator is None else {"masks_by": self.estimator.fingerprint}
        return {**self.settings, **self.method.content(), **estimated, "runs": runs}

    def check(self) -> None:
        """Raises ConfigError with everything that is wrong, before anything is trained or drawn."""
        if self.estimator is not None:
            try:
                self.estimator.check("masks")
            except UserError as error:
                raise ConfigError([str(error)]) from error  # without it the rest cannot be checked
            self.estimator.to(self.how.device)
        problems: list[Problem | str] = [*self._unlike(), *self.method.problems(self.subjects, self.images)]
        try:
            problems += held_out.problems(self.test, self.tested, self.subjects)
        except UserError as error:
            problems.append(f"test={self.test}: {error}")
        needs: dict[str, Needs] = {f"filter.{name}": filter.needs for name, filter in self.filters.items()}
        try:
            self.features.check(needs, "encoders")
            check(self.filters, context_of(self.subjects, [], self.features))
        except UserError as error:
            problems += str(error).splitlines()
        problems += self._in_the_way()
        if problems:
            raise ConfigError(problems)

    def remarks(self) -> Iterator[str]:
        """What one should know of it beforehand."""
        yield from self.method.remarks(self.subjects, self.images)
        left, others = len(missing(self.folder, self.asked, self.method)), self._other_versions()
        if others and 0 < left < len(self.asked):
            yield (
                f"{self.folder}: {len(self.asked) - left} of its pictures are by imprint {' and '.join(others)}, and "
                f"{left} are now drawn by {imprint.__version__}: what differs between the versions, differs between "
                "these pictures. For pictures of one version give another out=..."
            )
        captions = [one.caption for one in self.tested if one.caption]
        if told := list(named_places([one.template for one in self.asked], captions)):
            more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
            yield (
                "These prompts name places of photos to test on: a learner may come to know the places by them. "
                f"{', '.join(map(repr, told[:SHOWN]))}{more}."
            )

    def plan(self) -> Iterator[str]:
        """What would be drawn, of whom, and how long that takes where it is known."""
        left = Counter(one.subject.label for one in missing(self.folder, self.asked, self.method))
        total = len(self.asked)
        yield (
            f"{self.folder}: {total} pictures by {self.method.name}, {self.images} of each of {len(self.subjects)} "
            f"subjects; {total - sum(left.values())} are there."
        )
        for subject in self.subjects:
            photos = f"{len(subject.photos)} photo{'s' * (len(subject.photos) != 1)}"
            what = f"{subject.label} ({subject.noun}, {photos}, {subject.run.folder.name})"
            yield f"  {what}: {left[subject.label]} to draw"
        if self.tested:
            yield f"  {len(self.tested)} photos to test on"
        each = self._about().get("seconds_each")
        if left.total() and isinstance(each, int | float):
            yield f"Drawing takes about {duration(each * left.total())}, going by those that are there."

    def make(self) -> Path:
        """Draws what is missing, judges, and writes the data set. Raises UserError for what is wrong with it."""
        self._check_steps()
        for remark in self.remarks():
            log.warning(remark)
        with FileLock(self._lock()):
            about = {**self._about(), "state": DRAWING, "settings": self.identity, "imprint": imprint.__version__}
            if others := self._other_versions():
                about["imprint_before"] = others
            write_about(self.folder, _own(about))
        drawn, new, seconds = draw_missing(self.folder, self.asked, self.method, self.how, self.provenance)
        if new:
            about["seconds_each"] = round(seconds / new, 3)
        with FileLock(self._lock()):
            counts = write_data_set(
                self.folder,
                drawn,
                self.method,
                self.estimator,
                filters=self.filters,
                context=context_of(self.subjects, self.tested, self.features),
                test=self.tested,
                about={
                    **_own(about),
                    "state": FINISHED,
                    "images": self.images,
                    "filters": fingerprints(self.filters, self.encoders),
                    "encoders": encoders_of(self.filters, self.encoders),
                    "photos": {
                        subject.label: [subject.parent(index) for index in range(len(subject.photos))]
                        for subject in self.subjects
                    },
                    "training_seconds": {
                        run.folder.name: run.read().training.seconds
                        for run in dict.fromkeys(subject.run for subject in self.subjects)
                    },
                    "test": self.test,
                    "rights": {subject.label: subject.rights for subject in self.subjects},
                    "opt_outs": [
                        f"{name}: {', '.join(reasons)}"
                        for subject in self.subjects
                        for name, reasons in reasons_against(subject.photos)
                    ],
                },
            )
        for subject, count in counts.items():
            log.info("%s: %d of %d pictures kept", subject, count["kept"], count["asked"])
        log.info("Data set: %s", self.folder)
        return self.folder

    def _check_steps(self) -> None:
        """That each strength leaves a step. Known when the runs are there."""
        if not self.method.strengths:
            return
        problems = []
        for run in dict.fromkeys(subject.run for subject in self.subjects):
            first = next(one for one in self.asked if one.subject.run is run)
            steps = sampler_of(run, first, self.how).steps
            for strength in self.method.strengths:
                try:
                    first_step(steps, strength, flow=False)
                except UserError as error:
                    problems.append(f"synthesis.strengths: {error}")
        if problems:
            raise ConfigError(dict.fromkeys(problems))

    def _unlike(self) -> Iterator[str]:
        """Runs whose pictures would tell subjects apart by what drew them."""
        runs = {subject.run.folder.name: subject for subject in self.subjects if subject.run.status == "finished"}
        models = {name: subject.run.read().content.model for name, subject in runs.items()}
        if self.how.base is None and len(set(models.values())) > 1:
            listed = "; ".join(f"{', '.join(names)}" for names in _grouped(models))
            yield (
                f"run: these were trained from different models, by which a learner would know them: {listed}. Give "
                "runs of one model, or one to draw with: base=..."
            )
        sizes = {name: f"{subject.size[0]} x {subject.size[1]}" for name, subject in runs.items()}
        if len(set(sizes.values())) > 1:
            listed = "; ".join(f"{', '.join(names)} {sizes[names[0]]}" for names in _grouped(sizes))
            yield f"run: these draw pictures of different sizes: {listed}. Give one size: size=[HEIGHT,WIDTH]."

    def _in_the_way(self) -> Iterator[Problem | str]:
        """What lies in the folder, where it is something else."""
        try:
            about = self._about()
        except UserError as error:
            yield str(error)
            return
        if not about:
            others = (
                [file.name for file in self.folder.iterdir() if not file.name.startswith(".")]
                if self.folder.is_dir()
                else []
            )
            if others or (self.folder.is_dir() and is_labelled(self.folder)):
                remedy = "this folder holds other files. Give one that is empty, or not there yet."
                yield Problem("out", str(self.folder), remedy)
            return
        there = about.get("settings")
        if there != (own := _as_json(self.identity)):
            before = there if isinstance(there, dict) else {}
            keys = [key for key in {**before, **own} if before.get(key) != own.get(key)]
            shown = ", ".join(f"{key} ({_short(before.get(key))}, now {_short(own.get(key))})" for key in keys[:SHOWN])
            remedy = f"the data set there is another one, by: {shown}. Give another folder, or the settings of then."
            yield Problem("out", str(self.folder), remedy)

    def _about(self) -> dict[str, Any]:
        return read_about(self.folder) if self.folder.is_dir() else {}

    def _other_versions(self) -> list[str]:
        """That have worked on it before."""
        about = self._about()
        before = about.get("imprint_before")
        known = [*(before if isinstance(before, list) else ()), about.get("imprint")]
        return [one for one in dict.fromkeys(map(str, filter(None, known))) if one != imprint.__version__]

    def _lock(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / ".lock"


def _own(about: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is written with it each time."""
    return {key: value for key, value in about.items() if key != "version"}


def _grouped(values: Mapping[str, str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(value, []).append(name)
    return list(groups.values())


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _short(value: object) -> str:
    return messages.value(value)
