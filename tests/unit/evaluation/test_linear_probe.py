"""A linear classifier on features."""

import pytest
import torch

from imprint.evaluation.linear_probe import fit_probe


def blobs(counts: dict[str, int]) -> tuple[torch.Tensor, list[str]]:
    draws = torch.Generator().manual_seed(0)
    centres = {name: torch.randn(6, generator=draws) * 2 for name in sorted(counts)}
    labels = [name for name, count in counts.items() for _ in range(count)]
    return torch.stack([centres[label] + 0.3 * torch.randn(6, generator=draws) for label in labels]), labels


def test_it_tells_apart_what_can_be() -> None:
    features_ND, labels = blobs({"b": 5, "a": 9, "c": 1})
    probe = fit_probe(features_ND, labels, decay=1e-4)
    sure_NK = probe.probabilities(features_ND)
    assert probe.classes == ("a", "b", "c")
    assert [probe.classes[int(best)] for best in sure_NK.argmax(dim=1)] == labels
    assert torch.allclose(sure_NK.sum(dim=1), torch.ones(15, dtype=torch.double))


def test_it_is_where_the_loss_is_least() -> None:
    """There the gradient is zero, by a formula of its own."""
    features_ND, labels = blobs({"a": 4, "b": 8})
    decay = 1e-2
    probe = fit_probe(features_ND, labels, decay=decay)
    wanted_NK = torch.tensor([[float(label == name) for name in probe.classes] for label in labels], dtype=torch.double)
    shares_N = torch.tensor([1 / (2 * labels.count(label)) for label in labels], dtype=torch.double)
    error_NK = shares_N[:, None] * (probe.probabilities(features_ND) - wanted_NK)
    gradient_DK = features_ND.double().T @ error_NK + 2 * decay * probe.weight_DK
    assert gradient_DK.abs().max() < 1e-4
    assert error_NK.sum(dim=0).abs().max() < 1e-4


def test_how_many_examples_a_class_has_does_not_count() -> None:
    features_ND, labels = blobs({"a": 3, "b": 3})
    often = torch.cat([features_ND, features_ND[:3], features_ND[:3]])
    once, repeated = fit_probe(features_ND, labels, decay=1e-2), fit_probe(often, [*labels, *"aaaaaa"], decay=1e-2)
    assert torch.allclose(once.weight_DK, repeated.weight_DK, atol=1e-4)


def test_it_is_the_same_each_time_and_leaves_gradients_as_they_were() -> None:
    features_ND, labels = blobs({"a": 3, "b": 3})
    with torch.no_grad():
        one, other = (fit_probe(features_ND, labels, decay=1) for _ in range(2))
        assert torch.equal(one.weight_DK, other.weight_DK)
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("decay", [1e-3, 10.0])
def test_more_decay_is_less_sure(decay: float) -> None:
    features_ND, labels = blobs({"a": 3, "b": 3})
    assert (fit_probe(features_ND, labels, decay=decay).probabilities(features_ND).max() > 0.9) == (decay < 1)
