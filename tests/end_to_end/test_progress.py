"""What a run has learned on the way is kept where that is asked for, as other programs read it."""

from pathlib import Path

import pytest
import torch
from drawing import stock
from safetensors import safe_open
from safetensors.torch import load_file
from small_runs import configure, metrics
from torch import Tensor

from imprint.methods.word_files import FILE
from imprint.runs import Run
from imprint.training.callbacks import FiniteLoss
from imprint.verbs.train import train

SETTINGS = ("method=textual_inversion", "dataset.identifier=auto", "method.vectors=2", "method.lr=1e-1")
EVERY = "trainer.save_every=2"


class Stopped(Exception):
    """Stands for a crash."""


def on_the_way(run: Run) -> dict[str, Tensor]:
    """The vectors of every step that was kept."""
    names = run.read().progress
    assert names == sorted(folder.name for folder in run.progress.glob("*"))
    return {name: load_file(run.progress / name / FILE)["<dog>"] for name in names}


@pytest.fixture(scope="module")
def run(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("runs"), *SETTINGS, EVERY))


def test_the_words_of_the_steps_are_kept_and_the_last_is_the_result(
    run: Run, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    kept = on_the_way(run)
    assert list(kept) == ["step-000002", "step-000004"]
    plain = train(configure(tiny_sd, pictures, tmp_path, *SETTINGS))
    assert plain.folder.name == run.folder.name
    assert not plain.progress.exists()
    assert not plain.read().progress
    result = load_file(run.result / FILE)["<dog>"]
    assert torch.equal(load_file(plain.result / FILE)["<dog>"], result)
    assert metrics(run) == metrics(plain)
    assert not torch.equal(kept["step-000002"], kept["step-000004"])
    assert not torch.equal(kept["step-000004"], result)


def test_the_stock_library_reads_them_and_they_say_their_step(run: Run, tiny_sd: Path) -> None:
    folder = run.progress / "step-000004"
    pipeline = stock(tiny_sd)
    pipeline.load_textual_inversion(str(folder))
    ids = pipeline.tokenizer.convert_tokens_to_ids(["<dog>", "<dog>_1"])
    table_VD = pipeline.text_encoder.get_input_embeddings().weight
    assert torch.equal(table_VD[ids], on_the_way(run)["step-000004"])
    with safe_open(folder / FILE, framework="pt") as content:
        facts = content.metadata()
    assert (facts["steps"], facts["run"]) == ("4", run.signature)


def test_a_resumed_run_keeps_the_same(
    run: Run, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: FiniteLoss, trainer, module, loss) -> None:
        if trainer.global_step == 5:
            raise Stopped

    settings = [*SETTINGS, EVERY, "trainer.checkpoint_every=3"]
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stop)
        with pytest.raises(Stopped):
            train(configure(tiny_sd, pictures, tmp_path, *settings))
    resumed = train(configure(tiny_sd, pictures, tmp_path, *settings))
    assert resumed.folder.name == run.folder.name
    for name, vectors_ND in on_the_way(run).items():
        assert torch.equal(on_the_way(resumed)[name], vectors_ND), name


@pytest.mark.parametrize("method", ["lora", "dreambooth"])
def test_every_method_can_be_looked_at_on_the_way(method: str, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = [f"method={method}", "hparams.ema=0.5", EVERY, "hparams.steps=3"]
    run = train(configure(tiny_sd, pictures, tmp_path, *settings))
    assert run.read().progress == ["step-000002"]
    saved = {file.relative_to(run.progress / "step-000002") for file in run.progress.rglob("*.safetensors")}
    assert saved == {file.relative_to(run.result) for file in run.result.rglob("*.safetensors")}
