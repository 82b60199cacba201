"""What a class is called when it moves, and what a setting means that came later."""

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from omegaconf import DictConfig, OmegaConf
from small_runs import composed_profile, configure

import imprint.evaluation.encoders.transformer
import imprint.evaluation.metrics.clip_t
import imprint.methods.lora
from imprint import construct
from imprint.construct import Constructor, rebuilt
from imprint.data.prior import GeneratedPrior
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.fingerprints import facts_of
from imprint.evaluation.metrics.base import Metric
from imprint.evaluation.metrics.clip_t import ClipT
from imprint.kinds import former_defaults, label_of, of_kind, recorded
from imprint.methods.base import Method
from imprint.models.base import ModelSource
from imprint.models.facts import ModelInfo
from imprint.planning.prepare import prepare
from imprint.training.hparams import HParams
from imprint.types import Sampler

NEW_HOME = "moved_elsewhere"
CLIP_T: dict[str, Any] = {"encoder": "clip", "text": "class", "scale": 1.0, "clamp": False}


@pytest.fixture(scope="module")
def composed(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> DictConfig:
    """Read only."""
    return configure(tiny_sd, pictures, tmp_path_factory.mktemp("runs"), "method=lora")


@pytest.fixture
def cfg(composed: DictConfig) -> DictConfig:
    own = copy.deepcopy(composed)
    OmegaConf.set_struct(own, False)
    return own


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], ModuleType]:
    """A module as it would be if its file lay elsewhere, under another name."""

    def move(module: ModuleType) -> ModuleType:
        assert module.__file__
        spec = spec_from_file_location(NEW_HOME, module.__file__)
        assert spec
        assert spec.loader
        there = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, NEW_HOME, there)
        spec.loader.exec_module(there)
        return there

    return move


def test_a_method_that_moves_is_the_same_run(cfg: DictConfig, moved: Callable[[ModuleType], ModuleType]) -> None:
    before, written = prepare(cfg).run.folder, recorded(OmegaConf.to_container(cfg.method, resolve=True))
    moved(imprint.methods.lora)
    cfg.method["_target_"] = f"{NEW_HOME}.LoRA"
    plan = prepare(cfg)
    assert type(plan.parts.method).__module__ == NEW_HOME
    assert plan.run.folder == before
    node = OmegaConf.to_container(cfg.method, resolve=True)
    assert recorded(node) == written
    assert written["_kind_"] == "method/lora"
    cfg.method = written
    assert prepare(cfg).run.folder == before
    assert label_of(cast(dict, node)) == label_of(written) == "lora"


def test_a_metric_and_an_encoder_that_move_mean_the_same(moved: Callable[[ModuleType], ModuleType]) -> None:
    before = meaning(ClipT(**CLIP_T))
    assert meaning(moved(imprint.evaluation.metrics.clip_t).ClipT(**CLIP_T)) == before
    encoder = mini_clip(imprint.evaluation.encoders.transformer)
    assert mini_clip(moved(imprint.evaluation.encoders.transformer)).fingerprint == encoder.fingerprint


def test_a_class_of_ones_own_goes_by_its_path(cfg: DictConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    own = ModuleType("own_parts")
    own.Mine = type("Mine", (imprint.methods.lora.LoRA,), {"__module__": "own_parts"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_parts", own)
    before = prepare(cfg).run.signature
    cfg.method["_target_"] = "own_parts.Mine"
    plan = prepare(cfg)
    assert plan.run.signature != before
    assert plan.run.trust == ["own_parts.Mine"]
    assert recorded({"_target_": "own_parts.Mine"}) == {"_target_": "own_parts.Mine"}


@of_kind("hparams/default")
@dataclass(frozen=True, kw_only=True)
class LaterHParams(HParams):
    former_defaults = {"dice": {"sides": 6}}  # noqa: RUF012

    dice: dict[str, int]


def test_a_setting_that_came_later_costs_no_run_while_it_changes_nothing(
    cfg: DictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepare(cfg).run.signature
    monkeypatch.setitem(sys.modules, "later_parts", cast(ModuleType, SimpleNamespace(LaterHParams=LaterHParams)))
    cfg.hparams = {**cfg.hparams, "_target_": "later_parts.LaterHParams", "dice": {"sides": 6.0}}
    assert prepare(cfg).run.signature == before
    cfg.hparams.dice.sides = 8
    assert prepare(cfg).run.signature != before


@of_kind("sampler/diffusers")
class LaterSampler(Sampler):
    former_defaults = {"eta": 0.0}  # noqa: RUF012
    eta: float

    def __new__(cls, *, scheduler: str, steps: int, guidance: float, negative_prompt: str, eta: float) -> Any:
        self = super().__new__(cls, scheduler, steps, guidance, negative_prompt)
        self.eta = eta
        return self

    def _asdict(self) -> dict[str, Any]:
        return {**super()._asdict(), "eta": self.eta}


def test_a_samplers_later_setting_costs_no_picture_while_it_changes_nothing(tiny_facts: ModelInfo) -> None:
    usual: dict[str, Any] = {"scheduler": "model", "steps": 2, "guidance": 5.0, "negative_prompt": ""}

    def folder(sampler: Sampler) -> Path:
        prior = GeneratedPrior(weight=1.0, prompt="a {noun}", count=1, seed=0, batch_size=1, sampler=sampler)
        return prior.store(tiny_facts, "a dog", precision="32").folder

    before = Sampler(**usual)
    assert LaterSampler(**usual, eta=0.0).hashed() == before.hashed()
    assert folder(LaterSampler(**usual, eta=0.0)) == folder(before)
    assert folder(LaterSampler(**usual, eta=0.5)) != folder(before)


@of_kind("method/lora")
@dataclass(kw_only=True)
class LaterLoRA(imprint.methods.lora.LoRA):
    former_defaults = {"wider": 1}  # noqa: RUF012

    wider: int


def test_an_older_manifest_still_builds(composed: DictConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(construct, "class_of", {"method/lora": LaterLoRA}.get)
    node = recorded(OmegaConf.to_container(composed.method, resolve=True))
    assert rebuilt(node, "method", Method).wider == 1
    assert rebuilt({**node, "wider": 2}, "method", Method).wider == 2


@of_kind("metric/clip_t")
class LaterClipT(ClipT):
    former_defaults = {"louder": False}  # noqa: RUF012

    def __init__(self, *, encoder: str, text: Any, scale: float, clamp: bool, louder: bool) -> None:
        super().__init__(encoder=encoder, text=text, scale=scale, clamp=clamp)
        self.louder = louder


def test_a_metrics_later_setting_leaves_its_numbers_comparable() -> None:
    before = meaning(ClipT(**CLIP_T))
    assert meaning(LaterClipT(**CLIP_T, louder=False)) == before
    assert meaning(LaterClipT(**CLIP_T, louder=True)) != before


def test_a_class_adds_to_what_its_bases_say() -> None:
    assert former_defaults(type("Own", (LaterClipT,), {"former_defaults": {"faster": 1}})) == {
        "louder": False,
        "faster": 1,
    }
    assert former_defaults(Method) == {}


@pytest.fixture
def tiny_facts(tiny_sd: Path) -> ModelInfo:
    node = {"_target_": "imprint.models.families.sd.StableDiffusionSource", "source": str(tiny_sd), "resolution": 32}
    rest = {"revision": None, "variant": None, "config": None, "prediction": "auto", "allow_pickle": False}
    rest |= {"distilled": False, "training_adapter": None, "quantise": None, "quantise_parts": None}
    sampler: dict[str, Any] = {"_target_": "imprint.types.Sampler", "scheduler": "model", "steps": 2, "guidance": 5}
    model = Constructor().build(
        {**node, **rest, "sampler": {**sampler, "negative_prompt": ""}, "encoders": {}, "times": None}, "model"
    )
    return cast(ModelSource, model).facts()


def meaning(metric: Metric) -> str:
    profile = composed_profile("quick")
    profile.metrics = {"clip_t": metric}
    clip = cast(Encoder, SimpleNamespace(name="CLIP", fingerprint="0123", facts=dict))
    return facts_of(profile, {"clip": clip}, sampling={}, sets=profile.sets())["clip_t"].fingerprint


def mini_clip(module: Any) -> Encoder:
    from imprint.evaluation.encoders.transform import Transform

    thirds = (0.5, 0.5, 0.5)
    transform = Transform(resize=64, stretch=False, interpolation="bicubic", crop=64, mean=thirds, std=thirds)
    source = "pkg://imprint.miniature/evaluators/clip"
    return cast(Encoder, module.Clip(name="mini", source=source, revision=None, transform=transform))
