"""Updates of layers as products of two thin matrices: exactly, where there are such, else the nearest of a rank.

Of a layer's weight (out, in, kernel ...), O is out, I all the rest, R the rank.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from imprint.libraries.peft import own_weights
from imprint.methods.adapter_layers import NAME

# What LyCORIS and peft call the tensors of LoHa and LoKr.
LYCORIS = (
    *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"),
    *("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"),
)
KRONECKER = ("lokr_w1", "lokr_w2")


class Factors(NamedTuple):
    """An update of a layer's weight is up @ down, in the weight's shape. Both float32."""

    up_OR: Tensor
    down_RI: Tensor

    @property
    def rank(self) -> int:
        return len(self.down_RI)


LowRank = Mapping[str, Mapping[str, Factors]]  # role -> layer -> its update


class UnlikeRanks(ValueError):
    """Two matrices that cannot be multiplied."""


def factors_of(own: Mapping[str, Tensor], alpha: float | None) -> Factors:
    """The update that an adapter's tensors stand for, by the names that kohya's scripts and LyCORIS use; without an
    alpha it counts as a whole. Raises KeyError for tensors of no kind that is known, UnlikeRanks for those that are not
    of one adapter."""
    own = {name: (tensor if tensor.is_meta else tensor.detach().cpu()).float() for name, tensor in own.items()}
    rank: int | None
    if "lora_up.weight" in own:
        factors, rank = _lora(own), own["lora_down.weight"].shape[0]
    elif "hada_w1_a" in own:
        factors, rank = _loha(own), own["hada_w1_b"].shape[0]
    else:
        factors, rank = _lokr(own)
    strength = alpha / rank if alpha is not None and rank else 1.0
    return _no_larger_than_needed(Factors(factors.up_OR * strength, factors.down_RI))


def size_of(own: Mapping[str, Tensor]) -> tuple[int, int]:
    """Height and width of the update, without computing it: small tensors can stand for one of any size. Raises as
    `factors_of`."""
    with torch.device("meta"):
        factors = factors_of({name: torch.empty(tensor.shape) for name, tensor in own.items()}, None)
    return len(factors.up_OR), factors.down_RI.shape[1]


def factors_in(layer: Any) -> Factors | None:
    """Those of peft's adapter on a layer of a network. None: its update is no such product, or not known to be one."""
    from peft.tuners import lora

    if NAME in getattr(layer, "lora_A", {}):
        if layer.use_dora.get(NAME) or not isinstance(layer, (lora.Linear, lora.Conv2d)):
            return None
        own = {"lora_down.weight": layer.lora_A[NAME].weight, "lora_up.weight": layer.lora_B[NAME].weight}
    else:
        own = own_weights(layer, NAME)
        if not own or not set(own) <= set(LYCORIS):
            return None
    # peft lets alpha count for LoKr without a low-rank factor, too; elsewhere it has nothing to be divided by
    factors = factors_of(own, None)
    return Factors(factors.up_OR * layer.scaling[NAME], factors.down_RI)


def weighted_sum(parts: Sequence[tuple[Factors, float]]) -> Factors:
    """The weighted sum of updates of one layer, exactly."""
    whole = Factors(
        torch.cat([own.up_OR * weight for own, weight in parts], dim=1), torch.cat([own.down_RI for own, _ in parts])
    )
    return _no_larger_than_needed(whole)


def nearest(update_OI: Tensor, rank: int) -> Factors:
    """Of all products of this rank the one nearest to the update. `up` has orthogonal columns."""
    update_OI = update_OI.double()
    tall = update_OI.shape[0] > update_OI.shape[1]
    side_AB = update_OI.T if tall else update_OI
    _, vectors_AA = torch.linalg.eigh(side_AB @ side_AB.T)  # far cheaper than the whole decomposition of a wide one
    leading_AR = vectors_AA[:, -min(rank, len(vectors_AA)) :].flip(1)
    rest_RB = leading_AR.T @ side_AB
    up_OR, down_RI = (rest_RB.T, leading_AR.T) if tall else (leading_AR, rest_RB)
    # both of one size, so that neither vanishes in half precision
    size_R = (up_OR.norm(dim=0) / down_RI.norm(dim=1).clamp(min=1e-30)).clamp(min=1e-30).sqrt()
    return Factors((up_OR / size_R).float().contiguous(), (down_RI * size_R[:, None]).float().contiguous())


def _lora(own: Mapping[str, Tensor]) -> Factors:
    down, up_OR = own["lora_down.weight"], own["lora_up.weight"].flatten(1)
    if "lora_mid.weight" in own:  # a convolution in three: of the channels, of the neighbourhood, of the channels
        down = torch.einsum("rskl,si->rikl", own["lora_mid.weight"], down.flatten(1))
    return _product(up_OR, down.flatten(1))


def _product(up_OR: Tensor, down_RI: Tensor) -> Factors:
    if up_OR.shape[1] != len(down_RI):
        raise UnlikeRanks(f"its matrices have the ranks {len(down_RI)} and {up_OR.shape[1]}")
    return _no_larger_than_needed(Factors(up_OR, down_RI))


def _loha(own: Mapping[str, Tensor]) -> Factors:
    """An elementwise product of two products is one of all pairs of their columns and rows."""
    pairs = []
    for side in ("1", "2"):
        up, down = own[f"hada_w{side}_a"], own[f"hada_w{side}_b"]
        if f"hada_t{side}" in own:
            up, down = up.T, torch.einsum("rskl,si->rikl", own[f"hada_t{side}"], down)
        pairs.append(_product(up, down.flatten(1)))
    (up1_OR, down1_RI), (up2_OS, down2_SI) = pairs
    if len(down1_RI) * len(down2_SI) > min(len(up1_OR), down1_RI.shape[1]):  # no smaller than the whole update
        return _of_rank_of_its_side((up1_OR @ down1_RI) * (up2_OS @ down2_SI))
    up = up1_OR[:, :, None] * up2_OS[:, None, :]
    down = down1_RI[:, None, :] * down2_SI[None, :, :]
    return Factors(up.flatten(1), down.flatten(0, 1))


def _lokr(own: Mapping[str, Tensor]) -> tuple[Factors, int | None]:
    """A Kronecker product of products is one of Kronecker products."""
    rank: int | None = None
    sides = []
    for name in KRONECKER:
        if name in own:
            whole = own[name].flatten(1)
            side = (
                (whole, torch.eye(whole.shape[1])) if whole.shape[1] <= len(whole) else (torch.eye(len(whole)), whole)
            )
        else:
            up, down = own[f"{name}_a"], own[f"{name}_b"]
            rank = down.shape[0]
            if name == KRONECKER[1] and "lokr_t2" in own:
                up, down = up.T, torch.einsum("rskl,si->rikl", own["lokr_t2"], down)
            side = _product(up, down.flatten(1))
        sides.append(side)
    (up1, down1), (up2, down2) = sides
    return Factors(torch.kron(up1.contiguous(), up2.contiguous()), torch.kron(down1, down2.contiguous())), rank


def _no_larger_than_needed(factors: Factors) -> Factors:
    """No update needs a larger rank than its smaller side."""
    height, width = len(factors.up_OR), factors.down_RI.shape[1]
    if factors.rank <= min(height, width):
        return factors
    return _of_rank_of_its_side(factors.up_OR @ factors.down_RI)


def _of_rank_of_its_side(update_OI: Tensor) -> Factors:
    """The smaller one."""
    height, width = update_OI.shape
    return Factors(torch.eye(height), update_OI) if height <= width else Factors(update_OI, torch.eye(width))
