"""Who draws in turn from one generator, and each as if nobody else did."""

from pathlib import Path

import pytest
import torch
from lessons import assembled
from small_runs import configure

from imprint.batched_runs.batch_layout import RngState
from imprint.batched_runs.batched_module import has_dropout

CPU = torch.device("cpu")


def test_each_goes_on_from_its_own_place() -> None:
    alone = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        alone.append([torch.rand(3) for _ in range(4)])
    rng_states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        rng_states.append(RngState(CPU))
    together: list[list[torch.Tensor]] = [[], []]
    for point in (1, 0, 0, 1, 0, 1):
        with rng_states[point].active():
            together[point].append(torch.rand(3))
    for point, rng_state in enumerate(rng_states):
        rng_state.restore()
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
    assert any(has_dropout(part) for part in module.model.roles.values()) == expected
