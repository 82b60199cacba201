"""Encoders from a TorchScript file."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny_encoders import transform
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.evaluation.encoders.torchscript import TorchScript


class Means(nn.Module):
    """The mean of each channel."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(dim=(2, 3))


class One(nn.Module):
    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean()


def script(file: Path, network: nn.Module) -> TorchScript:
    torch.jit.script(network).save(str(file))
    return TorchScript(name="means", source=str(file), transform=transform(mean=(0, 0, 0), std=(1, 1, 1)))


def test_features_are_the_networks(tmp_path: Path) -> None:
    encoder = script(tmp_path / "means.pt", Means())
    encoder.check()
    pictures = [Image.new("RGB", (20, 20), colour) for colour in ((255, 0, 0), (0, 51, 0))]
    assert torch.allclose(encoder.images(pictures), torch.tensor([[1.0, 0, 0], [0, 0.2, 0]]))


def test_a_fingerprint_is_of_the_file_and_the_transform(tmp_path: Path) -> None:
    one = script(tmp_path / "one.pt", Means())
    assert one.fingerprint != script(tmp_path / "two.pt", One()).fingerprint
    other = TorchScript(name="x", source=one.source, transform=transform())
    assert one.fingerprint != other.fingerprint


def test_what_is_none_is_refused_by_its_key(tmp_path: Path) -> None:
    missing = TorchScript(name="x", source=str(tmp_path / "none.pt"), transform=transform())
    with pytest.raises(UserError, match=r"encoders\.sscd\.source=.*there is no file"):
        missing.check("encoders.sscd")
    (tmp_path / "text.pt").write_text("no network")
    damaged = TorchScript(name="x", source=str(tmp_path / "text.pt"), transform=transform())
    damaged.check("encoders.sscd")
    with pytest.raises(UserError, match=r"encoders\.sscd\.source=.*cannot be read as TorchScript"):
        damaged.images([Image.new("RGB", (8, 8))])
    with pytest.raises(UserError, match="makes no features"):
        script(tmp_path / "one.pt", One()).images([Image.new("RGB", (8, 8))])
