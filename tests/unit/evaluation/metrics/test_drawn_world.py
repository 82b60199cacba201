"""Right and wrong on true pictures: of the drawn world's own scenes, and of what is no part of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from composed import compose
from fake_evidence import evidence, photo
from PIL import Image

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.errors import UserError
from imprint.evaluation.encoders.drawn_world import DrawnWorld
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.metrics.drawn_world import (
    RightAttribute,
    RightClass,
    RightIndividual,
    RightPlace,
    Truth,
)
from imprint.evaluation.records import Candidate, PictureRequest, Shot, Value
from imprint.miniature.renderer import draw
from imprint.miniature.scene import Pose, Scene
from imprint.miniature.subjects import from_seed, named

METRICS = (RightClass, RightPlace, RightAttribute, RightIndividual)
DOG, OTHER = named("dog6"), named("dog8")
SNOW, RED = "a {identifier} {noun} in the snow", "a red {identifier} {noun}"
CANDIDATE = Candidate("dog6", "dog", [(64, 64)] * 4, {"subject": [(SNOW, "scene"), (RED, "property")]})


@pytest.fixture(scope="module")
def oracle() -> DrawnWorld:
    constructor = Constructor()
    built: DrawnWorld = constructor.build(resolved(compose("train", ["+encoder=mini_oracle"]))["encoder"], "encoder")
    assert not constructor.problems
    built.check()
    return built


@pytest.fixture
def features(oracle: DrawnWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    return FeatureStore(encoders={"oracle": oracle}, batch_size=4, device="cpu")


def values(metric: type[Truth], features: Any, folder: Path, *drawn: tuple[str, Scene]) -> list[Value]:
    """Of pictures of scenes that answer these prompts."""
    shots = []
    for number, (template, scene) in enumerate(drawn):
        file = folder / f"{number}.png"
        draw(scene).save(file)
        request = PictureRequest("subject", number, template, "any", 0)
        shots.append(Shot(request, template, 0, file, f"{metric.title} {number}", "ok"))
    return metric(encoder="oracle").measure(evidence(features, subject="dog6", shots={"subject": shots}))


def right(found: Sequence[Value]) -> dict[int | None, float]:
    return {value.number: value.value for value in found}


def test_the_class_is_the_subjects(features: FeatureStore, tmp_path: Path) -> None:
    drawn = [(SNOW, Scene(OTHER, "beach")), (RED, Scene(named("teapot"), "snow"))]
    assert right(values(RightClass, features, tmp_path, *drawn)) == {0: 1, 1: 0}


def test_the_place_is_the_prompts_and_prompts_without_one_do_not_count(features: FeatureStore, tmp_path: Path) -> None:
    drawn = [(SNOW, Scene(DOG, "snow")), (SNOW, Scene(DOG, "jungle")), (RED, Scene(DOG, "snow", attribute="red"))]
    assert right(values(RightPlace, features, tmp_path, *drawn)) == {0: 1, 1: 0}


def test_the_attribute_is_a_property_or_an_accessory(features: FeatureStore, tmp_path: Path) -> None:
    hat = "a {identifier} {noun} wearing a red hat"
    drawn = [
        (RED, Scene(DOG, "studio", attribute="red")),
        (RED, Scene(DOG, "studio")),
        (hat, Scene(DOG, "studio", attribute="red hat")),
        (hat, Scene(DOG, "studio", attribute="wizard")),
        (SNOW, Scene(DOG, "snow")),
    ]
    assert right(values(RightAttribute, features, tmp_path, *drawn)) == {0: 1, 1: 0, 2: 1, 3: 0}


def test_the_individual_is_told_with_its_attribute_and_where_that_was_lost(
    features: FeatureStore, tmp_path: Path
) -> None:
    pose = Pose(x=0.47, angle=4, mirrored=True)
    cube = "a cube shaped {identifier} {noun}"
    drawn = [
        (cube, Scene(DOG, "studio", attribute="cube shaped", pose=pose)),
        (cube, Scene(DOG, "studio", pose=pose)),
        (cube, Scene(OTHER, "studio", attribute="cube shaped", pose=pose)),
        (SNOW, Scene(from_seed("dog", 0), "snow", pose=pose)),
        ("an oil painting of a {identifier} {noun}", Scene(DOG, "studio", style="oil painting")),
        ("a {identifier} {noun} from behind", Scene(DOG, "studio", view="from behind")),
    ]
    assert right(values(RightIndividual, features, tmp_path, *drawn)) == {0: 1, 1: 1, 2: 0, 3: 0}


def test_photos_answer_who_and_what_but_no_prompt(features: FeatureStore, tmp_path: Path) -> None:
    assert right(values(RightIndividual, features, tmp_path, ("", Scene(DOG, "studio")))) == {0: 1}
    assert {metric.title for metric in METRICS if metric(encoder="oracle").needs.photos} == {
        "right class",
        "right individual",
    }


def test_a_picture_of_any_size_is_looked_at_in_the_worlds(oracle: DrawnWorld) -> None:
    large = draw(Scene(DOG, "snow")).resize((256, 256), Image.Resampling.BICUBIC)
    asked = [("noun", "dog"), ("place", "snow"), ("individual", "dog6", "")]
    assert oracle.answers([large] * 3, asked).tolist() == [1, 1, 1]


@pytest.mark.parametrize("metric", METRICS)
def test_a_subject_of_the_world_and_its_prompts_are_taken(metric: type[Truth]) -> None:
    assert not list(metric(encoder="oracle").problems(CANDIDATE))
    exported = CANDIDATE._replace(name="stuffed_animal_12", noun="stuffed animal")
    assert not list(metric(encoder="oracle").problems(exported))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "change",
    [
        {"name": "rex"},
        {"name": "dog_none"},
        {"noun": "puppy"},
        {"photo_sizes": [(64, 64), (512, 512)]},  # DreamBooth's subjects are called alike
    ],
)
def test_a_subject_of_another_world_is_refused(metric: type[Truth], change: dict[str, Any]) -> None:
    [problem] = metric(encoder="oracle").problems(CANDIDATE._replace(**change))
    assert "is none of them" in problem


@pytest.mark.parametrize("metric", METRICS)
def test_prompts_of_another_world_are_refused_by_their_words(metric: type[Truth]) -> None:
    prompts = {"subject": [(SNOW, "scene"), ("a {identifier} {noun} next to a red chair", "company")]}
    [problem] = metric(encoder="oracle").problems(CANDIDATE._replace(prompts=prompts))
    assert "next to red chair" in problem


def test_a_metric_that_nothing_asks_for_is_refused() -> None:
    only_red = CANDIDATE._replace(prompts={"subject": [(RED, "property")]})
    [problem] = RightPlace(encoder="oracle").problems(only_red)
    assert "no prompt asks for a place" in problem
    only_painted = CANDIDATE._replace(prompts={"subject": [("pixel art of a {identifier} {noun}", "style")]})
    [problem] = RightIndividual(encoder="oracle").problems(only_painted)
    assert "from the front" in problem


def test_pictures_that_no_one_knows_are_no_numbers() -> None:
    given = evidence(None, photos=[photo("one")])
    with pytest.raises(UserError, match="rex is no individual"):
        RightClass(encoder="oracle").measure(given)
