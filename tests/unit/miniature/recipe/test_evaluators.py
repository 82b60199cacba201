"""What the evaluators are taught: to tell individuals apart, held-out ones never among them, soft or sharp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from imprint.miniature.canvas import stream
from imprint.miniature.quality.validity import held_out_scenes
from imprint.miniature.recipe import instance, oracle
from imprint.miniature.recipe.pictures import as_tensor, softened
from imprint.miniature.renderer import draw
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import is_held_out, named


def test_truth_reads_the_scene() -> None:
    scene = Scene(named("teapot"), "snow", attribute="wet", style="watercolour")
    answers = dict(zip(oracle.QUESTIONS, oracle.truth(scene), strict=True))
    said = {question: oracle.QUESTIONS[question][i] for question, i in answers.items()}
    assert said == {"noun": "teapot", "place": "snow", "attribute": "wet", "style": "watercolour"}


def test_evaluators_meet_no_held_out_individual_and_are_tested_on_nothing_else() -> None:
    assert not any(is_held_out(instance.individual(0, i)) for i in range(300))
    assert all(is_held_out(scene.subject) for scene in held_out_scenes(50))


def test_views_of_an_individual_never_recolour_it() -> None:
    who = named("dog6")
    views = [instance.view_of(who, stream("test", i)) for i in range(200)]
    assert {view.subject for view in views} == {who}
    assert not {view.attribute for view in views} & {"red", "purple", "cube shaped"}


def test_telling_apart_is_easiest_when_partners_agree() -> None:
    torch.manual_seed(0)
    one = torch.nn.functional.normalize(torch.randn(16, 8), dim=1)
    other = torch.nn.functional.normalize(torch.randn(16, 8), dim=1)
    agree = instance.telling_apart_loss(one, one, 0.1)
    assert agree < instance.telling_apart_loss(one, other, 0.1)


@pytest.mark.parametrize(
    ("same", "different", "area"),
    [([0.9, 0.8], [0.1, 0.2], 1.0), ([0.1, 0.2], [0.9, 0.8], 0.0), ([0.2, 0.8], [0.5, 0.1], 0.75)],
)
def test_area_under_curve(same: list[float], different: list[float], area: float) -> None:
    assert instance.area_under_curve(np.array(same), np.array(different)) == pytest.approx(area)


def test_softening_leaves_two_thirds_alone() -> None:
    torch.manual_seed(0)
    picture = as_tensor(np.asarray(draw(replace(Scene(named("cat"), "city"))))[None])
    batch = picture.repeat(300, 1, 1, 1)
    untouched = (softened(batch) == batch).flatten(1).all(1).float().mean()
    assert untouched == pytest.approx(2 / 3, abs=0.1)
