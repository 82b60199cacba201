"""Stable Diffusion XL from configuration to files: what it learns opens in other programs, and comes back."""

from pathlib import Path

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from drawing import distance, stock
from lessons import CPU, assembled, batches
from results import CLOSE, by_the_library, drawn, exported, merged, with_lora
from rounding import near_tensors
from safetensors import safe_open
from safetensors.torch import load_file
from small_runs import SETTINGS, configure, draw_masks, draw_pictures, metrics
from tiny import RESOLUTION
from tiny_sdxl import WIDTHS

from imprint.config import compose
from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.runs import Run
from imprint.training.encoding import sample_latents
from imprint.verbs.adopt import adopt
from imprint.verbs.evaluate import evaluate
from imprint.verbs.grid import grid as draw_grid
from imprint.verbs.train import train

ALL = "method.roles=[denoiser,text,text_2]"
FAST = ("hparams.clip=null", "hparams.steps=4")
LEARNERS = {
    "lora": ["method=lora", ALL, "method.lr=2e-2", "method.alpha=1", "method.by_role={text_2:{rank:2,alpha:4}}"],
    "everywhere": ["method=lora", "method.lr=2e-2", "method.targets=[attention,feed_forward,convolutions]"],
    "loha": ["method=loha", ALL, "method.lr=1e-1", "method.rank=2"],
    "word": ["method=textual_inversion", "dataset.identifier=auto", "method.lr=2e-1", "method.vectors=2"],
    "dreambooth": ["method=dreambooth", ALL, "method.lr=1e-3"],
}


@pytest.fixture(scope="module")
def runs(tiny_sdxl: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: train(configure(tiny_sdxl, pictures, folder, *FAST, *settings)) for name, settings in LEARNERS.items()
    }


def adopted(model: Path, pictures: Path, outputs: Path, file: Path, *settings: str) -> Run:
    fixed = [f"files=[{file}]", "model=sdxl", f"model.source={model}", f"model.resolution={RESOLUTION}"]
    fixed += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", f"outputs={outputs}"]
    return adopt(compose("adopt", [*fixed, *settings]))


def test_a_loss_is_the_one_that_a_few_lines_compute(tiny_sdxl: Path, pictures: Path, tmp_path: Path) -> None:
    """From the stock pipeline's own parts: moments, noise process, texts and time ids."""
    settings = ["hparams.batch_size=2", "dataset.crop=random", "dataset.flip=true", "dataset.caption_dropout=0.5"]
    module = assembled(configure(tiny_sdxl, pictures, tmp_path, *settings))
    pipeline = stock(tiny_sdxl)
    seen = 0
    for batch, _ in zip(batches(module), range(4), strict=False):
        objective, seed = module.task.objective, module.task.seed
        noise = objective.sample_noise(seed, batch.ids, (4, 8, 8))
        t_B = objective.sample_timesteps(seed, batch.ids, module.model.process, (4, 8, 8))
        with torch.no_grad():
            latents = 0.13025 * pipeline.vae.encode(batch.pixels_BCHW).latent_dist.mean
            drawn_latents = module.model.encode(batch.pixels_BCHW)
            torch.testing.assert_close(drawn_latents.mean_BCHW, latents)
        latents = sample_latents(module.model, batch, module.latents, seed=seed, device=CPU)
        train_noise = EulerDiscreteScheduler.from_config(pipeline.scheduler.config).alphas_cumprod[t_B][
            :, None, None, None
        ]
        noisy = train_noise.sqrt() * latents + (1 - train_noise).sqrt() * noise
        with torch.no_grad():
            tokens, zeros, summary, zero_summary = pipeline.encode_prompt(
                batch.captions, device="cpu", do_classifier_free_guidance=True
            )
            dropped = torch.tensor([not caption for caption in batch.captions])
            time_ids = torch.tensor([[*g.original, *g.crop, *g.target] for g in batch.geometry], dtype=torch.float32)
            prediction = pipeline.unet(
                noisy,
                t_B,
                encoder_hidden_states=torch.where(dropped[:, None, None], zeros, tokens),
                added_cond_kwargs={
                    "text_embeds": torch.where(dropped[:, None], zero_summary, summary),
                    "time_ids": time_ids,
                },
            ).sample
        expected = (prediction - noise).square().mean()
        assert near_tensors([module.losses(batch).total.detach()], [expected])
        seen += int(dropped.sum())
    assert seen  # captions that were dropped are among them


@pytest.mark.parametrize("name", ["lora", "everywhere"])
def test_the_stock_pipeline_loads_a_lora_in_both_forms(
    name: str, runs: dict[str, Run], tiny_sdxl: Path, tmp_path: Path
) -> None:
    ours = drawn([runs[name]], tmp_path / "ours")
    assert distance(ours, by_the_library(stock(tiny_sdxl))) > 5 * CLOSE  # otherwise this would prove nothing
    assert distance(ours, by_the_library(with_lora(tiny_sdxl, runs[name].result))) <= CLOSE
    file = exported(runs[name], tmp_path / "kohya.safetensors", "format=kohya")
    assert distance(ours, by_the_library(with_lora(tiny_sdxl, file))) <= CLOSE


def test_kohyas_names_are_the_original_programs(runs: dict[str, Run], tmp_path: Path) -> None:
    file = exported(runs["lora"], tmp_path / "kohya.safetensors", "format=kohya")
    layers = {key.partition(".")[0] for key in load_file(file)}
    assert "lora_unet_input_blocks_3_1_transformer_blocks_1_attn2_to_k" in layers
    assert "lora_te1_text_model_encoder_layers_0_self_attn_q_proj" in layers
    assert "lora_te2_text_model_encoder_layers_2_self_attn_out_proj" in layers
    with safe_open(file, framework="pt") as content:
        about = content.metadata()
    assert about["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert about["ss_base_model_version"] == "sdxl_base_v1-0"


@pytest.mark.parametrize("format", ["kohya", "lora"])
def test_an_adopted_lora_draws_what_it_drew(
    format: str, runs: dict[str, Run], tiny_sdxl: Path, pictures: Path, tmp_path: Path
) -> None:
    file = exported(runs["lora"], tmp_path / "one.safetensors", f"format={format}")
    run = adopted(tiny_sdxl, pictures, tmp_path / "runs", file)
    assert run.read().adopted[0]["matched"] == len(load_file(file))
    assert distance(drawn([run], tmp_path / "a"), drawn([runs["lora"]], tmp_path / "b")) <= CLOSE


def test_a_part_of_a_loha_is_adopted_from_its_folder(
    runs: dict[str, Run], tiny_sdxl: Path, pictures: Path, tmp_path: Path
) -> None:
    """Its names do not say which text encoder they mean; the folder does."""
    file = runs["loha"].result / "text_encoder_2" / "adapter_model.safetensors"
    run = adopted(tiny_sdxl, pictures, tmp_path / "runs", file)
    assert set(run.read().trained_parameters) == {"text_2"}
    loose = tmp_path / "adapter_model.safetensors"
    loose.write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="0 of its"):
        adopted(tiny_sdxl, pictures, tmp_path / "others", loose)


def test_a_lora_of_stable_diffusion_is_refused(
    runs: dict[str, Run], tiny_sd: Path, tiny_sdxl: Path, pictures: Path, tmp_path: Path
) -> None:
    other = train(configure(tiny_sd, pictures, tmp_path, *FAST, "method=lora", "method.roles=[text]"))
    file = exported(other, tmp_path / "sd.safetensors", "format=kohya", "dtype=float32")
    with pytest.raises(UserError, match=r"0 of its.*those of Stable Diffusion 1\.x and 2\.x"):
        adopted(tiny_sdxl, pictures, tmp_path / "runs", file)


def test_a_word_is_a_file_of_two_vectors_that_opens_elsewhere_and_comes_back(
    runs: dict[str, Run], tiny_sdxl: Path, pictures: Path, tmp_path: Path
) -> None:
    run = runs["word"]
    stored = load_file(run.result / "learned_embeds.safetensors")
    assert {name: tuple(rows.shape) for name, rows in stored.items()} == {n: (2, width) for n, width in WIDTHS.items()}
    file = exported(run, tmp_path / "toy.safetensors", "format=embedding")
    assert load_file(file).keys() == WIDTHS.keys()
    again = adopted(tiny_sdxl, pictures, tmp_path / "runs", file, "dataset.identifier='<toy>'")
    ours = drawn([run], tmp_path / "a", "prompt=['a {identifier}']")
    assert distance(ours, drawn([again], tmp_path / "b", "prompt=['a {identifier}']")) <= CLOSE


def test_a_whole_model_goes_out_in_every_form(runs: dict[str, Run], tiny_sdxl: Path, tmp_path: Path) -> None:
    ours = drawn([runs["dreambooth"]], tmp_path / "ours")
    assert distance(ours, by_the_library(stock(runs["dreambooth"].result))) <= CLOSE
    pipeline = stock(exported(runs["dreambooth"], tmp_path / "pipeline", "format=pipeline"))
    assert distance(ours, by_the_library(pipeline)) <= CLOSE
    lora = exported(runs["dreambooth"], tmp_path / "as_lora.safetensors", "format=kohya", "rank=16")
    near = by_the_library(with_lora(tiny_sdxl, lora))
    assert distance(near, ours) < distance(near, by_the_library(stock(tiny_sdxl)))


def test_several_results_in_one_model(runs: dict[str, Run], tiny_sdxl: Path, tmp_path: Path) -> None:
    both = [runs["lora"], runs["everywhere"]]
    file = merged(both, tmp_path / "both.safetensors", "weights=[1,0.5]")
    ours = drawn(both, tmp_path / "ours", "weights=[1,0.5]")
    assert distance(ours, by_the_library(with_lora(tiny_sdxl, file))) <= CLOSE


def test_two_subjects_with_masks_and_buckets_beside_generated_pictures_and_their_scores(
    tiny_sdxl: Path, pictures: Path, tmp_path: Path
) -> None:
    """What the data brings meets the family: subjects, masks, rectangles, a prior, and what judges the result."""
    cats = draw_masks(draw_pictures(tmp_path / "cats", count=2, size=(56, 32)))
    key = "dataset.subjects"
    settings = [f"+dataset@{key}.a=folder", f"{key}.a.path={pictures}", f"{key}.a.class_noun=dog"]
    settings += [f"+dataset@{key}.b=folder", f"{key}.b.path={cats}", f"{key}.b.class_noun=cat"]
    settings += [f"{key}.a.identifier=sks", f"{key}.b.identifier=ktn"]
    settings += [f"{key}.{name}.crop=buckets" for name in "ab"]
    plain = [each for each in SETTINGS if not each.startswith("dataset")]
    places = [f"model.source={tiny_sdxl}", f"outputs={tmp_path / 'runs'}", "+encoders@model.encoders=mini"]
    prior = ["prior=generated", "prior.count=2", "hparams.batch_size=2"]
    run = train(compose("train", ["model=sdxl", *plain, *places, "dataset=joint", *settings, *prior, "method=lora"]))
    assert all(row["loss/prior"] > 0 for row in metrics(run))
    images = ["evaluation.pictures.subject.images=1", "evaluation.rows=[prompt_only]", "accelerator=cpu"]
    evaluate(compose("evaluate", [f"run={run.folder}", "evaluation=oft", *images]))
    sheets = [ScoreSheet.read(file) for file in sorted((run.folder / "scores").rglob("*.json"))]
    assert sheets
    assert all({"tuned", "prompt_only"} <= sheet.rows.keys() for sheet in sheets)


def test_each_text_encoder_has_a_strength(runs: dict[str, Run], tmp_path: Path) -> None:
    whole, off, first, second = (
        drawn([runs["lora"]], tmp_path / name, "scale.denoiser=0", *settings)
        for name, settings in {
            "whole": [],
            "off": ["scale.text=0"],
            "first": ["scale.text=0", "scale.text_2=1"],
            "second": ["scale.text_2=0"],
        }.items()
    )
    assert len({str(distance(whole, other)) for other in (off, first, second)} - {"0"}) >= 1
    assert min(distance(one, off) for one in (whole, first, second)) > 0
    assert distance(first, second) > 0


def test_a_grid_along_the_strengths_of_two_encoders(runs: dict[str, Run], tmp_path: Path) -> None:
    axes = ["x.key=scale.text", "x.values=[0,1]", "y.key=scale.text_2", "y.values=[0,1]"]
    fixed = ["scheduler=model", "steps=2", "accelerator=cpu", "seeds=[0]", f"outputs={tmp_path}"]
    draw_grid(compose("grid", [f"run={runs['lora'].folder}", *axes, *fixed]))
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4
