"""InfoNCE, as PODS (arXiv 2412.16156) has it: a picture shall be more like another of the same class than like all of
other classes. Where labels are soft, two pictures are of one class by the share that they have in common."""

import torch
from torch import Tensor
from torch.nn import functional

NONE = -1e9  # instead of an infinite logit, whose gradient is no number


def info_nce(features_ND: Tensor, targets_NK: Tensor, *, temperature: float) -> Tensor:
    """Of pairs: the first half of the pictures, the anchors, each has its positive at the same place of the second.
    `targets_NK` are shares of classes that have a likeness of their own: a picture without any is no anchor, and of
    another class than all.

    Each anchor is compared with each positive of its class, and with everything of other classes; not with what else is
    of its own."""
    count = len(features_ND) // 2
    kind = functional.normalize(features_ND, dim=1)
    logits_AN = kind[:count] @ kind.T / temperature
    common_AN = targets_NK[:count] @ targets_NK.T
    other_AN = (1 - common_AN).clamp(min=0)
    other_AN[torch.arange(count), torch.arange(count)] = 0  # itself, where it is of several classes
    against_A1 = torch.where(other_AN > 0, logits_AN + other_AN.clamp(min=1e-12).log(), NONE).logsumexp(1, keepdim=True)
    positive_AP, weight_AP = logits_AN[:, count:], common_AN[:, count:]
    losses_AP = torch.logaddexp(positive_AP, against_A1) - positive_AP
    return (weight_AP * losses_AP).sum() / weight_AP.sum().clamp(min=1e-12)
