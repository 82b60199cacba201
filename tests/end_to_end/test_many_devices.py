"""How many processes train a run, and whether they share its weights, changes nothing but the last digits: for every
family, found by its tiny model."""

from collections.abc import Callable
from pathlib import Path

import pytest
from families import FAMILIES
from rounding import near
from small_runs import configure, losses, only_run, overrides
from two_processes import train_on_two

from imprint.runs import Run
from imprint.verbs.train import train

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("many devices")]

STEPS = 3
SETTINGS = ["hparams.batch_size=2", f"hparams.steps={STEPS}", "seed=0"]
WAYS = {
    "ddp": ["method=lora", "trainer=ddp"],
    "fsdp": ["method=lora", "trainer=fsdp"],
    "fsdp, all weights learn": ["method=dreambooth", "trainer=fsdp"],
}


@pytest.fixture(scope="module")
def on_two(
    tiny_folder: Callable[[str], Path], pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Run]:
    """The run of a family trained in one of the ways."""
    folder = tmp_path_factory.mktemp("two")
    outputs = {(choice, way): folder / choice / way.replace(", ", "-") for choice in FAMILIES for way in WAYS}
    commands = [
        overrides(tiny_folder(choice), pictures, place, *SETTINGS, *WAYS[way])
        for (choice, way), place in outputs.items()
    ]
    train_on_two(commands, folder, timeout=900)
    return lambda choice, way: only_run(outputs[choice, way])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("choice", FAMILIES)
def test_two_processes_learn_what_one_does(
    choice: str,
    way: str,
    on_two: Callable[[str, str], Run],
    tiny_folder: Callable[[str], Path],
    pictures: Path,
    tmp_path: Path,
) -> None:
    two = on_two(choice, way)
    one = train(configure(tiny_folder(choice), pictures, tmp_path, *SETTINGS, WAYS[way][0]))
    assert two.status == "finished"
    assert two.folder.name == one.folder.name
    assert losses(two) == near(losses(one))
    assert two.read().result_files.keys() == one.read().result_files.keys()
