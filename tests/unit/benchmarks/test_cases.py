"""Cases: what is compared, and that both sides are asked for the same."""

import fnmatch
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from composed import compose

from imprint.planning.prepare import prepare

Module = Callable[[str], Any]


def test_imprint_comes_first_and_someone_else_second(module: Module, tmp_path: Path) -> None:
    for peer, other in ((tmp_path, "peer"), (None, "plain")):
        cases = module("cases").every_case(peer)
        assert all(next(iter(case.sides)) == "imprint" for case in cases.values())
        assert {"imprint", other} == set(cases["step-mini-lora"].sides)
        for pattern in module("cases").SHORT:
            assert fnmatch.filter(cases, pattern)


@pytest.mark.parametrize("method", ["dreambooth", "lora", "textual_inversion"])
@pytest.mark.parametrize("prior", ["none", "found", "drawn"])
def test_the_task_is_the_configuration(
    method: str, prior: str, tiny_sd: Path, pictures: Path, tmp_path: Path, module: Module
) -> None:
    task = module("task")
    material = task.Material(
        size="tiny", resolution=32, model=tiny_sd, weights="", pictures=pictures, class_pictures=pictures, noun="vase"
    )
    task = task.Task(method=method, steps=7, lr=0.25, batch_size=3, prior=prior, class_count=5, rank=2, seed=9)
    [[program, verb, *overrides]] = module("sides.own").programs([task], material, tmp_path)
    assert (program, verb) == ("imprint", "train")
    cfg = compose("train", overrides)
    prepare(cfg)  # nothing is wrong with it
    assert (cfg.seed, cfg.hparams.steps, cfg.hparams.batch_size, cfg.method.lr) == (9, 7, 3, 0.25)
    assert cfg.model.resolution == 32
    if method == "lora":
        assert (cfg.method.rank, cfg.method.alpha) == (2, 2)
    if prior == "drawn":
        sampler = cfg.prior.sampler
        assert (sampler.scheduler, sampler.steps, sampler.guidance, cfg.prior.count) == ("model", 50, 7.5, 5)
    if prior == "found":
        assert (cfg.prior.path, cfg.prior.weight) == (str(pictures), 1.0)


def test_several_tasks_are_the_points_of_one_grid(tmp_path: Path, module: Module) -> None:
    task = module("task")
    material = task.Material(
        size="tiny", resolution=32, model=tmp_path, weights="", pictures=tmp_path, class_pictures=tmp_path
    )
    tasks = module("cases.training").Points(4).of(task.Task(method="lora", steps=1, lr=0.5))
    assert len({(each.seed, each.lr) for each in tasks}) == 4
    [program] = module("sides.own").programs(tasks, material, tmp_path)
    assert program[:3] == ["imprint", "train", "-m"]
    assert program[-1].count("seed=") == 4
    assert len(module("sides.plain").programs(tasks, material, tmp_path)) == 4


def test_models_and_judges_of_every_size_have_one_vocabulary(tmp_path: Path, module: Module) -> None:
    words = module("models").byte_tokenizer(24)
    assert len(words.encode("dog", add_special_tokens=False)) == 1  # a learned word begins at a single token
    assert len(words.encode("sks", add_special_tokens=False)) == 3
    overrides = module("judges").encoders("tiny", tmp_path / "judges")
    compose("evaluate", ["evaluation=oft", *overrides])


@pytest.mark.parametrize("family", ["sdxl", "flux", "z_image"])
def test_other_families_are_trained_alike(family: str, tmp_path: Path, module: Module) -> None:
    material = module("material").prepare(f"{family}_tiny", tmp_path)
    task = module("task").Task(method="lora", steps=3, lr=0.25, rank=2, peer_caches=True)
    [[_, _, *overrides]] = module("sides.own").programs([task], material, tmp_path / "outputs")
    cfg = compose("train", overrides)
    prepare(cfg)  # nothing is wrong with it
    assert (cfg.method.rank, cfg.method.alpha, cfg.hparams.steps) == (2, 2, 3)
    [[_, script, *options]] = module("sides.peer").programs(tmp_path, [task], material, tmp_path / "outputs")
    assert script.endswith(f"_lora_{family}.py")
    assert "--rank=2" in options
    if family != "sdxl":
        assert {"--lora_alpha=2", "--cache_latents", f"--max_sequence_length={cfg.model.text_tokens}"} <= set(options)


def test_a_family_is_compared_only_where_the_other_side_trains_it(tmp_path: Path, module: Module) -> None:
    of_families = ("step-sdxl-lora", "step-flux-lora", "step-z_image-lora-kept", "grid-sdxl-lora-20")
    assert set(of_families) <= set(module("cases").every_case(tmp_path))
    assert not set(of_families) & set(module("cases").every_case(None))


@pytest.mark.parametrize("size", ["tiny", "sdxl_tiny", "flux_tiny", "z_image_tiny"])
def test_a_floor_is_of_the_denoiser_that_is_trained(size: str, module: Module) -> None:
    floors = module("floors")
    there, back = floors.passes(floors.denoiser(size), module("layouts").LAYOUTS[size].inputs(2), 2, 1)
    assert there > 0
    assert back > 0
