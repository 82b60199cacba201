"""A sweep's points are composed as Hydra composes them, only faster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import composed
import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf

from imprint.composing import Composer
from imprint.config import compose, conf_folder, own_choices_first, register_resolvers
from imprint.overrides import quoted


@pytest.fixture
def composer() -> Iterator[Composer]:
    own_choices_first()
    register_resolvers()
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2("imprint", create_config_search_path(str(conf_folder())))
    config = hydra.compose_config(
        "train", ["hydra.verbose=false"], run_mode=RunMode.MULTIRUN, with_log_configuration=False
    )
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    yield Composer(HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks()), config)
    HydraConfig.instance().cfg = before
    GlobalHydra.instance().clear()


def by_hydra(composer: Composer, overrides: list[str], number: int) -> Any:
    cfg = composer._loader.load_sweep_config(composer.config, overrides)
    OmegaConf.set_struct(cfg, False)
    cfg.hydra.job.update({"id": number, "num": number})
    return cfg


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["seed=3"],
        ["method=lora", "method.rank=16", "seed=1"],
        ["method.rank=16", "method=lora", "dataset=mini/dog6"],
        ["dataset.identifier='a b'", "sweep.question=null", "outputs=some/place"],
        ["sweep.objectives=[dino]", "hparams={steps: 7}"],
        ["experiment=demo", "hparams.steps=2"],
        ["+encoders@model.encoders=mini", "+dataset@dataset.subjects.a=mini/dog6", "dataset=joint", "seed=2"],
        ["+more=1", "seed=2"],
        ["+dataset.more=1", "seed=2"],
        ["~samples", "seed=2"],
        ["~outputs", "seed=2"],
        ["hydra.job.chdir=false", "seed=2"],
    ],
)
def test_a_point_is_what_hydra_composes(composer: Composer, overrides: list[str]) -> None:
    for _ in range(2):  # the second time from what the first one kept
        own = composer.whole(overrides, number=4)
        assert OmegaConf.to_container(own) == OmegaConf.to_container(by_hydra(composer, overrides, 4))


def test_points_have_nothing_in_common(composer: Composer) -> None:
    first = composer.whole(["seed=1"], number=0)
    first.hparams.steps = 77
    assert composer.whole(["seed=2"], number=1).hparams.steps != 77
    assert first.seed == 1


def test_what_cannot_be_set_is_told_as_hydra_tells_it(composer: Composer) -> None:
    with pytest.raises(HydraException, match=r"Could not override 'hparams\.stepz'"):
        composer.whole(["hparams.stepz=1"], number=0)


def test_points_that_differ_in_values_are_composed_once(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    load = composer._loader.load_sweep_config
    monkeypatch.setattr(composer._loader, "load_sweep_config", lambda *args: composed.append(args) or load(*args))
    for seed in range(3):
        composer.point([f"seed={seed}", "method=lora"])
    assert len(composed) == 1


def test_a_point_without_hydras_part_is_closed(composer: Composer, tmp_path: Path) -> None:
    cfg = composer.point(["seed=1", f"outputs={tmp_path}"])
    assert "hydra" not in cfg
    assert OmegaConf.is_struct(cfg)
    assert OmegaConf.to_container(cfg)["name"] == cfg.name


@pytest.mark.parametrize(
    "text",
    ["dog6", "stuffed animal", "true", "007", "it's", "a\\b", "end\\", "a\\'b", "{x}, [y]", "ümlaut", "-dash", ""],
)
def test_a_quoted_text_is_read_as_it_was(composer: Composer, text: str) -> None:
    [override] = composer.parse([f"dataset.class_noun={quoted(text)}"])
    assert str(override.value()) == text
    assert not isinstance(override.value(), bool | int)


@pytest.mark.parametrize(
    ("verb", "overrides"),
    [("train", ["method=lora", "seed=3", "+encoders@model.encoders=mini"]), ("generate", ["run=x", "seeds=[3]"])],
)
def test_the_tests_own_configurations_are_those_of_programs(verb: str, overrides: list[str]) -> None:
    for _ in range(2):
        own, running = composed.compose(verb, overrides), HydraConfig.get().overrides.task
        assert OmegaConf.to_container(own) == OmegaConf.to_container(compose(verb, overrides))
        assert running == overrides == HydraConfig.get().overrides.task


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (["dataset=folder", "dataset.path='/photos/My dog/'"], "My_dog"),
        (["dataset=folder", "dataset.path=pictures/rex"], "rex"),
        (["dataset=kohya", "dataset.path=img/10_sks"], "10_sks"),
        (["dataset=hub", "dataset.id=someone/cats"], "cats"),
        (["dataset=mini/cat2"], "cat2"),
    ],
)
def test_a_run_is_named_by_its_subject(settings: list[str], name: str) -> None:
    assert compose("train", [*settings, "method=lora"]).name == f"{name}-lora-mini"
