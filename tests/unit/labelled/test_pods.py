"""PODS in its published form: as a data set, and as a collection of subjects."""

import json
from pathlib import Path

import pytest
from composed import compose
from pods_world import GROUPS, KINDS, OBJECTS, PHOTOS, write_pods

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.data.collections.base import Collection
from imprint.data.pods import pods_in
from imprint.errors import ConfigError, UserError
from imprint.labelled.folder import read_folder


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pods(tmp_path_factory.mktemp("pods"))


def collection(path: Path, *settings: str) -> Collection:
    cfg = compose("synthesise", ["collection=pods", f"collection.path={path}", "out=x", *settings])
    constructor = Constructor()
    found: Collection | None = constructor.build(resolved(cfg)["collection"], "collection")
    assert found is not None, constructor.problems
    return found


def test_objects_are_classes_of_their_kind_with_photos_and_tests(pods: Path) -> None:
    data = read_folder(pods)
    data.check_pictures()
    assert set(data.splits) == {"train", "test"}
    assert {row.subject: row.noun for _, row in data.rows()} == OBJECTS
    assert len(data.splits["train"]) == PHOTOS * len(OBJECTS)
    assert len(data.splits["test"]) == len(KINDS) * len(OBJECTS)
    assert all(row.is_real for _, row in data.rows())
    assert data.about["groups"] == {"test": ["cat", "dog"], "val": ["dog6"]}


@pytest.mark.parametrize("part", ["train", "test_dense"])
def test_a_part_of_it_has_its_masks(pods: Path, part: str) -> None:
    data = read_folder(pods / part)
    data.check_pictures()
    for split, row in data.rows():
        mask = data.mask(split, row)
        assert mask is not None
        assert mask.resolve() == pods / f"{part}_masks" / row.file_name
        assert row.noun == OBJECTS[row.subject]
    assert all(not row.mask_file_name for row in read_folder(pods).splits["test"])


def test_what_photos_to_test_on_have_that_training_has_not(pods: Path) -> None:
    found = pods_in(pods)
    assert found is not None
    assert found.shifts == {(name, f"{name}_{number}"): kind for name in OBJECTS for number, kind in enumerate(KINDS)}
    for part, kinds in ((pods, KINDS), (pods / "test_dense", KINDS[:2])):
        tests = [row for split, row in read_folder(part).rows() if split != "train"]
        assert [row.shift for row in tests] == [*kinds] * len(OBJECTS)


@pytest.mark.parametrize("group", ["val", "test", None])
def test_a_collection_is_of_a_group_of_objects(pods: Path, group: str | None) -> None:
    members = collection(pods, f"collection.group={group or 'null'}").members(None)
    assert {one.name: one.noun for one in members} == {
        name: noun for name, noun in OBJECTS.items() if group in (None, GROUPS[name])
    }
    assert all(Path(one.path) == pods / "train" / one.name for one in members)


def test_photos_of_the_collection_have_their_masks(pods: Path) -> None:
    [member] = collection(pods, "collection.group=val").members(None)
    cfg = resolved(compose("train", ["dataset=folder", f"dataset.path={member.path}", "dataset.class_noun=dog"]))
    dataset = Constructor().build(cfg["dataset"], "dataset")
    assert [picture.mask is not None for picture in dataset._all_pictures().pictures] == [True] * PHOTOS


def test_another_folder_is_no_pods(tmp_path: Path, pods: Path) -> None:
    assert pods_in(tmp_path) is None
    with pytest.raises(ConfigError, match="collection.path"):
        collection(tmp_path).members(None)


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "cannot be read"), (json.dumps({"class_to_sc": {"mug": 3}}), "class_to_sc.mug"), ("[]", "pods_info.json")],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, said: str) -> None:
    root = write_pods(tmp_path)
    (root / "pods_info.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="pods_info.json") as caught:
        read_folder(root)
    assert said in str(caught.value)
