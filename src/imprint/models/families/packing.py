"""Squares of latent pixels as the tokens of a transformer over pictures."""

import torch
from torch import Tensor

PATCH = 2  # latent pixels on a side of an image token
AXES = 3  # of a token's position: unused, row, column


def packed(latents_BCHW: Tensor) -> Tensor:
    """Image tokens (B, N, D): squares of latent pixels, row by row, each channel's square together."""
    squares = latents_BCHW.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH))  # batch, channel, row, y, column, x
    tokens_BND: Tensor = squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    return tokens_BND


def unpacked(tokens_BND: Tensor, height: int, width: int) -> Tensor:
    """The inverse, to latents of this height and width."""
    squares = tokens_BND.unflatten(2, (-1, PATCH, PATCH)).unflatten(1, (height // PATCH, width // PATCH))
    latents_BCHW: Tensor = squares.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
    return latents_BCHW


def places(rows: int, columns: int, device: torch.device) -> Tensor:
    """Each image token's position (N, 3)."""
    found = torch.zeros(rows, columns, AXES, device=device)
    found[..., 1] = torch.arange(rows, device=device)[:, None]
    found[..., 2] = torch.arange(columns, device=device)
    return found.flatten(0, 1)
