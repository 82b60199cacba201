import json
from pathlib import Path
from typing import Any

import pytest
from composed import compose
from omegaconf import OmegaConf
from PIL import Image

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.data.collections.base import Collection, Member
from imprint.errors import ConfigError, UserError

GPS = 0x8825


def collection(choice: str, *settings: str) -> Collection:
    cfg = compose("benchmark", [f"collection={choice}", *settings])
    constructor = Constructor()
    built: Collection = constructor.build(resolved(cfg)["collection"], "collection")
    assert not constructor.problems
    return built


def photo(file: Path, colour: str = "red") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), colour).save(file)


def folders(root: Path, *names: str) -> Path:
    for name in names:
        photo(root / name / "00.jpg")
    return root


def told(collection: Collection, names: list[str] | None = None) -> str:
    with pytest.raises(UserError) as error:
        collection.members(names)
    return str(error.value)


def test_the_miniatures_are_those_of_the_paper_with_the_same_nouns_and_kinds() -> None:
    """They are laid out as the data set is, so that a study on one is repeated on the other by one setting."""
    paper = compose("benchmark", ["collection=dreambooth"]).collection
    mini = collection("mini").members(None)
    assert {subject.name: subject.noun for subject in mini} == OmegaConf.to_container(paper.nouns)
    assert sum(subject.kind == "live" for subject in mini) == 9
    assert [s.name for s in collection("dreambooth", "collection.path=.").entries() if s.kind == "live"] == [
        s.name for s in mini if s.kind == "live"
    ]


class TestDreamBooth:
    @pytest.mark.parametrize("inside", ["", "dataset"])
    def test_it_is_read_as_it_is_downloaded(self, inside: str, tmp_path: Path) -> None:
        names = list(compose("benchmark", ["collection=dreambooth"]).collection.nouns)
        folders(tmp_path / inside, *names)
        (tmp_path / inside / "prompts_and_classes.txt").write_text("Classes\nbackpack,backpack\n")
        (tmp_path / ".git").mkdir()
        subjects = collection("dreambooth", f"collection.path={tmp_path}").members(None)
        assert len(subjects) == 30
        assert Member("dog8", "dog", "live", str(tmp_path / inside / "dog8")) in subjects
        assert Member("wolf_plushie", "stuffed animal", "object", str(tmp_path / inside / "wolf_plushie")) in subjects

    def test_its_cameras_files_open_as_photos_and_do_not_say_where_they_were_taken(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[GPS] = {1: "N", 2: (37.0, 25.0, 19.0)}
        file = tmp_path / "dataset" / "dog6" / "00.jpg"
        file.parent.mkdir(parents=True)
        gain_map = Image.new("RGB", (64, 64), "grey")
        main = Image.new("RGB", (32, 32), "red")
        main.save(file, "MPO", save_all=True, append_images=[gain_map], exif=exif)
        with Image.open(file) as written:
            assert (written.format, written.n_frames) == ("MPO", 2)
            assert written.getexif().get_ifd(GPS)
        [subject] = collection("dreambooth", f"collection.path={tmp_path}").members(["dog6"])
        dataset = Constructor().build(_dataset(subject), "dataset")
        pictures = dataset.open()
        opened = pictures.load(0)
        assert [picture.size for picture in pictures.pictures] == [(32, 32)]
        assert opened.getpixel((5, 5))[0] > 200
        assert not opened.getexif()
        assert not opened.info
        assert (dataset.subject, dataset.kind, dataset.class_noun) == ("dog6", "live", "dog")

    def test_what_is_known_of_the_pictures_is_told_of_those_asked_for(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        photos = collection("dreambooth", f"collection.path={folders(tmp_path, 'dog5', 'can')}")
        photos.members(["can"])
        assert not caplog.text
        photos.members(["can", "dog5"])
        assert "dog5: 03 mirrors 02" in caplog.text

    def test_a_wrong_folder_is_one_problem(self, tmp_path: Path) -> None:
        text = told(collection("dreambooth", f"collection.path={tmp_path}"))
        assert text.count("\n") == 1
        assert "backpack, backpack_dog, bear_plushie" in text
        assert str(tmp_path) in text
        assert f"collection.path='{tmp_path}/gone': there is no such folder" in told(
            collection("dreambooth", f"collection.path={tmp_path}/gone")
        )


class TestFolders:
    def ours(self, tmp_path: Path, *settings: str) -> Collection:
        return collection("folders", f"collection.path={tmp_path}", *settings)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("subjects.yaml", "rex: {noun: dog, kind: live}\nmug: cup\n"),
            ("subjects.json", json.dumps({"rex": {"noun": "dog", "kind": "live"}, "mug": "cup"})),
            ("subjects.csv", "name,noun,kind\nrex,dog,live\nmug,cup,\n"),
        ],
    )
    def test_a_file_beside_them_says_what_they_are(self, name: str, content: str, tmp_path: Path) -> None:
        (folders(tmp_path, "mug", "rex") / name).write_text(content)
        assert self.ours(tmp_path).members(None) == [
            Member("rex", "dog", "live", str(tmp_path / "rex")),
            Member("mug", "cup", "object", str(tmp_path / "mug")),
        ]

    def test_or_their_names_do_or_one_noun_for_all(self, tmp_path: Path) -> None:
        folders(tmp_path, "dog10", "dog2", "stuffed_animal_3")
        by_name = self.ours(tmp_path, "collection.noun_from_name=true", "collection.live=['dog*']").members(None)
        assert [(s.name, s.noun, s.kind) for s in by_name] == [
            ("dog2", "dog", "live"),
            ("dog10", "dog", "live"),
            ("stuffed_animal_3", "stuffed animal", "object"),
        ]
        assert {s.noun for s in self.ours(tmp_path, "collection.noun=thing").members(None)} == {"thing"}

    def test_the_nearest_word_counts(self, tmp_path: Path) -> None:
        (folders(tmp_path, "dog1", "dog2", "dog3", "7") / "subjects.yaml").write_text("dog1: wolf\ndog2: fox\n")
        settings = ["collection.noun=thing", "collection.noun_from_name=true", "+collection.nouns.dog1=hyena"]
        nouns = {s.name: s.noun for s in self.ours(tmp_path, *settings).members(None)}
        assert nouns == {"dog1": "hyena", "dog2": "fox", "dog3": "dog", "7": "thing"}

    def test_everything_wrong_is_told_at_once_and_only_of_those_asked_for(self, tmp_path: Path) -> None:
        (folders(tmp_path, "rex", "mug", "cap") / "subjects.yaml").write_text("rex: dog\ngone: cat\nbare: vase")
        (tmp_path / "bare").mkdir()
        text = told(self.ours(tmp_path), ["rex", "mug", "cap", "gone", "bare", "reks"])
        assert "nothing says what these are: cap, mug. Name their nouns in a file subjects.yaml" in text
        assert "gone: there is no such folder" in text
        assert "bare: no picture here" in text
        assert "subjects='reks': there is no such subject; did you mean rex" in text
        assert [s.name for s in self.ours(tmp_path).members(["rex"])] == ["rex"]
        assert "names none" in told(self.ours(tmp_path), [])

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("subjects.yaml", "- rex\n", "no mapping from names to nouns"),
            ("subjects.yaml", "rex: [\n", "cannot be read"),
            ("subjects.json", "{", "cannot be read"),
            ("subjects.csv", "subject,class\nrex,dog\n", "name,noun"),
            ("subjects.csv", "name,noun\nrex,dog\nrex,cat\n", "rex: is there twice"),
            ("subjects.yaml", "rex: {noun: dog, kind: alive}", "kind 'alive' must be object or live"),
            ("subjects.yaml", "rex: {class: dog}", "class is unknown; there are noun and kind"),
            ("subjects.yaml", "rex: 3", "noun 3 is no text"),
            ("subjects.yaml", "../rex: dog", "is no name of a folder here"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_named_with_the_reason(
        self, name: str, content: str, message: str, tmp_path: Path
    ) -> None:
        (folders(tmp_path, "rex") / name).write_text(content)
        text = told(self.ours(tmp_path))
        assert name in text
        assert message in text

    def test_two_files_are_one_too_many(self, tmp_path: Path) -> None:
        for name in ("subjects.yaml", "subjects.csv"):
            (folders(tmp_path, "rex") / name).write_text("rex: dog")
        assert "subjects.yaml and subjects.csv both name the subjects" in told(self.ours(tmp_path))

    def test_a_folder_without_folders_holds_no_subject(self, tmp_path: Path) -> None:
        assert "holds no subject" in told(self.ours(tmp_path))


class TestConceptList:
    def listed(self, tmp_path: Path, *concepts: Any) -> Collection:
        (tmp_path / "dataset.json").write_text(json.dumps(concepts))
        return collection("custom_concept_101", f"collection.path={tmp_path}")

    @pytest.mark.parametrize("place", ["benchmark_dataset", "."])
    def test_it_is_read_as_it_is_unpacked(self, place: str, tmp_path: Path) -> None:
        folders(tmp_path / place, "pet_dog1", "scene_barn")
        concepts = [
            {
                "instance_prompt": f"photo of a <new1> {noun}",
                "class_prompt": noun,
                "instance_data_dir": f"./benchmark_dataset/{name}",
                "class_data_dir": f"./regularization/{name}",
                "prompt_filename": f"prompts/{noun}.txt",
            }
            for name, noun in (("scene_barn", "barn"), ("pet_dog1", "dog"))
        ]
        assert self.listed(tmp_path, *concepts).members(None) == [
            Member("scene_barn", "barn", "object", str(tmp_path / place / "scene_barn")),
            Member("pet_dog1", "dog", "live", str(tmp_path / place / "pet_dog1")),
        ]
        by_file = collection("custom_concept_101", f"collection.path={tmp_path}/dataset.json")
        assert [subject.name for subject in by_file.members(["scene_barn"])] == ["scene_barn"]

    def test_a_list_that_cannot_be_used_is_told_whole(self, tmp_path: Path) -> None:
        known = {"class_prompt": "barn", "instance_data_dir": "a/barn"}
        text = told(self.listed(tmp_path, known, [known], {"class_prompt": "cat"}, {**known, "class_prompt": 3}, known))
        assert "entry 2: it is no object" in text
        assert "entry 3: instance_data_dir must name a folder" in text
        assert "entry 4: class_prompt must be text" in text
        assert "entry 5: the folder barn is there before" in text

    def test_missing_folders_and_nouns_are_told_together(self, tmp_path: Path) -> None:
        folders(tmp_path, "cup")
        text = told(
            self.listed(tmp_path, {"instance_data_dir": "cup"}, {"class_prompt": "hat", "instance_data_dir": "x"})
        )
        assert "nothing says what these are: cup. Give their entries a class_prompt" in text
        assert "x: there is no such folder" in text

    def test_without_a_list_there_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="there is no dataset.json here"):
            collection("custom_concept_101", f"collection.path={tmp_path}").members(None)


def _dataset(subject: Member) -> dict[str, Any]:
    return {**resolved(compose("benchmark", ["collection=dreambooth"]))["dataset"], **subject.settings}
