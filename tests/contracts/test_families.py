"""What every family of flows keeps to: it draws, reads texts and learns as the library's own parts do."""

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from drawing import PROMPTS, ROUNDING, SEEDS, distance, draw, stock
from families import FAMILIES, choice_of, forms_of, mend
from lessons import CPU, assembled, batches
from PIL import Image
from results import CLOSE, drawn, with_lora
from results import by_the_library as with_guidance
from rounding import near_tensors
from safetensors.torch import load_file
from small_runs import configure
from tiny import RESOLUTION
from tiny_family import Guided
from torch import nn

from imprint.config import compose
from imprint.errors import UserError
from imprint.models.pipeline import PipelineModel
from imprint.training.encoding import sample_latents
from imprint.types import Sampler
from imprint.verbs.adopt import adopt
from imprint.verbs.train import train

FLOWS = {choice: own for choice, own in FAMILIES.items() if own.velocity}
GUIDED = [(choice, name) for choice, own in FLOWS.items() for name in own.guided]
MISFITS = [(choice, *place) for choice, own in FLOWS.items() for place in own.misfits]
STEPS = 3
UNLIKE = (*PROMPTS, "dog")  # of several lengths

Made = Callable[[str, str], tuple[Path, PipelineModel]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A folder and the model in it, for a sense of guidance. Read only."""
    folder = tmp_path_factory.mktemp("guided")

    @functools.cache
    def make(choice: str, name: str) -> tuple[Path, PipelineModel]:
        own = FLOWS[choice]
        written = own.pipeline(folder / f"{choice} {name}", **own.guided[name].made)
        return written, own.source(written).load()

    return make


def by_the_library(
    choice: str, folder: Path, guided: Guided, *, height: int = RESOLUTION, width: int = RESOLUTION
) -> list[Image.Image]:
    """One at a time, as it draws what a batch must equal."""
    pipeline = stock(folder)
    mend(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    told = {"num_inference_steps": STEPS, "height": height, "width": width, **FLOWS[choice].drawing, **guided.told}
    return [
        pipeline(prompt=prompt, generator=torch.Generator().manual_seed(seed), **told).images[0]
        for prompt, seed in zip(PROMPTS, SEEDS, strict=True)
    ]


def sampler_of(guided: Guided) -> Sampler:
    return Sampler("model", STEPS, guided.guidance, guided.negative_prompt)


@pytest.mark.parametrize(("choice", "name"), GUIDED)
def test_pictures_are_those_of_the_stock_pipeline(choice: str, name: str, made: Made) -> None:
    folder, model = made(choice, name)
    guided = FLOWS[choice].guided[name]
    for height, width in ((RESOLUTION, RESOLUTION), (2 * RESOLUTION, RESOLUTION)):
        ours = model.generate(PROMPTS, SEEDS, sampler=sampler_of(guided), height=height, width=width)
        assert distance(ours, by_the_library(choice, folder, guided, height=height, width=width)) <= ROUNDING


@pytest.mark.parametrize(("choice", "name"), GUIDED)
def test_a_picture_depends_on_its_prompt_and_not_on_its_batch(choice: str, name: str, made: Made) -> None:
    _, model = made(choice, name)
    sampler = sampler_of(FLOWS[choice].guided[name])
    alone = [draw(model, sampler, [prompt], [5])[0] for prompt in UNLIKE]
    assert distance(draw(model, sampler, UNLIKE, [5] * len(UNLIKE)), alone) <= ROUNDING
    assert distance(alone[:1], alone[1:2]) > ROUNDING


@pytest.mark.parametrize("choice", FLOWS)
def test_other_samplers_of_flows_draw(choice: str, made: Made) -> None:
    name = next(iter(FLOWS[choice].guided))
    _, model = made(choice, name)
    for scheduler in ("FlowMatchHeunDiscreteScheduler", "UniPCMultistepScheduler"):
        drawn = draw(model, sampler_of(FLOWS[choice].guided[name])._replace(scheduler=scheduler))
        assert all(low < high for low, high in drawn[0].getextrema())


@pytest.mark.parametrize("choice", FLOWS)
def test_a_saved_pipeline_makes_the_same_pictures(choice: str, made: Made, tmp_path: Path) -> None:
    name, guided = next(iter(FLOWS[choice].guided.items()))
    _, model = made(choice, name)
    model.save_pipeline(tmp_path)
    drawn = draw(model, sampler_of(guided))
    assert distance(drawn, draw(FLOWS[choice].source(tmp_path).load(), sampler_of(guided))) == 0
    assert distance(drawn, by_the_library(choice, tmp_path, guided)) <= ROUNDING


@pytest.mark.parametrize("form", [form for choice in FLOWS for form in forms_of(choice)])
def test_a_loss_is_the_one_that_a_few_lines_compute(
    form: str, tiny_folder: Callable[[str], Path], pictures: Path, tmp_path: Path
) -> None:
    """The straight line between latent and noise, and its direction, with the stock pipeline's own parts."""
    folder = tiny_folder(form)
    settings = ["hparams.batch_size=2", "dataset.flip=true", "dataset.caption_dropout=0.5"]
    module = assembled(configure(folder, pictures, tmp_path, *settings))
    velocity = FLOWS[choice_of(folder)].velocity
    assert velocity is not None
    pipeline = stock(folder)
    seen = 0
    for batch, _ in zip(batches(module), range(4), strict=False):
        objective, seed = module.task.objective, module.task.seed
        latents = sample_latents(module.model, batch, module.latents, seed=seed, device=CPU)
        noise = objective.sample_noise(seed, batch.ids, latents.shape[1:])
        s = objective.sample_timesteps(seed, batch.ids, module.model.process, latents.shape[1:])
        share = s[:, None, None, None]
        with torch.no_grad():
            predicted = velocity(pipeline, (1 - share) * latents + share * noise, s, batch.captions)
        expected = (predicted - (noise - latents)).square().mean()
        assert near_tensors([module.losses(batch).total.detach()], [expected])
        seen += sum(not caption for caption in batch.captions)
    assert seen  # captions that were dropped are among them


@pytest.mark.parametrize("choice", FLOWS)
def test_a_lora_on_every_kind_of_layer_opens_in_the_stock_library_and_comes_back_and_draws_on_another_base(
    choice: str, tiny_folder: Callable[[str], Path], pictures: Path, tmp_path: Path
) -> None:
    folder = tiny_folder(choice)
    by_role = FLOWS[choice].source(folder).facts().adapter_kinds
    kinds = dict.fromkeys(kind for own in by_role.values() for kind in own)
    settings = ["method=lora", f"method.roles=[{','.join(by_role)}]", f"method.targets=[{','.join(kinds)}]"]
    fast = ["method.lr=2e-2", "hparams.clip=null", "hparams.steps=4"]
    run = train(configure(folder, pictures, tmp_path / "runs", *settings, *fast))
    ours = drawn([run], tmp_path / "ours", "negative_prompt=''")
    assert distance(ours, with_guidance(stock(folder))) > 5 * CLOSE  # otherwise this would prove nothing
    pipeline = with_lora(folder, run.result)
    assert distance(ours, with_guidance(pipeline)) <= CLOSE
    file = run.result / "pytorch_lora_weights.safetensors"
    parts = (part for part in pipeline.components.values() if isinstance(part, nn.Module))
    loaded = [module for part in parts for module in part.modules() if hasattr(module, "lora_A") and module.lora_A]
    assert len(loaded) == len({name.rpartition(".lora_")[0] for name in load_file(file)})
    of = [f"files=[{file}]", f"model={choice}", f"model.source={folder}", f"model.resolution={RESOLUTION}"]
    of += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", *FLOWS[choice].settings]
    again = adopt(compose("adopt", [*of, f"outputs={tmp_path / 'adopted'}"]))
    assert distance(drawn([again], tmp_path / "again", "negative_prompt=''"), ours) <= CLOSE
    other = FLOWS[choice].pipeline(tmp_path / "distilled", seed=1)
    there = drawn([run], tmp_path / "there", "negative_prompt=''", f"base={other}")
    assert distance(there, with_guidance(with_lora(other, run.result))) <= CLOSE
    assert distance(there, ours) > 5 * CLOSE


@pytest.mark.parametrize(("choice", "part", "key"), MISFITS)
def test_parts_of_different_models_are_refused(
    choice: str, part: str, key: str, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    own = FLOWS[choice]
    folder = shutil.copytree(tiny_folder(choice), tmp_path / "model")
    config = folder / part / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), key: 99}), encoding="utf-8")
    with pytest.raises(UserError, match=own.misfits[part, key]):
        own.source(folder).facts()


@pytest.mark.parametrize("choice", FLOWS)
def test_a_schedule_of_other_noise_is_refused(choice: str, tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
    own = FLOWS[choice]
    with pytest.raises(UserError, match=r"model\.prediction='epsilon': .* predicts flow alone\. Leave it at auto"):
        own.source(tiny_folder(choice), prediction="epsilon").facts()
    folder = shutil.copytree(tiny_folder(choice), tmp_path / "model")
    config = folder / "scheduler" / "scheduler_config.json"
    for changed, reason in (
        (
            {"_class_name": "DDIMScheduler", "prediction_type": "epsilon"},
            "its scheduler, a DDIMScheduler, is one of models that predict epsilon",
        ),
        ({"num_train_timesteps": "many"}, "scheduler_config.json cannot be used"),
    ):
        config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), **changed}), encoding="utf-8")
        with pytest.raises(UserError, match=reason):
            own.source(folder).facts()
        shutil.copy(tiny_folder(choice) / "scheduler" / "scheduler_config.json", config)


@pytest.mark.parametrize("choice", FLOWS)
def test_another_familys_folder_is_refused(choice: str, tiny_sdxl: Path) -> None:
    own = FLOWS[choice]
    with pytest.raises(UserError, match="holds a StableDiffusionXLPipeline. This family needs a "):
        own.source(tiny_sdxl).facts()
