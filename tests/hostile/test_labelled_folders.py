"""Labelled data sets of others: their metadata is read, or refused in one message, and nothing outside is opened."""

import json
from pathlib import Path

from hostile.answers import check_message, folder_in
from hostile.budget import examples
from hostile.invented import DEEP, altered, damaged, json_files, json_values
from hypothesis import example, given
from hypothesis import strategies as st
from labelled_sets import drawn, two_subjects

from imprint.errors import UserError
from imprint.labelled.card import card
from imprint.labelled.folder import read_folder
from imprint.labelled.layout import ABOUT, METADATA, NO_MASK
from imprint.labelled.row import encoded

GOOD = encoded(drawn(masked=True), mask=NO_MASK, rejected=True)

ABOUT_IT = {
    "version": 1,
    "settings": {"images": 3, "runs": {"a": "b"}},
    "rights": {"a": "own"},
    "opt_outs": ["x"],
}


def check(folder: Path) -> None:
    try:
        found = read_folder(folder)
        text = card(found, name="pets")
    except UserError as error:
        check_message(str(error), lines=25)  # a fault a line
        return
    assert text.startswith("---\n")
    for split, row in found.rows():
        assert found.file(split, row).resolve().is_relative_to(folder.resolve())
        encoded(row, mask=NO_MASK, rejected=False)


@examples(2)
@given(
    lines=st.one_of(
        st.lists(st.one_of(json_values, altered(GOOD)), max_size=4).map(
            lambda found: "\n".join(map(json.dumps, found)).encode("utf-8", "surrogatepass")
        ),
        damaged(st.just(json.dumps(GOOD).encode())),
    )
)
@example(lines=DEEP.encode())
def test_metadata(ground: Path, lines: bytes) -> None:
    with folder_in(ground) as folder:
        two_subjects(folder)
        (folder / "train" / METADATA).write_bytes(lines)
        check(folder)


@given(content=json_files(ABOUT_IT))
def test_what_it_was_made_of(ground: Path, content: bytes) -> None:
    with folder_in(ground) as folder:
        two_subjects(folder, masked=False)
        (folder / ABOUT).write_bytes(content)
        check(folder)


@given(about=altered(ABOUT_IT))
def test_what_a_card_quotes(ground: Path, about: object) -> None:
    with folder_in(ground) as folder:
        two_subjects(folder, masked=False)
        (folder / ABOUT).write_text(json.dumps(about))
        check(folder)
