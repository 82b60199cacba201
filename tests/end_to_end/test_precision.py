"""Less memory, more speed: the same training but for rounding."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lessons import Watch, assembled, batches, gradients, result_weights
from rounding import near, near_tensors
from small_runs import configure, losses, metrics
from tiny import tiny_pipeline
from torch import nn

from imprint.runs import Run
from imprint.verbs.train import train

PRIOR = ["prior=generated", "prior.count=3"]
BF16 = "hparams.precision=bf16-mixed"


class TestBfloat16:
    @pytest.mark.parametrize("roles", [["denoiser"], ["denoiser", "text"]])
    def test_what_learns_is_float32_and_what_is_frozen_is_bfloat16(
        self, roles: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        settings = [BF16, "prior=base_prediction", f"method.roles=[{','.join(roles)}]"]
        module = assembled(configure(tiny_sd, pictures, tmp_path, *settings))
        learning = {id(parameter) for parameter in module.trained()}
        assert learning
        for name, parameter in module.model.named_parameters():
            expected = torch.float32 if id(parameter) in learning else torch.bfloat16
            assert parameter.dtype == expected, name
        assert module.task.teacher is not None
        assert {parameter.dtype for parameter in module.task.teacher.parameters()} == {torch.bfloat16}

    @pytest.mark.parametrize("settings", [PRIOR, ["prior=base_prediction", "method.roles=[denoiser,text]"]])
    def test_losses_are_near_those_of_float32_and_the_result_is_float32(
        self, settings: list[str], finished: Callable[..., Run]
    ) -> None:
        exact, rounded = finished(*settings), finished(BF16, *settings)
        assert losses(rounded) != losses(exact)
        assert losses(rounded) == pytest.approx(losses(exact), rel=0.03)
        assert {weight.dtype for weight in result_weights(rounded).values() if weight.is_floating_point()} == {
            torch.float32
        }

    def test_frozen_parts_are_saved_as_the_source_has_them(self, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        from safetensors.torch import load_file

        run = train(configure(tiny_sd, pictures, tmp_path, "hparams.steps=2", BF16))
        for part in ("vae", "text_encoder"):
            [source], [saved] = ((folder / part).glob("*.safetensors") for folder in (tiny_sd, run.result))
            saved_weights = load_file(saved)
            for name, weight in load_file(source).items():
                assert torch.equal(saved_weights[name], weight), name


def test_half_precision_weights_are_trained_in_float32(pictures: Path, tmp_path: Path) -> None:
    model = tiny_pipeline(tmp_path / "model", dtype=torch.float16)
    module = assembled(configure(model, pictures, tmp_path / "runs"))
    assert {parameter.dtype for parameter in module.trained()} == {torch.float32}
    run = train(configure(model, pictures, tmp_path / "runs", "method.lr=1e-6"))
    # Steps far smaller than a float16 can hold beside most weights are kept.
    saved = result_weights(run)["unet.conv_in.weight"]
    assert not torch.equal(saved, saved.half().float())


@pytest.mark.parametrize("roles", ["[denoiser]", "[denoiser,text]"])
def test_gradient_checkpointing_leaves_gradients_and_losses_as_they_are(
    roles: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch.utils.checkpoint as checkpointing

    recomputed = []
    real = checkpointing.checkpoint

    def counted(*args: Any, **kwargs: Any) -> Any:
        recomputed.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(checkpointing, "checkpoint", counted)
    settings = [f"method.roles={roles}", "hparams.batch_size=2"]
    found = []
    for more in ([], ["trainer.gradient_checkpointing=true"]):
        module = assembled(configure(tiny_sd, pictures, tmp_path, *settings, *more))
        assert bool(recomputed) is False
        found.append(gradients(module, next(batches(module))))
        assert bool(recomputed) is bool(more)
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)


def test_compiling_keeps_names_and_losses(
    tiny_sd: Path, pictures: Path, tmp_path: Path, finished: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished()
    compiled: list[nn.Module] = []

    def interpreted(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        """What `compile` does, with a compiler that takes no time."""
        compiled.append(self)
        self._compiled_call_impl = self._call_impl

    monkeypatch.setattr(nn.Module, "compile", interpreted)
    plain = assembled(configure(tiny_sd, pictures, tmp_path))
    assert not compiled
    module = assembled(configure(tiny_sd, pictures, tmp_path, "trainer.compile=true"))
    assert compiled == [module.model.roles["denoiser"]]
    assert module.state_dict().keys() == plain.state_dict().keys()
    other = train(configure(tiny_sd, pictures, tmp_path, "trainer.compile=true"))
    assert other.folder.name == run.folder.name
    assert losses(other) == near(losses(run))
    assert result_weights(other).keys() == result_weights(run).keys()


@pytest.mark.slow
def test_a_graph_of_the_compiler_trains_the_same(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self: real(self, backend="aot_eager"))
    run = train(configure(tiny_sd, pictures, tmp_path / "plain", *PRIOR))
    other = train(configure(tiny_sd, pictures, tmp_path / "compiled", "trainer.compile=true", *PRIOR))
    assert losses(other) == near(losses(run))


class TestAccumulation:
    SETTINGS = ("hparams.batch_size=4", "hparams.steps=4", *PRIOR)

    def test_parts_of_a_batch_make_the_whole_batches_losses_and_weights(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watch = Watch(monkeypatch)
        whole = train(configure(tiny_sd, pictures, tmp_path / "whole", *self.SETTINGS))
        assert len(watch.batches) == 4
        parts = train(configure(tiny_sd, pictures, tmp_path / "parts", *self.SETTINGS, "trainer.accumulation=2"))
        assert len(watch.batches) == 4 + 8
        assert parts.folder.name == whole.folder.name
        assert len(metrics(parts)) == 4  # steps are updates, not passes
        for name in ("loss", "loss/instance", "loss/prior"):
            expected = [row[name] for row in metrics(whole)]
            assert [row[name] for row in metrics(parts)] == near(expected)

    def test_gradients_add_up_to_those_of_the_whole_batch(self, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        whole = assembled(configure(tiny_sd, pictures, tmp_path, *self.SETTINGS))
        expected = gradients(whole, next(batches(whole)))
        parts = assembled(configure(tiny_sd, pictures, tmp_path, *self.SETTINGS, "trainer.accumulation=4"))
        feed = batches(parts)
        passes = [gradients(parts, next(feed)) for _ in range(4)]
        means = [torch.stack(found).mean(dim=0) for found in zip(*passes, strict=True)]
        assert near_tensors(means, expected)
