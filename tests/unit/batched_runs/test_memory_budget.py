"""How many points there is room for."""

from pathlib import Path

import pytest
import torch

from imprint.batched_runs import memory_budget
from imprint.batched_runs.memory_budget import MemoryBudget
from imprint.training import memory
from imprint.training.memory import free_memory

CPU = torch.device("cpu")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """1000 kB are free, and there is no container."""
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:  1000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


def taking(monkeypatch: pytest.MonkeyPatch, *peaks: int) -> MemoryBudget:
    """Passes of 1, 2, 4 ... points that took so much, in kB."""
    watched = MemoryBudget(CPU)
    for number, peak in enumerate(peaks):
        monkeypatch.setattr(memory_budget, "peak_memory", lambda device, peak=peak: peak * 1024)
        watched.record(2**number)
    return watched


def test_what_a_point_takes_is_seen_in_larger_passes(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = taking(monkeypatch, 5000, 5100, 5300)
    assert watched.allows(8)
    assert not watched.allows(16)


def test_nothing_is_known_after_a_single_pass(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert taking(monkeypatch, 5000).allows(2)


def test_a_container_may_have_less(machine: Path) -> None:
    assert free_memory(CPU) == 1000 * 1024
    (machine / "memory.max").write_text("5000\n")
    (machine / "memory.current").write_text("4000\n")
    assert free_memory(CPU) == 1000
    (machine / "memory.max").write_text("max\n")
    assert free_memory(CPU) == 1000 * 1024


def test_a_system_that_does_not_say_allows_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "nothing")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert taking(monkeypatch, 1, 10**9).allows(1000)
