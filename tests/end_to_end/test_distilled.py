"""Training on a model that was distilled to few steps: told beforehand, and done beside an adapter that is left out
when the model draws."""

from pathlib import Path

import pytest
from drawing import ROUNDING, distance, draw
from families import load_tiny
from lessons import assembled, batches
from results import CLOSE, by_the_library, drawn, exported, with_lora
from rounding import near
from small_runs import configure, losses
from tiny_flux import tiny_flux_pipeline

from imprint.batched_runs.grouping import groups
from imprint.errors import ConfigError, UserError
from imprint.launching.forecast import forecast
from imprint.planning.prepare import prepare
from imprint.results.training_adapter import read_training_adapter
from imprint.runs import Run
from imprint.types import Sampler
from imprint.verbs.train import train

FILE = "pytorch_lora_weights.safetensors"
FAST = ["method=lora", "hparams.clip=null", "hparams.steps=3", "method.lr=2e-2"]
FOUR_STEPS = Sampler("model", 4, 1.0, "")


@pytest.fixture(scope="module")
def schnell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_flux_pipeline(tmp_path_factory.mktemp("distilled") / "schnell", guidance=False)


@pytest.fixture(scope="module")
def undoing(schnell: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A LoRA that stands for one that undoes the distillation."""
    folder = tmp_path_factory.mktemp("undoing")
    return train(configure(schnell, pictures, folder, *FAST, "method.targets=[attention,feed_forward]"))


def test_training_on_it_is_told_before(schnell: Path, pictures: Path, undoing: Run, tmp_path: Path) -> None:
    settings = ["model.distilled=true", *FAST]
    said = [line for line in forecast(configure(schnell, pictures, tmp_path, *settings)) if "distilled" in line]
    assert len(said) == 1
    assert "base=" in said[0]
    assert "model.training_adapter=" in said[0]
    beside = f"model.training_adapter={undoing.result / FILE}"
    assert not [line for line in forecast(configure(schnell, pictures, tmp_path, *settings, beside)) if "base=" in line]


class TestATrainingAdapter:
    @pytest.mark.parametrize("method", ["lora", "dreambooth"])
    def test_is_in_effect_while_it_trains_and_left_out_of_pictures(
        self, method: str, schnell: Path, pictures: Path, undoing: Run, tmp_path: Path
    ) -> None:
        whole = exported(undoing, tmp_path / "merged", "format=pipeline")
        beside = f"model.training_adapter={undoing.result / FILE}"
        settings = [f"method={method}", "prior=base_prediction"]
        cfg = configure(schnell, pictures, tmp_path, beside, *settings)
        module, in_it = assembled(cfg), assembled(configure(whole, pictures, tmp_path, *settings))
        adapter = read_training_adapter(prepare(cfg).parts.model)
        assert adapter is not None
        module.train_with(adapter)
        batch, _ = next(batches(module)), next(batches(in_it))
        found, expected = module.losses(batch), in_it.losses(batch)
        assert near([float(found.total)]) == [float(expected.total)]
        assert distance(draw(module.model, FOUR_STEPS), draw(load_tiny(schnell), FOUR_STEPS)) == 0
        assert distance(draw(in_it.model, FOUR_STEPS), draw(load_tiny(schnell), FOUR_STEPS)) > ROUNDING
        assert not any("adapter" in name for name in module.model.state_dict())

    def test_is_no_part_of_the_result(self, schnell: Path, pictures: Path, undoing: Run, tmp_path: Path) -> None:
        beside = f"model.training_adapter={undoing.result / FILE}"
        run = train(configure(schnell, pictures, tmp_path, *FAST, beside))
        plain = train(configure(schnell, pictures, tmp_path, *FAST))
        assert run.folder != plain.folder
        assert losses(run) != losses(plain)
        ours = drawn([run], tmp_path / "ours", "guidance=1")
        assert distance(ours, by_the_library(with_lora(schnell, run.result))) <= CLOSE

    def test_is_known_by_its_content(self, schnell: Path, pictures: Path, undoing: Run, tmp_path: Path) -> None:
        moved = tmp_path / "elsewhere.safetensors"
        moved.write_bytes((undoing.result / FILE).read_bytes())
        folders = {
            prepare(configure(schnell, pictures, tmp_path, f"model.training_adapter={file}")).run.folder
            for file in (moved, undoing.result / FILE)
        }
        assert len(folders) == 1

    def test_is_around_one_network(self, schnell: Path, pictures: Path, undoing: Run, tmp_path: Path) -> None:
        beside = f"model.training_adapter={undoing.result / FILE}"
        plans = [prepare(configure(schnell, pictures, tmp_path, *FAST, beside, f"seed={seed}")) for seed in range(2)]
        assert all("training_adapter" in str(group.reason) for group in groups(plans))

    def test_is_in_no_compiled_network(self, schnell: Path, pictures: Path, undoing: Run, tmp_path: Path) -> None:
        beside = f"model.training_adapter={undoing.result / FILE}"
        with pytest.raises(ConfigError, match=r"trainer\.compile=True: .*model\.training_adapter"):
            prepare(configure(schnell, pictures, tmp_path, beside, "trainer.compile=true"))

    def test_that_is_missing_is_said_before_anything_is_loaded(
        self, schnell: Path, pictures: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match=r"model\.training_adapter='.*none\.safetensors'.*Give the path of one"):
            prepare(configure(schnell, pictures, tmp_path, f"model.training_adapter={tmp_path}/none.safetensors"))

    def test_of_another_model_or_of_text_is_refused(
        self, schnell: Path, tiny_sd: Path, pictures: Path, undoing: Run, tmp_path: Path
    ) -> None:
        text = train(configure(schnell, pictures, tmp_path, *FAST, "method.roles=[denoiser,text]"))
        refused = {
            "belong": configure(tiny_sd, pictures, tmp_path, f"model.training_adapter={undoing.result / FILE}"),
            "denoiser alone": configure(schnell, pictures, tmp_path, f"model.training_adapter={text.result / FILE}"),
        }
        for reason, cfg in refused.items():
            with pytest.raises(UserError, match=rf"model\.training_adapter=.*{reason}"):
                train(cfg)
