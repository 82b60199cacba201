"""How much memory a training needs is told before it begins, by its own code on tensors without numbers."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES, load_tiny
from small_runs import configure
from torch import nn

from imprint.errors import ConfigError
from imprint.launching import forecast
from imprint.libraries.fake_tensors import Imitation, Meter, automatic_precision_of
from imprint.models.checkpoint.autoencoder import StoredAutoencoder
from imprint.planning import residence
from imprint.planning.memory import describe as describing
from imprint.planning.memory import devices, estimate, rehearsal
from imprint.planning.memory.advice import Advice, cheapest_that_fits
from imprint.planning.memory.describe import describe
from imprint.planning.memory.devices import with_devices
from imprint.planning.memory.estimate import COMPUTATION, GRADIENTS, LEARNING, STATE, WEIGHTS, Estimate, Phase, Unknown
from imprint.planning.memory.rehearsal import rehearse
from imprint.planning.memory.repeats import Repeats
from imprint.planning.memory.room import Room
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare
from imprint.training.memory import stated_memory
from imprint.training.optimizers import state_size

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
LORA, BF16 = "method=lora", "hparams.precision=bf16-mixed"
WIDTH, ROWS = 8, 4


@pytest.fixture
def planned(tiny_sd: Path, pictures: Path, tmp_path: Path) -> Callable[..., Plan]:
    return lambda *settings: prepare(configure(tiny_sd, pictures, tmp_path, *settings))


def estimated(plan: Plan, device: torch.device = CPU) -> Estimate:
    found = estimate.estimate(plan, device)
    assert isinstance(found, Estimate), found
    return found


def phase(plan: Plan, name: str) -> Phase:
    [found] = [own for own in estimated(plan).phases if own.name == name]
    return found


@contextmanager
def metered(network: nn.Module) -> Iterator[Meter]:
    """`network` is on the device "meta", and has fake weights within."""
    imitation = Imitation()
    imitation.fill(network, torch.float32, exact=())
    meter = Meter(imitation)
    with meter:
        meter.pass_over(network.parameters())
        yield meter


def chain(count: int) -> nn.Sequential:
    with torch.device("meta"):
        return nn.Sequential(*(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(count)))


def test_what_a_way_back_needs_is_counted_until_it_is_gone() -> None:
    network = chain(3)
    with metered(network) as meter:
        for weight in network.parameters():
            weight.requires_grad_(True)
        before = meter.live
        made = network(torch.zeros(ROWS, WIDTH))
        rows = ROWS * WIDTH * 4
        assert meter.live - before == 4 * rows  # the input, and what each layer makes
        with meter.tell_apart(list(network.parameters())):
            torch.autograd.backward(made.sum())
        del made
        assert meter.live - before == sum(weight.nbytes for weight in network.parameters())  # the gradients
        assert meter.live_without == before


def test_what_is_not_asked_for_does_not_stay() -> None:
    network = chain(6)
    with metered(network) as meter, torch.no_grad():
        begin = meter.live
        made = network(torch.zeros(ROWS, WIDTH))
        assert meter.peak - begin <= 3 * made.nbytes


def test_attention_keeps_no_matrix_of_all_scores() -> None:
    imitation = Imitation()
    meter = Meter(imitation)
    many = 4096
    with meter:
        query = imitation.like(torch.empty(1, 2, many, 16, device="meta"), torch.float32).requires_grad_(True)
        nn.functional.scaled_dot_product_attention(query, query, query)
        assert meter.peak < many * many


def test_a_mask_chooses_what_it_would_choose() -> None:
    imitation = Imitation()
    with Meter(imitation):
        rows = imitation.like(torch.empty(5, 2, device="meta"), torch.float32)
        assert rows[torch.tensor([True, False, True, True, False])].shape == (3, 2)


def test_a_gpu_computes_norms_in_float32() -> None:
    types = []
    with torch.autocast("cpu", torch.bfloat16):
        for device in (CPU, GPU, CPU):
            with automatic_precision_of(device):
                types.append(nn.functional.layer_norm(torch.zeros(2, 8, dtype=torch.bfloat16), (8,)).dtype)
    assert types == [torch.bfloat16, torch.float32, torch.bfloat16]


class Blocks(nn.Module):
    """As a transformer's denoiser: two lists of blocks, each of a kind."""

    def __init__(self, counts: tuple[int, int]) -> None:
        super().__init__()
        self.first, self.second = (
            nn.ModuleList(
                nn.Sequential(nn.Linear(WIDTH, wide), nn.GELU(), nn.Linear(wide, WIDTH)) for _ in range(count)
            )
            for count, wide in zip(counts, (16, 32), strict=True)
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        for block in (*self.first, *self.second):
            rows = rows + block(rows)
        return rows


def test_a_few_of_many_blocks_tell_of_all() -> None:
    with torch.device("meta"):
        network = Blocks((20, 30))
    runs: list[int] = []
    with metered(network) as meter:
        for weight in network.parameters():
            weight.requires_grad_(True)

        def measure() -> list[int]:
            runs.append(len(network.first) + len(network.second))
            before = meter.live
            meter.begin()
            torch.autograd.backward(network(torch.zeros(ROWS, WIDTH)).sum())
            for weight in network.parameters():
                weight.grad = None
            return [meter.peak - before]

        whole = measure()
        assert Repeats(network).extrapolated(measure) == pytest.approx(whole, rel=0.01)
    assert sum(runs[1:]) < runs[0]
    assert (len(network.first), len(network.second)) == (20, 30)


def test_a_network_that_asks_for_every_block_is_measured_whole() -> None:
    with torch.device("meta"):
        network = Blocks((20, 30))

    def measure() -> list[int]:
        return [len(network.first), 1 // (len(network.first) == 20)]

    assert Repeats(network).extrapolated(measure) == [20, 1]


@pytest.mark.parametrize("choice", FAMILIES)
def test_every_family_can_be_rehearsed(choice: str, tiny_folder: Any, pictures: Path, tmp_path: Path) -> None:
    plan = prepare(configure(tiny_folder(choice), pictures, tmp_path, LORA, BF16))
    found = rehearse(plan, GPU)
    model = plan.parts.model.load()
    halves = sum(weight.numel() * 2 for weight in model.parameters())
    assert sum(found.frozen.values()) == pytest.approx(halves, rel=0.1)  # some weights, and buffers, stay exact
    assert min(found.step) > sum(found.learning.values()) > 0


METHODS = ["custom_diffusion", "dylora", "loha", "lokr", "pivotal", "textual_inversion", "dreambooth"]


@pytest.mark.parametrize("method", METHODS)
def test_what_learns_has_gradients_and_moments(method: str, planned: Callable[..., Plan]) -> None:
    words = ["dataset.identifier=auto"] if method in ("custom_diffusion", "pivotal", "textual_inversion") else []
    plan = planned(f"method={method}", *words)
    parts = phase(plan, "training").bytes
    learning = sum(weight.nbytes for group in _groups(plan) for weight in group.params)
    assert parts[LEARNING] == parts[GRADIENTS] == learning
    assert parts[STATE] == 2 * learning  # AdamW's


def _groups(plan: Plan) -> Any:
    from imprint.planning.assemble import attach

    return attach(plan, plan.parts.model.load()).groups


def test_settings_that_save_memory_do(planned: Callable[..., Plan]) -> None:
    whole = planned(LORA, "hparams.batch_size=2", "samples=default")
    for setting, name in {
        "trainer.accumulation=2": "training",
        "trainer.gradient_checkpointing=true": "training",
        "trainer.keep_parts=needed": "training",
        BF16: "training",
        "model.resolution=16": "training",
        "samples.batch_size=1": "drawing samples",
    }.items():
        less = planned(LORA, "hparams.batch_size=2", "samples=default", setting)
        assert phase(less, name).total < phase(whole, name).total, setting


def test_more_is_taken_by_what_needs_more(planned: Callable[..., Plan], pictures: Path) -> None:
    plain = phase(planned("method=dreambooth"), "training")
    for setting in (["prior=folder", f"prior.path={pictures}"], ["prior=base_prediction"], ["hparams.ema=0.9"]):
        more = phase(planned("method=dreambooth", *setting), "training")
        assert more.total > plain.total, setting
    assert phase(planned("method=dreambooth", "trainer.cache=false"), "training").bytes[COMPUTATION] > 0


def test_parts_that_leave_are_not_counted_while_it_trains(planned: Callable[..., Plan]) -> None:
    plan = planned(LORA, "trainer.keep_parts=needed", "samples=default")
    weights = {own.name: own.bytes[WEIGHTS] for own in estimated(plan).phases}
    assert weights["training"] < weights["drawing samples"]
    assert weights["encoding captions"] + weights["encoding pictures"] + weights["loading"] == pytest.approx(
        weights["drawing samples"], rel=0.01
    )


class TestAnUpscalersLowSides:
    """What they pass through, beside the model's own parts."""

    @pytest.fixture
    def planned(self, tiny_folder: Callable[[str], Path], pictures: Path, tmp_path: Path) -> Callable[..., Plan]:
        def plan(*settings: str, base: str | None = None) -> Plan:
            through = ["model.low_res.from=autoencoder", f"model.low_res.base={tiny_folder(base)}"] if base else []
            fixed = [LORA, "samples=default", *through]
            return prepare(configure(tiny_folder("sd_upscaler"), pictures, tmp_path, *fixed, *settings))

        return plan

    @pytest.mark.parametrize(
        ("settings", "there"),
        [
            ([], {"encoding", "drawing samples"}),
            (["trainer.keep_parts=needed"], {"encoding pictures", "drawing samples"}),
            (["trainer.cache=false"], {"training", "drawing samples"}),
            (["trainer.cache=false", "trainer.keep_parts=needed"], {"training", "drawing samples"}),
        ],
        ids=["kept", "let go", "no cache", "no cache, let go"],
    )
    @pytest.mark.parametrize("base", ["sd", "sana"])
    def test_it_is_counted_where_it_is_in_memory_and_nowhere_else(
        self, base: str, settings: list[str], there: set[str], planned: Callable[..., Plan], tiny_folder: Any
    ) -> None:
        through = load_tiny(tiny_folder(base)).parts["vae"]
        size = sum(weight.nbytes for weight in [*through.parameters(), *through.buffers()])
        alone, beside = (estimated(planned(*settings, base=own)).phases for own in (None, base))
        assert [phase.name for phase in alone] == [phase.name for phase in beside]
        more = {one.name: other.bytes[WEIGHTS] - one.bytes[WEIGHTS] for one, other in zip(alone, beside, strict=True)}
        assert more == {name: size if name in there else 0 for name in more}

    def test_what_is_made_in_passing_is_a_part_of_the_computation(
        self, planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, much = StoredAutoencoder.there_and_back, 2**20

        def there_and_back(self: StoredAutoencoder, pixels_BCHW: torch.Tensor) -> torch.Tensor:
            made = pixels_BCHW.new_zeros(much // 4)
            return before(self, pixels_BCHW) + made[0]

        monkeypatch.setattr(rehearsal, "_known", {})
        monkeypatch.setattr(StoredAutoencoder, "there_and_back", there_and_back)
        kept, each_step = (rehearse(planned(*settings, base="sd"), CPU) for settings in ([], ["trainer.cache=false"]))
        assert kept.pictures > much > kept.step.forward
        assert each_step.step.forward > much

    def test_the_plan_says_how_long_it_stays(self, planned: Callable[..., Plan]) -> None:
        [line] = residence.describe(planned(base="sd"))
        assert "The autoencoder of model.low_res.base=" in line
        assert line.endswith(" is there while low sides are made.")
        [line] = residence.describe(planned("trainer.cache=false", base="sd"))
        assert line.endswith(" stays, too.")


def test_class_pictures_are_drawn_by_a_model_in_float32(planned: Callable[..., Plan], cache: Path) -> None:
    plan = planned(LORA, BF16, "prior=generated", "prior.count=2")
    drawing = phase(plan, "drawing class pictures")
    assert drawing.bytes[WEIGHTS] > 1.9 * phase(plan, "loading").total


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("make", "bytes"),
    [
        (partial(torch.optim.AdamW, fused=True), 8),
        (partial(torch.optim.SGD, momentum=0.9), 4),
        (torch.optim.SGD, 0),
    ],
)
def test_optimisers_are_asked_what_they_keep(make: Any, bytes: int) -> None:
    assert state_size(make, [torch.Size([30, 50]), torch.Size([7])], torch.float32) == bytes * 1507


def test_a_model_of_which_nothing_is_known_is_said_to_be_that(
    planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(LORA)
    broken = copy.copy(plan.parts.method)
    broken.attach = lambda *given: given[9]  # type: ignore[method-assign]
    plan = replace(plan, parts=replace(plan.parts, method=broken), identity={**plan.identity, "method": "broken"})
    found = estimate.estimate(plan, CPU)
    assert isinstance(found, Unknown)
    assert "IndexError" in found.reason


def told(tiny: Path, pictures: Path, outputs: Path, *settings: str) -> list[str]:
    return list(forecast(configure(tiny, pictures, outputs, LORA, *settings)))


def test_a_plan_says_what_it_takes_and_what_would_fit(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    assert not any("stimated" in line for line in told(tiny_sd, pictures, tmp_path))  # trainer.memory=null
    lines = told(tiny_sd, pictures, tmp_path, "trainer.memory=1GB")
    [line] = [line for line in lines if line.startswith("Estimated memory")]
    assert "while training" in line
    assert not any("does not fit" in line for line in lines)
    lines = told(tiny_sd, pictures, tmp_path, "trainer.memory=0.8MB", "hparams.batch_size=4")
    [line] = [line for line in lines if "does not fit" in line]
    assert "cheapest settings" in line
    settings = line.rpartition("): ")[2].split()
    assert settings
    again = told(tiny_sd, pictures, tmp_path, "trainer.memory=0.8MB", "hparams.batch_size=4", *settings)
    assert not any("does not fit" in line for line in again)


def test_what_is_needless_is_not_advised(planned: Callable[..., Plan]) -> None:
    plan = planned(LORA, "hparams.batch_size=4")
    room = phase(planned(LORA, "hparams.batch_size=4", "trainer.accumulation=4"), "training").total
    advice = cheapest_that_fits(plan, CPU, room)
    assert advice is not None
    assert advice.fits
    assert len(advice.overrides) <= 2
    nothing = cheapest_that_fits(plan, CPU, 1000)
    assert nothing is not None
    assert not nothing.fits


@pytest.mark.parametrize("value", ["much", "24", "-1GB", "24 TB"])
def test_a_size_that_is_none_is_refused(value: str, planned: Callable[..., Plan]) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.memory"):
        planned(f"trainer.memory={value}")


def test_sizes_are_read_as_statedare_sold() -> None:
    assert stated_memory("24GB") == stated_memory("24 GiB") == 24 * 2**30
    assert stated_memory("1.5MB") == 1.5 * 2**20


class TestDevices:
    @pytest.fixture(autouse=True)
    def four(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices, "planned_device", lambda settings: GPU)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)

    def counted(self, plan: Plan, room: int | None, monkeypatch: pytest.MonkeyPatch, stated: Any = "auto") -> int:
        monkeypatch.setattr(devices, "whole_room", lambda settings: room)
        trainer = replace(plan.parts.trainer, devices=stated)
        return with_devices(replace(plan, parts=replace(plan.parts, trainer=trainer))).parts.trainer.count

    def test_as_few_as_it_fits_on(self, planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
        plan = planned(LORA, "hparams.batch_size=4")
        two = planned(LORA, "hparams.batch_size=4", "trainer.devices=2")
        assert self.counted(plan, 10**12, monkeypatch) == 1
        assert self.counted(plan, estimated(two, GPU).peak, monkeypatch) == 2
        assert self.counted(plan, 1, monkeypatch) == 4  # all, where it fits on none
        assert self.counted(plan, None, monkeypatch) == 1
        assert self.counted(plan, 1, monkeypatch, 2) == 2  # a number stays as it is

    def test_they_share_the_batch(self, planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
        plan = planned(LORA, "hparams.batch_size=3")
        assert self.counted(plan, 1, monkeypatch) == 3

    def test_other_processes_are_told(self, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        cfg = configure(tiny_sd, pictures, tmp_path, LORA, "trainer.devices=auto")
        assert prepare(cfg).settled(cfg) == ["trainer.devices=1"]
        cfg = configure(tiny_sd, pictures, tmp_path, LORA)
        assert prepare(cfg).settled(cfg) == []


def on_gpu(plan: Plan, name: str = "training") -> Phase:
    found = estimate.estimate(plan, GPU)
    assert isinstance(found, Estimate), found
    [own] = [own for own in found.phases if own.name == name]
    return own


def with_trainer(plan: Plan, **changes: Any) -> Plan:
    return replace(plan, parts=replace(plan.parts, trainer=replace(plan.parts.trainer, **changes)))


def test_what_waits_in_the_machines_memory_is_not_on_a_gpu(planned: Callable[..., Plan]) -> None:
    plan = planned(LORA)
    whole = on_gpu(plan)
    assert on_gpu(with_trainer(plan, offload_optimizer=True)).bytes[STATE] == 0
    elsewhere = on_gpu(with_trainer(plan, offload_activations=True))
    assert elsewhere.bytes[COMPUTATION] < 0.8 * whole.bytes[COMPUTATION]
    assert elsewhere.bytes[WEIGHTS] == whole.bytes[WEIGHTS]
    swapped = on_gpu(with_trainer(plan, blocks_on_device=1, gradient_checkpointing=True))
    assert swapped.bytes[WEIGHTS] < whole.bytes[WEIGHTS]
    assert (
        on_gpu(with_trainer(plan, blocks_on_device=10**3, gradient_checkpointing=True)).bytes[WEIGHTS]
        == (whole.bytes[WEIGHTS])
    )


def test_on_a_cpu_nothing_waits_elsewhere(planned: Callable[..., Plan]) -> None:
    plan = planned(LORA)
    settings = {"offload_optimizer": True, "offload_activations": True}
    assert estimated(with_trainer(plan, **settings)) == estimated(plan)


def test_devices_that_share_weights_hold_their_part(planned: Callable[..., Plan]) -> None:
    plan = planned("method=dreambooth", "hparams.batch_size=2")
    copies = on_gpu(with_trainer(plan, devices=2, strategy="ddp"))
    shared = on_gpu(with_trainer(plan, devices=2, strategy="fsdp"))
    for what in (LEARNING, STATE):
        assert shared.bytes[what] == pytest.approx(copies.bytes[what] / 2, abs=1)
    assert shared.bytes[GRADIENTS] == pytest.approx(copies.bytes[GRADIENTS] / 4, abs=1)  # which exchange copies, too
    assert shared.bytes[WEIGHTS] < copies.bytes[WEIGHTS]


class TestSharing:
    """Several devices that are here, each too small."""

    @pytest.fixture(autouse=True)
    def four(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)

    def advised(self, plan: Plan, room: int) -> Advice:
        found = cheapest_that_fits(plan, GPU, room)
        assert found is not None
        return found

    def test_devices_are_asked_to_share_before_a_result_moves(
        self, planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = planned(
            "method=dreambooth", "hparams.batch_size=4", "hparams.precision=bf16-mixed", "trainer.keep_parts=needed"
        )
        plan = with_trainer(plan, gradient_checkpointing=True, accumulation=4)
        shared = with_trainer(plan, strategy="fsdp", devices=4, accumulation=1)
        needed = estimated(shared, GPU).peak
        found = self.advised(plan, needed)
        assert found.fits
        assert found.devices == 4
        assert {*found.overrides} == {"trainer=fsdp", "trainer.devices=4", "trainer.accumulation=1"}
        assert found.estimate.peak == needed
        monkeypatch.setattr(describing, "room_of", lambda settings: Room(GPU, needed, "each device"))
        *_, line = describe(plan, phases=True)
        assert "trainer=fsdp" in line
        assert "on each of 4 devices" in line

    def test_a_batch_that_they_cannot_share_is_left_to_one(self, planned: Callable[..., Plan]) -> None:
        plan = planned("method=dreambooth", "hparams.batch_size=1")
        assert self.advised(plan, 1).devices == 1

    def test_what_cannot_be_shared_is_left_to_one(self, planned: Callable[..., Plan]) -> None:
        plan = planned("method=dreambooth", "hparams.batch_size=4", "trainer.channels_last=true")
        assert self.advised(plan, 1).devices == 1

    def test_one_device_is_not_asked_to(self, planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        assert self.advised(planned("method=dreambooth", "hparams.batch_size=4"), 1).devices == 1


def test_a_run_that_needs_next_to_nothing_is_not_rehearsed_first(planned: Callable[..., Plan]) -> None:
    plan = planned(LORA, "trainer.memory=auto")  # of a tiny model
    assert list(describe(plan, phases=False)) == []
    assert any(line.startswith("Estimated memory") for line in describe(plan, phases=True))
    stated = planned(LORA, "trainer.memory=24GB")
    assert any(line.startswith("Estimated memory") for line in describe(stated, phases=False))
