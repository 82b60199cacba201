"""The report: one HTML page that needs no other file."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from imprint.files import write_text
from imprint.reporting.figures import CurveStyle, panel_svg, panels
from imprint.reporting.first_pictures import scores_beside, strip
from imprint.reporting.heading import Heading, counts, headlines, unscored
from imprint.reporting.hyperparameters import studies
from imprint.reporting.labels import setting_columns
from imprint.reporting.picture_scores import picture_scores
from imprint.reporting.record import RunRecord, axes, records_of
from imprint.reporting.run_scores import RunScores, scores_of
from imprint.reporting.run_table import choices, other_settings, run_table
from imprint.reporting.scatter import scatter
from imprint.reporting.scoreboard.figures import entry_styles
from imprint.reporting.scoreboard.style import COLOURS, outline
from imprint.reporting.scoreboard.tables import comparisons, means
from imprint.reporting.side_by_side import galleries, labels, scored_galleries, titles, with_steps
from imprint.reporting.thumbnails import MOST_PICTURES, picture_page, room, thumbnail
from imprint.reporting.upscaling_sheet import sheets_of
from imprint.reporting.verdict import deciding
from imprint.sweeps import Sweep
from imprint.tables.table import Line, Table

DASHES = ("solid", "dashed", "dotted")  # of curves with the same colour
SORTABLE = 2  # runs; fewer have no order
FILTERED = 3  # runs; fewer need no filter
MOST_SHEETS, SHEET_SIDE = 8, 2048  # of enlarged pictures: how many, and pixels on the longer side


def write_sweep_report(sweep: Sweep, out: Path | None = None, *, live: bool | None = None) -> Path:
    """Writes the page about all points of a sweep, begun or not, to `out` or its folder, and returns where it is.

    May be called again and again while runs are trained: it only reads, accepts files that are half written, and makes
    thumbnails once. A `live` page reloads itself; by default it does so until every point has ended.
    """
    page = out or sweep.report
    write_text(page, render_sweep(sweep, live=live))
    return page


def render_sweep(sweep: Sweep, *, live: bool | None = None, home: str = "") -> str:
    """The page about all points of a sweep; `home` leads back to others."""
    points = sweep.points
    records = records_of(points)
    heading = Heading(
        title=sweep.name,
        question=sweep.question,
        commands=sweep.commands,
        axes=axes(points),
        objectives=sweep.objectives,
        is_sweep=True,
        is_live=not all(map(_has_ended, records)) if live is None else live,
        home=home,
    )
    return render(heading, records)


def _enlarged(records: Sequence[RunRecord], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """The runs' sheets of enlarged pictures, as they are: (of which run, picture)."""
    files = [(names[record.name], file) for record in records for file in sheets_of(record.folder)]
    pictures = [(name, thumbnail(file, side=SHEET_SIDE, keeps_small=False)) for name, file in files[:MOST_SHEETS]]
    return [(name, picture.uri) for name, picture in pictures if picture]


def _has_ended(record: RunRecord) -> bool:
    """A run that is to be scored ends with its scores, or with why there are none."""
    is_scored = bool(record.scoring_error or record.score_files)
    return record.status == "failed" or (record.status == "finished" and (is_scored or not record.is_to_be_scored))


def render(heading: Heading, records: Sequence[RunRecord]) -> str:
    scores = scores_of(records)
    pictures = galleries(records, heading.axes, most=MOST_PICTURES)
    files = [file for gallery in pictures for file in gallery.files]
    scored = scored_galleries(records, heading.axes, most=room(files) // 2)
    files += [file for gallery in scored for file in gallery.files]
    pictures = [*with_steps(pictures, room(files)), *scored]
    names = labels(records, heading.axes)
    styles = _curve_styles(records, names, scores)
    keys = setting_columns([record.settings for record in records], heading.axes)
    losses = {str(record.folder): record.curve for record in records}
    score_curves = {str(record.folder): record.score_curves for record in records}
    now = datetime.now().astimezone()
    lines = {
        record.name: Line(style.colour, style.dash, outline(style.mark) if style.mark else "")
        for record in records
        if (style := styles[str(record.folder)])
    }
    table = run_table(records, scores, keys, lines=lines, names=names, is_sweep=heading.is_sweep)
    deciders = deciding(scores.board.columns, heading.objectives) if scores.board else []
    return picture_page(
        "report.html.j2",
        files,
        heading=heading,
        written=now,
        headlines=headlines(records, scores, names, objectives=heading.objectives),
        strip=strip(pictures, records, scores, deciders),
        counts=counts(records),
        records=records,
        labels=names,
        lines=lines,
        enlarged=_enlarged(records, names),
        table=table,
        choices=list(choices(table)),
        other_settings=other_settings(records, keys),
        is_sortable=len(records) >= SORTABLE,
        is_filtered=len(records) >= FILTERED,
        unscored=unscored(records),
        notes=scores.notes,
        methods=_methods(scores),
        scatter=scatter(records, names, scores, lines),
        studies=studies(
            records, names, scores, [key for key in keys if key in heading.axes] or keys, heading.objectives
        ),
        galleries=pictures,
        titles=titles(pictures),
        shown_scores=picture_scores(records, scores, deciders, shown=set(files)),
        beside=[scores_beside(gallery, records, scores, deciders) for gallery in pictures],
        curves=[panel_svg(panel, styles) for panel in panels(losses, score_curves, scores.facts)],
    )


def _methods(scores: RunScores) -> list[Table]:
    """The contestants tested in pairs; where there are several subjects, runs of one method taken together, too."""
    board = scores.board
    if board is None:
        return []
    tables = [means(board, kind) for kind in board.kinds] if len(board.subjects) > 1 else []
    return [*tables, comparisons(board)] if board.comparisons or (tables and board.not_compared) else tables


def _curve_styles(records: Sequence[RunRecord], names: Mapping[str, str], scores: RunScores) -> dict[str, CurveStyle]:
    """Of each run, by folder: the colour and the mark that it has in the figures of scores, and a dash where others
    have its colour, too."""
    colours: dict[str, str] = {}
    marks: dict[str, str] = {}
    if board := scores.board:
        found = entry_styles(board)
        of_run = {sheet.run: found[entry.label] for entry in board.contestants for sheet in entry.sheets}
        scored = {str(record.folder): of_run[record.name] for record in records if record.name in of_run}
        colours = {folder: style.colour for folder, style in scored.items()}
        marks = {folder: style.mark for folder, style in scored.items()}
    free = [colour for colour in COLOURS if colour not in colours.values()] or list(COLOURS)
    unscored = [str(record.folder) for record in records if str(record.folder) not in colours]
    colours |= {folder: free[place % len(free)] for place, folder in enumerate(unscored)}
    styles: dict[str, CurveStyle] = {}
    for record in records:
        folder = str(record.folder)
        before = sum(style.colour == colours[folder] for style in styles.values())
        dash = DASHES[before % len(DASHES)]
        styles[folder] = CurveStyle(names[record.name], colours[folder], dash, marks.get(folder, ""))
    return styles
