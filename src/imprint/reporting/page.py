"""The report: one HTML page that needs nothing but itself."""

import base64
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image, ImageOps

from imprint.reporting.curves import colour, loss_curves
from imprint.reporting.record import RunRecord, differing
from imprint.reporting.sheet import spread

PICTURE_BUDGET = 5_000_000  # bytes that all thumbnails together may take, about
SIDES = (384, 256, 160, 96)  # pixels on the longer side, the first that fits the budget
REFERENCES = 8
COLUMNS = 6
LABEL_KEYS = 3
LOSSLESS_SIDE = 128  # so small a picture is shown enlarged, which shows every artefact
UNKNOWN = "\N{EN DASH}"
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


def render(title: str, records: Sequence[RunRecord]) -> str:
    galleries = [gallery for group in _same_start(records) if (gallery := _gallery(group)).rows]
    count = sum(len(gallery.references) + sum(len(row.pictures) for row in gallery.rows) for gallery in galleries)
    side = next((side for side in SIDES if count * side * side * 0.25 < PICTURE_BUDGET), SIDES[-1])
    environment = Environment(
        loader=PackageLoader("imprint.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(thumbnail=_Thumbnails(side).of, colour=colour)
    environment.filters.update(duration=_duration, memory=_memory, loss=_loss)
    curves = [record.curve for record in records]
    return environment.get_template("report.html.j2").render(
        title=title,
        records=records,
        labels=labels(records),
        headings=_headings(differing(records)),
        galleries=galleries,
        curves=loss_curves(curves) if any(curves) else "",
    )


def labels(records: Sequence[RunRecord]) -> dict[str, str]:
    """A short name for each run: the few settings that tell it from the others, else its own name."""
    keys = _telling(records)
    headings = _headings(keys)
    texts: dict[str, str] = {}
    for record in records:
        told = [f"{headings[key]} {record.settings[key]}" for key in keys if key in record.settings]
        texts[record.name] = ", ".join(told)
    unique = len(set(texts.values())) == len(texts) and all(texts.values())
    return texts if unique else {record.name: record.name for record in records}


def _telling(records: Sequence[RunRecord]) -> list[str]:
    """The fewest settings that tell most runs apart; what a part is rather than one of its numbers."""
    keys: list[str] = []
    left = differing(records)
    while left and len(keys) < LABEL_KEYS and _kinds(records, keys) < len(records):
        best = max(left, key=lambda key: (_kinds(records, [*keys, key]), "." not in key))
        keys.append(best)
        left.remove(best)
    return keys


def _kinds(records: Sequence[RunRecord], keys: Sequence[str]) -> int:
    return len({tuple(record.settings.get(key) for key in keys) for record in records})


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
    same_word = len({record.identifier for record in group}) == 1
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
    word = re.compile(rf"(?<!\w){re.escape(record.identifier)}(?!\w)")
    return {
        (entry.prompt if same_word else word.sub(ANY_WORD, entry.prompt), entry.seed): record.folder
        / "samples"
        / entry.file
        for entry in record.samples
        if entry.step == step
    }


class _Thumbnails:
    """Pictures as data URIs, without their metadata."""

    def __init__(self, side: int) -> None:
        self._side = side

    def of(self, file: Path) -> str | None:
        """None when the file is gone or no picture."""
        try:
            with Image.open(file) as opened:
                opened.draft("RGB", (self._side * 2, self._side * 2))
                image = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return None
        image.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        bare = Image.new("RGB", image.size)
        bare.paste(image)
        data = io.BytesIO()
        bare.save(data, format="WEBP", quality=82, lossless=max(bare.size) <= LOSSLESS_SIDE)
        return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode()


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _memory(size: int | None) -> str:
    return UNKNOWN if size is None else f"{size / 2**30:.1f} GiB"


def _loss(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.4f}"


def _headings(keys: Sequence[str]) -> dict[str, str]:
    """The last word of each key, or all of it where others end alike."""
    last = {key: key.rpartition(".")[2].replace("_", " ") for key in keys}
    return {key: word if list(last.values()).count(word) == 1 else key for key, word in last.items()}
