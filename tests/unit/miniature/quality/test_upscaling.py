"""What an upscaler makes of small pictures is measured against the large ones that they are of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionUpscalePipeline
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.miniature.__main__ import main
from imprint.miniature.quality import upscaling
from imprint.miniature.quality.tables import blocks
from imprint.miniature.recipe import autoencoder, bundle, settings, upscaler
from imprint.miniature.recipe.stages.job import WEIGHTS


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained upscaler."""
    own = settings.read(["upscaler_autoencoder.channels=[8,8]", "upscaler.channels=[8,8]", "upscaler.heads=2"])
    vae = autoencoder.fresh(own.upscaler_autoencoder, upscaler.LARGE)
    vae.register_to_config(scaling_factor=upscaler.SCALING)
    text_encoder = CLIPTextModel.from_pretrained(WEIGHTS / "text_encoder", dtype=torch.float32)
    reader = upscaler.Reader(text_encoder, CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer"))
    unet = upscaler.fresh(own.upscaler, latent_channels=4, words=reader.width)
    folder = tmp_path_factory.mktemp("made") / "weights"
    bundle.write(bundle.assemble_upscaler(vae, unet, reader), folder)
    return folder


def test_decibels_are_of_the_region_alone_and_of_pictures_that_have_one() -> None:
    truth, made = torch.zeros(3, 3, 4, 4), torch.zeros(3, 3, 4, 4)
    made[:, :, :2] = 0.2  # a tenth of the range
    where = torch.zeros(3, 4, 4, dtype=torch.bool)
    where[0, :2] = True
    where[1] = True
    assert upscaling.decibels(made, truth, where) == pytest.approx([20.0, 23.01], abs=0.01)


def test_a_report_a_filled_card_and_a_sheet(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscaling, "STEPS", (1, upscaling.USUAL_STEPS))
    monkeypatch.setattr(upscaling, "LEVELS", (0,))
    monkeypatch.setattr(upscaling, "SHOWN", (0, 1))
    card = tmp_path / "README.md"
    card.write_text("<!-- report: upscaling -->\n<!-- end of report -->\n")
    asked = ["--weights", str(weights), "--out", str(tmp_path), "--pictures", "4", "--sheet", str(tmp_path / "s.png")]
    main(["upscaling", *asked])
    report = json.loads((tmp_path / "report.json").read_text())
    ways = report["upscaling"]["ways"]
    assert ways["bicubic"]["gain"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert 24 < ways["bicubic"]["whole"] < 34
    assert ways["1 step, level 0"]["gain"]["mean"] < -3  # it has not learned
    assert blocks(report)["upscaling"] in card.read_text()
    assert (tmp_path / "s.png").exists()


def test_wrong_input_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--weights", str(tmp_path)], ["--weights", str(tmp_path), "--pictures", "1"]):
        with pytest.raises(SystemExit):
            main(["upscaling", "--out", str(tmp_path), *arguments])
        assert "model_index.json" in capsys.readouterr().err


def test_the_pipeline_is_stock(weights: Path) -> None:
    assert isinstance(upscaling.loaded(weights), StableDiffusionUpscalePipeline)
