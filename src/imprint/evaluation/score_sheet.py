"""The score sheet: the scores of one subject of a run under one profile, a file in the run's folder scores/.

It has every single number, so that tables, intervals and tests need no picture. Its rows are what was scored: the
run's own model (`tuned`), the lower bounds `bicubic`, `untuned` and `prompt_only`, the upper bounds `real` and
`copies`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from imprint.evaluation.records import Better, Value
from imprint.evaluation.statistics.intervals import UNBOUNDED, Bounds
from imprint.file_contents import Count, read_json, refuse, typed
from imprint.files import write_json, write_text
from imprint.first_release import CLASS_NAMES
from imprint.kinds import label
from imprint.tables.csv import as_csv
from imprint.tables.table import Cell, Column, Table
from imprint.tables.table import Row as TableRow

VERSION = 2
REMEDY = "Delete it, and evaluate the run again."

Row = Literal["tuned", "bicubic", "untuned", "prompt_only", "real", "copies"]
ARROWS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "neither": ""}
ROW_NAMES = {
    "tuned": "the run's model",
    "bicubic": "the low pictures, enlarged by bicubic interpolation",
    "untuned": "the untuned model",
    "prompt_only": "the untuned model, without an identifier",
    "real": "the photos themselves",
    "copies": "photos trained on, repeated",
}
GIVEN = "pictures"  # the method of a sheet of pictures that no run drew
VALUES = ("run", "subject", "profile", "row", "metric", "set", "category", "number", "k", "prompt", "value")


@dataclass(frozen=True, kw_only=True)
class MetricFacts:
    """What a number means. Numbers are comparable if and only if their fingerprints are equal."""

    title: str
    better: Better
    fingerprint: str  # of the metric's settings, encoders' weights and transforms, pictures asked for, averaging
    settings: Mapping[str, Any]
    encoders: Mapping[str, Mapping[str, str]]  # role -> name, fingerprint, and, since later, weights and transform
    bounds: Bounds = UNBOUNDED  # of its values; older sheets do not tell

    @property
    def heading(self) -> str:
        return headed(self.title, self.better)

    @property
    def encoder_names(self) -> str:
        return ", ".join(encoder["name"] for encoder in self.encoders.values())


@dataclass(frozen=True, kw_only=True)
class PictureCount:
    asked: Count
    drawn: Count
    failed: Count
    blank: Count


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
    step: Count
    profile: str
    averaging: str
    sampling: str  # fingerprint of sampler, prompts, pictures per prompt, size
    metrics: Mapping[str, MetricFacts]
    pictures: Mapping[str, PictureCount]  # by row
    prompts: Mapping[str, Sequence[tuple[str, str]]]  # set -> (template, category) by number
    rows: Mapping[str, Mapping[str, Scored]]  # row -> metric -> scores; without metrics that do not apply to the row
    seconds: Mapping[str, float]
    notes: Sequence[str] = ()  # what is to be said beside the numbers
    drawing: Mapping[str, Any] = field(default_factory=dict)  # sampler, size, precision; older sheets do not tell

    def write(self, file: Path) -> None:
        write_json(file, {"version": VERSION, **asdict(self)})

    @classmethod
    def read(cls, file: Path) -> "ScoreSheet":
        """Raises UserError, naming the file, for what is no such sheet."""
        try:
            content = read_json(file, REMEDY)
        except FileNotFoundError as error:
            refuse(file, "it is not there any more", "Evaluate the run again.", error)
        try:
            newest = _upgraded(content)
        except (TypeError, KeyError, AttributeError) as error:
            refuse(file, "it is no sheet of scores", REMEDY, error)
        sheet = typed(_adapter(), newest, file, REMEDY)
        if unknown := next(sheet.unknown(), None):
            refuse(file, f"it has numbers of {unknown}, of which it says nothing else", REMEDY)
        return sheet

    def unknown(self) -> Iterator[str]:
        """Rows, metrics and prompts that have numbers and nothing else, and encoders without a name."""
        for name, facts in self.metrics.items():
            if not all("name" in encoder for encoder in facts.encoders.values()):
                yield f"an encoder of {name}"
        if "tuned" not in self.rows:
            yield "the run's own model"
        for row, metrics in self.rows.items():
            if metrics and row not in self.pictures:
                yield row
            for name, scored in metrics.items():
                asked = [value for value in scored.values if value.number is not None]
                known = all(0 <= (value.number or 0) < len(self.prompts.get(value.set, ())) for value in asked)
                if name not in self.metrics or not scored.values or not known:
                    yield name


def headed(title: str, better: Better) -> str:
    """With an arrow towards the better numbers."""
    return f"{title} {ARROWS[better]}".strip()


def table_of_means(sheet: ScoreSheet) -> Table:
    """Rows by metrics, with the pictures that each row counts, and what makes the numbers comparable."""
    rows = []
    for row, words in ROW_NAMES.items():
        if scores := sheet.rows.get(row):
            cells = [Cell(scores[name].mean if name in scores else None) for name in sheet.metrics]
            called = "pictures (as given)" if (row, sheet.method) == ("tuned", GIVEN) else f"{row} ({words})"
            rows.append(TableRow([Cell(called), Cell(_counted(sheet.pictures[row])), *cells]))
    meaning = [
        f"{facts.title}: {facts.encoder_names or 'no encoder'}; fingerprint {facts.fingerprint}"
        for facts in sheet.metrics.values()
    ]
    return Table(
        title=f"{sheet.run}: {sheet.subject} ({sheet.noun}), profile {sheet.profile}",
        columns=[
            *(Column(heading, kind="text") for heading in ("row", "pictures")),
            *(Column(facts.heading, "{:.3f}".format) for facts in sheet.metrics.values()),
        ],
        rows=rows,
        notes=[*meaning, *(f"Note: {note}" for note in sheet.notes)],
    )


def write_csv(sheet: ScoreSheet, file: Path) -> None:
    """One line a value."""
    write_text(file, as_csv(Table.of_values(VALUES, _values(sheet))))


@cache
def _adapter() -> TypeAdapter[ScoreSheet]:
    return TypeAdapter(ScoreSheet)


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named parts by their classes, and had a caption_dropout of 0 where captions are never dropped."""
    if content.pop("version", 1) > 1:
        return content
    settings = {
        name: label(CLASS_NAMES[value]) if isinstance(value, str) and value in CLASS_NAMES else value
        for name, value in content["settings"].items()
        if not (name.endswith(".caption_dropout") and value == 0)
    }
    return {**content, "settings": settings}


def _values(sheet: ScoreSheet) -> Iterator[tuple[str | float | None, ...]]:
    for row, metrics in sheet.rows.items():
        for name, scored in metrics.items():
            for value in scored.values:
                prompt, category = "", ""
                if value.number is not None and row != "real":
                    prompt, category = sheet.prompts[value.set][value.number]
                place = (sheet.run, sheet.subject, sheet.profile, row, name, value.set, category)
                yield *place, value.number, value.k, prompt, value.value


def _counted(count: PictureCount) -> str:
    missing = count.asked - count.drawn - count.failed - count.blank
    others = [f"{number} {kind}" for number, kind in ((count.failed, "failed"), (count.blank, "blank")) if number]
    others += [f"{missing} missing"] if missing else []
    return ", ".join([f"{count.drawn} of {count.asked}", *others])
