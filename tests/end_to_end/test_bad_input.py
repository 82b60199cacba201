"""What is wrong is said before anything expensive, all of it at once, with key, value and remedy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from composed import compose
from skips import NOT_HERE
from small_runs import configure, only_run

from imprint.device_transfer import PendingScalar
from imprint.errors import ConfigError, NonFiniteLoss, NonFiniteWeights, UserError
from imprint.methods.adapter_layers import write_weights
from imprint.methods.stored_weights import read_weights
from imprint.models.families.sd import StableDiffusionSource
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.planning.prepare import prepare
from imprint.runs import Run
from imprint.verbs.export import export
from imprint.verbs.train import train


def message(*settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        prepare(configure(*settings))  # type: ignore[arg-type]
    return str(caught.value)


def test_all_problems_are_told_together_and_nothing_is_loaded(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StableDiffusionSource, "load", lambda self: pytest.fail("the model was loaded"))
    (tmp_path / "empty").mkdir()
    said = message(
        tiny_sd,
        tmp_path / "empty",
        tmp_path / "out",
        "hparams.steps=0",
        "method.lr=-1",
        "objective.timesteps=[0,2000]",
        "+optimizer.weight_dekay=0.1",
        "hparams.precision=16",
    )
    for expected in (
        "hparams.steps=0",
        "hparams.precision=16",
        "method.lr=-1",
        "objective.timesteps=[0, 2000]",
        "optimizer.weight_dekay=0.1",
        "did you mean weight_decay",
        "dataset.path",
    ):
        assert expected in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["method.roles=[denoiser,txt]"], "no part 'txt'"),
        (["method.roles=[]"], "nothing would learn"),
        (["hparams.batch_size=3", "trainer.accumulation=2"], "hparams.batch_size=3"),
        (["trainer.accelerator=cuda"], "not on this machine"),
        (["hparams.precision=16-mixed"], "needs a GPU"),
        (["hparams.precision=16-mixed"], "optimizer.fused=True"),
        (["prior=folder", "prior.path=/nowhere"], "prior.path"),
        (["dataset.path=/nowhere"], "dataset.path"),
        (["model.source=/nowhere"], "model.source"),
        (["model.resolution=33"], "resolution"),
        (["optimizer._target_=torch.optim.Adm"], "optimizer._target_"),
        (["prior=folder"], "prior.path has no value"),
        (["seed=lucky"], "seed='lucky'"),
        (["+wieght=1"], "wieght=1"),
        (["optimizer.eps=-1"], "optimizer.eps=-1"),
        (["trainer.strategy=nope"], "trainer.strategy='nope'"),
        (["trainer=fsdp", "trainer.compile=true"], "trainer.compile=True"),
        (["trainer=fsdp", "trainer.channels_last=true"], "trainer.channels_last=True"),
        (["trainer=fsdp", "hparams.precision=16-mixed"], "needs a GPU"),
        (["trainer=fsdp", "hparams.batch_size=1"], "hparams.batch_size=1"),
        (["trainer=fsdp", "optimizer=adamw8bit"], "optimizer='bitsandbytes"),
        (["name=../../evil"], "name='../../evil'"),
        (["outputs=''"], "outputs=''"),
    ],
)
def test_each_mistake_is_named(
    settings: list[str], expected: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    if settings == ["trainer.accelerator=cuda"] and torch.cuda.is_available():
        pytest.skip(f"{NOT_HERE} there is a GPU")
    assert expected in message(tiny_sd, pictures, tmp_path / "out", *settings)


def test_a_folder_that_cannot_be_written_to_is_named(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "outputs" in message(tiny_sd, pictures, tmp_path / "file" / "out")


def test_min_snr_is_refused_where_it_divides_by_zero(tmp_path: Path, pictures: Path) -> None:
    from tiny import tiny_pipeline

    model = tiny_pipeline(tmp_path / "model", zero_snr=True)
    assert "objective.weighting.gamma=5.0" in message(model, pictures, tmp_path / "out", "objective=min_snr")


@pytest.mark.parametrize("losses_come", ["at once", "later"])  # as from a GPU
def test_nothing_comes_of_a_loss_that_is_no_number(
    losses_come: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = NoisePrediction.losses
    calls = []

    def broken(self: NoisePrediction, *args, **kwargs):
        calls.append(1)
        losses = real(self, *args, **kwargs)
        return losses._replace(total=losses.total * float("nan")) if len(calls) == 4 else losses

    monkeypatch.setattr(NoisePrediction, "losses", broken)
    if losses_come == "later":
        monkeypatch.setattr(PendingScalar, "is_available", False)
    with pytest.raises(NonFiniteLoss, match=r"step 4 is nan"):
        train(configure(tiny_sd, pictures, tmp_path))
    run = only_run(tmp_path)
    assert run.status == "failed"
    assert "step 4" in run.error.read_text()
    checkpoint = torch.load(run.checkpoint, weights_only=True)
    assert checkpoint["global_step"] == 2
    assert all(torch.isfinite(weight).all() for weight in checkpoint["state_dict"].values())
    monkeypatch.setattr(NoisePrediction, "losses", real)
    assert train(configure(tiny_sd, pictures, tmp_path)).status == "finished"
    assert not run.error.exists()


@pytest.mark.parametrize("method", ["lora", "textual_inversion", "dreambooth"])
def test_weights_that_are_no_numbers_are_no_result(method: str, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    """The loss of the only step is one: nothing has been computed with the weights behind it."""
    words = ["dataset.identifier=auto"] if method == "textual_inversion" else []
    with pytest.raises(NonFiniteWeights, match="After step 1"):
        train(configure(tiny_sd, pictures, tmp_path, f"method={method}", "method.lr=1e39", "hparams.steps=1", *words))
    run = only_run(tmp_path)
    assert run.status == "failed"
    assert not run.result.exists()
    assert not run.checkpoint.exists()


def test_nor_are_they_a_checkpoint(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    rates = ["method.lr=1e39", "trainer.checkpoint_every=1"]
    with pytest.raises(NonFiniteWeights, match="After step 1"):
        train(configure(tiny_sd, pictures, tmp_path, "method=lora", *rates))
    assert not only_run(tmp_path).checkpoint.exists()


def test_values_beyond_float16_are_not_written_in_it(finished: Callable[..., Run], tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(finished("method=lora").folder, tmp_path / "large-0123456789")))
    [file] = run.result.glob("*.safetensors")
    weights, about = read_weights(file)
    large = {name: weight.new_full(weight.shape, 1e6) for name, weight in weights.items()}
    write_weights(file, large, about)
    for format in ("kohya", "pipeline", "single_file"):
        out = tmp_path / f"{format}.safetensors"
        with pytest.raises(UserError, match="dtype=float32"):
            export(compose("export", [f"run={run.folder}", f"format={format}", "dtype=float16", f"out={out}"]))
        assert not out.exists()


def test_a_run_whose_folder_is_deleted_says_so(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = NoisePrediction.losses
    calls = []

    def deleting(self: NoisePrediction, *args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            shutil.rmtree(only_run(tmp_path).folder)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(NoisePrediction, "losses", deleting)
    with pytest.raises(UserError, match="was deleted") as told:
        train(configure(tiny_sd, pictures, tmp_path, "method=lora"))
    assert "Give the same command again" in str(told.value)
    assert train(configure(tiny_sd, pictures, tmp_path, "method=lora")).status == "finished"


def test_a_second_process_in_the_same_run_is_turned_away(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    cfg = configure(tiny_sd, pictures, tmp_path)
    run = prepare(cfg).run
    run.folder.mkdir(parents=True)
    with FileLock(run.folder / ".lock"), pytest.raises(UserError, match="another process"):
        train(cfg)
