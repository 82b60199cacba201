"""The text encoder's output, standardised, and a denoiser changed so that it computes what it did.

Left alone, a text encoder says nearly the same vector for every token of every caption. What differs between captions
should be as large as anything else that a denoiser sees: it learns several times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from imprint.miniature.recipe.denoiser import Generator, token_ids

CAPTIONS = 2048  # that tell how far the numbers spread


@torch.no_grad()
def standardise(generator: Generator, tokenizer: CLIPTokenizer, captions: Sequence[str]) -> None:
    """Gives each number of the text encoder's output mean 0 and spread 1 over these captions, if what all tokens
    share is more than what differs. The denoiser's predictions stay what they are."""
    words = torch.cat(list(_words(generator, tokenizer, captions)))
    mean_D, std_D = words.mean(0), words.std(0)
    if mean_D.norm() < std_D.norm():
        return
    last = _last_norm(generator)
    last.weight.div_(std_D)
    last.bias.sub_(mean_D).div_(std_D)
    for name, attention in generator.unet.named_modules():
        if name.endswith("attn2"):
            # what all keys share changes no attention; what all values share is part of each output
            shared = attention.to_out[0].weight @ (attention.to_v.weight @ mean_D)
            attention.to_out[0].bias.add_(shared)
            attention.to_k.weight.mul_(std_D)
            attention.to_v.weight.mul_(std_D)


def _words(generator: Generator, tokenizer: CLIPTokenizer, captions: Sequence[str]) -> Iterator[Tensor]:
    for first in range(0, len(captions), 64):
        ids = token_ids(tokenizer, list(captions[first : first + 64]))
        yield generator.text_encoder(ids).last_hidden_state.flatten(0, 1)


def _last_norm(generator: Generator) -> nn.LayerNorm:
    norms = [module for name, module in generator.text_encoder.named_modules() if name.endswith("final_layer_norm")]
    [last] = norms
    assert isinstance(last, nn.LayerNorm)
    return last
