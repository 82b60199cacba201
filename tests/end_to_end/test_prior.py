"""A prior from its pictures to the gradient."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from drawing import disturb
from lessons import CPU, Watch, assembled, batches, gradients
from PIL import Image
from small_runs import configure, draw_pictures, metrics, overrides
from tiny import tiny_source

from imprint.models.base import Model
from imprint.models.families.sd import StableDiffusion
from imprint.training.encoding import encode_captions
from imprint.training.task import Teacher
from imprint.types import Batch
from imprint.verbs.train import train

GENERATED = ["prior=generated", "prior.count=5"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "class_images"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(prompt, seed) of every picture that is drawn."""
    asked: list[tuple[str, int]] = []
    generate = StableDiffusion.generate

    def watched(self: StableDiffusion, prompts, seeds, **rest):
        asked.extend(zip(prompts, seeds, strict=True))
        return generate(self, prompts, seeds, **rest)

    monkeypatch.setattr(StableDiffusion, "generate", watched)
    return asked


def test_class_pictures_are_drawn_once_for_all_runs_that_want_the_same(
    cache: Path, drawn: list, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    def run(*settings: str) -> None:
        assembled(configure(tiny_sd, pictures, tmp_path / "runs", *GENERATED, *settings))

    def folders() -> int:
        return len([entry for entry in cache.iterdir() if entry.is_dir()])

    run()
    assert len(drawn) == len(set(drawn)) == 5
    assert {prompt for prompt, _ in drawn} == {"a dog"}
    for shared in ("prior.batch_size=1", "method.lr=1e-4", "seed=3", "prior.weight=0.5", "prior.count=3"):
        run(shared)
    assert len(drawn) == 5
    run("prior.count=6")
    assert len(drawn) == 6
    assert folders() == 1
    others = ("prior.prompt='{noun}'", "prior.seed=1", "model.sampler.steps=1", "hparams.precision=bf16-mixed")
    for number, other in enumerate((*others, "model.sampler.guidance=2", "model.resolution=40"), start=2):
        run(other)
        assert folders() == number


def test_they_are_drawn_by_the_untuned_model_also_when_a_run_goes_on(
    cache: Path, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    run = train(configure(tiny_sd, pictures, tmp_path, "hparams.steps=2", "method.lr=0.1", *GENERATED))
    before = {file.name: file.read_bytes() for file in cache.glob("*/*.png")}
    assert len(before) == 5
    shutil.rmtree(cache)
    shutil.rmtree(run.folder)
    train(configure(tiny_sd, pictures, tmp_path, "hparams.steps=2", "method.lr=0.2", *GENERATED))
    assert {file.name: file.read_bytes() for file in cache.glob("*/*.png")} == before


def test_every_class_picture_is_seen_and_told_of_by_the_class_prompt(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    settings = ["prior=generated", "prior.count=12", "prior.prompt='a photo of a {noun}'"]
    train(configure(tiny_sd, pictures, tmp_path, "hparams.batch_size=2", *settings))
    seen = watch.samples(prior=True)
    assert len(seen) == len({key for _, key, _ in seen}) == 12
    assert {caption for _, _, caption in seen} == {"a photo of a dog"}
    assert not {key for _, key, _ in seen} & {key for _, key, _ in watch.samples(prior=False)}


def test_a_folder_of_the_class(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: list
) -> None:
    photos = draw_pictures(tmp_path / "class", count=4, size=(60, 40))
    (photos / "0.txt").write_text("the photographer's own words")
    watch = Watch(monkeypatch)
    run = train(configure(tiny_sd, pictures, tmp_path / "runs", "prior=folder", f"prior.path={photos}"))
    seen = watch.samples(prior=True)
    assert len({key for _, key, _ in seen}) == 4
    assert {caption for _, _, caption in seen} == {"a dog"}
    assert all(row["loss/prior"] > 0 for row in metrics(run))
    assert not drawn


@pytest.mark.parametrize("prior", ["generated", "base_prediction"])
def test_the_weight_scales_the_priors_share_of_the_gradient(
    prior: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    count = ["prior.count=5"] if prior == "generated" else []
    found = {}
    for weight in (0.0, 1.0, 0.25):
        settings = ["hparams.batch_size=2", f"prior={prior}", f"prior.weight={weight}", *count]
        module = assembled(configure(tiny_sd, pictures, tmp_path, *settings))
        disturb(module.model.roles["denoiser"])  # at first, the base prediction is met exactly
        found[weight] = gradients(module, next(batches(module)))
    shares = [one - none for one, none in zip(found[1.0], found[0.0], strict=True)]
    assert max(float(share.abs().max()) for share in shares) > 1e-3
    for share, none, quarter in zip(shares, found[0.0], found[0.25], strict=True):
        torch.testing.assert_close(quarter, none + 0.25 * share, rtol=1e-4, atol=1e-6)


class TestBasePrediction:
    """On the class prompt, the untuned model's prediction for the same noisy picture is the target."""

    @pytest.mark.parametrize("model", ["tiny_sd", "tiny_sd_v"])
    @pytest.mark.parametrize("roles", ["[denoiser]", "[denoiser,text]"])
    def test_the_target_is_the_untuned_models_prediction_however_the_weightsdisturb(
        self, model: str, roles: str, request: pytest.FixtureRequest, pictures: Path, tmp_path: Path, monkeypatch
    ) -> None:
        seen: list[tuple[torch.Tensor, ...]] = []
        correct = Teacher.correct

        def watched(self: Teacher, model: Model, target, noisy, t_B, batch: Batch, **rest) -> torch.Tensor:
            corrected = correct(self, model, target, noisy, t_B, batch, **rest)
            seen.append((target, noisy, t_B, corrected))
            return corrected

        monkeypatch.setattr(Teacher, "correct", watched)
        source = request.getfixturevalue(model)
        settings = ["hparams.batch_size=2", "prior=base_prediction", f"method.roles={roles}"]
        module = assembled(configure(source, pictures, tmp_path, *settings))
        for role in ("denoiser", "text"):
            if role in roles:
                disturb(module.model.roles[role])
        batch = next(batches(module))
        module.losses(batch)
        [(target, noisy, t_B, corrected)] = seen
        is_prior_B = batch.prior_mask(CPU)
        assert batch.captions == ["a sks dog"] * 2 + ["a dog"] * 2
        assert torch.equal(corrected[~is_prior_B], target[~is_prior_B])
        untuned = tiny_source(source).load()
        with torch.no_grad():
            told = encode_captions(untuned, ["a dog"] * 2)
            expected = untuned.denoise(noisy[is_prior_B], t_B[is_prior_B], told)
            now = module.model.denoise(noisy[is_prior_B], t_B[is_prior_B], encode_captions(module.model, ["a dog"] * 2))
        torch.testing.assert_close(corrected[is_prior_B], expected, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(now, expected, atol=1e-2)

    def test_prior_samples_show_the_subject_under_the_class_prompt(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watch = Watch(monkeypatch)
        run = train(configure(tiny_sd, pictures, tmp_path, "prior=base_prediction"))
        instance, prior = watch.samples(prior=False), watch.samples(prior=True)
        assert [key for _, key, _ in prior] == [key for _, key, _ in instance]
        assert {caption for _, _, caption in prior} == {"a dog"}
        shares = [row.get("loss/prior", 0.0) for row in metrics(run)]
        assert shares[0] == pytest.approx(0.0, abs=1e-9)  # the model agrees with itself
        assert min(shares[1:]) > 1e-6

    @pytest.mark.parametrize(("method", "copied"), [("dreambooth", "all"), ("lora", "none")])
    def test_it_is_neither_trained_nor_kept_in_a_checkpoint_nor_a_second_network_where_adapters_learn(
        self, method: str, copied: str, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        cfg = configure(tiny_sd, pictures, tmp_path, "prior=base_prediction", f"method={method}")
        module = assembled(cfg)
        teacher = module.task.teacher
        assert teacher is not None
        assert not any(parameter.requires_grad for parameter in teacher.parameters())
        own = {parameter.data_ptr() for parameter in module.parameters()}
        theirs = {parameter.data_ptr() for parameter in teacher.parameters()}
        assert own & theirs == (set() if copied == "all" else theirs)
        assert not any("teacher" in name for name in module.state_dict())


@pytest.mark.slow
def test_two_programs_that_ask_at_once_draw_each_picture_once(
    cache: Path, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    count = 60
    settings = ["prior=generated", f"prior.count={count}", "prior.batch_size=1", "model.sampler.steps=6"]
    programs = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "imprint.cli",
                "train",
                *overrides(tiny_sd, pictures, tmp_path / "runs", *settings, f"seed={seed}"),
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=dict(os.environ),
        )
        for seed in (1, 2)
    ]
    said = [program.communicate(timeout=300)[1] for program in programs]
    assert [program.returncode for program in programs] == [0, 0], said
    drawn = [int(number) for text in said for number in re.findall(r"(\d+) of them drawn now", text)]
    assert sum(drawn) == count, said
    files = sorted(cache.glob("*/*.png"))
    assert len(files) == count
    for file in files:
        Image.open(file).load()
