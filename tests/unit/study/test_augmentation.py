"""Classical augmentation."""

import torch

from imprint.study.augmentation import Classical

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
