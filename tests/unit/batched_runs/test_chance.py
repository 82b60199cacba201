"""Who draws in turn from one generator, and each as if nobody else did."""

from pathlib import Path

import pytest
import torch
from lessons import assembled
from small_runs import configure

from imprint.batched_runs.rng_state import RngState, drops

CPU = torch.device("cpu")


def test_each_goes_on_from_its_own_place() -> None:
    alone = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        alone.append([torch.rand(3) for _ in range(4)])
    chances = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        chances.append(RngState(CPU))
    together: list[list[torch.Tensor]] = [[], []]
    for point in (1, 0, 0, 1, 0, 1):
        with chances[point].drawing():
            together[point].append(torch.rand(3))
    for point, chance in enumerate(chances):
        chance.resume()
        together[point].append(torch.rand(3))
    for mine, others in zip(alone, together, strict=True):
        assert torch.equal(torch.stack(mine), torch.stack(others))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["method=lora"], False),
        (["method=lora", "method.dropout=0.1"], True),
        (["method=textual_inversion", "dataset.identifier=auto"], False),
        (["method=pivotal", "dataset.identifier=auto", "method.network.dropout=0.5"], True),
    ],
)
def test_who_drops_nothing_needs_none(
    settings: list[str], expected: bool, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    module = assembled(configure(tiny_sd, pictures, tmp_path, *settings))
    assert any(drops(part) for part in module.model.roles.values()) == expected
