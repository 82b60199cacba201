import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from unit.reporting.scoreboard.sheets import sheet

from imprint.errors import UserError
from imprint.reporting.scoreboard import ScoreboardFiles, write
from imprint.reporting.scoreboard.costs import COSTS
from imprint.reporting.scoreboard.figures import sweeps

SUBJECTS = {"dog": "live", "cat": "live", "can": "object"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ScoreboardFiles:
    sheets = [
        sheet(subject, method, better_by=better, kind=kind, prompts=8)
        for subject, kind in SUBJECTS.items()
        for method, better in (("dreambooth", 0.1), ("lora", 0.0))
        if (subject, method) != ("can", "lora")
    ]
    costs = {
        sheets[0].run: dict(zip((kind.key for kind in COSTS), (83.0, 3 * 2**30, 797_184.0, 3_200_000.0), strict=True))
    }
    folder = tmp_path_factory.mktemp("board")
    return write(sheets, folder, title="Two_methods", costs=costs, notes=["A | note."], bootstrap=100, seed=0)


def test_the_page_has_all_that_one_asks(files: ScoreboardFiles) -> None:
    page = files.markdown.read_text(encoding="utf-8")
    for title in ("Scores", "Scores, live subjects", "Pairs", "DINO ↑ by subject", "Pictures", "Cost of a run"):
        assert f"## {title}\n" in page
    assert "# Two\\_methods" in page
    assert "- A \\| note." in page
    assert "1 min 23 s | 3.0 GiB | 797,184 | 3.2 MB" in page


def test_the_best_is_marked_unless_it_was_scored_on_fewer_subjects(files: ScoreboardFiles) -> None:
    page = files.markdown.read_text(encoding="utf-8")
    every, live = (re.split(r"\n## ", page)[index] for index in (1, 2))
    assert re.search(r"\| dreambooth \| \*\*0\.\d{3}\*\* ", every), "ahead on the subjects that both have"
    assert re.search(r"\| lora \| 0\.\d{3}† ", every)
    assert re.search(r"\| dreambooth \| \*\*0\.\d{3}\*\* \\\[", live), "on the two live subjects all is there"
    assert "†" not in live


def test_every_table_row_has_as_many_cells_as_its_head(files: ScoreboardFiles) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", files.markdown.read_text(encoding="utf-8"), re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


def test_latex_has_whole_tables(files: ScoreboardFiles) -> None:
    text = files.latex.read_text(encoding="utf-8")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == text.count(r"\toprule")
    for columns, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.S):
        for row in re.findall(r"^ +(.*) \\\\$", body, re.M):
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1


def test_the_csv_and_the_json_can_be_read(files: ScoreboardFiles) -> None:
    with files.csv.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert {"mean", "low", "high", "difference", "p_holm"} <= {row["statistic"] for row in rows}
    assert all(float(row["value"]) is not None for row in rows)
    assert json.loads(files.json.read_text(encoding="utf-8"))["title"] == "Two_methods"


def test_figures_are_pictures_that_suit_light_and_dark_pages(files: ScoreboardFiles) -> None:
    names = {file.name for file in files.figures}
    assert {"scores.svg", "scores.png", "dino-against-clip_t.svg", "subjects-dino.svg"} <= names
    for file in files.figures:
        if file.suffix == ".png":
            with Image.open(file) as picture:
                assert picture.convert("RGB").getcolors(1 << 24) is not None
                assert min(picture.size) > 300
        else:
            text = file.read_text(encoding="utf-8")
            ElementTree.fromstring(text)
            assert "prefers-color-scheme: dark" in text
            assert "#010203" not in text


def test_figures_tell_contestants_by_name(files: ScoreboardFiles) -> None:
    for name in ("scores", "dino-against-clip_t", "subjects-dino"):
        text = (files.markdown.parent / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        for label in ("dreambooth", "lora", "untuned model", "real photos"):
            assert f">{label}</text>" in text


def test_the_same_sheets_make_the_same_files(files: ScoreboardFiles, tmp_path: Path) -> None:
    sheets = [sheet("dog"), sheet("cat")]
    one, two = (write(sheets, tmp_path / name, title="", costs=None, bootstrap=50, seed=0) for name in ("one", "two"))
    for first, second in (
        (one.markdown, two.markdown),
        (one.json, two.json),
        *zip(one.figures, two.figures, strict=True),
    ):
        assert first.read_bytes() == second.read_bytes()


def test_nothing_is_written_where_scores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        write([], tmp_path / "out", title="", costs=None, bootstrap=10, seed=0)
    assert not (tmp_path / "out").exists()


def test_a_sweep_is_a_path_in_the_order_of_its_number() -> None:
    from imprint.reporting.scoreboard.grouping import entries

    ranks = [sheet("dog", settings={"method.rank": rank}) for rank in (16, 2, 128)]
    (path,) = sweeps([entry for entry in entries(ranks) if entry.role == "contestant"])
    assert [entry.label for entry in path] == ["lora, rank 2", "lora, rank 16", "lora, rank 128"]
    two = [sheet("dog", settings={"method.rank": rank, "method.lr": rank / 10}) for rank in (16, 2, 128)]
    assert not list(sweeps([entry for entry in entries(two) if entry.role == "contestant"]))
