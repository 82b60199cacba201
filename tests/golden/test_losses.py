"""Loss sequences as they were when they were last looked at.

Any change of randomness, of the order of samples or of their weighting shows here, whether it was meant or not. If it
was meant, `python -m pytest tests/golden --regenerate` writes the sequences anew; say in CHANGELOG what changed.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from families import FAMILIES
from rounding import near
from small_runs import METHODS as ALL_METHODS
from small_runs import configure, metrics

from imprint.verbs.train import train

FOLDER = Path(__file__).parent
COLUMNS = ("loss", "loss/instance", "loss/prior")

PRIORS = {
    "no-prior": [],
    "generated": ["prior=generated", "prior.count=5"],
    "base-prediction": ["prior=base_prediction"],
}
CASES = {
    f"{prediction}-{prior}": (model, ["hparams.batch_size=2", *settings])
    for prediction, model in (("epsilon", "sd"), ("v", "v"))
    for prior, settings in PRIORS.items()
}
# The other methods: their own first weights and vectors are part of the sequence.
METHODS = {
    "lora": ["method.rank=2", "method.roles=[denoiser,text]"],
    "loha": ["method.rank=2"],
    "lokr": ["method.rank=2"],
    "dylora": ["method.rank=4", "method.granularity=2", "method.roles=[denoiser,text]"],
    "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    "pivotal": ["dataset.identifier=auto", "method.network.roles=[denoiser,text]", "method.inversion=[0,0.75]"],
    "custom_diffusion": ["dataset.identifier=auto"],
}
CASES |= {
    f"epsilon-{method}": ("sd", ["hparams.batch_size=2", f"method={method}", *settings])
    for method, settings in METHODS.items()
}
CASES |= {
    f"{choice}-{method}": (choice, ["hparams.batch_size=2", f"method={method}", *settings])
    for choice, family in FAMILIES.items()
    for method, settings in family.golden.items()
}
CASES["min-snr-offset-accumulated"] = (
    "sd",
    [
        "objective=min_snr",
        "objective.noise_offset=0.1",
        "hparams.batch_size=4",
        "trainer.accumulation=2",
        "hparams.rate.name=cosine",
        "hparams.rate.warmup=2",
        "method.roles=[denoiser,text]",
        "dataset.crop=random",
        "dataset.flip=true",
        "prior=generated",
        "prior.count=5",
        "prior.weight=0.5",
    ],
)
CASES["masked-caption-dropout"] = (
    "sd",
    [
        "hparams.batch_size=2",
        "dataset.flip=true",
        "dataset.masks=require",
        "dataset.mask_background=0.2",
        "dataset.caption_dropout=0.3",
        "prior=base_prediction",
    ],
)


@pytest.mark.numeric
@pytest.mark.parametrize("case", CASES)
def test_losses_are_the_golden_ones(
    case: str,
    regenerate: bool,
    tiny_folder: Callable[[str], Path],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    model, settings = CASES[case]
    pictures = request.getfixturevalue("masked_pictures" if "dataset.masks=require" in settings else "pictures")
    folder = request.getfixturevalue("tiny_sd_v") if model == "v" else tiny_folder(model)
    run = train(configure(folder, pictures, tmp_path, "hparams.steps=8", *settings))
    rows = metrics(run)
    found = {name: [row.get(name, 0.0) for row in rows] for name in COLUMNS if any(name in row for row in rows)}
    file = FOLDER / f"{case}.json"
    if regenerate:
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    golden = json.loads(file.read_text(encoding="utf-8"))
    assert found.keys() == golden.keys()
    for name, values in golden.items():
        assert len(values) == 8
        assert found[name] == near(values), name


def test_every_method_has_a_sequence() -> None:
    assert set(ALL_METHODS) == {*METHODS, "dreambooth"}  # which is that of the cases without a name of a method


def test_every_sequence_belongs_to_a_case() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == CASES.keys()
