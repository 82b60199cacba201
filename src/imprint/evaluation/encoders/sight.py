"""The part of an encoder that sees pictures, for who changes it: gradients pass through it, and nothing else shares its
weights."""

from typing import Any

from torch import Tensor, cat, nn

# What transformers calls the projections of attention, by its versions: LoRA's usual places.
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "query", "key", "value")


class Sight(nn.Module):
    """
    network         from pixels to tokens, the class's first
    norm            of tokens, where the network leaves that out
    projection      from the class token to features, where they are projected
    before_patches  how many tokens stand before those of the patches
    """

    def __init__(self, network: Any, *, norm: nn.Module, projection: nn.Module, before_patches: int) -> None:
        super().__init__()
        self.network = network
        self.norm = norm
        self.projection = projection
        self.before_patches = before_patches

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        """(B, D), the encoder's features of pictures."""
        features: Tensor = self.projection(self._tokens(pixels_B3HW)[:, 0])
        return features

    def with_patches(self, pixels_B3HW: Tensor) -> Tensor:
        """(B, 2D): the class token, and the mean of the patches."""
        tokens_BLD = self._tokens(pixels_B3HW)
        return cat([tokens_BLD[:, 0], tokens_BLD[:, self.before_patches :].mean(dim=1)], dim=1)

    def _tokens(self, pixels_B3HW: Tensor) -> Tensor:
        tokens: Tensor = self.norm(self.network(pixel_values=pixels_B3HW).last_hidden_state)
        return tokens
