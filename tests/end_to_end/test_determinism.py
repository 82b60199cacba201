"""The same configuration is the same run; what only changes speed changes nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lessons import Watch, assembled, batches, result_weights
from PIL import Image
from rounding import near
from small_runs import configure, draw_pictures, losses, metrics

from imprint.models.families.sd import StableDiffusion
from imprint.runs import Run
from imprint.verbs.train import train

PRIOR = ["prior=generated", "prior.count=3"]
BATCH = "hparams.batch_size=2"
FRAMED = (BATCH, "dataset.crop=random", "dataset.flip=true", *PRIOR)


def assert_same(one: Run, other: Run) -> None:
    assert metrics(one) == metrics(other)
    weights = result_weights(other)
    for name, weight in result_weights(one).items():
        assert torch.equal(weight, weights[name]), name


@pytest.mark.numeric
def test_the_same_configuration_twice_is_the_same_to_the_last_bit(
    tiny_sd: Path, pictures: Path, tmp_path: Path, finished: Callable[..., Run]
) -> None:
    one = finished(*FRAMED)
    torch.manual_seed(1234)
    other = train(configure(tiny_sd, pictures, tmp_path, *FRAMED))
    assert one.folder.name == other.folder.name
    assert_same(one, other)


def test_another_seed_is_another_run(finished: Callable[..., Run]) -> None:
    assert not set(losses(finished())) & set(losses(finished("seed=1")))


@pytest.mark.parametrize("prior", ["generated", "base_prediction"])
def test_a_prior_leaves_the_instance_draws_as_they_are(
    prior: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for settings in ([], [f"prior={prior}", *(["prior.count=3"] if prior == "generated" else [])]):
        with monkeypatch.context() as patch:
            watch = Watch(patch)
            train(configure(tiny_sd, pictures, tmp_path, BATCH, "hparams.steps=3", *settings))
        seen.append(watch)
    alone, beside = seen
    assert alone.samples(prior=False) == beside.samples(prior=False)
    assert len(beside.samples(prior=True)) == len(alone.noise) == 6
    assert not alone.samples(prior=True)
    for name, noise in alone.noise.items():
        assert torch.equal(beside.noise[name], noise)
        assert beside.timesteps[name] == alone.timesteps[name]
        # A prior sample has draws of its own.
        assert not torch.equal(beside.noise[name.replace("instance", "prior")], noise)


def test_no_two_samples_of_a_run_share_noise(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(monkeypatch)
    train(configure(tiny_sd, pictures, tmp_path, BATCH, *PRIOR))
    assert len(watch.noise) == 24
    assert len({tuple(noise.flatten().tolist()) for noise in watch.noise.values()}) == 24
    assert len(set(watch.timesteps.values())) > 20


@pytest.mark.numeric
def test_a_samples_loss_does_not_depend_on_its_batch(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    losses_by_id = []
    for accumulation in (1, 3):
        settings = [f"trainer.accumulation={accumulation}", "hparams.batch_size=3", *PRIOR]
        module = assembled(configure(tiny_sd, pictures, tmp_path, *settings))
        feed = batches(module)
        with torch.no_grad():
            parts = [
                (batch.ids, module.losses(batch).per_sample_B) for batch in (next(feed) for _ in range(accumulation))
            ]
        losses_by_id.append(
            {name: float(loss) for ids, per_sample_B in parts for name, loss in zip(ids, per_sample_B, strict=True)}
        )
    together, apart = losses_by_id
    assert apart.keys() == together.keys()
    assert all([apart[name]] == near([loss]) for name, loss in together.items())


@pytest.mark.parametrize(
    "settings",
    [["dataset.flip=true", *PRIOR], ["dataset.crop=buckets", "prior=base_prediction"]],
    ids=["flip", "buckets"],
)
def test_kept_latents_train_the_same(settings: list[str], tiny_sd: Path, tmp_path: Path) -> None:
    photos = draw_pictures(tmp_path / "photos", size=(64, 40))
    kept, anew = (
        train(configure(tiny_sd, photos, tmp_path / cache, BATCH, f"trainer.cache={cache}", *settings))
        for cache in ("true", "false")
    )
    assert kept.folder.name == anew.folder.name
    assert losses(kept) == near(losses(anew))


def test_pictures_loaded_by_other_processes_train_the_same(
    tiny_sd: Path, pictures: Path, tmp_path: Path, finished: Callable[..., Run]
) -> None:
    elsewhere = train(configure(tiny_sd, pictures, tmp_path, "trainer.workers=2", *FRAMED))
    assert_same(finished(*FRAMED), elsewhere)


@pytest.mark.parametrize("prior", [[], PRIOR, ["prior=base_prediction"]], ids=["none", "generated", "base_prediction"])
def test_oblong_pictures_train_in_their_own_shape(
    prior: list[str], tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = draw_pictures(tmp_path / "photos", count=2, size=(80, 40))
    Image.new("RGB", (40, 80), "green").save(photos / "tall.png")
    watch = Watch(monkeypatch)
    train(configure(tiny_sd, photos, tmp_path / "runs", BATCH, "dataset.crop=buckets", "trainer.cache=false", *prior))
    shapes = [tuple(batch.pixels_BCHW.shape) for batch in watch.batches if batch.pixels_BCHW is not None]
    assert len(shapes) == 6
    assert {shape[0] for shape in shapes} == {4 if prior else 2}
    assert {shape[2] < shape[3] for shape in shapes} == {True, False}
    assert all(shape[2] != shape[3] for shape in shapes)


class TestCaptions:
    """What the text encoder is told."""

    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        captions: set[str] = set()
        encode = StableDiffusion.encode_text

        def watched(self: StableDiffusion, texts: list[str], *, empty_is_unconditional: bool):
            captions.update(texts)
            return encode(self, texts, empty_is_unconditional=empty_is_unconditional)

        monkeypatch.setattr(StableDiffusion, "encode_text", watched)
        return captions

    @pytest.mark.parametrize("roles", ["[denoiser]", "[denoiser,text]"])
    def test_own_captions_with_their_places_filled(
        self, roles: str, told: set[str], tiny_sd: Path, tmp_path: Path
    ) -> None:
        photos = draw_pictures(tmp_path / "photos")
        (photos / "metadata.jsonl").write_text('{"file_name": "0.png", "text": "a {identifier} {noun} in {snow}"}\n')
        (photos / "1.txt").write_text("red {noun}, called {identifier}\n")
        settings = [f"method.roles={roles}", 'method.templates=["the {identifier} {noun}"]', "prior=base_prediction"]
        train(configure(tiny_sd, photos, tmp_path / "runs", *settings))
        assert told == {"a sks dog in {snow}", "red dog, called sks", "the sks dog", "a dog"}

    def test_own_captions_can_be_left_out(self, told: set[str], tiny_sd: Path, tmp_path: Path) -> None:
        photos = draw_pictures(tmp_path / "photos")
        (photos / "1.txt").write_text("a caption")
        train(configure(tiny_sd, photos, tmp_path / "runs", "dataset.captions=template"))
        assert told == {"a sks dog"}

    def test_every_template_is_used(self, told: set[str], tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        settings = ["hparams.steps=12", 'method.templates=["{identifier}","my {identifier} {noun}"]']
        train(configure(tiny_sd, pictures, tmp_path, *settings))
        assert told == {"sks", "my sks dog"}
