"""Metrics, through the real encoders, on pictures whose truth is known: each says what it is said to say."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from composed import compose
from fake_evidence import evidence
from PIL import Image

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.records import Photo, PictureRequest, Shot
from imprint.miniature.references import scenes as reference_scenes
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import random_pose
from imprint.miniature.scene import Scene, Subject
from imprint.miniature.subjects import from_seed, named
from imprint.types import Concept

PLACES = {
    "jungle": "in the jungle",
    "snow": "in the snow",
    "beach": "on the beach",
    "city": "with a city in the background",
}
SUBJECT = "dog6"
NEIGHBOUR = "dog8"  # another dog


@cache
def built(group: str, option: str, *settings: str) -> Any:
    constructor = Constructor()
    cfg = resolved(compose("train", [f"+{group}={option}", *settings]))
    thing = constructor.build(cfg[group], group)
    assert not constructor.problems
    return thing


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMPRINT_CACHE", str(tmp_path_factory.mktemp("features")))
        return FeatureStore(encoders=built("encoders", "mini"), batch_size=32, device="cpu")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Shot]]:
    folder = tmp_path_factory.mktemp("drawn")

    def draw_all(scenes: Sequence[Scene], set: str = "subject", templates: Sequence[str] | None = None) -> list[Shot]:
        """One prompt if no templates are given, else one a picture."""
        shots = []
        for index, scene in enumerate(scenes):
            picture = draw(scene)
            content = hashlib.sha256(picture.tobytes()).hexdigest()
            file = folder / f"{content}.png"
            picture.save(file)
            template = templates[index] if templates else "a {identifier} {noun}"
            number, k = (index, 0) if templates else (0, index)
            shots.append(Shot(PictureRequest(set, number, template, "any", k), template, 0, file, content, "ok"))
        return shots

    return draw_all


def photos(name: str, *, held_out: int = 0) -> list[Photo]:
    found = []
    for index, scene in enumerate(reference_scenes(name)):
        picture = draw(scene)
        content = hashlib.sha256(picture.tobytes()).hexdigest()
        found.append(Photo(f"{name}/{index}", content, index >= held_out, lambda picture=picture: picture))
    return found


def scenes_of(who: Subject, *, seed: int = 0, per_place: int = 1) -> list[Scene]:
    rng = random.Random(seed)
    return [
        Scene(who, place, pose=random_pose(rng), seed=rng.randrange(10**9))
        for place in PLACES
        for _ in range(per_place)
    ]


def score(name: str, features: FeatureStore, *settings: str, **parts: Any) -> float:
    metric: Metric = built("metric", name, *settings)
    given = replace(evidence(features, **parts), concept=Concept("sks", "dog"))
    return fmean(value.value for value in metric.measure(given))


@pytest.mark.parametrize("metric", ["clip_i", "dino"])
def test_fidelity_knows_the_subject_from_another_of_its_class(metric: str, features: Any, drawn: Any) -> None:
    subject, other = ({"subject": drawn(scenes_of(named(name)))} for name in (SUBJECT, NEIGHBOUR))
    own = photos(SUBJECT)
    assert score(metric, features, shots=subject, photos=own) > score(metric, features, shots=other, photos=own) + 0.03
    theirs = photos(NEIGHBOUR)
    right, wrong = (score(metric, features, shots=some, photos=theirs) for some in (other, subject))
    assert right > wrong + 0.03


def test_dino_tells_individuals_apart_better_than_clip_does(features: Any, drawn: Any) -> None:
    subject, other = ({"subject": drawn(scenes_of(named(name)))} for name in (SUBJECT, NEIGHBOUR))
    gaps = [
        score(metric, features, shots=subject, photos=photos(SUBJECT))
        - score(metric, features, shots=other, photos=photos(SUBJECT))
        for metric in ("clip_i", "dino")
    ]
    assert gaps[1] > gaps[0]


@pytest.mark.parametrize("text", ["class", "strip"])
def test_clip_t_prefers_the_right_caption(text: str, features: Any, drawn: Any) -> None:
    templates = [f"a {{identifier}} {{noun}} {words}" for words in PLACES.values()]
    scenes = scenes_of(named(SUBJECT))
    right = score("clip_t", features, f"metric.text={text}", shots={"subject": drawn(scenes, templates=templates)})
    turned = templates[1:] + templates[:1]
    wrong = score("clip_t", features, f"metric.text={text}", shots={"subject": drawn(scenes, templates=turned)})
    assert right > wrong + 0.2


def test_pres_rises_when_the_class_becomes_the_subject(features: Any, drawn: Any) -> None:
    own = photos(SUBJECT)
    others = [replace(scene, subject=from_seed("dog", i)) for i, scene in enumerate(scenes_of(named(SUBJECT)))]
    intact = score("pres", features, shots={"class": drawn(others, "class")}, photos=own)
    half = drawn([*others[:2], *scenes_of(named(SUBJECT))[2:]], "class")
    lost = drawn(scenes_of(named(SUBJECT)), "class")
    assert intact + 0.1 < score("pres", features, shots={"class": half}, photos=own)
    assert score("pres", features, shots={"class": half}, photos=own) + 0.1 < score(
        "pres", features, shots={"class": lost}, photos=own
    )


def test_diversity_rises_with_true_variety(features: Any, drawn: Any) -> None:
    first, *_ = everywhere = scenes_of(named(SUBJECT))
    one_place = [replace(scene, place=first.place, seed=first.seed) for scene in everywhere]
    nearly_one = [replace(first, pose=replace(first.pose, angle=float(angle))) for angle in range(4)]
    spread = [score("div_features", features, shots={"subject": drawn(s)}) for s in (nearly_one, one_place, everywhere)]
    assert spread == sorted(spread)
    assert spread[0] < 0.7 * spread[2]


def test_vendi_counts_true_varieties(features: Any, drawn: Any) -> None:
    kinds = [Scene(from_seed(noun, 1), "studio") for noun in ("dog", "teapot", "backpack", "clock")]
    for count in (1, 2, 4):
        repeated = [kinds[index % count] for index in range(8)]
        assert score("vendi", features, shots={"subject": drawn(repeated)}) == pytest.approx(count, rel=0.1)


def test_memorisation_and_overfit_know_copies_from_new_pictures(features: Any, drawn: Any) -> None:
    own = photos(SUBJECT, held_out=2)
    copies = {"subject": drawn(reference_scenes(SUBJECT)[2:])}
    new = {"subject": drawn(scenes_of(named(SUBJECT)))}
    counted = "metric.self_pairs=include"
    assert score("memorisation", features, counted, shots=copies, photos=own) == pytest.approx(1, abs=1e-5)
    assert score("memorisation", features, counted, shots=new, photos=own) < 0.99
    overfit = [score("overfit", features, counted, shots=some, photos=own) for some in (copies, new)]
    assert overfit[0] > overfit[1] + 0.02


@pytest.fixture(scope="module")
def herds(drawn: Any) -> Mapping[str, list[Shot]]:
    """Class pictures: of dogs, of other dogs, of cats. More than the encoder has features."""

    def herd(noun: str, start: int) -> list[Shot]:
        scenes = [scene for seed in range(18) for scene in scenes_of(named(SUBJECT), seed=start + seed)]
        shown = [replace(scene, subject=from_seed(noun, start + i)) for i, scene in enumerate(scenes)]
        return drawn(shown, "class")

    return {"dogs": herd("dog", 0), "other dogs": herd("dog", 1000), "cats": herd("cat", 2000)}


@pytest.mark.parametrize("metric", ["kid", "fid"])
def test_a_second_set_of_the_class_is_nearer_than_another_class(
    metric: str, features: Any, herds: Mapping[str, list[Shot]]
) -> None:
    untuned = {"class": herds["dogs"]}
    near = score(metric, features, shots={"class": herds["other dogs"]}, untuned=untuned)
    far = score(metric, features, shots={"class": herds["cats"]}, untuned=untuned)
    assert near < 0.7 * far


def test_drift_is_nothing_for_equal_pictures_and_grows_with_what_changes(features: Any, drawn: Any) -> None:
    scenes = [replace(scene, subject=from_seed("dog", i)) for i, scene in enumerate(scenes_of(named(SUBJECT)))]
    before = {"class": drawn(scenes, "class")}
    dimmed = [replace(scene, light="dim") for scene in scenes]
    replaced = [replace(scene, subject=named(SUBJECT)) for scene in scenes]
    drifts = [
        score("drift", features, "metric.sets=[class]", shots={"class": drawn(some, "class")}, untuned=before)
        for some in (scenes, dimmed, replaced)
    ]
    assert drifts[0] == pytest.approx(0, abs=1e-6)
    assert 0.01 < drifts[1] < drifts[2]


def test_a_larger_picture_of_the_same_is_seen_alike(features: Any, tmp_path: Path) -> None:
    """The transform resizes; a miniature's picture of 64 pixels goes in as it is."""
    small = draw(Scene(named(SUBJECT), "studio"))
    own, large = (
        Photo(str(size), str(size), True, lambda size=size: small.resize((size, size), Image.Resampling.BICUBIC))
        for size in (64, 256)
    )
    first, second = features.images("clip", [own, large])
    assert float(first @ second / first.norm() / second.norm()) > 0.98
