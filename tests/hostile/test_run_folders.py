"""Folders of runs and sweeps that others made: whatever their files say, a page, a table, or one line that names the
file."""

import copy
import json
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from compatibility.test_former_runs import LORA, RELEASE
from hostile.answers import answer, folder_in, refused
from hostile.budget import examples
from hostile.invented import json_files
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from imprint.evaluation.score_sheet import ScoreSheet, table_of_means, write_csv
from imprint.reporting.page import write_sweep_report
from imprint.reporting.record import read_run, records_of
from imprint.results.load import source_of
from imprint.runs import Run
from imprint.sweeps import Sweep
from imprint.tables.markdown import markdown
from imprint.tables.terminal import as_text
from imprint.verbs.compare import Request, as_dict, compare
from imprint.verbs.report import summary, write_report

MANIFEST = "manifest.json"
SCORES = "scores/quick-6fbf55cf5095.json"
SAMPLES = "samples/samples.json"
PICTURES = "pictures/subject-4a639788eda2/pictures.json"
SWEEP = Path("sweeps") / "rates"


@cache
def content_of(name: str) -> Any:
    return json.loads((RELEASE / name).read_bytes())


@st.composite
def spoiled(draw: DrawFn, *names: str) -> tuple[str, bytes]:
    """A file of a run, and what it holds now."""
    name = draw(st.sampled_from(names))
    return name, draw(json_files(copy.deepcopy(content_of(f"{LORA}/{name}"))))


def with_file(folder: Path, name: str, content: bytes) -> Run:
    """The run of the first release without its pictures, with another content of this file."""
    run = folder / LORA
    shutil.copytree(RELEASE / LORA, run, ignore=shutil.ignore_patterns("*.png"))
    (run / name).unlink()
    (run / name).write_bytes(content)
    return Run(run)


def compared(runs: Path) -> dict[str, Any]:
    return as_dict(compare(Request(runs=str(runs), profile=None, json=False, bootstrap=10, seed=0)))


@examples(1)
@given(found=spoiled(MANIFEST))
def test_a_manifest_is_read_or_named(ground: Path, found: tuple[str, bytes]) -> None:
    with folder_in(ground) as folder:
        run = with_file(folder, *found)
        manifest = answer(run.read, MANIFEST)
        if manifest is not None:
            json.dumps(manifest.config.tree())
        record = read_run(run)
        for line in summary([record]):
            assert line.isprintable()


@examples(0.5)
@given(found=spoiled(MANIFEST))
def test_a_result_is_found_or_what_is_wrong_said(ground: Path, found: tuple[str, bytes]) -> None:
    with folder_in(ground) as folder:
        run = with_file(folder, *found)
        answer(lambda: source_of(run, scale={}, sampler={}), lines=6)


@examples(0.1)
@given(found=spoiled(MANIFEST, SCORES, SAMPLES, PICTURES))
def test_a_report_is_written_all_the_same(ground: Path, found: tuple[str, bytes]) -> None:
    with folder_in(ground) as folder:
        with_file(folder, *found)
        page = write_report([folder], folder / "page.html").read_text(encoding="utf-8")
        assert "<script>alert" not in page
        assert "onerror=alert" not in page
        page.encode()


@examples(0.25)
@given(found=spoiled(MANIFEST, SCORES))
def test_runs_are_compared_or_the_file_is_named(ground: Path, found: tuple[str, bytes]) -> None:
    with folder_in(ground) as folder:
        with_file(folder, *found)
        shutil.copytree(RELEASE / LORA, folder / "other-0123456789", ignore=shutil.ignore_patterns("*.png"))
        table = answer(lambda: compared(folder), lines=6)
        json.dumps(table)


@examples(2)
@given(found=spoiled(SCORES))
def test_a_sheet_of_scores_is_read_or_named(ground: Path, found: tuple[str, bytes]) -> None:
    with folder_in(ground) as folder:
        file = folder / "sheet.json"
        file.write_bytes(found[1])
        sheet = answer(lambda: ScoreSheet.read(file), "sheet.json")
        if sheet is not None:
            as_text(table_of_means(sheet)).encode()
            markdown(table_of_means(sheet)).encode()
            write_csv(sheet, folder / "sheet.csv")


@examples(0.5)
@given(content=st.data())
def test_a_sweep_has_its_page_or_is_named(ground: Path, content: st.DataObject) -> None:
    record = content.draw(json_files(copy.deepcopy(content_of(str(SWEEP / "sweep.json")))))
    with folder_in(ground) as folder:
        sweep = Sweep(folder / "outputs" / SWEEP)
        sweep.folder.mkdir(parents=True)
        sweep.record.write_bytes(record)
        points: Sequence[Any] | None = answer(lambda: sweep.points, "sweep.json")
        for point in points or ():
            assert point.run.folder.is_relative_to((folder / "outputs").resolve())
        if points is not None:
            records_of(points)
            answer(lambda: write_sweep_report(sweep, folder / "page.html", live=False), "sweep.json", lines=6)


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "a\0b", "~", ""])
def test_a_point_elsewhere_is_left_out(ground: Path, name: str) -> None:
    with folder_in(ground) as folder:
        sweep = Sweep(folder / "outputs" / SWEEP)
        sweep.folder.mkdir(parents=True)
        sweep.record.write_text(json.dumps({"points": [{"overrides": [], "run": f"../../../{name}"}]}))
        for point in sweep.points:
            assert point.run.folder.is_relative_to((folder / "outputs").resolve())


def test_what_is_no_run_is_refused(ground: Path) -> None:
    with folder_in(ground) as folder:
        refused(lambda: Run.open(folder / "\x1b[2J"), "\\x1b[2J")
