"""A study's page: one HTML file that needs no other."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from imprint.reporting.thumbnails import picture_page
from imprint.study import figures
from imprint.study.acceptance import sheets
from imprint.study.calibration import Sureness
from imprint.study.costs import cost_table
from imprint.study.curves import Curve
from imprint.study.figures import Figure, Style, curve_figure, of_learners, styles_of
from imprint.study.findings import Findings
from imprint.study.metrics import METRICS
from imprint.study.tables import arms_of, worth_table
from imprint.tables.table import Table

FEW = 15  # lines; longer tables are folded


class Folded(NamedTuple):
    """What is shown when it is asked for."""

    title: str
    figures: Sequence[Figure]
    tables: Sequence[Table]


def render(findings: Findings) -> str:
    whole = _styles(findings)
    sizes = {curve.arm for curve in findings.curves if curve.over == "pictures"}
    data_sets = sheets(findings.material)
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
        whole=whole,
        counted={name: style for name, style in whole.items() if name in sizes},
        figures=figures_of(findings),
        tables=findings.main_tables,
        metrics=list(_metrics(findings, whole)),
        worth=worth_table(findings.worths) if findings.worths else None,
        shifts=findings.shift_tables,
        subjects=findings.subject_tables,
        reliabilities=_reliability(findings.calibration, whole)[1],
        sheets=data_sets,
        few=FEW,
        cost=cost_table(findings.costs),
    )


def figures_of(findings: Findings) -> dict[str, list[Figure]]:
    """Those of what the task is about, by what they show."""
    whole = _styles(findings)
    first = findings.boards[0].first if findings.boards else ""
    return {
        "differences": list(_differences(findings, whole)),
        "shots": list(_curves(findings, first, "shots", whole)),
        "pictures": list(_curves(findings, first, "pictures", whole)),
        "reliability": _reliability(findings.calibration, whole)[0],
    }


def _styles(findings: Findings) -> dict[str, Style]:
    """Of the arms with all of their pictures."""
    styles = styles_of([arm for arm in arms_of(findings.boards) if arm in findings.whole], findings.ceiling)
    return {name: styles[name] for name in findings.whole if name in styles}


def _differences(findings: Findings, styles: Mapping[str, Style]) -> Iterator[Figure]:
    for boards in of_learners(findings.boards).values():
        if figure := figures.differences(boards, boards[0].first, against=findings.against, styles=styles):
            yield figure


def _curves(
    findings: Findings, metric: str, over: Literal["shots", "pictures"], styles: Mapping[str, Style]
) -> Iterator[Figure]:
    """A figure for each learner and, over pictures, number of shots."""
    alike: dict[tuple[str, int | None], list[Curve]] = {}
    for curve in findings.curves:
        if (curve.metric, curve.over) == (metric, over) and curve.arm in styles:
            alike.setdefault((curve.learner, curve.shots), []).append(curve)
    for own in alike.values():
        yield curve_figure(own, styles, against=findings.against)


def _metrics(findings: Findings, styles: Mapping[str, Style]) -> Iterator[Folded]:
    """Of each metric but the first: curves and tables."""
    for metric in findings.boards[0].metrics[1:] if findings.boards else ():
        tables = [table for table in findings.further_tables if table.key.startswith(f"{metric}-")]
        facts = METRICS[metric]
        yield Folded(f"{facts.title}: {facts.about}", list(_curves(findings, metric, "shots", styles)), tables)


def _reliability(curves: Sequence[Sureness], styles: Mapping[str, Style]) -> tuple[list[Figure], list[Figure]]:
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
