"""Every encoder and metric in conf/: it binds to its constructor, says what it needs, and gives finite numbers."""

import inspect
import math
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from fake_evidence import SIZE, FakeFeatures, evidence, photo, shot
from PIL import Image

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.records import Evidence, Shot

SETS = ("subject", "class", "unrelated", "others")
SUBJECT = "dog6"  # one whose truth is known, for metrics that ask for that
PICTURES = 24  # of every set, in prompts of two
TEMPLATE = "a red {identifier} {noun} in the snow"  # asks for whatever a metric may look for
METRICS, ENCODERS, ENCODER_SETS = (
    sorted(path.stem for path in (conf_folder() / group).glob("*.yaml")) for group in ("metric", "encoder", "encoders")
)
# What a file leaves to its user.
GIVEN = {
    "encoder/clip": ["encoder.source=x"],
    "encoder/vit": ["encoder.source=x"],
    "encoder/lpips": ["encoder.backbone=x", "encoder.linear=x"],
    "encoder/sscd": ["encoder.source=x"],
}


@cache
def node(group: str, option: str) -> Any:
    return resolved(compose("train", [f"+{group}={option}", *GIVEN.get(f"{group}/{option}", [])]))[group]


def built(group: str, option: str) -> Any:
    constructor = Constructor()
    thing = constructor.build(node(group, option), group)
    assert not [str(problem) for problem in constructor.problems]
    return thing


@cache
def drawn_file() -> Path:
    """That of every picture, for metrics that look at pixels themselves."""
    file = Path(tempfile.mkdtemp()) / "drawn.png"
    Image.new("RGB", SIZE, "grey").save(file)
    return file


def pictures(name: str, owner: str) -> list[Shot]:
    return [
        shot(f"{owner}-{name}-{number}-{k}", number, k, set=name, template=TEMPLATE)._replace(file=drawn_file())
        for number in range(PICTURES // 2)
        for k in range(2)
    ]


def standard() -> Evidence:
    """All that a metric may ask for: of every set pictures by both models, photos of every kind; random features."""
    drawn = {name: pictures(name, "tuned") for name in SETS}
    untuned = {name: pictures(name, "untuned") for name in SETS}
    photos = [photo(f"photo-{index}", trained_on=index < 3) for index in range(5)]
    class_photos = [photo(f"class-photo-{index}") for index in range(PICTURES)]
    others = [photo(f"other-{index}") for index in range(3)]
    shots = [picture for sets in (drawn, untuned) for some in sets.values() for picture in some]
    contents = [picture.content for picture in (*shots, *photos, *class_photos)] + ["a red dog in the snow"]
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(len(contents), 4, generator=draws).tolist()
    layers = torch.randn(len(contents), 2, 3, 4, generator=draws).tolist()
    fakes = FakeFeatures(dict(zip(contents, features, strict=True)), dict(zip(contents, layers, strict=True)))
    real = {"photos": photos, "class_photos": class_photos, "others": others}
    return evidence(fakes, subject=SUBJECT, shots=drawn, untuned=untuned, **real)


@pytest.mark.parametrize("option", METRICS)
def test_a_metric_gives_finite_numbers_of_what_it_said_it_needs(option: str) -> None:
    metric: Metric = built("metric", option)
    assert isinstance(metric, Metric)
    assert metric.title
    assert metric.better in ("higher", "lower", "neither")
    given = standard()
    values = metric.measure(given)
    assert values
    assert all(math.isfinite(value.value) for value in values)
    least, most = (
        1e-6 * sign + (math.inf * sign if end is None else end)
        for end, sign in zip(metric.bounds, (-1, 1), strict=True)
    )
    assert all(least <= value.value <= most for value in values)
    assert {value.set for value in values} <= set(metric.needs.sets)
    assert all(value.k is None for value in values if value.number is None)
    assert isinstance(given.features, FakeFeatures)
    assert given.features.roles == set(metric.needs.encoders)


@pytest.mark.parametrize("option", METRICS)
def test_a_metric_uses_nothing_that_it_did_not_ask_for(option: str) -> None:
    metric: Metric = built("metric", option)
    full, needs = standard(), metric.needs
    spare = evidence(
        full.features,
        subject=SUBJECT,
        shots={name: full.shots[name] for name in needs.sets},
        untuned={name: full.untuned[name] for name in needs.untuned},
        photos=full.photos if needs.photos else [],
        class_photos=full.class_photos if needs.class_photos else [],
        others=full.others if "others" in needs.sets else [],
    )
    assert metric.measure(spare) == metric.measure(full)


@pytest.mark.parametrize("option", METRICS)
def test_a_metrics_settings_can_be_read_from_it(option: str) -> None:
    settings = {name: value for name, value in node("metric", option).items() if name != "_target_"}
    metric = built("metric", option)
    assert {name: getattr(metric, name) for name in inspect.signature(type(metric)).parameters} == settings


def test_no_two_metrics_share_a_title() -> None:
    titles = [built("metric", option).title for option in METRICS]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("option", ENCODERS)
def test_an_encoder_binds_to_its_constructor_and_loads_nothing(option: str) -> None:
    encoder: Encoder = built("encoder", option)
    assert isinstance(encoder, Encoder)
    assert encoder.name
    assert encoder.sides


@pytest.mark.parametrize("option", ENCODER_SETS)
def test_encoders_that_a_model_brings_are_ready(option: str) -> None:
    for role, encoder in built("encoders", option).items():
        encoder.check(role)
        assert encoder.fingerprint


@pytest.mark.parametrize(
    ("group", "option"), [*(("metric", option) for option in METRICS), *(("encoder", option) for option in ENCODERS)]
)
def test_no_constructor_has_a_default_of_its_own(group: str, option: str) -> None:
    parameters = inspect.signature(type(built(group, option))).parameters.values()
    assert all(parameter.default is parameter.empty for parameter in parameters)
