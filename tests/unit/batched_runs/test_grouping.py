"""Which points are trained together, and what is said of those that are not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import configure, draw_pictures

from imprint.batched_runs.grouping import Group, describe, groups
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare
from imprint.verbs.train import train

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tiny_sd: Path, pictures: Path, tmp_path: Path) -> Planned:
    def plan(*settings: str, model: Path = tiny_sd, pictures: Path = pictures) -> Plan:
        return prepare(configure(model, pictures, tmp_path, *settings))

    return plan


LORA = "method=lora"


def test_what_a_pass_does_not_depend_on_may_differ(planned: Planned, tmp_path: Path) -> None:
    others = draw_pictures(tmp_path / "others", count=2, size=(50, 40))
    plans = [
        planned(LORA),
        planned(LORA, "method.lr=1e-2", "method.rank=8", "method.alpha=3", "method.roles=[denoiser,text]"),
        planned(LORA, "seed=3", "hparams.steps=9", "hparams.rate.name=cosine", "optimizer=sgd", "hparams.ema=0.9"),
        planned(LORA, "prior=base_prediction", "objective=min_snr", "method.targets=convolutions"),
        planned("method=textual_inversion", "dataset.identifier=auto"),
        planned("method=pivotal", "dataset.identifier=auto"),
        planned(LORA, "method.dropout=0.1"),
        planned("method=pivotal", "dataset.identifier=auto", "method.network.dropout=0.5"),
        planned(LORA, pictures=others),
    ]
    assert groups(plans) == [Group(tuple(range(len(plans))), None)]


def test_models_precisions_and_batches_do_not_mix(planned: Planned, tiny_sd_v: Path) -> None:
    plans = [
        planned(LORA),
        planned(LORA, model=tiny_sd_v),
        planned(LORA, "hparams.batch_size=2"),
        planned(LORA, "hparams.precision=bf16-mixed"),
        planned(LORA, "seed=1"),
        planned(LORA, "hparams.batch_size=2", "trainer.accumulation=2", "seed=2"),
        planned(LORA, "hparams.batch_size=2", "seed=1"),
    ]
    found = groups(plans)
    assert [group.points for group in found] == [(0, 4), (1,), (2, 6), (3,), (5,)]
    assert describe(found, "abcdefg") == [
        "Side by side: 2 points.",
        "  a; e",
        "Side by side: 2 points.",
        "  c; g",
        "In turn: 3, since no other has its model, precision and batch size.",
        "  b; d; f",
    ]


def test_kernels_that_learn_do_not_mix_with_those_that_are_laid_out(planned: Planned) -> None:
    targets = ["attention", "[attention,convolutions]", "cross_attention", "convolutions"]
    for layout, expected in (("true", [(0, 2), (1, 3)]), ("false", [(0, 1, 2, 3)])):
        plans = [planned(LORA, f"method.targets={each}", f"trainer.channels_last={layout}") for each in targets]
        assert [group.points for group in groups(plans)] == expected


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["method=dreambooth"], "DreamBooth"),
        (["method=dylora"], "DyLoRA"),
        (["method=loha"], "LoHa"),
        (["method=pivotal", "method@method.network=dreambooth", "dataset.identifier=auto"], "DreamBooth"),
        ([LORA, "method.use_dora=true"], "method.use_dora=true"),
        ([LORA, "trainer.gradient_checkpointing=true"], "trainer.gradient_checkpointing=true"),
        ([LORA, "trainer.compile=true"], "trainer.compile=true"),
        ([LORA, "trainer.devices=2", "hparams.batch_size=2"], "2 devices"),
        ([LORA, "trainer=fsdp", "trainer.devices=1"], "trainer.strategy=fsdp"),
    ],
)
def test_what_cannot_be_stacked_is_on_its_own(planned: Planned, settings: list[str], reason: str) -> None:
    found = groups([planned(LORA), planned(*settings, "seed=2"), planned(LORA, "seed=1")])
    assert [group.points for group in found] == [(0, 2), (1,)]
    assert reason in str(found[1].reason)


def test_the_same_run_twice_is_trained_once(planned: Planned) -> None:
    found = groups([planned(LORA), planned(LORA), planned(LORA, "seed=1")])
    assert [group.points for group in found] == [(0, 2), (1,)]


def test_a_point_that_is_trained_or_cannot_be_prepared_is_on_its_own(
    planned: Planned, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    train(configure(tiny_sd, pictures, tmp_path, LORA))
    found = groups([planned(LORA), None, planned(LORA, "seed=1"), planned(LORA, "seed=2")])
    assert [group.points for group in found] == [(0,), (1,), (2, 3)]


def test_groups_have_at_most_so_many_points(planned: Planned) -> None:
    plans = [planned(LORA, f"seed={seed}") for seed in range(5)]
    assert [group.points for group in groups(plans, 2)] == [(0, 1), (2, 3), (4,)]
    assert [group.points for group in groups(plans, 1)] == [(0,), (1,), (2,), (3,), (4,)]
