"""The evaluators learn what they are for, meet no held-out individual, and load where others look for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import CLIPModel, ViTModel

from imprint.miniature.canvas import stream
from imprint.miniature.recipe import bundle, instance, oracle, settings, stages
from imprint.miniature.recipe.pictures import as_tensor, rendered, softened
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import is_held_out, named
from imprint.miniature.validity import held_out_scenes

SMALL = (
    "pictures=300", "validation_pictures=100", "checkpoint_every_s=1000",
    "clip.hidden=32", "clip.layers=1", "clip.heads=2", "clip.batch=32", "clip.steps=30", "clip.warmup=2",
    "instance.hidden=32", "instance.layers=1", "instance.heads=2", "instance.individuals=300",
    "instance.batch=16", "instance.steps=30", "instance.warmup=2",
    "oracle.channels=[8,16,16,32]", "oracle.batch=32", "oracle.steps=40", "oracle.warmup=2", "oracle.ema=0.8",
)  # fmt: skip


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> stages.Job:
    work = tmp_path_factory.mktemp("evaluators")
    return stages.Job(
        settings=settings.read(SMALL),
        work=work,
        minutes=None,
        continue_from=None,
        out=work / "pipeline",
        evaluators=work / "out",
        device=torch.device("cpu"),
    )


@pytest.mark.slow
def test_clip_is_written_where_transformers_finds_it(job: stages.Job) -> None:
    stages.train_clip(job)
    model = CLIPModel.from_pretrained(job.evaluators / "clip", dtype=torch.float32)
    assert model.config.vision_config.image_size == 64
    names = {f.name for f in (job.evaluators / "clip").iterdir()}
    assert {"preprocessor_config.json", "vocab.json", "merges.txt"} <= names


@pytest.mark.slow
def test_the_instance_encoder_is_written_where_transformers_finds_it(job: stages.Job) -> None:
    stages.train_instance(job)
    model = ViTModel.from_pretrained(job.evaluators / "instance", dtype=torch.float32, add_pooling_layer=False)
    features = instance.embedded(model, as_tensor(np.zeros((2, 64, 64, 3), dtype=np.uint8)))
    assert torch.allclose(features.norm(dim=1), torch.ones(2), atol=1e-5)


@pytest.mark.slow
def test_the_oracle_learns(job: stages.Job) -> None:
    stages.train_oracle(job)
    model = bundle.read_oracle(job.evaluators / "oracle")
    scenes = [pretraining_scene(1, i) for i in range(200, 300)]
    with torch.no_grad():
        said = model(as_tensor(rendered(job.work, seed=1, count=300)[200:]))
    right = torch.tensor([oracle.truth(scene) for scene in scenes])[:, 1]
    assert (said["place"].argmax(1) == right).float().mean() > 3 / len(oracle.QUESTIONS["place"])


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
