"""A study's page and files: what they show, and that nothing from outside becomes markup."""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from unit.study.told import ARMS, MARKUP, SECONDS, learn_nothing, places, write_hostile

from imprint.files import write_json
from imprint.labelled.folder import read_folder
from imprint.study.costs import ArmCost, SetCost, set_cost
from imprint.study.examples import PictureSet
from imprint.study.study import Study
from imprint.study.writing import CSV, JSON, PAGE

Made = Callable[..., Study]


@pytest.fixture
def carried_out(made: Made, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    learn_nothing(monkeypatch)
    hostile = write_hostile(world, tmp_path / "hostile")
    study = made(ARMS, "counts={synthetic:[1]}", "seeds=[0,1]", **places(hostile))
    study.carry_out()
    return study


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    return parser


def test_the_page_is_one_file_in_which_names_are_texts(carried_out: Study) -> None:
    page = (carried_out.folder / PAGE).read_text(encoding="utf-8")
    found = seen(page)
    assert not [attrs for _, attrs in found.tags if "onerror" in attrs]
    assert MARKUP in "".join(found.texts)
    sources = [str(attrs[key]) for _, attrs in found.tags for key in ("src", "href") if key in attrs]
    assert sources
    assert all(source.startswith(("data:image/webp;base64,", "#")) for source in sources)
    assert "//" not in "".join(re.findall(r"url\(([^)]*)\)", page))
    assert str(carried_out.folder.parent) not in page, "it is given to others"


def test_all_parts_are_there_and_are_linked(carried_out: Study) -> None:
    found = seen((carried_out.folder / PAGE).read_text(encoding="utf-8"))
    parts = {str(attrs.get("id")) for tag, attrs in found.tags if tag == "section"}
    links = {str(attrs["href"])[1:] for tag, attrs in found.tags if tag == "a"}
    assert {"arms", "shots", "pictures", "worth", "metrics", "subjects", "reliability", "data", "cost"} <= parts
    assert links <= parts


def test_sheets_show_what_was_kept_and_why_others_were_not(carried_out: Study) -> None:
    found = seen((carried_out.folder / PAGE).read_text(encoding="utf-8"))
    labels = [attrs.get("data-label") for tag, attrs in found.tags if tag == "button"]
    assert labels.count("real") == 2 * 2 * 3  # of two data sets, two photos of three subjects
    assert labels.count(f"identity: {MARKUP}; copies: of a photo") == 2 * 3
    prompts = {
        str(attrs["data-about"]).partition(",")[0]
        for tag, attrs in found.tags
        if tag == "button" and attrs.get("data-label") == "kept"
    }
    assert prompts == {f"a photo of {MARKUP}"}
    content = json.loads((carried_out.folder / JSON).read_text(encoding="utf-8"))
    of_data = next(one for one in content["data_sets"] if not one["source"])
    lines = {line["subject"]: line for line in of_data["acceptance"]}
    assert set(lines) == {"all", "dog", "dog6", MARKUP}
    assert lines["all"] == {"subject": "all", "drawn": 12, "kept": 6, "share": 0.5, "identity": 6, "copies": 6}


def test_the_csv_has_every_number(carried_out: Study) -> None:
    rows = list(csv.DictReader((carried_out.folder / CSV).open(encoding="utf-8")))
    columns = ["learner", "shots", "arm", "against", "metric", "shift", "subject", "seed", "statistic", "value"]
    assert list(rows[0]) == columns
    content = json.loads((carried_out.folder / JSON).read_text(encoding="utf-8"))
    told = {tuple(row[name] for name in columns[:-1]): float(row["value"]) for row in rows}
    assert len(told) == len(rows)
    for board in content["boards"]:
        for arm, metrics in board["arms"].items():
            place = (board["learner"], str(board["shots"]), arm)
            assert told[(*place, "", "", "", "", "", "seconds")] == board["seconds"][arm] == 2 * SECONDS
            for metric, one in metrics.items():
                assert told[(*place, "", metric, "", "", "", "mean")] == one["mean"]
                for subject, numbers in one["by_subject"].items():
                    for seed, value in enumerate(numbers):
                        assert told[(*place, "", metric, "", subject, str(seed), "value")] == value
                if one["difference"]:
                    assert told[(*place, "classical", metric, "", "", "", "p_holm")] == one["difference"]["p_holm"]


def test_probabilities_are_compared_with_how_often_they_are_right(carried_out: Study) -> None:
    content = json.loads((carried_out.folder / JSON).read_text(encoding="utf-8"))
    for curve in content["calibration"]:
        bins = curve["bins"]
        assert sum(one["answers"] for one in bins) == 3 * 3 * 2  # photos to test on of three subjects, two seeds
        assert all(1 / 3 <= one["said"] <= 1 and 0 <= one["right"] <= 1 for one in bins)


def test_a_kept_picture_costs_its_share_of_the_training() -> None:
    assert ArmCost(5.0, 12.0, 30.0, 6).each == 7
    assert ArmCost(5.0, None, 30.0, 6).each is None
    assert ArmCost(5.0, 0, 0, 0).each is None


def test_what_a_generator_cost_is_told_where_it_is_known(world: Path, tmp_path: Path, made: Made) -> None:
    hostile = write_hostile(world, tmp_path / "hostile")
    about = json.loads((hostile / "data/synthesis.json").read_text(encoding="utf-8"))

    def cost(**facts: object) -> SetCost:
        write_json(hostile / "data/synthesis.json", about | facts)
        folder = read_folder(hostile / "data")
        return set_cost(PictureSet(folder, "", frozenset("x")), near=[tmp_path])

    assert cost() == SetCost(None, 0), "no run drew them"
    assert cost(seconds_each=0.5).drawing == 12 * 0.5
    for split in ("train", ".rejected"):
        file = hostile / "data" / split / "metadata.jsonl"
        rows = [json.loads(line) | {"run": "pets-0123456789"} for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert cost().training is None
    assert cost(training_seconds={"pets-0123456789": 30.0}).training == 30
    assert cost(training_seconds={"other": 30.0}).training is None
    write_json(tmp_path / "pets-0123456789" / "manifest.json", {"training": {"seconds": 40.0}})
    assert cost().training == 40
