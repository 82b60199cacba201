"""Of tiny models in these folders, what each of two processes holds when they share it, for `tests/unit/models`.

The assertions are made in these processes: either ends with an error where one fails.
"""

import sys
from pathlib import Path

import torch
import torch.distributed
from families import load_tiny
from rounding import near_tensors
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from imprint.models.base import Model
from imprint.models.roles import DENOISER
from imprint.models.sharding import blocks, collected, gathered, is_sharded, own_part, shard
from imprint.types import Geometry

CAPTIONS = ["a dog", "a cat on the beach"]


def main() -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    mesh = init_device_mesh("cpu", (2,))
    for folder in map(Path, sys.argv[1:]):
        check(load_tiny(folder), mesh, folder.name)
    torch.distributed.destroy_process_group()


def check(model: Model, mesh: DeviceMesh, choice: str) -> None:
    before = predicted(model)
    whole = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for role, part in model.roles.items():
        check_part(part, model, mesh, f"{choice}'s {role}")
    assert near_tensors([predicted(model)], [before]), choice
    is_first = torch.distributed.get_rank() == 0
    for name, weight in model.named_parameters():
        found = gathered(weight)
        assert not is_first or torch.equal(found, whole[name]), f"{choice}: {name}"
    model.roles[DENOISER].requires_grad_(True)
    with collected(model):
        state = model.state_dict()
    if is_first:
        of_denoiser = {id(weight) for weight in model.roles[DENOISER].parameters()}
        learning = {name for name, weight in model.named_parameters() if id(weight) in of_denoiser}
        assert all(torch.equal(state[name], whole[name]) for name in learning), choice


def check_part(part: nn.Module, model: Model, mesh: DeviceMesh, named: str) -> None:
    sizes = [weight.numel() for weight in part.parameters()]
    uneven = sum(weight[:1].numel() for weight in part.parameters() if len(weight) % 2)
    assert blocks(part), f"{named} has no blocks"
    shard(part, mesh, model=model)
    assert is_sharded(part)
    held = sum(own_part(weight).numel() for weight in part.parameters())
    assert abs(held - sum(sizes) / 2) <= uneven / 2, f"{named}: this process holds {held} of {sum(sizes)}"


@torch.no_grad()
def predicted(model: Model) -> Tensor:
    shape = model.latent_shape(32, 32)
    noisy_BCHW = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    conditioning = {
        **model.encode_text(CAPTIONS, empty_is_unconditional=True),
        **model.encode_geometry([Geometry.whole(32, 32)] * 2),
    }
    if model.upscaling is not None:
        low_BCHW = torch.zeros(2, 3, *shape[1:])
        conditioning |= model.encode_low_res(low_BCHW, low_BCHW, model.upscaling.level)
    return model.denoise(noisy_BCHW, model.process.time_of(torch.tensor(500)).expand(2), conditioning)


if __name__ == "__main__":
    main()
