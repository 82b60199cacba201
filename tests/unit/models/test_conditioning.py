"""Conditioning of one sample and of batches: what is joined is what was taken apart."""

import torch

from imprint.models.conditioning import joined, rows
from imprint.types import Conditioning


def text(length: int, value: float) -> Conditioning:
    """Of one sample, as long as its text."""
    return {
        "tokens": torch.full((1, length, 3), value),
        "tokens_mask": torch.ones(1, length, dtype=torch.bool),
        "summary": torch.full((1, 5), value),
    }


TEXTS = [text(4, 1.0), text(2, 2.0), text(7, 3.0)]


def assert_same(some: Conditioning, others: Conditioning) -> None:
    assert some.keys() == others.keys()
    for name, value in some.items():
        torch.testing.assert_close(value, others[name])


def test_ragged_texts_are_padded_to_the_longest_where_their_mask_is_false() -> None:
    batch = joined(TEXTS)
    assert batch["tokens"].shape == (3, 7, 3)
    assert batch["tokens_mask"].sum(dim=1).tolist() == [4, 2, 7]
    assert batch["tokens_mask"].dtype == torch.bool
    assert not batch["tokens"][~batch["tokens_mask"]].any()
    assert batch["summary"].shape == (3, 5)


def test_a_row_is_the_sample_that_was_joined() -> None:
    batch = joined(TEXTS)
    for index, own in enumerate(TEXTS):
        assert_same(rows(batch, index), own)


def test_batches_of_unlike_lengths_are_joined() -> None:
    assert_same(joined([joined(TEXTS[:2]), joined(TEXTS[2:])]), joined(TEXTS))


def test_a_mask_may_lie_anywhere() -> None:
    """As of tokenizers that pad on the left, or of a template with padding in it."""
    mask = torch.tensor([[False, True, False, True]])
    own = rows({"tokens": torch.arange(4.0).view(1, 4, 1), "tokens_mask": mask}, 0)
    assert own["tokens"].flatten().tolist() == [1.0, 3.0]
    assert own["tokens_mask"].all()


def test_without_a_mask_nothing_is_taken_from_a_text() -> None:
    batch = {"tokens": torch.randn(2, 4, 3), "time_ids": torch.randn(2, 6)}
    assert_same(joined([rows(batch, 0), rows(batch, 1)]), batch)
    assert rows(batch, 1)["tokens"].shape == (1, 4, 3)


def test_gradients_pass() -> None:
    short, long = torch.ones(1, 1, 2, requires_grad=True), torch.ones(1, 3, 2, requires_grad=True)
    parts = [
        {"tokens": value, "tokens_mask": torch.ones(1, value.shape[1], dtype=torch.bool)} for value in (short, long)
    ]
    rows(joined(parts), 0)["tokens"].sum().backward()
    assert short.grad is not None
    assert short.grad.all()
    assert long.grad is None or not long.grad.any()
