"""Programs are watched without a change to them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Module = Callable[[str], Any]

STEPS = """
import sys
import torch

weight = torch.nn.Parameter(torch.ones(1))
optimizers = [torch.optim.AdamW([weight], fused=fused) for fused in (False, True)]
for optimizer in optimizers:
    weight.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
print("last words")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "steps.py"
    file.write_text(STEPS)
    return file


def test_every_update_is_seen_whatever_the_optimiser(script: Path, tmp_path: Path, module: Module) -> None:
    taken = module("programs").run([str(script), "0"], tmp_path, threads=1)
    assert len(taken.updates) == 2
    for clock in ("cpu", "wall"):
        assert 0 < taken.start(clock) <= taken.at(1, clock) <= taken.whole(clock) + 0.05
    assert taken.peak_bytes > 50_000_000


def test_a_program_that_fails_is_told_by_its_last_words(script: Path, tmp_path: Path, module: Module) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3:\n(.*\n)*last words"):
        module("programs").run([str(script), "3"], tmp_path, threads=1)


def test_a_step_is_the_mean_of_the_later_half(module: Module) -> None:
    at = [10.0, 11.0, 12.0, 15.0, 18.0]  # seconds of the clock; a quarter of them of the CPU
    taken = module("programs").Taken(
        seconds=20.0, cpu_seconds=5.0, updates=[(each, each / 4) for each in at], peak_bytes=1
    )
    assert taken.start("wall") == 10
    assert taken.step("wall") == pytest.approx(7 / 3)
    assert taken.step("cpu") == pytest.approx(7 / 12)


def test_the_peers_scripts_run_unchanged_with_a_stand_in_for_torchvision(
    peer: Path, tmp_path: Path, module: Module
) -> None:
    task = module("task")
    material = task.Material(
        size="tiny", resolution=32, model=tmp_path / "m", weights="", pictures=tmp_path / "p", class_pictures=tmp_path
    )
    task = task.Task(method="lora", steps=3, lr=1e-3, rank=2, prior="drawn", class_count=7)
    [program] = module("sides.peer").programs(peer, [task], material, tmp_path / "outputs")
    taken = module("programs").run(program, tmp_path, threads=1)
    assert len(taken.updates) == 3
    told = (tmp_path / "outputs/00/told.json").read_text()
    for option in ("--rank=2", "--num_class_images=7", "--learning_rate=0.001", f"--class_data_dir={tmp_path}/outputs"):
        assert option in told
