"""learners=tuned: what its loss is, what it sees, and that an encoder learns by it."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_encoders import KINDS, clip, tiny_clip, tiny_vit, vit
from torch.nn import functional

from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.encoders.transformer import TransformerEncoder
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.metrics.base import normalised
from imprint.study.augmentation import Classical
from imprint.study.examples import Example
from imprint.study.learners.base import Tools
from imprint.study.learners.contrast import info_nce
from imprint.study.learners.tuned import Tuned
from imprint.study.order import Pool, Training

SEEN = [Image.effect_noise((24, 16), 80).convert("RGB"), Image.new("RGB", (16, 20), (200, 60, 10))]
COLOURS = {"cat": (220, 60, 40), "dog": (40, 70, 220), "": (60, 200, 80)}


def encoder_of(kind: str, folder: Path) -> TransformerEncoder:
    return clip(tiny_clip(folder)) if kind == "clip" else vit(tiny_vit(folder, kind))


@pytest.mark.parametrize("kind", ["clip", *KINDS])
def test_the_part_that_sees_has_the_encoders_features(kind: str, tmp_path: Path) -> None:
    encoder = encoder_of(kind, tmp_path)
    sight = encoder.sight().requires_grad_(True)
    features = sight(encoder.transform(SEEN))
    assert torch.allclose(features, encoder.images(SEEN), atol=1e-6)
    features.sum().backward()
    assert not any(weight.requires_grad for weight in encoder.sight().parameters())


@pytest.mark.parametrize("kind", ["clip", *KINDS])
def test_patches_are_what_comes_behind_the_class_and_registers(kind: str, tmp_path: Path) -> None:
    encoder = encoder_of(kind, tmp_path)
    sight = encoder.sight()
    pixels = encoder.transform(SEEN)
    both = sight.with_patches(pixels)
    tokens = sight.norm(sight.network(pixel_values=pixels).last_hidden_state)
    assert torch.equal(both[:, :16], tokens[:, 0])
    assert torch.allclose(both[:, 16:], tokens[:, -4:].mean(dim=1))  # two by two patches


def test_the_loss_is_that_of_the_paper() -> None:
    """Each anchor with each positive of its class, against all negatives, one by one."""
    features = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    is_own = torch.tensor([1, 0, 1, 0, 1, 0] * 2)
    unit = functional.normalize(features, dim=1)
    negatives = unit[is_own == 0]
    losses = []
    for anchor in (0, 2, 4):
        for positive in (6, 8, 10):
            logits = torch.cat([unit[positive, None], negatives]) @ unit[anchor] / 0.07
            losses.append(functional.cross_entropy(logits[None], torch.zeros(1, dtype=torch.long)))
    targets = torch.stack([is_own, torch.zeros(12)], dim=1).float()  # the others are of no class of their own
    assert torch.allclose(info_nce(features, targets, temperature=0.07), torch.stack(losses).mean(), rtol=1e-5)


def test_a_picture_of_two_classes_is_drawn_to_both() -> None:
    features = torch.eye(3)[[0, 1, 0, 1]].requires_grad_(True)
    mixed = torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    [moved] = torch.autograd.grad(info_nce(features, mixed, temperature=0.5), features)
    hard = mixed.clone()
    hard[1] = torch.tensor([0.0, 1.0])
    [moved_hard] = torch.autograd.grad(info_nce(features, hard, temperature=0.5), features)
    assert moved[1] @ torch.eye(3)[0] < moved_hard[1] @ torch.eye(3)[0]
    assert torch.isfinite(moved).all()


def example(label: str, number: int, source: str) -> Example:
    shade = tuple((level + 37 * number + 11 * len(source)) % 256 for level in COLOURS[label])
    picture = Image.new("RGB", (16, 16), shade)
    picture.putpixel((number % 16, 3), (255, 255, 255))
    name = f"{label or 'other'}/{source}{number}"
    return Example(name, number, label, source, {label: 1.0}, name, "", None, False, lambda: picture)


def training(*labels: str, pictures: int = 4, share: float = 0.5, photos: int = 2) -> Training:
    pools = {
        label: Pool(
            [example(label, number, "real") for number in range(photos)],
            [example(label, number, "img2img") for number in range(pictures)],
        )
        for label in labels
    }
    answers = {label: label for label in labels}
    augmentation = Classical(flip=0.5, crop=0.8, colour=0)
    return Training(pools=pools, answers=answers, share=share, augmentation=augmentation, seed=0, question="")


def tuned(**settings: object) -> Tuned:
    given = {"rank": 4, "alpha": 8.0, "dropout": 0.0, "patches": True, "temperature": 0.07, "updates": 20, "batch": 8}
    return Tuned(**{"encoder": "dino", "lr": 1e-2, "head": "nearest", **given, **settings})  # type: ignore[arg-type]


def tools(encoder: Encoder) -> Tools:
    encoders: Mapping[str, Encoder] = {"dino": encoder}
    device = torch.device("cpu")
    return Tools(FeatureStore(encoders=encoders, batch_size=8, device=device), encoders, device)


@pytest.mark.parametrize("classes", [("cat", "dog"), ("cat", "")])
@pytest.mark.parametrize("kind", ["clip", "dinov2", "dinov2_with_registers"])
def test_an_encoder_learns_what_belongs_together(kind: str, classes: tuple[str, ...], tmp_path: Path) -> None:
    encoder = encoder_of(kind, tmp_path)
    own = training(*classes)
    learned = tuned().learn(own, tools(encoder))
    [first, other] = own.pools.values()

    def margin(features: torch.Tensor) -> float:
        """How much more like its class than like the other a picture is."""
        cosines = normalised(features, "test") @ normalised(features, "test").T
        return float(cosines[:6, :6].mean() - cosines[:6, 6:].mean())

    seen = [*first.photos, *first.pictures, *other.photos, *other.pictures]
    before = encoder.images([one.load() for one in seen])
    after = learned.features(seen)  # type: ignore[attr-defined]
    assert margin(after) > margin(before) + 0.1
    found = learned.probabilities(seen)
    assert torch.allclose(found.sum(dim=1), torch.ones(12, dtype=torch.double))
    right = torch.tensor([0] * 6 + [1] * 6)
    assert float((found.argmax(dim=1) == right).double().mean()) > 0.9
    assert torch.equal(encoder.images([one.load() for one in seen]), before)  # of others it is as it was


def test_without_updates_it_is_the_encoder_as_it_was(tmp_path: Path) -> None:
    encoder = encoder_of("dinov2", tmp_path)
    own = training("cat", "dog")
    learned = tuned(lr=1e-30, updates=1).learn(own, tools(encoder))
    photos = [*own.pools["cat"].photos]
    found = learned.features(photos)  # type: ignore[attr-defined]
    assert torch.allclose(found, encoder.images([one.load() for one in photos]), atol=1e-5)


def test_of_one_against_all_pictures_are_ranked_by_their_nearest_photo(tmp_path: Path) -> None:
    """Which is what the paper's average precision is of."""
    own = training("cat", "")
    learned = tuned(updates=2).learn(own, tools(encoder_of("dinov2", tmp_path)))
    tests = [example(label, number, "test") for label in ("cat", "") for number in range(5)]
    unit = normalised(learned.features([*own.pools["cat"].photos, *tests]), "test")  # type: ignore[attr-defined]
    nearest = (unit[2:] @ unit[:2].T).amax(dim=1)
    assert torch.equal(learned.probabilities(tests)[:, 0].argsort(), nearest.argsort())
    assert -1 <= learned.choices["threshold"] <= 1


@pytest.mark.parametrize(("share", "sources"), [(0.5, ("real", "img2img")), (0.0, ("real", "real"))])
def test_an_anchor_is_a_photo_and_its_positive_another_picture(share: float, sources: tuple[str, str]) -> None:
    own = training("cat", "", share=share, pictures=4 if share else 0)
    learner = tuned(batch=6)
    for update in range(3):
        seen = [own.at(place) for place in learner._positions(update, 2)]
        for anchor, positive in zip(seen[:6], seen[6:], strict=True):
            assert anchor.label == positive.label
            assert (anchor.example.source, positive.example.source) == sources
    positions = [place for update in range(3) for place in learner._positions(update, 2)]
    assert sorted(positions) == list(range(36))  # each once


def test_of_one_photo_alone_a_threshold_is_set(tmp_path: Path) -> None:
    own = training("cat", "", share=0.0, pictures=0, photos=1)
    learned = tuned(updates=1).learn(own, tools(encoder_of("dinov2", tmp_path)))
    assert torch.isfinite(learned.probabilities([*own.pools["cat"].photos])).all()
