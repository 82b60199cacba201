"""A study's page: one HTML file that needs no other."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from imprint.reporting.thumbnails import picture_page
from imprint.study import figures
from imprint.study.acceptance import sheets
from imprint.study.calibration import Curve
from imprint.study.costs import cost_table
from imprint.study.figures import Figure, Style, metrics_of, of_learners, styles_of
from imprint.study.findings import Findings
from imprint.study.tables import arms_of, facts_of, first_metric
from imprint.tables.table import Table

FEW = 15  # lines; longer tables are folded


class Folded(NamedTuple):
    """What is shown when it is asked for."""

    title: str
    figures: Sequence[Figure]
    tables: Sequence[Table]


def render(findings: Findings) -> str:
    styles = styles_of(arms_of(findings.boards), findings.ceiling)
    whole = {name: styles[name] for name in findings.families if name in styles}
    data_sets = sheets(findings.material)
    usual, rest = _reliability(findings.calibration, whole)
    return picture_page(
        "study.html.j2",
        [file for sheet in data_sets for file in sheet.files],
        title=findings.folder.name,
        written=datetime.now().astimezone(),
        facts=findings.about["facts"],
        remarks=findings.about["remarks"],
        headlines=findings.headlines,
        cells=len(findings.done),
        against=findings.against,
        styles=styles,
        whole=whole,
        counted={name: whole[name] for name, arms in findings.families.items() if len(arms) > 1 and name in whole},
        differences=list(_differences(findings, whole)),
        tables=findings.main_tables,
        metrics=list(_metrics(findings, whole)),
        shots=list(_over_shots(findings, whole)),
        pictures=list(_over_pictures(findings, styles)),
        subjects=findings.subject_tables,
        reliability=usual,
        reliabilities=rest,
        sheets=data_sets,
        few=FEW,
        cost=cost_table(findings.costs),
    )


def _differences(findings: Findings, styles: dict[str, Style]) -> Iterator[Figure]:
    for boards in of_learners(findings.boards).values():
        metric = first_metric(boards[0])
        if figure := figures.differences(boards, metric, against=findings.against, styles=styles):
            yield figure


def _over_shots(findings: Findings, styles: dict[str, Style]) -> Iterator[Figure]:
    for boards in of_learners(findings.boards).values():
        if figure := figures.over_shots(boards, first_metric(boards[0]), styles):
            yield figure


def _over_pictures(findings: Findings, styles: dict[str, Style]) -> Iterator[Figure]:
    for board in findings.boards:
        figure = figures.over_pictures(
            board,
            first_metric(board),
            findings.pictures(board.shots),
            findings.families,
            styles,
            against=findings.against,
        )
        if figure:
            yield figure


def _metrics(findings: Findings, styles: dict[str, Style]) -> Iterator[Folded]:
    """Of each metric but the first: curves and tables."""
    learners = of_learners(findings.boards)
    for metric in dict.fromkeys(metric for boards in learners.values() for metric in metrics_of(boards)[1:]):
        own = [[board for board in boards if metric in board.standings] for boards in learners.values()]
        curves = [figures.over_shots(boards, metric, styles) for boards in own if boards]
        tables = [table for table in findings.further_tables if table.key.startswith(f"{metric}-")]
        yield Folded(f"{facts_of(metric).title}: {facts_of(metric).about}", [one for one in curves if one], tables)


def _reliability(curves: Sequence[Curve], styles: dict[str, Style]) -> tuple[list[Figure], list[Figure]]:
    """Of each learner with the most shots, and with fewer."""
    most = {curve.learner: max(one.shots for one in curves if one.learner == curve.learner) for curve in curves}
    places = dict.fromkeys((curve.learner, curve.shots) for curve in curves)
    usual: list[Figure] = []
    rest: list[Figure] = []
    for learner, shots in places:
        own = [one for one in curves if (one.learner, one.shots) == (learner, shots) and one.arm in styles]
        if own:
            (usual if shots == most[learner] else rest).append(figures.reliability(own, styles))
    return usual, rest
