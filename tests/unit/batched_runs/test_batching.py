"""Calls of networks that take lists of samples, which may differ in size."""

import torch
from torch import Tensor

from imprint.batched_runs.batch_layout import RngState
from imprint.batched_runs.batching import compatible_calls, concatenated, first_batch, split
from imprint.batched_runs.requests import Autocast, Call

CPU = Autocast("cpu", torch.bfloat16, enabled=False)
PICTURE = (4, 1, 6, 8)


def call(*lengths: int, rng_state: RngState | None = None) -> Call:
    """Of as many samples, with texts of these lengths."""
    pictures = [torch.full(PICTURE, float(length)) for length in lengths]
    texts = [torch.full((length, 3), float(length)) for length in lengths]
    return Call("denoiser", (pictures, torch.tensor(lengths), texts), {"return_dict": False}, CPU, rng_state=rng_state)


def network(pictures: list[Tensor], t_B: Tensor, texts: list[Tensor], return_dict: bool) -> tuple[list[Tensor]]:
    assert len(pictures) == len(t_B) == len(texts)
    return ([picture + len(text) for picture, text in zip(pictures, texts, strict=True)],)


def test_samples_of_several_sizes_are_one_call_and_come_back_to_their_own() -> None:
    calls = {7: call(2, 5), 8: call(4, 4), 9: call(3, 1)}
    assert compatible_calls(calls) == calls
    assert [own.size for own in calls.values()] == [2, 2, 2]
    arguments, keywords = concatenated(list(calls.values()))
    assert [len(text) for text in arguments[2]] == [2, 5, 4, 4, 3, 1]
    outputs = split(network(*arguments, **keywords), [2, 2, 2])
    for own, (pictures,) in zip(calls.values(), outputs, strict=True):
        (expected,) = network(*own.arguments, **own.keywords)
        assert all(torch.equal(*both) for both in zip(pictures, expected, strict=True))


def test_another_number_of_samples_is_another_call() -> None:
    assert list(compatible_calls({0: call(2, 5), 1: call(2)})) == [0]


def test_where_layers_drop_something_samples_must_be_as_large_as_alone() -> None:
    state = RngState(torch.device("cpu"))
    calls = {0: call(2, 5, rng_state=state), 1: call(2, 5, rng_state=state), 2: call(5, 5, rng_state=state)}
    assert list(compatible_calls(calls)) == [0, 1]


def test_a_batch_is_as_large_as_its_pictures_allow() -> None:
    calls = {point: call(*range(1, 33)) for point in range(3)}
    assert list(first_batch(calls)) == [0, 1]
