"""Which of many seeds a noise comes from."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from imprint.models.sampler import generator_of, starting_noise
from imprint.verbs.trace.findings import Match

BATCH_NUMBERS = 1 << 22  # of candidates' noise in memory at once


def best_match(noises_BCHW: Tensor, seeds: Sequence[int], *, compared: int) -> Match:
    """The seed whose noise correlates most with one of `noises_BCHW`: of a picture and, where there is a second, of its
    mirror image. `compared` is the number of all comparisons that the caller makes."""
    shape = noises_BCHW.shape[1:]
    found_BN = _normal(noises_BCHW.flatten(1).double())
    best = (-1.0, 0, 0)
    batch = max(1, BATCH_NUMBERS // shape.numel())
    for start in range(0, len(seeds), batch):
        own = seeds[start : start + batch]
        noise_SN = torch.stack([starting_noise(generator_of(seed), shape) for seed in own]).flatten(1).double()
        r_BS = found_BN @ _normal(noise_SN).T
        place = int(r_BS.argmax())
        best = max(best, (float(r_BS.flatten()[place]), own[place % len(own)], place // len(own)))
    r, seed, variant = best
    return Match(seed, variant > 0, r, chance(r, shape.numel(), compared))


def chance(r: float, numbers: int, compared: int) -> float:
    """The probability that the largest of `compared` correlations with independent normal noise, over so many numbers,
    is at least r (Fisher's transformation; Sidak's correction)."""
    if r >= 1:
        return 0.0
    one = 0.5 * math.erfc(math.atanh(r) * math.sqrt(numbers - 3) / math.sqrt(2)) if r > -1 else 1.0
    return -math.expm1(compared * math.log1p(-one)) if one < 1 else 1.0


def _normal(rows_BN: Tensor) -> Tensor:
    """With mean 0 and length 1: their products are correlations."""
    centred_BN = rows_BN - rows_BN.mean(1, keepdim=True)
    return torch.nn.functional.normalize(centred_BN)
