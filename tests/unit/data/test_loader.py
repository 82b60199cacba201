from typing import Any

import pytest
import torch

from imprint.data.framing import Framing
from imprint.data.loader import PositionSampler, make_loader, micro_batch_size
from imprint.data.stream import TrainingStream
from imprint.data.subject import PriorPictures, SubjectSamples
from imprint.errors import UserError


def sampler_of(**changes: Any) -> PositionSampler:
    settings: dict[str, Any] = {
        "steps": (0, 5),
        "batch_size": 12,
        "world_size": 1,
        "rank": 0,
        "accumulation": 1,
    }
    return PositionSampler(**(settings | changes))


@pytest.mark.parametrize(("world_size", "accumulation"), [(1, 1), (2, 1), (1, 3), (2, 3), (3, 4)])
def test_ranks_and_accumulated_batches_share_a_step_without_overlap(world_size: int, accumulation: int) -> None:
    samplers = [sampler_of(world_size=world_size, rank=rank, accumulation=accumulation) for rank in range(world_size)]
    batches = [list(sampler) for sampler in samplers]
    for step in range(5):
        window = slice(step * accumulation, (step + 1) * accumulation)
        positions = [position for rank in batches for batch in rank[window] for position in batch]
        assert sorted(positions) == list(range(step * 12, step * 12 + 12))
    for sampler, read in zip(samplers, batches, strict=True):
        assert len(sampler) == len(read)
        assert {len(batch) for batch in read} == {12 // (world_size * accumulation)}


def test_several_ranks_read_the_batches_of_one_process_in_turn() -> None:
    alone = list(sampler_of(accumulation=6))
    ranks = [list(sampler_of(world_size=2, rank=rank, accumulation=3)) for rank in range(2)]
    assert [batch for turn in zip(*ranks, strict=True) for batch in turn] == alone


def test_a_resumed_run_reads_what_was_left() -> None:
    whole = list(sampler_of(accumulation=2, world_size=2, rank=1))
    for step in range(6):
        assert list(sampler_of(steps=(step, 5), accumulation=2, world_size=2, rank=1)) == whole[step * 2 :]


def test_its_length_is_that_of_the_whole_run() -> None:
    """A trainer that goes on counts the batches before as fetched."""
    whole = sampler_of(accumulation=2)
    assert len(sampler_of(steps=(3, 5), accumulation=2)) == len(whole) == len(list(whole)) == 10


def test_a_batch_that_cannot_be_shared_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError) as caught:
        micro_batch_size(batch_size=5, world_size=2, accumulation=2)
    for part in ("hparams.batch_size=5", "2 devices", "2 accumulated", "multiple of 4, such as 8"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match="hparams"):
        sampler_of(batch_size=5, world_size=2)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_yields_the_samplers_batches_whoever_loads_them(make_set, workers: int) -> None:
    subject = SubjectSamples(
        number=0,
        pictures=make_set("photos", [(24, 24), (48, 24), (24, 40)]),
        captions=["a sks dog", "a photo of a sks dog"],
        caption_dropout=0.0,
        prior=PriorPictures(make_set("class", [(24, 24)] * 4), ["a dog"]),
        framing=Framing(crop="random", flip=True, resolution=16, multiple=8),
        seed=0,
        batch_size=4,
    )
    stream = TrainingStream(subjects=[subject], batch_size=4, with_pixels=True)
    sampler = sampler_of(steps=(2, 5), batch_size=4, accumulation=2)
    batches = list(make_loader(stream, sampler, workers=workers))
    assert len(batches) == 6
    for positions, batch in zip(sampler, batches, strict=True):
        assert batch.ids == [f"{part}/{position}" for part in ("instance", "prior") for position in positions]
        expected = [stream[position][part] for part in (0, 1) for position in positions]
        assert batch.captions == [sample.caption for sample in expected]
        assert torch.equal(batch.pixels_BCHW, torch.stack([sample.pixels_CHW for sample in expected]))
