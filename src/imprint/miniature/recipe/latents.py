"""The pictures as the denoiser sees them: the posterior's moments, cached; samples are drawn anew."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from imprint.miniature.recipe.pictures import as_tensor


class Latents:
    """Moments (count, 2, C, h, w) of every picture, and the factor that gives samples unit variance."""

    def __init__(self, moments: np.ndarray, *, held_out: int) -> None:
        self._moments = moments
        self.held_out = held_out
        some = torch.from_numpy(moments[:4096].astype(np.float32))
        variance = some[:, 0].var(dim=(0, 2, 3)) + some[:, 1].exp().mean(dim=(0, 2, 3))
        self.scaling_factor = float(1 / variance.mean().sqrt())

    def sample(self, rows: np.ndarray) -> Tensor:
        """Scaled latents_BCHW of pictures `rows`, drawn from torch's global generator."""
        moments = torch.from_numpy(self._moments[rows].astype(np.float32))
        mean, log_variance = moments[:, 0], moments[:, 1]
        return (mean + torch.randn(mean.shape) * (0.5 * log_variance).exp()) * self.scaling_factor


def _fingerprint(autoencoder: AutoencoderKL) -> str:
    """Of what makes latents; what becomes of them is another matter."""
    digest = hashlib.sha256()
    for tensor in (*autoencoder.encoder.state_dict().values(), *autoencoder.quant_conv.state_dict().values()):
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:8]


@torch.no_grad()
def encoded(
    autoencoder: AutoencoderKL, pictures: np.ndarray, folder: Path, *, held_out: int, device: torch.device
) -> Latents:
    """The latents of `pictures`, cached in `folder` for this very encoder."""
    path = folder / f"moments-{_fingerprint(autoencoder)}-{len(pictures)}.npy"
    if not path.exists():
        autoencoder = autoencoder.to(device).eval()
        chunks = []
        for i in range(0, len(pictures), 64):
            posterior = autoencoder.encode(as_tensor(pictures[i : i + 64]).to(device)).latent_dist
            chunks.append(torch.stack([posterior.mean, posterior.logvar], dim=1).half().cpu().numpy())
            if i % 6400 == 0:
                print(f"latents: {i} of {len(pictures)} encoded", flush=True)
        temporary = path.with_suffix(".part.npy")
        np.save(temporary, np.concatenate(chunks))
        os.replace(temporary, path)
    return Latents(np.load(path, mmap_mode="r"), held_out=held_out)
