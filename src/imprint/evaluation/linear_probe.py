"""A linear classifier on features of a frozen encoder."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

MOST_ITERATIONS = 200  # of L-BFGS, which is done earlier


class LinearProbe(NamedTuple):
    """`weight` and `bias` of the logits of `classes`."""

    classes: tuple[str, ...]
    weight_DK: Tensor
    bias_K: Tensor

    def probabilities(self, features_ND: Tensor) -> Tensor:
        """(N, K), of features prepared as those it was fitted to."""
        return (features_ND.double() @ self.weight_DK + self.bias_K).softmax(dim=1)


def fit_probe(features_ND: Tensor, labels: Sequence[str], *, decay: float) -> LinearProbe:
    """The classifier with the least mean cross entropy plus `decay` times the weights' squares: one minimum, so nothing
    is random. Each class counts as much as every other, however many examples it has."""
    classes = tuple(sorted(set(labels)))
    targets_N = torch.tensor([classes.index(label) for label in labels])
    shares_N = 1 / (targets_N.bincount()[targets_N] * len(classes)).double()
    return fit_targets(features_ND, targets_N, shares_N, classes, decay=decay)


def fit_targets(
    features_ND: Tensor, targets: Tensor, shares_N: Tensor, classes: Sequence[str], *, decay: float
) -> LinearProbe:
    """The same where examples count by `shares_N`. `targets` are numbers of classes, or (N, K) their shares."""
    inputs_ND = features_ND.double()
    weight_DK = torch.zeros(inputs_ND.shape[1], len(classes), dtype=torch.double, requires_grad=True)
    bias_K = torch.zeros(len(classes), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight_DK, bias_K], max_iter=MOST_ITERATIONS, line_search_fn="strong_wolfe", tolerance_change=1e-10
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        losses_N = functional.cross_entropy(inputs_ND @ weight_DK + bias_K, targets, reduction="none")
        loss = (shares_N * losses_N).sum() + decay * weight_DK.square().sum()
        torch.autograd.backward(loss)
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    return LinearProbe(tuple(classes), weight_DK.detach(), bias_K.detach())
