"""Which pictures of runs stand side by side: of the same prompt, from the same noise."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from imprint.reporting.labels import telling, told
from imprint.reporting.record import RunRecord
from imprint.reporting.sheet import spread

REFERENCES = 8
COLUMNS = 6
ANY_WORD = "[V]"  # stands for each run's own word for the subject


class Picture(NamedTuple):
    label: str
    file: Path | None  # None: this picture was never drawn


class Row(NamedTuple):
    prompt: str
    seed: int
    pictures: list[Picture]


class Gallery(NamedTuple):
    """Runs that began from the same model: untuned and tuned pictures of the same prompts and seeds."""

    title: str
    references: list[Path]
    rows: list[Row]

    @property
    def size(self) -> int:
        return len(self.references) + sum(len(row.pictures) for row in self.rows)


def galleries(records: Sequence[RunRecord]) -> list[Gallery]:
    """One for each model and set of photos that has any pictures."""
    return [gallery for group in _same_start(records) if (gallery := _gallery(group)).rows]


def labels(records: Sequence[RunRecord]) -> dict[str, str]:
    """A short name for each run: the few settings that tell it from the others, else its own name."""
    keys = telling([record.settings for record in records])
    texts = {record.name: told(record.settings, keys) for record in records}
    unique = len(set(texts.values())) == len(texts) and all(texts.values())
    return texts if unique else {record.name: record.name for record in records}


def _same_start(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        model = {key: value for key, value in record.settings.items() if key.startswith("model.")}
        path = record.settings.get("dataset.path", "")
        groups.setdefault(json.dumps([model, path], sort_keys=True), []).append(record)
    return list(groups.values())


def _gallery(group: Sequence[RunRecord]) -> Gallery:
    """One run: its steps. Several: the last pictures of each."""
    names = labels(group)
    # Methods call the subject by different words: the same prompt for all of them is one row.
    same_word = len({record.identifiers for record in group}) == 1
    columns: list[tuple[str, dict[tuple[str, int], Path]]] = []
    untuned: dict[tuple[str, int], Path] = {}
    for record in group:
        steps = sorted({entry.step for entry in record.samples if entry.step > 0})
        for step in spread(steps, COLUMNS) if len(group) == 1 else steps[-1:]:
            columns.append(
                (
                    f"step {step}" if len(group) == 1 else f"{names[record.name]}, step {step}",
                    _files(record, step, same_word),
                )
            )
        untuned = {**_files(record, 0, same_word), **untuned}
    asked = list(dict.fromkeys([*untuned, *(key for _, files in columns for key in files)]))
    rows = [
        Row(
            *key,
            [
                Picture("untuned", untuned.get(key)),
                *(Picture(label, files.get(key)) for label, files in columns),
            ],
        )
        for key in asked
    ]
    first = group[0]
    title = first.settings.get("dataset.name", "") or Path(first.settings.get("dataset.path", "")).name
    references = [first.references[index] for index in spread(range(len(first.references)), REFERENCES)]
    return Gallery(title, references, rows)


def _files(record: RunRecord, step: int, same_word: bool) -> dict[tuple[str, int], Path]:
    return {
        (entry.prompt if same_word else _unnamed(entry.prompt, record.identifiers), entry.seed): record.folder
        / "samples"
        / entry.file
        for entry in record.samples
        if entry.step == step
    }


def _unnamed(prompt: str, identifiers: Sequence[str]) -> str:
    """The prompt whatever the first subject, the second, ... is called."""
    for number, identifier in enumerate(identifiers, start=1):
        word = ANY_WORD if number == 1 else f"{ANY_WORD}{number}"
        prompt = re.sub(rf"(?<!\w){re.escape(identifier)}(?!\w)", word, prompt)
    return prompt
