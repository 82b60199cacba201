"""LPIPS against its definition, written out with stock layers in torchvision's layout."""

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.evaluation.encoders.lpips import Lpips
from imprint.evaluation.encoders.transform import Transform

Network = Literal["alex", "vgg"]


def alex() -> tuple[nn.Sequential, tuple[int, ...]]:
    """torchvision's AlexNet, thinner, and after which layers LPIPS looks."""
    relu, pool = nn.ReLU, lambda: nn.MaxPool2d(3, 2)
    layers = [
        nn.Conv2d(3, 6, 11, 4, 2), relu(), pool(), nn.Conv2d(6, 8, 5, padding=2), relu(), pool(),
        nn.Conv2d(8, 10, 3, padding=1), relu(), nn.Conv2d(10, 7, 3, padding=1), relu(),
        nn.Conv2d(7, 7, 3, padding=1), relu(), pool(),
    ]  # fmt: skip
    return nn.Sequential(*layers), (1, 4, 7, 9, 11)


def vgg() -> tuple[nn.Sequential, tuple[int, ...]]:
    """torchvision's VGG-16, thinner."""
    layers: list[nn.Module] = []
    channels = 3
    for wide in (4, 4, 0, 5, 5, 0, 6, 6, 6, 0, 7, 7, 7, 0, 7, 7, 7, 0):
        layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU()] if wide else [nn.MaxPool2d(2, 2)]
        channels = wide or channels
    return nn.Sequential(*layers), (3, 8, 15, 22, 29)


NETWORKS = {"alex": alex, "vgg": vgg}


def published(folder: Path, network: Network, ending: str) -> tuple[Lpips, Any, list[Tensor]]:
    """The two files and what is in them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        features, taps = NETWORKS[network]()
        weights, x = [], torch.zeros(1, 3, 64, 64)
        for number, layer in enumerate(features):
            x = layer(x)
            if number in taps:
                weights.append(torch.rand(1, x.shape[1], 1, 1))
    parts = {
        "backbone": {f"features.{name}": value for name, value in features.state_dict().items()},
        "linear": {f"lin{depth}.model.1.weight": weight for depth, weight in enumerate(weights)},
    }
    for name, part in parts.items():
        file = folder / f"{name}{ending}"
        _ = save_file(part, file) if ending == ".safetensors" else torch.save(part, file)
    return lpips(folder, network, ending), (features, taps), weights


def lpips(folder: Path, network: Network, ending: str = ".safetensors") -> Lpips:
    plain = Transform(
        stretch=False,
        resize=None,
        interpolation="bicubic",
        crop=None,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    return Lpips(
        name="LPIPS", network=network, backbone=str(folder / f"backbone{ending}"),
        linear=str(folder / f"linear{ending}"), transform=plain,
    )  # fmt: skip


def pictures(width: int = 64) -> list[Image.Image]:
    ramp = Image.linear_gradient("L").resize((width, 64))
    return [ramp.convert("RGB"), Image.merge("RGB", (ramp, ramp.rotate(180), ramp.rotate(180)))]


def distance(encoder: Lpips) -> float:
    return float(sum((a - b).square().sum(1).mean() for a, b in encoder.layers(pictures())))


def defined(features: nn.Sequential, taps: tuple[int, ...], weights: list[Tensor]) -> float:
    """Zhang et al., equation 1, on pictures in [-1, 1] after LPIPS' own shift and scale."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    levels = [torch.frombuffer(bytearray(p.tobytes()), dtype=torch.uint8).view(64, 64, 3) for p in pictures()]
    x = ((torch.stack(levels).float() / 127.5 - 1 - shift) / scale).permute(0, 3, 1, 2)
    total, depth = 0.0, 0
    for number, layer in enumerate(features):
        x = layer(x)
        if number in taps:
            a, b = torch.nn.functional.normalize(x, dim=1)
            total += float((weights[depth][0] * (a - b).square()).sum(0).mean())
            depth += 1
    return total


@pytest.mark.parametrize("network", ["alex", "vgg"])
@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
@torch.no_grad()
def test_its_layers_distance_is_lpips(network: Network, ending: str, tmp_path: Path) -> None:
    encoder, (features, taps), weights = published(tmp_path, network, ending)
    encoder.check()
    assert distance(encoder) == pytest.approx(defined(features, taps, weights), rel=1e-4)
    assert distance(encoder) > 0.01


def test_pictures_need_not_be_square(tmp_path: Path) -> None:
    encoder, _, _ = published(tmp_path, "alex", ".safetensors")
    assert len(encoder.layers(pictures(width=80))) == 5


def test_the_fingerprint_is_of_both_files(tmp_path: Path) -> None:
    encoder, _, weights = published(tmp_path, "alex", ".safetensors")
    before = encoder.fingerprint
    save_file({f"lin{d}.model.1.weight": 2 * w for d, w in enumerate(weights)}, tmp_path / "linear.safetensors")
    assert lpips(tmp_path, "alex").fingerprint != before


def test_absent_files_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        lpips(tmp_path, "alex").check("evaluation.encoders.lpips")
    assert "evaluation.encoders.lpips.backbone=" in str(refusal.value)
    assert "evaluation.encoders.lpips.linear=" in str(refusal.value)


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    _, _, weights = published(tmp_path, "alex", ".safetensors")
    with pytest.raises(UserError, match=r"e.backbone=.*has no weight features.2.weight, so it is no vgg"):
        lpips(tmp_path, "vgg").check("e")
    save_file({f"lin{d}.model.1.weight": -w for d, w in enumerate(weights)}, tmp_path / "linear.safetensors")
    with pytest.raises(UserError, match=r"e.linear=.*not LPIPS' linear weights for alex"):
        lpips(tmp_path, "alex").check("e")
    (tmp_path / "linear.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"e.linear=.*cannot be read"):
        lpips(tmp_path, "alex").check("e")


def test_it_has_layers_alone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="LPIPS has no images"):
        lpips(tmp_path, "alex").images(pictures())
