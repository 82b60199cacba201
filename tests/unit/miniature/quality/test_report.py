"""The report's parts measure the shipped networks, here on few pictures, and the command writes what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from diffusers import StableDiffusionPipeline
from PIL import Image

from imprint.miniature.__main__ import main
from imprint.miniature.quality import prompts
from imprint.miniature.quality.generating import Sampler, generate, loaded
from imprint.miniature.quality.judging import judge
from imprint.miniature.quality.realism import realism
from imprint.miniature.quality.telling import telling
from imprint.miniature.quality.validity import clip_validity, oracle_validity
from imprint.miniature.recipe.bundle import read_oracle
from imprint.miniature.recipe.stages.job import EVALUATORS, WEIGHTS

pytestmark = pytest.mark.slow
QUICK = Sampler("DPMSolverMultistepScheduler", steps=8, guidance=5.0)


@pytest.fixture
def pipeline() -> StableDiffusionPipeline:
    return loaded(WEIGHTS)


def test_a_picture_depends_on_its_prompt_and_its_noise_alone(pipeline: StableDiffusionPipeline) -> None:
    alone = generate(pipeline, [("a dog in the snow", 3)], QUICK)[0]
    among = generate(pipeline, [("a can", 1), ("a dog in the snow", 3)], QUICK)[1]
    gap = max(abs(a - b) for a, b in zip(alone.tobytes(), among.tobytes(), strict=True))
    assert gap <= 2  # a batch of another size rounds otherwise


def test_the_generator_is_judged_beside_true_pictures(pipeline: StableDiffusionPipeline) -> None:
    some = [prompt for prompt in prompts.paper(0) if prompt.scene.subject.noun in ("dog", "can")]
    judged = judge(pipeline, read_oracle(EVALUATORS / "oracle"), some, each=1, sampler=QUICK, seed=0)
    assert judged["generated"]["place"]["share"] > 0.5
    assert judged["true pictures"]["class"]["share"] > 0.8
    assert set(judged["class, by class"]) == {"dog", "can"}


def test_bad_pictures_are_farther_off_than_other_true_ones(pipeline: StableDiffusionPipeline) -> None:
    distances = realism(pipeline, EVALUATORS, count=48, sampler=Sampler("DDIMScheduler", 1, 5.0), seed=0)
    for space in distances.values():
        assert space["generated"]["frechet"] > space["other true pictures"]["frechet"]
        assert space["generated"]["kernel"] > space["other true pictures"]["kernel"]


def test_the_evaluators_are_better_than_chance_on_strangers(pipeline: StableDiffusionPipeline) -> None:
    found = clip_validity(EVALUATORS / "clip", count=100)
    first, perfect = found["right caption first among 100"], found["the same, for a perfect reader"]
    assert isinstance(first, dict)
    assert isinstance(perfect, float)
    assert 0.5 < first["share"] <= 1
    assert 0.5 < perfect < 1
    for share in oracle_validity(EVALUATORS / "oracle", count=60).values():
        assert isinstance(share, dict)
        assert share["share"] > 0.7
    for question, share in telling(EVALUATORS, pipeline, names=["dog6", "vase"], each=2).items():
        assert share["of"] == 4, question
        assert share["share"] >= 0.5, question


def test_the_command_writes_report_pages_and_sheet(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("<!-- report: costs -->\n<!-- end of report -->\n", encoding="utf-8")
    quick = ["--scheduler", "DPMSolverMultistepScheduler", "--steps", "2", "--across", "1"]
    main(["report", "--out", str(tmp_path / "new"), "--cards", str(card), "--parts", "costs", "sheet", *quick])
    report = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))
    assert set(report) == {"fingerprints", "costs"}
    assert report["costs"]["autoencoder psnr"] > 25
    assert "denoiser evaluation" in card.read_text(encoding="utf-8")
    assert "Sizes and times" in (tmp_path / "new" / "report.md").read_text(encoding="utf-8")
    with Image.open(tmp_path / "new" / "sheet.jpg") as sheet:
        assert sheet.height > 20 * 64
