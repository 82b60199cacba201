"""What is done to pictures each time they are seen."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from imprint.construct import Constructor
from imprint.study.augmentation import Augmentation, Classical, InTurn
from imprint.study.mixing import CutMix, MixUp
from imprint.study.trivial_augment import TrivialAugment

PICTURES = torch.rand(6, 3, 20, 24, generator=torch.Generator().manual_seed(0))


def changed(seed: int = 0, **settings: float) -> torch.Tensor:
    given = {"flip": 0.0, "crop": 1.0, "colour": 0.0} | settings
    return Classical(**given)(PICTURES, torch.Generator().manual_seed(seed))


def test_nothing_is_asked_for_and_nothing_happens() -> None:
    assert torch.allclose(changed(), PICTURES, atol=1e-5)


def test_a_mirrored_picture_is_the_same_the_other_way_round() -> None:
    assert torch.allclose(changed(flip=1), PICTURES.flip(-1), atol=1e-5)


def test_a_crop_is_a_part() -> None:
    ramp = torch.linspace(0, 1, 24).expand(1, 3, 20, 24).contiguous()
    seen = Classical(flip=0, crop=0.25, colour=0)(ramp, torch.Generator().manual_seed(1))
    assert seen.shape == ramp.shape
    assert 0.2 < float(seen.max() - seen.min()) < 0.99


def test_levels_stay_levels_and_colours_change() -> None:
    seen = changed(colour=0.9)
    assert float(seen.min()) >= 0
    assert float(seen.max()) <= 1
    assert float((seen - PICTURES).abs().mean()) > 0.05


def test_equal_random_numbers_make_equal_pictures() -> None:
    settings = {"flip": 0.5, "crop": 0.5, "colour": 0.2}
    assert torch.equal(changed(3, **settings), changed(3, **settings))
    assert not torch.equal(changed(3, **settings), changed(4, **settings))


LEVEL = 1 / 255
RAMP = Image.radial_gradient("L").resize((32, 32))
COLOURED = Image.merge("RGB", [RAMP, RAMP.transpose(Image.Transpose.FLIP_LEFT_RIGHT), RAMP.rotate(90)])


def levels(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).movedim(2, 0)[None]


def by(name: str, own: tuple[float, float] | None) -> torch.Tensor:
    return TrivialAugment(operations={name: own})(levels(COLOURED), torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "strength", "made"),
    [
        ("brightness", 0.3, lambda picture: ImageEnhance.Brightness(picture).enhance(0.3)),
        ("brightness", 1.7, lambda picture: ImageEnhance.Brightness(picture).enhance(1.7)),
        ("contrast", 1.7, lambda picture: ImageEnhance.Contrast(picture).enhance(1.7)),
        ("colour", 0.3, lambda picture: ImageEnhance.Color(picture).enhance(0.3)),
        ("sharpness", 0.3, lambda picture: ImageEnhance.Sharpness(picture).enhance(0.3)),
        ("posterize", 2, lambda picture: ImageOps.posterize(picture, 2)),
        ("solarize", 0.5, lambda picture: ImageOps.solarize(picture, 128)),
        ("equalize", None, ImageOps.equalize),
        ("auto_contrast", None, ImageOps.autocontrast),
        ("invert", None, ImageOps.invert),
        ("identity", None, lambda picture: picture),
    ],
)
def test_an_operation_does_what_pillow_calls_so(
    name: str, strength: float | None, made: Callable[[Image.Image], Image.Image]
) -> None:
    own = None if strength is None else (strength, strength)
    assert float((by(name, own) - levels(made(COLOURED))).abs().max()) <= 2 * LEVEL  # Pillow's levels are whole


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"])
def test_an_operation_of_a_sign_goes_both_ways(name: str) -> None:
    strong = 0.25 if "translate" in name else 15
    one, other, none = by(name, (strong, strong)), by(name, (-strong, -strong)), by(name, (0, 0))
    assert torch.allclose(none, levels(COLOURED), atol=2 * LEVEL)
    for first, second in ((one, other), (one, none), (other, none)):
        assert float((first - second).abs().mean()) > LEVEL


def test_of_trivial_augment_each_picture_has_an_operation_of_its_own() -> None:
    made = TrivialAugment(operations={"identity": None, "invert": None, "brightness": (0.1, 1.9)})
    pictures = levels(COLOURED).expand(40, 3, 32, 32)
    seen = made(pictures, torch.Generator().manual_seed(0))
    ways = {tuple(picture.flatten()[::97].tolist()) for picture in seen}
    assert 10 < len(ways) < 40  # those of a strength have each another one
    assert torch.equal(seen, made(pictures, torch.Generator().manual_seed(0)))
    assert not torch.equal(seen, made(pictures, torch.Generator().manual_seed(1)))


def test_the_strength_of_one_picture_does_not_depend_on_another() -> None:
    made = TrivialAugment(operations={"identity": None, "brightness": (0.1, 1.9)})
    pictures = torch.rand(12, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    others = pictures.clone()
    others[::2] = 1 - others[::2]
    seen, also = (made(those, torch.Generator().manual_seed(5)) for those in (pictures, others))
    assert torch.equal(seen[1::2], also[1::2])


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ({}, "give at least one"),
        ({"rotat": (0, 1)}, "did you mean rotate"),
        ({"rotate": None}, "give its range"),
        ({"invert": (0, 1)}, "Give null"),
        ({"rotate": (5, -5)}, "must not exceed"),
    ],
)
def test_what_cannot_be_is_refused(operations: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrivialAugment(operations=operations)


@pytest.mark.parametrize("mixing", [MixUp(least=0, most=1), CutMix(beta=1.0)])
@pytest.mark.parametrize("count", [1, 9])
def test_a_label_has_the_share_of_its_pixels(mixing: Augmentation, count: int) -> None:
    """Flat pictures, of which the number is the level."""
    numbers = torch.arange(count, dtype=torch.float32)
    flat = numbers.view(-1, 1, 1, 1).expand(count, 3, 16, 20) / count
    seen, targets = mixing.mixed(flat, torch.eye(count), torch.Generator().manual_seed(4))
    assert torch.allclose(targets.sum(dim=1), torch.ones(count))
    assert torch.allclose(seen.mean(dim=(1, 2, 3)) * count, targets @ numbers, atol=1e-4)
    if count > 1:
        assert (targets.count_nonzero(dim=1) == 2).any()
    again, _ = mixing.mixed(flat, torch.eye(count), torch.Generator().manual_seed(4))
    assert torch.equal(seen, again)


def test_mixing_leaves_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(3)
    undisturbed = torch.rand(4)
    torch.manual_seed(3)
    MixUp(least=0, most=1).mixed(PICTURES, torch.eye(6), torch.Generator().manual_seed(0))
    assert torch.equal(torch.rand(4), undisturbed)


def test_several_come_in_turn() -> None:
    settings = {"flip": 0.5, "crop": 0.5, "colour": 0.2}
    first, then = Classical(**settings), TrivialAugment(operations={"invert": None})
    generator = torch.Generator().manual_seed(0)
    alone = first(PICTURES, torch.Generator().manual_seed(0))
    assert torch.allclose(InTurn(steps={"one": first, "two": then})(PICTURES, generator), 1 - alone, atol=1e-6)


def test_identities_have_the_settings_of_every_step() -> None:
    def identity(beta: float) -> Any:
        return InTurn(steps={"mix": CutMix(beta=beta)}).identity()

    assert identity(1) == identity(1)
    assert identity(1) != identity(2)


def test_without_kornia_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kornia.augmentation")
    monkeypatch.setitem(sys.modules, "kornia", None)
    constructor = Constructor()
    constructor.build({"_target_": "imprint.study.mixing.CutMix", "beta": 1.0}, "augmentation")
    assert "imprint-diffusion[augmentation]" in str(constructor.problems[0])


def test_masks_go_where_their_pictures_go() -> None:
    steps = {"one": Classical(flip=0.5, crop=0.5, colour=0), "two": Classical(flip=0.5, crop=0.7, colour=0)}
    both = InTurn(steps=steps)
    assert both.moves_masks
    seen = both(PICTURES, torch.Generator().manual_seed(0))
    assert torch.allclose(both.moved(PICTURES[:, :1], torch.Generator().manual_seed(0)), seen[:, :1], atol=1e-6)
    assert not InTurn(steps={**steps, "three": TrivialAugment(operations={"invert": None})}).moves_masks
