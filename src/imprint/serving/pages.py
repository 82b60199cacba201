"""The pages, made of what lies in the folder at the moment they are asked for."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple
from urllib.parse import urlencode

from imprint.errors import UserError
from imprint.reporting.contact_sheets import spread
from imprint.reporting.figures import CurveStyle, panel_svg, panels
from imprint.reporting.heading import Heading
from imprint.reporting.page import render, render_sweep
from imprint.reporting.run_scores import newest_sheets, scores_of
from imprint.reporting.scoreboard.columns import columns
from imprint.reporting.scoreboard.style import COLOURS
from imprint.reporting.side_by_side import labels
from imprint.reporting.units import duration, score
from imprint.reporting.verdict import deciding
from imprint.serving.drawing import LARGEST_SEED, MOST_STEPS, TryOut
from imprint.serving.folder import GENERATED, SAMPLES, Listed, ServedFolder
from imprint.tables.html import page_environment

STEPS_SHOWN = 24  # of the samples, on a slider
PROMPT = "a photo of a {identifier} {noun}"

Piece = tuple[str, Callable[[], str]]  # its version, and what writes it


class Row(NamedTuple):
    """A run in the list."""

    listed: Listed
    name: str
    told: str  # what tells it from others of this name
    method: str
    scores: str  # `DINO 0.612 · CLIP-T 0.287`; empty: none yet
    sample: str  # its newest picture of the first prompt; empty: none yet
    ago: str


class Choice(NamedTuple):
    """A run that can be drawn with."""

    key: str
    text: str
    has_strength: bool


class SampleRow(NamedTuple):
    """One prompt and noise: the picture at each step."""

    prompt: str
    seed: int
    pictures: dict[int, str]  # by step


class Pages:
    """Figures are drawn one after another: matplotlib's settings are of the whole process."""

    def __init__(self, folder: ServedFolder, tryout: TryOut, token: str) -> None:
        self._folder = folder
        self._tryout = tryout
        self._drawing = threading.Lock()
        self._templates = page_environment("imprint.serving")
        self._templates.filters["query"] = _query
        self._templates.globals.update(token=token, title=folder.root.name or str(folder.root))

    def overview(self) -> str:
        version, write = self.overview_part()
        return self._written("overview.html.j2", version=version, part=write())

    def overview_part(self) -> Piece:
        """Ages are part of it, so it is another one twice a minute."""
        runs, left_out = self._folder.runs()
        sweeps = self._folder.sweeps()
        now = time.time()
        version = str(hash((*(each.version for each in runs), len(sweeps), left_out, int(now / 30))))

        def write() -> str:
            return self._written(
                "overview_part.html.j2",
                rows=list(_rows(runs, now)),
                counts=Counter(each.record.status_word for each in runs),
                sweeps=list(_sweeps(sweeps)),
                left_out=left_out,
                SAMPLES=SAMPLES,
            )

        return version, write

    def run(self, key: str) -> str:
        version, write = self.run_part(key)
        listed = self._folder.listed(key)
        return self._written("run.html.j2", version=version, part=write(), listed=listed, name=_name(listed)[0])

    def run_part(self, key: str) -> Piece:
        listed = self._folder.listed(key)
        return str(hash(listed.version)), lambda: self._run_written(listed)

    def _run_written(self, listed: Listed) -> str:
        record = listed.record
        style = {str(record.folder): CurveStyle(record.name, COLOURS[0], "solid")}
        scores = scores_of([record])
        curves = panels({str(record.folder): record.curve}, {str(record.folder): record.score_curves}, scores.facts)
        with self._drawing:
            figures = [panel_svg(panel, style) for panel in curves]
        steps = spread(sorted({each.step for each in record.samples}), STEPS_SHOWN)
        return self._written(
            "run_part.html.j2",
            listed=listed,
            record=record,
            figures=figures,
            steps=steps,
            samples=list(_samples(listed, steps)),
            took=duration(record.cost.get("seconds")) if record.cost.get("seconds") is not None else "",
            SAMPLES=SAMPLES,
        )

    def sweep(self, key: str) -> str:
        sweep = self._folder.sweep(key)
        with self._drawing:
            return render_sweep(sweep, home="/")

    def compare(self, keys: Sequence[str]) -> str:
        """The report of these runs."""
        records = [self._folder.listed(key).record for key in dict.fromkeys(keys)]
        if not records:
            raise UserError("No run was chosen. Go back and tick those that are to be compared.")
        title = records[0].name if len(records) == 1 else f"{len(records)} runs"
        is_live = any(record.status == "running" for record in records)
        with self._drawing:
            return render(Heading(title=title, is_live=is_live, home="/"), records)

    def try_out(self, key: str) -> str:
        runs, _ = self._folder.runs()
        rows = [
            Choice(
                row.listed.key, " · ".join(filter(None, (row.name, row.told))), self._tryout.has_strength(row.listed)
            )
            for row in _rows(runs, time.time())
            if row.listed.record.status == "finished"
        ]
        version, write = self.try_part()
        return self._written(
            "try.html.j2",
            rows=rows,
            chosen=key,
            prompt=PROMPT,
            largest_seed=LARGEST_SEED,
            most_steps=MOST_STEPS,
            version=version,
            part=write(),
        )

    def try_part(self) -> Piece:
        state = self._tryout.state
        return str(state.version), lambda: self._written("try_part.html.j2", state=state, GENERATED=GENERATED)

    def refusal(self, text: str) -> str:
        return self._written("refusal.html.j2", text=text)

    def _written(self, template: str, **given: Any) -> str:
        return self._templates.get_template(template).render(**given)


def _rows(runs: Sequence[Listed], now: float) -> Iterator[Row]:
    """Runs of one name are told apart by the settings in which they differ."""
    alike: dict[str, list[Listed]] = {}
    for listed in runs:
        alike.setdefault(_name(listed)[0], []).append(listed)
    told: dict[str, str] = {}
    for own in alike.values():
        texts = labels([each.record for each in own]) if len(own) > 1 else {}
        told |= {each.key: texts.get(each.record.name, "") for each in own}
    for listed in runs:
        settings = listed.record.settings
        name, signature = _name(listed)
        text = told[listed.key]
        yield Row(
            listed,
            name,
            signature if text == listed.record.name else text,
            settings.get("method", ""),
            _scores(listed),
            _newest_sample(listed),
            f"{duration(max(0.0, now - listed.changed))} ago",
        )


def _scores(listed: Listed) -> str:
    """What a page is read for first, of the run's newest sheets; of several subjects the mean."""
    sheets = list(newest_sheets(listed.record, []))
    told = []
    for column in deciding(columns(sheets), []):
        own = [sheet.rows["tuned"] for sheet in sheets if column.of(sheet)]
        if means := [scored[column.name].mean for scored in own if column.name in scored]:
            told.append(f"{column.title} {score(fmean(means))}")
    return " · ".join(told)


def _newest_sample(listed: Listed) -> str:
    samples = listed.record.samples
    return next((each.file for each in samples if each.step == samples[-1].step), "")


def _name(listed: Listed) -> tuple[str, str]:
    """What people read of a run's name, and the hash at its end."""
    name, _, signature = listed.record.name.rpartition("-")
    return (name, signature) if name else (listed.record.name, "")


class ListedSweep(NamedTuple):
    key: str
    name: str
    question: str
    points: int


def _sweeps(sweeps: Sequence[tuple[str, Any]]) -> Iterator[ListedSweep]:
    for key, sweep in sweeps:
        try:
            yield ListedSweep(key, sweep.name, sweep.question, len(sweep.points))
        except UserError as error:
            yield ListedSweep(key, sweep.name, str(error), 0)


def _samples(listed: Listed, steps: Sequence[int]) -> Iterator[SampleRow]:
    rows: dict[tuple[str, int], dict[int, str]] = {}
    for each in listed.record.samples:
        if each.step in steps:
            rows.setdefault((each.prompt, each.seed), {})[each.step] = each.file
    for (prompt, seed), pictures in rows.items():
        yield SampleRow(prompt, seed, pictures)


def _query(given: Mapping[str, Any]) -> str:
    return urlencode(given)
