"""Pictures are judged by the scene that was asked for, and the shares count only what was asked."""

from __future__ import annotations

from imprint.miniature.quality.judging import read, shares
from imprint.miniature.recipe.bundle import read_oracle
from imprint.miniature.recipe.stages.job import EVALUATORS
from imprint.miniature.renderer import draw
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import named


def test_shares_count_places_and_attributes_where_they_were_asked_for() -> None:
    scenes = [Scene(named("dog"), "snow"), Scene(named("dog"), "room", attribute="wet")]
    right = {"noun": "dog", "place": "snow", "attribute": "", "style": "drawing"}
    elsewhere = {"noun": "cat", "place": "city", "attribute": "wet", "style": "drawing"}
    counted = shares([right, elsewhere], scenes)
    assert {what: (share["right"], share["of"]) for what, share in counted.items()} == {
        "class": (1, 2),
        "place": (1, 1),
        "attribute": (1, 1),
    }


def test_the_oracle_reads_true_pictures() -> None:
    scenes = [Scene(named("dog"), "beach"), Scene(named("teapot"), "jungle"), Scene(named("can"), "snow")]
    answers = read(read_oracle(EVALUATORS / "oracle"), [draw(scene) for scene in scenes])
    assert [(said["noun"], said["place"]) for said in answers] == [
        ("dog", "beach"),
        ("teapot", "jungle"),
        ("can", "snow"),
    ]
