"""What learns, when, and how fast."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lessons import after_every_step, assembled, result_weights
from rounding import SINGLE
from safetensors.torch import load_file
from small_runs import configure, losses, metrics
from torch import Tensor

from imprint.methods.dreambooth import DreamBooth
from imprint.models.base import Model
from imprint.runs import Run
from imprint.training.module import TrainingModule
from imprint.types import ALWAYS, Concept, ParamGroup, Window
from imprint.verbs.train import train


def source_weights(model: Path) -> dict[str, Tensor]:
    return {
        f"{file.parent.name}.{name}": weight
        for file in sorted(model.glob("*/*.safetensors"))
        for name, weight in load_file(file).items()
    }


@pytest.mark.parametrize(
    ("roles", "parts"),
    [("[denoiser]", {"unet"}), ("[text]", {"text_encoder"}), ("[denoiser,text]", {"unet", "text_encoder"})],
)
def test_what_learns_changes_and_the_rest_is_the_same_to_the_last_bit(
    roles: str, parts: set[str], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    run = train(configure(tiny_sd, pictures, tmp_path, "hparams.steps=3", f"method.roles={roles}"))
    before, after = source_weights(tiny_sd), result_weights(run)
    for name, weight in before.items():
        same = torch.equal(after[name], weight)
        assert same == (name.partition(".")[0] not in parts) or "position_ids" in name, name


def test_each_part_has_a_rate_of_its_own(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: dict[str, Tensor] = {}
    distances: dict[str, float] = {}
    create = TrainingModule.configure_optimizers

    def begin(module: TrainingModule) -> Any:
        before.update({group.name: group.params[0].detach().clone() for group in module.task.groups})
        return create(module)

    def look(trainer: Any, module: TrainingModule) -> None:
        for group in module.task.groups:
            distances.setdefault(group.name, float((group.params[0] - before[group.name]).abs().max()))

    monkeypatch.setattr(TrainingModule, "configure_optimizers", begin)
    after_every_step(monkeypatch, look)
    settings = ["method.roles=[denoiser,text]", "method.lr=1e-3", "method.text_lr=1e-4", "optimizer.weight_decay=0"]
    run = train(configure(tiny_sd, pictures, tmp_path, *settings))
    assert {row["lr/denoiser"] for row in metrics(run)} == {1e-3}
    assert {row["lr/text"] for row in metrics(run)} == {1e-4}
    # Adam's first step is as long as its rate.
    assert distances == pytest.approx({"denoiser": 1e-3, "text": 1e-4}, rel=0.02)


class TestWindows:
    """Outside its window a group has no gradient, no decay and no moments."""

    EARLY, LATE = Window(0, 2), Window(3, None)

    @pytest.fixture
    def history(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        """Per step and group: the weights, and how often the optimiser has moved each."""
        steps: list[dict[str, Any]] = []

        def look(trainer: Any, module: TrainingModule) -> None:
            state = trainer.optimizers[0].state
            steps.append(
                {
                    group.name: (
                        [weight.detach().clone() for weight in group.params],
                        [int(state[weight]["step"]) if weight in state else 0 for weight in group.params],
                    )
                    for group in module.task.groups
                }
            )

        after_every_step(monkeypatch, look)
        _train_only(monkeypatch, {"conv_in": self.EARLY, "conv_out": self.LATE, "conv_norm_out": ALWAYS})
        return steps

    @pytest.mark.parametrize("accumulation", [1, 2])
    def test_a_group_moves_in_its_window_and_only_there(
        self, accumulation: int, history: list, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        # With a decay as strong as this, a single step outside the window would be seen.
        settings = ["optimizer.weight_decay=5", "hparams.batch_size=2", f"trainer.accumulation={accumulation}"]
        train(configure(tiny_sd, pictures, tmp_path, *settings))
        assert len(history) == 6
        unet = source_weights(tiny_sd)
        for name, window in (("conv_in", self.EARLY), ("conv_out", self.LATE), ("conv_norm_out", ALWAYS)):
            before = [unet[f"unet.{name}.weight"], unet[f"unet.{name}.bias"]]
            updates = 0
            for step, state in enumerate(history):
                weights, counts = state[name]
                updates += window.holds(step)
                assert counts == [updates, updates], (name, step)
                moved = [not torch.equal(new, old) for new, old in zip(weights, before, strict=True)]
                assert moved == [window.holds(step)] * 2, (name, step)
                before = weights

    def test_a_closed_groups_gradient_does_not_shorten_the_others(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The norm that the gradient is clipped to is that of what learns."""
        settings = ["optimizer=sgd", "hparams.clip=1e-3", "method.lr=10", "hparams.steps=3"]
        found = []
        for others in ({}, {"conv_out": Window(100, None)}):
            _train_only(monkeypatch, {"conv_in": ALWAYS, **others})
            run = train(configure(tiny_sd, pictures, tmp_path / str(len(others)), *settings))
            found.append(result_weights(run)["unet.conv_in.weight"])
        way = 10 * 1e-3 * 3  # rate x clip x steps
        assert (found[0] - found[1]).norm() <= SINGLE * way
        assert not torch.allclose(found[0], source_weights(tiny_sd)["unet.conv_in.weight"], atol=1e-4)


def _train_only(patch: pytest.MonkeyPatch, windows: dict[str, Window]) -> None:
    """A method that trains these modules of the denoiser, each in its window."""

    def attach(method: DreamBooth, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        parts = {name: model.roles["denoiser"].get_submodule(name).requires_grad_(True) for name in windows}
        return [ParamGroup(name, list(part.parameters()), method.lr, windows[name]) for name, part in parts.items()]

    patch.setattr(DreamBooth, "attach", attach)


@pytest.mark.parametrize("precision", ["'32'", "bf16-mixed"])
@pytest.mark.parametrize("optimizer", [["sgd"], ["sgd", "+optimizer.fused=true"]], ids=len)
def test_the_gradient_is_clipped(
    precision: str, optimizer: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    """A plain gradient step is as long as the rate times the norm that is left."""
    settings = [f"hparams.precision={precision}", "hparams.clip=1e-3", "method.lr=1", "hparams.steps=1"]
    run = train(configure(tiny_sd, pictures, tmp_path, f"optimizer={optimizer[0]}", *optimizer[1:], *settings))
    before, after = source_weights(tiny_sd), result_weights(run)
    squares = [(after[name] - weight).square().sum() for name, weight in before.items() if name.startswith("unet.")]
    assert float(torch.stack(squares).sum().sqrt()) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (["name=constant_with_warmup", "warmup=4"], [0, 0.25, 0.5, 0.75, 1, 1]),
        (["name=linear", "warmup=2"], [0, 0.5, 1, 0.75, 0.5, 0.25]),
        (["name=cosine", "warmup=0"], [1, 0.933, 0.75, 0.5, 0.25, 0.067]),
        (["name=cosine_with_restarts", "cycles=2"], [1, 0.75, 0.25, 1, 0.75, 0.25]),
        (["name=polynomial", "power=2"], [1, 0.694, 0.444, 0.25, 0.111, 0.028]),
    ],
)
def test_the_rate_changes_with_every_update_as_configured(
    rate: list[str], expected: list[float], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = [f"hparams.rate.{setting}" for setting in rate]
    chosen = assembled(configure(tiny_sd, pictures, tmp_path, *settings)).configure_optimizers()
    optimizer, schedule = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(6):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([1e-3 * part for part in expected], rel=5e-3)


def test_a_warm_up_counts_updates_not_passes(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["hparams.rate.name=constant_with_warmup", "hparams.rate.warmup=4"]
    settings += ["hparams.batch_size=2", "trainer.accumulation=2"]
    run = train(configure(tiny_sd, pictures, tmp_path, *settings))
    rates = [row["lr/denoiser"] for row in metrics(run)]
    assert rates == pytest.approx([0, 2.5e-4, 5e-4, 7.5e-4, 1e-3, 1e-3])


@pytest.mark.parametrize(
    "optimizer",
    [
        ["optimizer=sgd", "method.lr=0.1"],
        ["optimizer=adamw", "optimizer.betas=[0.5,0.9]"],
        ["optimizer._target_=torch.optim.RAdam", "~optimizer.fused"],
    ],
)
def test_other_optimisers_train(
    optimizer: list[str], finished: Callable[..., Run], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    usual = losses(finished())
    found = losses(train(configure(tiny_sd, pictures, tmp_path, *optimizer)))
    assert found[0] == usual[0]
    # Adam's first step is the same whatever its memory is.
    assert all(one != other for one, other in zip(found[2:], usual[2:], strict=True))
