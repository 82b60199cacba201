"""Pictures from elsewhere find their prompts, and everything that is not as it should be is said."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imprint.evaluation.external_pictures import GivenPrompt, find_pictures, given_prompts, match, named_prompts
from imprint.types import Concept

CONCEPT = Concept("sks", "dog")
TEXTS = ["a sks dog in the snow", "a red sks dog"]
PROMPTS = given_prompts(TEXTS, [], CONCEPT)[0]


def picture(file: Path, colour: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn = Image.new("RGB", (8, 8), (colour, 0, 0))
    drawn.putpixel((0, 0), (0, 255, colour))
    drawn.save(file)
    return file


def found(folder: Path, prompts: list[GivenPrompt] = PROMPTS) -> tuple[list[tuple[int, int, str]], list[str]]:
    """(prompt's number, k, file) of every picture, and what is wrong."""
    given, faults = find_pictures(folder)
    foreign, more = match(given, prompts)
    shots = [(shot.request.number, shot.request.k, shot.file.name) for shot in foreign.shots]
    return shots, [*faults, *more]


def index(file: Path, rows: list[Any]) -> None:
    if file.suffix == ".jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    else:
        file.write_text(json.dumps({"pictures": rows}), encoding="utf-8")


NAMES = {
    "numbers": ["0-a.png", "000-s2.png", "1-a.png", "1_10.png"],
    "numbered folders": ["0/x.png", "0/y.png", "1/2.png", "1/10.png"],
    "worded folders": [f"{name}/{k}.png" for name in ("a sks dog in the snow", "A_red_sks-dog") for k in "ab"],
}


@pytest.mark.parametrize("layout", NAMES)
def test_names_say_which_prompt_is_answered(layout: str, tmp_path: Path) -> None:
    for colour, name in enumerate(NAMES[layout]):
        picture(tmp_path / name, colour)
    shots, faults = found(tmp_path)
    assert not faults
    assert [shot[:2] for shot in shots] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [name for *_, name in shots] == [Path(name).name for name in NAMES[layout]]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("metadata.jsonl", ("file_name", "text")),
        ("metadata.jsonl", ("file", "prompt")),
        ("pictures.json", ("file", "prompt")),
    ],
)
def test_an_index_says_which_prompt_is_answered(name: str, keys: tuple[str, str], tmp_path: Path) -> None:
    files = [picture(tmp_path / f"{letter}.png", colour).name for colour, letter in enumerate("abcd")]
    index(tmp_path / name, [{keys[0]: file, keys[1]: TEXTS[i % 2]} for i, file in enumerate(files)])
    shots, faults = found(tmp_path)
    assert not faults
    assert shots == [(0, 0, "a.png"), (0, 1, "c.png"), (1, 0, "b.png"), (1, 1, "d.png")]
    assert named_prompts(find_pictures(tmp_path)[0]) == TEXTS


def test_low_pictures_that_others_were_made_of_are_left_out(tmp_path: Path) -> None:
    files = [picture(tmp_path / name, colour).name for colour, name in enumerate(("a-low.png", "a.png", "b.png"))]
    rows = [{"file": file, "prompt": TEXTS[file == "b.png"]} for file in files]
    rows[1]["low"] = "a-low.png"
    index(tmp_path / "pictures.json", rows)
    shots, faults = found(tmp_path)
    assert not faults
    assert shots == [(0, 0, "a.png"), (1, 0, "b.png")]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    for name, colour in {"0-a.png": 1, "0-b.png": 1, "0-c.png": 2, "1-a.png": 3, "7-a.png": 4, "sun.png": 5}.items():
        picture(tmp_path / name, colour)
    (tmp_path / "1-b.png").write_bytes(b"no picture")
    shots, faults = found(tmp_path)
    said = "\n".join(faults)
    assert len(shots) == 5
    assert "0-a.png, 0-b.png are one and the same picture" in said
    assert "missing: 1 of prompt 1 ('a red sks dog')" in said
    assert "7-a.png, sun.png: of no prompt" in said
    assert "cannot be read: 1-b.png" in said
    assert len(faults) == 4


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"file": "a.png", "prompt": TEXTS[0]}, {"file": "z.png", "prompt": TEXTS[0]}], "z.png"),
        ([{"file": "a.png", "prompt": TEXTS[0]}] * 2, "names a.png more than once"),
        ([{"file": "a.png"}], "entry 1"),
        (["a.png"], "entry 1"),
        ([{"file": "../a.png", "prompt": TEXTS[0]}], "../a.png lies outside of the folder"),
        ([{"file": "/a.png", "prompt": TEXTS[0]}], "/a.png lies outside of the folder"),
        ([], "does not name a.png"),
        ([{"file": "a.png", "prompt": "another"}], "a.png of 'another': that is none of the prompts"),
    ],
)
def test_what_is_wrong_with_an_index(rows: list[Any], said: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 1)
    index(tmp_path / "pictures.json", rows)
    assert said in "\n".join(found(tmp_path)[1])


def test_an_index_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text("{", encoding="utf-8")
    assert "metadata.jsonl cannot be read" in find_pictures(tmp_path)[1][0]


def test_hidden_files_and_others_are_no_pictures(tmp_path: Path) -> None:
    for name in ("0-a.png", ".1-a.png", "scores/1.csv", ".2-a.png.k1ll3d_0.partial/2-a.png"):
        picture(tmp_path / "x.png", 1).rename((tmp_path / name, (tmp_path / name).parent.mkdir(exist_ok=True))[0])
    assert [answer.file.name for answer in find_pictures(tmp_path)[0]] == ["0-a.png"]


def test_a_picture_of_one_colour_is_blank(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "0-a.png")
    picture(tmp_path / "1-a.png", 1)
    foreign, _ = match(find_pictures(tmp_path)[0], PROMPTS)
    assert [shot.state for shot in foreign.shots] == ["blank", "ok"]


def test_a_prompt_as_the_model_saw_it_becomes_a_template() -> None:
    known = [GivenPrompt("", "a red {identifier} {noun}", "property")]
    prompts, faults = given_prompts(["a red sks dog", "a {identifier} {noun} and a hotdog"], known, CONCEPT)
    assert not faults
    assert prompts[0] == GivenPrompt("a red sks dog", "a red {identifier} {noun}", "property")
    assert prompts[1].text == "a sks dog and a hotdog"


def test_prompts_that_name_the_class_alone() -> None:
    [prompt], faults = given_prompts(["a {identifier} {noun} at home"], [], Concept("", "dog"))
    assert (prompt.text, faults) == ("a dog at home", [])


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["a {dog} sks"], "{dog} is unknown"),
        (["a sks dog", "a sks dog"], "only once"),
        (["a dog"], "no prompt says it"),
    ],
)
def test_prompts_that_cannot_be_meant(texts: list[str], said: str) -> None:
    assert said in "\n".join(given_prompts(texts, [], CONCEPT)[1])
