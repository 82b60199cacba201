"""A kept latent distribution is the one that the autoencoder gives at every step."""

from pathlib import Path

import torch
from rounding import near_tensors

from imprint.models.base import Model
from imprint.training.encoding import CaptionCache, LatentCache, encode_captions, sample_latents
from imprint.types import Batch, Geometry


def batch(pixels: torch.Tensor | None, positions: list[int]) -> Batch:
    return Batch(
        pixels_BCHW=pixels,
        captions=["a dog"] * len(positions),
        priors=0,
        ids=[f"instance/{position}" for position in positions],
        keys=[f"view-{position % 2}" for position in positions],
        geometry=[Geometry.whole(32, 32)] * len(positions),
    )


def test_cached_latents_are_the_uncached_ones_and_new_at_every_position(tiny_model: Model) -> None:
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    cache, cpu = LatentCache(), torch.device("cpu")
    cache.fill(tiny_model, [(f"view-{index}", picture) for index, picture in enumerate(pictures)], cpu)
    positions = [0, 1, 2, 3]
    uncached = sample_latents(tiny_model, batch(pictures[[0, 1, 0, 1]], positions), LatentCache(), seed=0, device=cpu)
    cached = sample_latents(tiny_model, batch(None, positions), cache, seed=0, device=cpu)
    assert near_tensors([cached], [uncached])
    assert not torch.allclose(cached[0], cached[2])  # the same picture, another draw


def test_latents_have_the_spread_that_the_autoencoder_says(tiny_model: Model) -> None:
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    cache, cpu = LatentCache(), torch.device("cpu")
    cache.fill(tiny_model, [("view-0", picture[0])], cpu)
    positions = list(range(0, 4000, 2))
    drawn = sample_latents(tiny_model, batch(None, positions), cache, seed=0, device=cpu)
    moments = tiny_model.encode(picture)
    assert torch.allclose(drawn.std(dim=0), moments.std_BCHW[0], rtol=0.15)
    standard_error = moments.std_BCHW[0] / len(positions) ** 0.5
    assert ((drawn.mean(dim=0) - moments.mean_BCHW[0]).abs() < 5 * standard_error).all()


def test_kept_captions_are_encoded_once_and_equal(tiny_model: Model) -> None:
    captions = ["a dog", "a sks dog", "a dog"]
    kept = CaptionCache()
    first = kept.condition(tiny_model, captions)
    assert near_tensors([first["tokens"]], [encode_captions(tiny_model, captions)["tokens"]])
    calls = []
    handle = tiny_model.roles["text"].register_forward_hook(lambda *_: calls.append(1))
    kept.condition(tiny_model, ["a sks dog"])
    handle.remove()
    assert not calls


def test_what_a_caption_becomes_depends_on_no_other(tiny_model: Model) -> None:
    captions = ["a dog", "a sks dog on the beach", "a red vase"]
    kept = CaptionCache()
    kept.condition(tiny_model, captions[1:])
    together = CaptionCache().condition(tiny_model, captions)["tokens"]
    assert torch.equal(kept.condition(tiny_model, captions)["tokens"], together)


def test_tiny_is_there(tiny_sd: Path) -> None:
    assert (tiny_sd / "model_index.json").is_file()
