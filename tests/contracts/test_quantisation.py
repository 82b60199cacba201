"""What every quantisation keeps to, on families of both kinds: what is trained beside a frozen base of few bits is the
result that it is anywhere else."""

import functools
import itertools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from command import typed_with
from composed import compose
from diffusers import StableDiffusionPipeline
from drawing import ROUNDING, distance, draw
from families import FAMILIES
from lessons import CPU, assembled, batches
from PIL import Image
from results import CLOSE, by_the_library, drawn, exported, merged, with_lora
from rounding import near
from safetensors.torch import load_file
from small_runs import composed_profile, configure, losses, metrics, only_run, overrides
from torch import nn

from imprint.errors import ConfigError
from imprint.launching.forecast import forecast
from imprint.methods.adapter_layers import layers
from imprint.models.loading import WHOLE
from imprint.models.quantisation import error
from imprint.models.quantisation.base import Quantisation, known_quantisations, quantisation
from imprint.models.quantisation.layer import QuantisedLinear
from imprint.models.quantisation.network import count_weights, quantisable, quantise
from imprint.models.source import PipelineSource
from imprint.planning import quantised_base
from imprint.planning.prepare import prepare
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.scoring.score_sheets import meaning
from imprint.scoring.subject import open_subjects
from imprint.sweeps import Sweep
from imprint.training.callbacks import FiniteLoss
from imprint.training.trainer import TrainerSettings
from imprint.verbs.adopt import adopt
from imprint.verbs.train import train

PARTS: Mapping[str, Sequence[str]] = {"sd": ["denoiser"], "flux": ["denoiser", "text_2"]}
BITS = {"nf4": 4.6, "int8": 10, "float8": 10}  # of a weight, in layers so small that scales take a part
LEARN = ["method=lora", "method.rank=2", "hparams.steps=4"]
LESSONS = {
    "lora": [*LEARN, "method.roles=[denoiser,text]"],
    "dora": [*LEARN, "method.use_dora=true"],
    "rslora": [*LEARN, "method.use_rslora=true"],
    "dropout": [*LEARN, "method.dropout=0.3"],
    "dylora": ["method=dylora", "method.rank=2", "hparams.steps=4"],
    "loha": ["method=loha", "method.rank=2", "hparams.steps=4"],
    "lokr": ["method=lokr", "method.rank=2", "hparams.steps=4"],
    "word": ["method=textual_inversion", "dataset.identifier='<new>'", "hparams.steps=4"],
    "pivotal": ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "hparams.steps=4"],
    "teacher": [*LEARN, "prior=base_prediction", "method.roles=[denoiser,text]"],
    "prior": [*LEARN, "prior=generated", "prior.count=2"],
}
RATES = {"pivotal": ["method.network.lr=0.05"]}
ONCE = "Comparing the quantised model with the one that it stands for; this is done once."
WHOLE_NETWORKS = {
    "dreambooth": ["method=dreambooth"],
    "custom_diffusion": ["method=custom_diffusion", "dataset.identifier='<new>'"],
    "pivotal": ["method=pivotal", "method@method.network=dreambooth", "dataset.identifier=auto"],
}


class Taught(NamedTuple):
    choice: str
    name: str
    model: Path
    run: Run


def quantised(choice: str, name: str) -> list[str]:
    found = quantisation(name)
    assert found is not None
    if found.package is not None:
        pytest.importorskip(found.package)
    return [f"model.quantise={name}", f"model.quantise_parts=[{','.join(PARTS[choice])}]"]


def source_of(choice: str, folder: Path, name: str | None) -> PipelineSource:
    return FAMILIES[choice].source(folder, quantise=name, quantise_parts=list(PARTS[choice]))


def quantised_layers(network: nn.Module) -> dict[str, QuantisedLinear]:
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, QuantisedLinear)}


Teach = Callable[[str, str], Taught]


@pytest.fixture(scope="module")
def teach(tiny_folder: Callable[[str], Path], pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Teach:
    @functools.cache
    def run(choice: str, name: str) -> Taught:
        model = tiny_folder(choice)
        outputs = tmp_path_factory.mktemp(f"{choice}-{name}")
        return Taught(choice, name, model, train(configure(model, pictures, outputs, *LEARN, *quantised(choice, name))))

    return run


@pytest.fixture(params=[(choice, name) for choice in PARTS for name in known_quantisations()], ids="-".join)
def taught(request: pytest.FixtureRequest, teach: Teach) -> Taught:
    return teach(*request.param)


def test_only_adapters_learn_and_the_bytes_stay(taught: Taught, pictures: Path, tmp_path: Path) -> None:
    module = assembled(configure(taught.model, pictures, tmp_path, *LEARN, *quantised(taught.choice, taught.name)))
    denoiser = module.model.roles["denoiser"]
    before = {name: weight.clone() for name, weight in denoiser.named_parameters() if not weight.requires_grad}
    module.losses(next(iter(batches(module)))).total.backward()
    learning = [weight for layer in layers(denoiser).values() for weight in layer.parameters() if weight.requires_grad]
    assert {id(weight) for weight in learning} == {id(weight) for weight in module.trained()}
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in learning)
    assert any(weight.grad is not None and weight.grad.any() for weight in learning)
    assert all(torch.equal(weight, before[name]) for name, weight in denoiser.named_parameters() if name in before)
    assert quantised_layers(denoiser)


def test_weights_take_the_bytes_of_their_type_and_are_counted_as_they_were(taught: Taught) -> None:
    plain, own = (source_of(taught.choice, taught.model, name).load() for name in (None, taught.name))
    assert count_weights(own) == count_weights(plain)
    for role in PARTS[taught.choice]:
        layers = quantised_layers(own.roles[role])
        assert set(layers) == {name for name, _ in quantisable(plain.roles[role])}
        counted = sum(layer.in_features * layer.out_features for layer in layers.values())
        taken = sum(tensor.nbytes for layer in layers.values() for tensor in layer.packed.values())
        assert 8 * taken < BITS[taught.name] * counted
        found = quantisation(taught.name)
        assert found is not None
        assert taken == sum(found.bytes_of(layer.out_features, layer.in_features) for layer in layers.values())
    untouched = [role for role in own.roles if role not in PARTS[taught.choice]]
    assert not any(quantised_layers(own.roles[role]) for role in untouched)


def test_the_first_loss_is_within_the_error_that_is_told(taught: Taught, pictures: Path, tmp_path: Path) -> None:
    plain = train(configure(taught.model, pictures, tmp_path, *LEARN, "hparams.steps=1"))
    measured = error.output_error(source_of(taught.choice, taught.model, taught.name), CPU)
    difference = abs(losses(taught.run)[0] / losses(plain)[0] - 1)
    # |p' - t|^2 / |p - t|^2 with |p' - p| = e |p|, where a prediction is about as large as its error
    assert difference < 3 * measured.prediction + measured.prediction**2
    assert measured.prediction > 0
    assert taught.run.folder.name != plain.folder.name


def test_its_result_is_a_lora_for_the_model_as_it_is(taught: Taught, tmp_path: Path) -> None:
    [file] = taught.run.result.glob("*.safetensors")
    assert all(".lora_" in name for name in load_file(file))
    ours = drawn([taught.run], tmp_path / "plain", f"base={taught.model}")
    assert distance(ours, by_the_library(with_lora(taught.model, taught.run.result))) <= CLOSE
    own = drawn([taught.run], tmp_path / "own")
    model = trained_model(taught.run, scale={}).model
    assert quantised_layers(model.roles["denoiser"]), "it is drawn on the base that it was trained on"
    assert distance(ours, own) > 0


def test_after_a_stop_it_goes_on_and_its_checkpoint_holds_no_base(
    taught: Taught, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = configure(taught.model, pictures, tmp_path, *LEARN, *quantised(taught.choice, taught.name))
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", _stop)
        with pytest.raises(Stopped):
            train(cfg)
    state = torch.load(only_run(tmp_path).checkpoint, weights_only=True)["state_dict"]
    assert state
    assert all(".lora_" in name for name in state)
    resumed = train(cfg)
    assert metrics(resumed) == metrics(taught.run)
    [file] = taught.run.result.glob("*.safetensors")
    assert file.read_bytes() == (resumed.result / file.name).read_bytes()


@pytest.mark.parametrize("how", ["trainer.gradient_checkpointing=true", "trainer.keep_parts=needed"])
def test_how_it_is_computed_changes_no_loss(how: str, taught: Taught, pictures: Path, tmp_path: Path) -> None:
    settings = [*LEARN, *quantised(taught.choice, taught.name)]
    run = train(configure(taught.model, pictures, tmp_path, *settings, how))
    assert run.folder.name == taught.run.folder.name
    assert losses(run) == near(losses(taught.run))


def test_its_bytes_are_those_of_the_files_in_whatever_precision_it_computes(
    taught: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model stored in 16 bits, no layer is made in 32 before it is quantised."""
    folder = tmp_path / "half"
    source_of(taught.choice, taught.model, None).load().formats["pipeline"].write(folder, torch.bfloat16)
    read: list[Any] = []
    part = source_of(taught.choice, folder, None).layout.denoiser.type
    from_pretrained = part.from_pretrained

    def watched(*given: Any, **told: Any) -> Any:
        read.append(told["dtype"])
        return from_pretrained(*given, **told)

    monkeypatch.setattr(part, "from_pretrained", watched)
    source = source_of(taught.choice, folder, taught.name)
    full, half = (source.load_as(replace(WHOLE, dtype=dtype)) for dtype in (torch.float32, torch.bfloat16))
    assert read == [torch.bfloat16, torch.bfloat16]
    for role in PARTS[taught.choice]:
        ours, theirs = (quantised_layers(model.roles[role]) for model in (full, half))
        assert all(torch.equal(layer.weight, theirs[name].weight) for name, layer in ours.items())
    loose = [weight for weight in half.roles["denoiser"].parameters() if weight.is_floating_point()]
    assert {weight.dtype for weight in loose} <= {torch.bfloat16, torch.float32}
    assert any(weight.dtype == torch.bfloat16 for weight in loose)


@pytest.mark.parametrize("lesson", LESSONS)
def test_whatever_is_taught_it_learns_what_a_plain_network_of_the_same_weights_does(
    lesson: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*LESSONS[lesson], *quantised("sd", "nf4")]
    run = train(configure(tiny_sd, pictures, tmp_path / "own", *settings))
    with monkeypatch.context() as patch:
        dequantise(patch)
        plain = train(configure(tiny_sd, pictures, tmp_path / "plain", *settings))
        expected = drawn([plain], tmp_path / "expected")
    assert run.folder.name == plain.folder.name
    assert losses(run) == near(losses(plain))
    assert distance(drawn([run], tmp_path / "drawn"), expected) <= ROUNDING


@pytest.mark.parametrize("lesson", ["lora", "dora", "loha", "lokr", "dylora", "pivotal"])
def test_a_strength_is_that_of_adapters_merged_into_the_weights_that_the_bytes_stand_for(
    lesson: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [*LESSONS[lesson], *RATES.get(lesson, ["method.lr=0.05"]), *quantised("sd", "int8")]
    run = train(configure(tiny_sd, pictures, tmp_path, *settings))
    half = {"denoiser": 0.5}
    own = trained_model(run, scale=half).model
    assert bool(quantised_layers(own.roles["denoiser"]))
    with monkeypatch.context() as patch:
        dequantise(patch)
        merged_in = trained_model(run, scale=half).model
        whole = trained_model(run, scale={}).model
    assert not quantised_layers(merged_in.roles["denoiser"])
    assert distance(draw(own), draw(merged_in)) <= ROUNDING
    assert distance(draw(whole), draw(merged_in)) > ROUNDING


def test_a_training_adapter_is_around_it(
    tiny_flux: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undoing = train(configure(tiny_flux, pictures, tmp_path, *LEARN, "method.lr=0.05"))
    [file] = undoing.result.glob("*.safetensors")
    settings = [*LEARN, "prior=base_prediction", f"model.training_adapter={file}", *quantised("flux", "nf4")]
    run = train(configure(tiny_flux, pictures, tmp_path / "own", *settings))
    with monkeypatch.context() as patch:
        dequantise(patch)
        plain = train(configure(tiny_flux, pictures, tmp_path / "plain", *settings))
    assert losses(run) == near(losses(plain))


@pytest.mark.parametrize(("name", "choice"), zip(known_quantisations(), itertools.cycle(PARTS), strict=False), ids=str)
def test_points_learn_side_by_side_what_each_does_alone(
    name: str, choice: str, tiny_folder: Callable[[str], Path], pictures: Path, tmp_path: Path, capfd: Any
) -> None:
    model, own = tiny_folder(choice), [*LEARN, *quantised(choice, name)]
    dropping = ["method.dropout=0,0.3", "samples=default", "samples.every=2", "samples.prompts=[a sks dog]"]
    given = overrides(model, pictures, tmp_path / "grid", "sweep.name=mine", *own, *dropping)
    said = typed_with(capfd)("train", "-m", *given)
    assert said.code == 0, said.text
    assert "Side by side: 2 points." in said.text
    found = [point.run for point in Sweep.named("mine", tmp_path / "grid").points]
    for run, dropout in zip(found, ("0", "0.3"), strict=True):
        settings = [*own, f"method.dropout={dropout}"]
        alone = train(configure(model, pictures, tmp_path / "alone", *settings, *dropping[1:]))
        assert run.folder.name == alone.folder.name
        assert losses(run) == near(losses(alone))
        pictures_of = [sorted(one.samples.rglob("*.png")) for one in (run, alone)]
        assert len(pictures_of[0]) == len(pictures_of[1]) > 0
        assert distance(*([Image.open(file) for file in files] for files in pictures_of)) <= CLOSE


def test_points_in_turn_share_a_base_that_is_loaded_once(
    tiny_sd: Path, pictures: Path, tmp_path: Path, capfd: Any
) -> None:
    own = ["method=lokr", "method.rank=2", "hparams.steps=2", *quantised("sd", "nf4")]
    given = overrides(tiny_sd, pictures, tmp_path / "grid", "sweep.name=mine", "method.dropout=0,0.3", *own)
    said = typed_with(capfd)("train", "-m", *given)
    assert said.code == 0, said.text
    assert "In turn: 2" in said.text
    first, _ = (point.run for point in Sweep.named("mine", tmp_path / "grid").points)
    alone = train(configure(tiny_sd, pictures, tmp_path / "alone", *own))
    assert losses(first) == losses(alone)


class TestWhatIsMadeOfAResult:
    """Is made of the weights as they are: what leaves imprint is as good as from any other run."""

    def test_the_whole_model_is_the_one_that_was_quantised_with_the_adapters_in_it(
        self, teach: Teach, tmp_path: Path
    ) -> None:
        one = teach("sd", "nf4")
        theirs = by_the_library(with_lora(one.model, one.run.result))
        for format in ("pipeline", "single_file"):
            out = exported(one.run, tmp_path / f"{format}.safetensors", f"format={format}")
            reader = StableDiffusionPipeline.from_pretrained if out.is_dir() else _single_file(one.model)
            assert distance(by_the_library(reader(out, safety_checker=None)), theirs) <= CLOSE

    def test_a_lora_is_what_was_trained(self, teach: Teach, tmp_path: Path) -> None:
        one = teach("sd", "nf4")
        out = exported(one.run, tmp_path / "lora.safetensors", "format=lora")
        theirs = by_the_library(with_lora(one.model, one.run.result))
        assert distance(by_the_library(with_lora(one.model, out)), theirs) <= CLOSE

    def test_a_nearest_lora_is_that_of_its_change(self, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        """DoRA's change is of no low rank, and depends on the weights that it is put around."""
        settings = [*LESSONS["dora"], *quantised("sd", "int8")]
        run = train(configure(tiny_sd, pictures, tmp_path / "run", *settings))
        out = exported(run, tmp_path / "lora.safetensors", "format=lora", "rank=16")
        whole = drawn([run], tmp_path / "whole", f"base={tiny_sd}")
        assert distance(by_the_library(with_lora(tiny_sd, out)), whole) <= CLOSE

    def test_two_results_are_merged(self, teach: Teach, pictures: Path, tmp_path: Path) -> None:
        one = teach("sd", "nf4")
        settings = [*LEARN, *quantised("sd", "nf4"), "seed=1", "dataset.identifier=ohwx"]
        other = train(configure(one.model, pictures, tmp_path / "other", *settings))
        out = merged([one.run, other], tmp_path / "both.safetensors", "weights=[1,0.5]")
        both = with_lora(one.model, one.run.result, other.result, weights=[1, 0.5])
        assert distance(by_the_library(with_lora(one.model, out)), by_the_library(both)) <= CLOSE
        together = drawn([one.run, other], tmp_path / "together", "weights=[1,0.5]")
        assert distance(together, by_the_library(both)) <= CLOSE

    def test_a_file_is_adopted_for_a_quantised_model(self, teach: Teach, pictures: Path, tmp_path: Path) -> None:
        one = teach("sd", "nf4")
        [file] = one.run.result.glob("*.safetensors")
        fixed = [f"files=[{file}]", "model=sd", f"model.source={one.model}", "model.resolution=32", "name=theirs"]
        told = [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", f"outputs={tmp_path}"]
        run = adopt(compose("adopt", [*fixed, *told, *quantised("sd", "nf4")]))
        assert distance(drawn([run], tmp_path / "adopted"), drawn([one.run], tmp_path / "own")) <= ROUNDING
        halves = [f"scale.denoiser={strength}" for strength in (0.5,)]
        ours, theirs = (drawn([each], tmp_path / name, *halves) for each, name in ((run, "a"), (one.run, "b")))
        assert distance(ours, theirs) <= ROUNDING

    def test_a_dreambooth_may_have_a_quantised_text_encoder_and_saves_it_whole(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        settings = ["method=dreambooth", "method.roles=[denoiser]", "hparams.steps=2", "model.quantise=int8"]
        run = train(configure(tiny_sd, pictures, tmp_path, *settings, "model.quantise_parts=[text]"))
        saved, source = (load_file(folder / "text_encoder/model.safetensors") for folder in (run.result, tiny_sd))
        assert saved.keys() == source.keys()
        assert all(torch.equal(weight, source[name]) for name, weight in saved.items())
        assert bool(quantised_layers(trained_model(run, scale={}).model.roles["text"]))


class TestTheError:
    def test_is_measured_once_for_weights_and_a_quantisation(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
        caplog.set_level(logging.INFO)
        settings = [*LEARN, "hparams.steps=1", *quantised("sd", "int8")]
        train(configure(tiny_sd, pictures, tmp_path / "one", *settings))
        train(configure(tiny_sd, pictures, tmp_path / "two", *settings, "seed=1"))
        told = [line for line in caplog.messages if line.startswith("Quantised to int8: denoiser.")]
        assert len(told) == 2
        assert told[0] == told[1]
        assert "of predictions" in told[0]
        assert "of 255 levels" in told[0]
        assert caplog.messages.count(ONCE) == 1
        [file] = (tmp_path / "cache" / "quantisation").iterdir()
        file.write_text("{", encoding="utf-8")
        train(configure(tiny_sd, pictures, tmp_path / "three", *settings, "seed=2"))
        assert caplog.messages.count(ONCE) == 2
        assert [line for line in caplog.messages if str(file) in line and "damaged" in line]

    @pytest.mark.parametrize("why", ["too large", "no memory left"])
    def test_is_that_of_the_weights_where_the_whole_model_is_too_large(
        self, why: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
        if why == "too large":
            monkeypatch.setattr(quantised_base, "ROOM", 0.0)
        monkeypatch.setattr(quantised_base, "output_error", _no_memory)
        caplog.set_level(logging.INFO)
        train(configure(tiny_sd, pictures, tmp_path / "one", *LEARN, "hparams.steps=1", *quantised("sd", "int8")))
        [told] = [line for line in caplog.messages if line.startswith("Quantised to int8: denoiser.")]
        assert "relative error of weights 0.0" in told
        assert "too large for this device" in told

    def test_is_nothing_that_a_plan_waits_for(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(quantised_base, "weight_error", None)
        said = forecast(configure(tiny_sd, pictures, tmp_path, *LEARN, *quantised("sd", "int8"), "dry_run=true"))
        assert [line for line in said if "denoiser (int8), text, autoencoder" in line]

    def test_grows_as_bits_get_fewer(self, tiny_flux: Path) -> None:
        names = [name for name in ("int8", "float8", "nf4") if quantised("flux", name)]
        found = [error.weight_error(source_of("flux", tiny_flux, name), CPU) for name in names]
        assert [own.overall for own in found] == sorted(own.overall for own in found)
        assert all(0 < own.overall <= own.worst for own in found)


class TestIsRefusedBeforeLoading:
    @pytest.fixture(autouse=True)
    def nothing_is_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PipelineSource, "load", None)

    @pytest.mark.parametrize("method", WHOLE_NETWORKS)
    def test_a_network_that_learns_itself(self, method: str, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        cfg = configure(tiny_sd, pictures, tmp_path, *WHOLE_NETWORKS[method], *quantised("sd", "int8"))
        with pytest.raises(ConfigError, match=r"model\.quantise='int8'.*denoiser.*Choose adapters.*or set it to null"):
            prepare(cfg)

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            (["trainer.compile=true"], r"trainer\.compile=True: a compiled network"),
            (["trainer.strategy=fsdp"], r"trainer\.strategy='fsdp': with model\.quantise=int8, take auto or ddp"),
            (["model.quantise=int4"], r"model\.quantise='int4': choose null or one of float8, int8, nf4"),
            (["model.quantise_parts=[text_9]"], r"model\.quantise_parts=\['text_9'\]: give null, or .*denoiser, text"),
            (["model.quantise_parts=[]"], r"model\.quantise_parts=\[\]"),
        ],
    )
    def test_what_it_cannot_be_together_with(
        self, settings: Sequence[str], reason: str, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match=reason):
            prepare(configure(tiny_sd, pictures, tmp_path, *LEARN, *quantised("sd", "int8"), *settings))

    @pytest.mark.parametrize("there", [None, "0.46.1"])
    def test_a_library_that_is_not_here(
        self, there: str | None, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def here(name: str) -> str:
            if there is None:
                raise PackageNotFoundError(name)
            return there

        monkeypatch.setattr("imprint.models.quantisation.base.version", here)
        with pytest.raises(
            ConfigError, match=r"needs bitsandbytes 0\.50 or later: pip install \"imprint-diffusion\[quantise\]\""
        ):
            prepare(configure(tiny_sd, pictures, tmp_path, *LEARN, "model.quantise=nf4"))

    def test_numbers_that_a_device_has_not(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TrainerSettings, "device", property(lambda self: torch.device("mps")))
        with pytest.raises(ConfigError, match=r"model\.quantise='float8': a device of the kind mps.*Choose int8"):
            prepare(configure(tiny_sd, pictures, tmp_path, *LEARN, *quantised("sd", "float8")))


class TestWhatItIsCalled:
    def test_a_run_is_another_one_on_another_base(self, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        def name_of(*settings: str) -> str:
            return prepare(configure(tiny_sd, pictures, tmp_path, *LEARN, *settings)).run.folder.name

        names = [name_of(), name_of("model.quantise=int8"), name_of("model.quantise=float8")]
        assert len(set(names)) == 3
        assert name_of("model.quantise=null", "model.quantise_parts=[text]") == names[0]
        # small text encoders are none of the parts that are meant where none are named
        assert name_of("model.quantise=int8", "model.quantise_parts=[denoiser]") == names[1]
        assert name_of("model.quantise=int8", "model.quantise_parts=[denoiser,text]") != names[1]

    def test_its_pictures_say_which_base_drew_them(self, teach: Teach, tmp_path: Path) -> None:
        one = teach("sd", "int8")

        def base_of(name: str, *settings: str) -> str:
            drawn([one.run], tmp_path / name, *settings)
            index = json.loads((tmp_path / name / "pictures.json").read_text(encoding="utf-8"))["pictures"]
            [base] = {entry["model"] for entry in index}
            return str(base)

        own, plain = (source_of("sd", one.model, name).facts().fingerprint for name in ("int8", None))
        assert base_of("alone") == own
        assert base_of("weaker", "scale.denoiser=0.5") == own
        assert base_of("weighed", "weights=[0.5]") == plain
        assert base_of("as it is", f"base={one.model}") == plain

    def test_its_scores_are_in_no_column_with_those_of_the_base_as_it_is(
        self, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        profile = composed_profile("quick")
        settings = [*LEARN, "hparams.steps=1", "+encoders@model.encoders=mini"]

        def meant(name: str, *more: str) -> tuple[str, dict[str, str]]:
            run = train(configure(tiny_sd, pictures, tmp_path / name, *settings, *more))
            [subject] = open_subjects(run, profile, encoders={}, class_photos=(), scale={}, device=CPU)
            sampling, metrics = meaning(subject, profile)
            return sampling, {metric: facts.fingerprint for metric, facts in metrics.items()}

        plain, (sampling, metrics) = meant("plain"), meant("int8", *quantised("sd", "int8"))
        assert sampling != plain[0]
        assert metrics.keys() == plain[1].keys()
        assert not set(metrics.values()) & set(plain[1].values())


def dequantise(patch: pytest.MonkeyPatch) -> None:
    """A base is read with plain layers, of the weights that its bytes would stand for."""

    def there_and_back(network: nn.Module, own: Quantisation, device: torch.device | None) -> None:
        quantise(network, own, device)
        for name, layer in quantised_layers(network).items():
            network.set_submodule(name, layer.dequantised())

    patch.setattr("imprint.models.checkpoint.base.quantise", there_and_back)


def _no_memory(*given: Any) -> None:
    raise torch.OutOfMemoryError("out of memory")


def _single_file(configs: Path) -> Callable[..., StableDiffusionPipeline]:
    return functools.partial(StableDiffusionPipeline.from_single_file, config=str(configs))


class Stopped(Exception):
    """Stands for a crash."""


def _stop(self: FiniteLoss, trainer: Any, module: Any, loss: Any) -> None:
    if trainer.global_step == 3:
        raise Stopped
