"""A study at Weights & Biases: one W&B run with its numbers, tables, figures and sheets of pictures."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from PIL import Image

from imprint.errors import UserError
from imprint.file_contents import read_json
from imprint.files import write_json
from imprint.reporting.contact_sheets import ContactSheet, SheetPicture, render, spread
from imprint.reporting.tracking.session import WandbSession, WandbSettings
from imprint.reporting.tracking.sweep import svg_page
from imprint.study.acceptance import Sheet, acceptance, sheets
from imprint.study.costs import named
from imprint.study.findings import Findings
from imprint.study.page import figures_of
from imprint.study.rows import number_table
from imprint.study.scores import Standing
from imprint.study.writing import CSV, JSON, MARKDOWN, PAGE
from imprint.tables.table import Table

if TYPE_CHECKING:
    import wandb

LOGGED = "wandb/logged.json"  # in the study's folder: a hash of what was logged last
SUBJECTS = 8  # rows of a sheet; of more, evenly spread ones
SIDE = 96  # pixels of a picture in it


def log_study(findings: Findings, settings: WandbSettings) -> None:
    """Logs what a study has come to. One that goes on later has the same W&B run; what was logged before, in the same
    mode to the same project, is not repeated. Failures of W&B raise nothing."""
    if settings.mode == "off":
        return
    file = findings.folder / LOGGED
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.parent / ".logged.lock"):  # of several processes that carry it out, one logs it
        new = _hash(findings, settings)
        if _logged(file) == new:
            return
        session = WandbSession(
            settings,
            findings.folder,
            id=study_id(findings),
            name=findings.folder.name,
            job="study",
            tags=[str(findings.about["facts"]["task"])],
            config={
                **findings.about["facts"],
                "shots": list(findings.shots),
                "seeds": list(findings.seeds),
                "arms": list(findings.arms),
                "learners": list(dict.fromkeys(board.learner for board in findings.boards)),
                "against": findings.against,
                "ceiling": findings.ceiling,
            },
        )
        session.log(lambda: _row(findings))
        session.summarise(dict(_facts(findings)))
        session.do(lambda run: _log_files(run, findings))
        session.do(lambda _: write_json(file, {"hash": new}))  # not where W&B has stopped before
        session.finish()


def study_id(findings: Findings) -> str:
    """The same where arms, shots, seeds or learners are added."""
    task, tests = findings.about["facts"]["task"], sorted(one.content for one in findings.material.tests)
    found = hashlib.sha256(json.dumps([findings.folder.name, task, tests]).encode("utf-8", "surrogatepass"))
    plain = re.sub(r"[^\w-]+", "-", findings.folder.name, flags=re.ASCII).strip("-")
    return "-".join(filter(None, ("study", plain[:80], found.hexdigest()[:6])))


def result_table(findings: Findings) -> Table:
    """A line for each learner, number of shots, arm and metric."""
    headings = ["learner", "shots", "arm", "pictures", "metric", "mean", "low", "high"]
    headings += [f"less {findings.against}", "less, low", "less, high", "p (Holm)", "gap closed"]
    rows = [
        [board.learner, board.shots, one.arm, findings.pictures[one.arm, board.shots], metric, *_numbers(one)]
        for board in findings.boards
        for metric, standings in board.standings.items()
        for one in standings
    ]
    return Table.of_values(headings, rows)


def _numbers(one: Standing) -> list[float | None]:
    interval, difference = one.interval, one.difference
    own = [one.mean, interval.low if interval else None, interval.high if interval else None]
    if difference is None:
        return [*own, None, None, None, None, None]
    less = difference.interval
    ends = [less.low if less else None, less.high if less else None]
    return [*own, difference.mean, *ends, difference.p_holm, one.closed]


def _row(findings: Findings) -> dict[str, Any]:
    import wandb

    def table(content: Table) -> "wandb.Table":
        return wandb.Table(columns=content.headings, data=content.values)

    row: dict[str, Any] = {"results": table(result_table(findings)), "cost": table(_costs(findings))}
    data_sets = sheets(findings.material)
    if pictures := [wandb.Image(_picture(sheet), caption=f"{sheet.name}, {sheet.sources}") for sheet in data_sets]:
        row["sheets"] = pictures
    filtered = [one for one in findings.material.sets if one.pictures and one.folder.rejected]
    for number, pictures_of in enumerate(filtered, start=1):
        key = "acceptance" if number == 1 else f"acceptance-{number}"
        row[key] = table(acceptance(pictures_of, findings.material.subjects))
    for key, figures in figures_of(findings).items():
        if figures:
            body = "".join(f"<div>{figure.svg}</div>" for figure in figures)
            row[key] = wandb.Html(svg_page(f"{findings.folder.name}: {key}", body), inject=False)
    return row


def _costs(findings: Findings) -> Table:
    """In seconds; None where it is not known, for W&B takes no words in a column of numbers."""
    rows = [[arm, cost.learning, cost.drawing, cost.training, cost.all] for arm, cost in findings.costs.items()]
    return Table.of_values(["arm", "learning", "drawing", "training", "together"], rows)


def _facts(findings: Findings) -> Iterator[tuple[str, Any]]:
    """By what the task is about: `LEARNER/SHOTS/ARM`, and what it is more than the arm it is compared with."""
    yield "headlines", findings.headlines
    for board in findings.boards:
        for one in board.standings[board.first]:
            place = f"{board.learner}/{board.shots}/{one.arm}"
            yield f"{place}/{board.first}", one.mean
            if one.difference is not None:
                yield f"{place}/less {findings.against}", one.difference.mean
                yield f"{place}/p", one.difference.p_holm
            if one.closed is not None:
                yield f"{place}/gap closed", one.closed


def _picture(sheet: Sheet) -> Image.Image:
    """Subjects down; real, kept and rejected pictures across."""
    rows = spread(sheet.rows, SUBJECTS)
    columns = {"real": 0, "kept": 1, "rejected": 2} if sheet.has_rejected else {"real": 0, "made": 1}
    pictures = [
        SheetPicture(column, row.subject, number, one.file, one.label)
        for row in rows
        for column, part in columns.items()
        for number, one in enumerate((row.real, row.kept, row.rejected)[part][:4])
    ]
    page = ContactSheet(sheet.name, "", tuple(columns), "subject", tuple(row.subject for row in rows), (), pictures)
    return render(page, missing="none", side=SIDE)


def _log_files(run: "wandb.Run", findings: Findings) -> None:
    import wandb

    files = [file for name in (JSON, CSV, MARKDOWN, PAGE) if (file := findings.folder / name).is_file()]
    artifact = wandb.Artifact(study_id(findings), type="study", metadata={"cells": len(findings.done)})
    for file in files:
        artifact.add_file(str(file), skip_cache=True)
    run.log_artifact(artifact)


def _logged(file: Path) -> object:
    try:
        content = read_json(file, "")
    except (FileNotFoundError, UserError):
        return None
    return content.get("hash") if isinstance(content, dict) else None


def _hash(findings: Findings, settings: WandbSettings) -> str:
    """Of the numbers, and where they are logged; not of how long it took."""
    numbers = number_table(findings.boards, against=findings.against, seeds=findings.seeds)
    values = [row for row in numbers.values if "seconds" not in row]
    sets = [named(one) + str(len(one.pictures)) for one in findings.material.sets]
    where = [settings.mode, settings.entity, settings.project]
    return hashlib.sha256(json.dumps([where, sets, values]).encode("utf-8", "surrogatepass")).hexdigest()[:12]
