"""Many settings at once: each profile composes into what can be constructed, and PODS's on a world in its form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from composed import compose
from PIL import ImageFilter
from pods_world import OBJECTS, PHOTOS, write_pods
from study_world import save

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.errors import ConfigError
from imprint.labelled.folder import read_folder, write_folder
from imprint.labelled.row import Row, hard
from imprint.study.study import Study
from imprint.synthesis.from_noise import FromNoise
from imprint.verbs.study import study_of

GIVEN = {"study": ["data=x"], "synthesis": ["out=x", "collection.path=x"]}
VERBS = {"study": "study", "synthesis": "synthesise"}
GROUPS = {
    "study": ("task", "arms", "learners"),
    "synthesis": ("collection", "synthesis", "model", "method", "prior"),
}
THIN = [
    "accelerator=cpu",
    "seeds=[0]",
    "encoders=mini",
    "learners.tuned.rank=2",
    "learners.tuned.updates=2",
    "learners.tuned.batch=8",
]


def profiles(kind: str) -> list[str]:
    return sorted(file.stem for file in (conf_folder() / f"{kind}_profile").glob("*.yaml"))


def composed(kind: str, name: str) -> dict[str, Any]:
    return resolved(compose(VERBS[kind], [f"{kind}_profile={name}", *GIVEN[kind]]))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in VERBS for name in profiles(kind)])
def test_a_profile_binds_to_its_constructors(kind: str, name: str) -> None:
    cfg = composed(kind, name)
    constructor = Constructor()
    groups = (
        ("task", "arms", "learners") if kind == "study" else ("collection", "synthesis", "model", "method", "prior")
    )
    for group in groups:
        constructor.build(cfg[group], group)
    assert not [str(problem) for problem in constructor.problems]
    if kind == "study":
        assert cfg["against"] in cfg["arms"]


def test_what_is_given_has_its_way() -> None:
    cfg = compose("study", ["study_profile=quick", "shots=[2]", "learners=[resnet]", "data=x"])
    assert list(cfg.shots) == [2]
    assert list(cfg.learners) == ["resnet"]


def test_pods_makes_its_pictures_as_it_was_published() -> None:
    cfg = composed("synthesis", "pods")
    method, prior = cfg["method"], cfg["prior"]
    assert (method["roles"], method["lr"], method["text_lr"]) == (["denoiser", "text"], 2e-6, 2e-6)
    assert (cfg["hparams"]["steps"], cfg["hparams"]["batch_size"]) == (400, 1)
    assert (prior["count"], prior["weight"]) == (200, 1.0)
    assert (cfg["images"], cfg["steps"], cfg["guidance"]) == (450, 50, 5.0)
    assert cfg["filter"] in (None, {})
    assert isinstance(Constructor().build(cfg["synthesis"], "synthesis"), FromNoise)


def test_pods_learns_as_it_was_published() -> None:
    cfg = composed("study", "pods")
    tuned = Constructor().build(cfg["learners"]["tuned"], "tuned")
    triplets, batch, rounds = 4500, 16, 2
    assert tuned.updates == rounds * -(-triplets // batch)
    assert tuned.batch == 2 * batch  # a turn of the object, a turn of the others
    assert cfg["shots"] == [3]
    assert cfg["encoders"]["dino"]["source"] == "facebook/dinov2-base"


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pods(tmp_path_factory.mktemp("pods"))


@pytest.fixture(scope="module")
def made(pods: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four drawn and four pasted pictures of each object."""
    folder = tmp_path_factory.mktemp("made")
    photos = [(row, read_folder(pods / "train").load(split, row)) for split, row in read_folder(pods / "train").rows()]
    rows = []
    for blurred, source in enumerate(("from_noise", "paste")):
        for subject, noun in OBJECTS.items():
            own = [photo for row, photo in photos if row.subject == subject]
            for number in range(4):
                name = f"{subject}/{source}-{number}.png"
                save(
                    own[number % PHOTOS].filter(ImageFilter.GaussianBlur(1 + number + blurred)), folder / "train" / name
                )
                rows.append(Row(file_name=name, subject=subject, noun=noun, labels=hard(subject), source=source))
    write_folder(folder, splits={"train": rows}, rejected=(), about={"state": "finished"})
    return folder


Asked = Callable[..., Study]


@pytest.fixture
def asked(pods: Path, made: Path, tmp_path: Path) -> Asked:
    def ask(*settings: str) -> Study:
        given = [f"data=[{pods},{made}]", f"out={tmp_path}/study", "parts=tell"]
        return study_of(compose("study", ["study_profile=pods", *given, *THIN, *settings]))

    return ask


def test_pods_is_carried_out_as_it_lies_on_disk(asked: Asked) -> None:
    study = asked("subjects=test")
    assert study.material.subjects == ("cat", "dog")
    assert [question.name for question in study.questions] == ["cat", "dog"]  # a network each
    study.carry_out()
    found = json.loads((study.folder / "study.json").read_text(encoding="utf-8"))
    boards = {board["learner"]: board["arms"] for board in found["boards"]}
    assert set(boards) == {"before", "tuned"}
    precision = {
        learner: {arm: own["average_precision"]["mean"] for arm, own in arms.items()}
        for learner, arms in boards.items()
    }
    assert set(precision["tuned"]) == {"real", "paste", "synthetic", "all"}
    assert len(set(precision["before"].values())) == 1  # nothing is learned
    assert len({result.weights for cell, result in study.done() if cell.place.learner == "tuned"}) == 4 * 2


def test_a_group_that_nobody_knows_is_told(asked: Asked) -> None:
    with pytest.raises(ConfigError, match="subjects='tests': there is no such group of subjects; did you mean test"):
        asked("subjects=tests")
