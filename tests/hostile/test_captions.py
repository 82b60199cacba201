"""Captions and what else lies beside pictures: texts, metadata.jsonl, the descriptions of collections."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hostile.answers import answer, check_message, folder_in, refused
from hostile.budget import examples
from hostile.invented import DEEP, altered, damaged, json_files, json_values, texts
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from imprint.data.captions import Captions, read_captions, with_prefix
from imprint.data.collections.concept_list import ConceptList
from imprint.data.collections.description import FILES, read_description
from imprint.data.collections.folders import SubjectFolders
from imprint.errors import PictureError
from imprint.foreign_files import TEXT_LIMIT
from imprint.types import Concept

PICTURES = ["a.png", "b.png"]
CONCEPT = Concept("sks", "dog")


def checked(captions: Captions) -> None:
    """Captions are one line of text; a problem is a line, however long what it quotes."""
    assert set(captions.by_name) <= set(PICTURES)
    for caption in captions.by_name.values():
        assert caption == " ".join(caption.split()) != ""
        caption.encode()
        assert "{noun}" not in CONCEPT.fill_caption(with_prefix(caption, CONCEPT))
    for problem in captions.problems:
        check_message(str(PictureError(problem)))


@given(content=st.one_of(st.binary(max_size=200), texts.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_a_text_beside_a_picture(ground: Path, content: bytes) -> None:
    with folder_in(ground) as folder:
        (folder / "a.txt").write_bytes(content)
        checked(read_captions(folder, PICTURES))


entries = st.one_of(
    json_values,
    altered({"file_name": "a.png", "text": "a sks dog"}),
    st.fixed_dictionaries({"file_name": st.sampled_from(["a.png", "../a.png", "/a.png", "A.PNG"]), "text": texts}),
)


@examples(2)
@given(
    lines=st.one_of(
        st.lists(entries, max_size=5).map(lambda found: "\n".join(map(json.dumps, found)).encode()),
        damaged(st.just(b'{"file_name": "a.png", "text": "a sks dog"}\n{"file_name": "b.png", "text": "b"}')),
    )
)
@example(lines=DEEP.encode())
@example(lines=b'{"file_name": "a.png", "text": ' + b"1" * 10_000 + b"}")
@example(lines=b'{"file_name": "\\u001b[2J' + b"x" * 100_000 + b'", "text": "x"}')
def test_metadata(ground: Path, lines: bytes) -> None:
    with folder_in(ground) as folder:
        (folder / "metadata.jsonl").write_bytes(lines)
        checked(read_captions(folder, PICTURES))


@pytest.mark.parametrize("name", ["a.txt", "metadata.jsonl"])
def test_what_is_no_file_is_not_waited_for_and_what_is_too_large_not_read(ground: Path, name: str) -> None:
    with folder_in(ground) as folder:
        os.mkfifo(folder / name)
        [problem] = read_captions(folder, PICTURES).problems
        assert problem == f"{name}: not a regular file"
        (folder / name).unlink()
        with (folder / name).open("wb") as file:
            file.truncate(TEXT_LIMIT + 1)
        [problem] = read_captions(folder, PICTURES).problems
        assert problem == f"{name}: larger than 64 MiB"


DESCRIPTION = {"rex": "dog", "tom": {"noun": "cat", "kind": "live"}}
CSV = b"name,noun,kind\nrex,dog,live\ntom,cat,\n"
# References of references: ten values, a hundred, ... ; and a mapping that merges ever more of itself.
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)
MERGES = "a: &a {x: y}\n" + "".join(
    f"{new}: &{new} {{<<: [{','.join([f'*{old}'] * 10)}]}}\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@examples(2)
@given(
    found=st.one_of(
        st.tuples(st.sampled_from(FILES[:2]), json_files(DESCRIPTION)),
        st.tuples(st.just(FILES[2]), damaged(st.just(CSV))),
        st.tuples(st.sampled_from(FILES), texts.map(lambda text: text.encode("utf-8", "surrogatepass"))),
    )
)
@example(found=(FILES[0], LAUGHS.encode()))
@example(found=(FILES[0], MERGES.encode()))
@example(found=(FILES[0], DEEP.encode()))
@example(found=(FILES[1], DEEP.encode()))
@example(found=(FILES[0], b"a: !!python/object/apply:os.system ['touch /tmp/hostile']"))
@example(found=(FILES[0], b"rex: &self [*self]"))
def test_a_collections_description(ground: Path, found: tuple[str, bytes]) -> None:
    name, content = found
    with folder_in(ground) as folder:
        (folder / name).write_bytes(content)
        described = answer(lambda: read_description(folder), name, lines=40)
        for subject in described or ():
            assert "/" not in subject


@given(content=st.one_of(altered(DESCRIPTION), json_values))
def test_subjects_lie_inside_of_their_collection(ground: Path, content: Any) -> None:
    with folder_in(ground) as folder:
        (folder / "subjects.json").write_text(json.dumps(content))
        settings: dict[str, Any] = {"inside": None, "nouns": {}, "noun": None, "noun_from_name": True, "live": []}
        collection = SubjectFolders(path=str(folder), remarks={}, **settings)
        for member in answer(lambda: collection.members(None), lines=6) or ():
            assert Path(member.path).parent == folder


CONCEPTS = [
    {"class_prompt": "dog", "instance_data_dir": "./x/rex", "instance_prompt": "sks dog"},
    {"class_prompt": "cat", "instance_data_dir": "tom"},
]


@examples(2)
@given(content=json_files(CONCEPTS))
@example(content=DEEP.encode())
def test_a_list_of_concepts(ground: Path, content: bytes) -> None:
    with folder_in(ground) as folder:
        (folder / "rex").mkdir()
        Image.new("RGB", (4, 4)).save(folder / "rex" / "1.png")
        (folder / "dataset.json").write_bytes(content)
        collection = ConceptList(path=str(folder), inside="benchmark_dataset", live=["rex"])
        answer(collection.entries, "dataset.json", lines=6)
        answer(lambda: collection.members(None), lines=6)


def test_a_reference_in_a_description_is_refused_by_its_line(ground: Path) -> None:
    with folder_in(ground) as folder:
        (folder / "subjects.yaml").write_text("rex: &dog dog\ntom: *dog\n")
        message = refused(lambda: read_description(folder), "subjects.yaml")
        assert "references" in message
        assert "line 2" in message
