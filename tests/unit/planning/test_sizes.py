"""Sizes that no memory holds are refused, and named, before anything is loaded."""

from pathlib import Path

import pytest
import torch
from composed import compose
from skips import NOT_HERE
from small_runs import configure

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.errors import ConfigError
from imprint.planning import sizes
from imprint.planning.assemble import attach
from imprint.planning.prepare import prepare
from imprint.training.memory import total_memory


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (["model.resolution=1000000"], "model.resolution=1000000"),
        (["hparams.batch_size=1000000000"], "hparams.batch_size=1000000000"),
        (["method=lora", "method.rank=1000000000"], "method.rank=1000000000"),
        (["method=pivotal", "dataset.identifier=auto", "method.network.rank=1000000000"], "method.network.rank=10000"),
        (["method=lora", "method.rank=1e30"], "method.rank="),
        (["method=textual_inversion", "dataset.identifier=auto", "method.vectors=1000000000"], "method.vectors=10000"),
    ],
)
def test_it_is_named_by_its_key(settings: list[str], key: str, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, pictures, tmp_path, *settings))
    [problem] = [problem for problem in map(str, caught.value.problems) if "text_rank" not in problem]
    assert problem.startswith(key)


def test_a_rank_that_no_layer_can_use_is_told(
    tiny_sd: Path, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for rank in (4, 512):
        prepare(configure(tiny_sd, pictures, tmp_path, "method=lora", f"method.rank={rank}"))
    assert [record.message for record in caplog.records if "can use" in record.message] == [
        "method.rank=512: no layer that learns can use more than rank 16."
    ]


@pytest.mark.parametrize("method", ["lora", "loha", "lokr", "dylora"])
def test_what_a_method_adds_is_what_trains(method: str, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    plan = prepare(configure(tiny_sd, pictures, tmp_path, f"method={method}", "method.roles=[denoiser,text]"))
    added = plan.parts.method.added_to(plan.parts.model.meta_model())
    groups = attach(plan, plan.parts.model.load()).groups
    assert added.numbers == sum(weight.numel() for group in groups for weight in group.params)


def test_the_same_passes_on_a_machine_that_is_large_enough(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = configure(tiny_sd, pictures, tmp_path, "hparams.batch_size=4")
    monkeypatch.setattr(sizes, "total_memory", lambda device: 1000)
    with pytest.raises(ConfigError, match=r"model\.resolution"):
        prepare(cfg)
    monkeypatch.setattr(sizes, "total_memory", lambda device: None)  # it does not say
    assert prepare(cfg)


def test_memory_is_that_of_machine_or_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr("imprint.training.memory.CONTAINER_LIMIT", limit)
    whole = total_memory(torch.device("cpu"))
    if whole is None:
        pytest.skip(f"{NOT_HERE} this system does not say")
    limit.write_text("1000\n")
    assert total_memory(torch.device("cpu")) == 1000
    limit.write_text("max\n")
    assert total_memory(torch.device("cpu")) == whole


def test_every_shipped_configuration_fits_small_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that is needed is no more than what is."""
    model = Constructor().build(resolved(compose("train"))["model"], "model")
    monkeypatch.setattr(sizes, "total_memory", lambda device: 10**9)
    assert not list(sizes.too_large_pictures(model.facts(), "size", (512, 512), torch.device("cpu")))
