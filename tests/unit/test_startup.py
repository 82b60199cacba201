"""What a program loads before it is needed, it loads in vain. Each case is a process of its own."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from weakref import ref

import pytest
import torch
from skips import NOT_HERE

import imprint
from imprint.__main__ import main
from imprint.errors import UserError
from imprint.libraries.process import without_denormals
from imprint.startup import imported
from imprint.verbs import train as verb

# Nothing in these is for composing, or for one line of help.
HEAVY = {"torch", "diffusers", "transformers", "peft", "pytorch_lightning", "matplotlib", "wandb", "pydantic", "rich"}
# These are for some runs, trackers, pages and verbs. (bitsandbytes and torchao are, too, but peft imports them.)
SELDOM = {
    *("wandb", "tensorboard", "optuna", "joblib", "submitit", "datasets", "optimi"),
    *(
        "imprint.batched_runs",
        "imprint.launchers",
        "imprint.verbs.benchmark",
        "imprint.verbs.generate",
        "imprint.verbs.report",
    ),
    *("imprint.reporting.page", "imprint.reporting.thumbnails", "imprint.tables.html"),
    *("imprint.reporting.scoreboard.figures", "imprint.reporting.scoreboard.style"),  # what draws with matplotlib
    *("diffusers.pipelines.stable_diffusion.safety_checker", "transformers.models.vit", "transformers.models.dinov2"),
}


def loaded_by(program: str) -> set[str]:
    shown = f"import sys\ntry:\n    {program}\nfinally:\n    print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=False)
    return set(run.stdout.splitlines())


@pytest.mark.parametrize("arguments", [[], ["--version"], ["train", "--help"], ["train", "--cfg", "job"], ["nothing"]])
def test_what_only_tells_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by(f"from imprint.cli import main; main({arguments})")
    assert "imprint.cli" in loaded
    assert not loaded & HEAVY


def test_the_package_alone_loads_nothing_at_all() -> None:
    loaded = loaded_by("import imprint; assert 'train' in dir(imprint)")
    assert {name for name in loaded if name.startswith(("imprint", "hydra", "omegaconf"))} == {"imprint"}
    assert not loaded & HEAVY


def test_a_program_that_opens_a_run_loads_what_that_needs() -> None:
    loaded = loaded_by("import imprint; imprint.open('nothing')")
    assert "imprint.api" in loaded
    assert not loaded & (HEAVY - {"pydantic", "rich"})


def test_a_program_that_misspells_a_key_is_told_before_anything_heavy_is_loaded() -> None:
    loaded = loaded_by("import imprint; imprint.train('hparams.step=3')")
    assert "imprint.config" in loaded
    assert not loaded & (HEAVY - {"pydantic", "rich"})


def test_a_training_loads_what_it_needs() -> None:
    loaded = loaded_by("from imprint.cli import main; main(['train', 'dry_run=true'])")
    assert "imprint.verbs.train" in loaded
    assert loaded & SELDOM == set()


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    gc.unfreeze()  # what all tests share
    (tmp_path / "imported_at_last.py").write_text("import gc\nTHRESHOLD = gc.get_threshold()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "imported_at_last"
    sys.modules.pop("imported_at_last", None)
    gc.freeze()
    torch.set_flush_denormal(False)


def test_garbage_is_searched_for_less_while_importing_and_as_before_afterwards(written: str) -> None:
    before = gc.get_threshold()
    assert imported(written).THRESHOLD[0] > before[0]
    assert gc.get_threshold() == before
    assert gc.isenabled()


class _Garbage:
    """That only a search finds: it holds itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_imported_again_keeps_no_garbage(written: str) -> None:
    imported(written)
    assert gc.get_freeze_count() > 0
    left_behind = ref(_Garbage())
    imported(written)
    gc.collect()
    assert left_behind() is None


def test_numbers_too_small_to_matter_become_zero_in_all_threads_of_a_program(written: str) -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip(f"{NOT_HERE} the processor always computes with them")
    tiny = torch.tensor([1e-40])
    assert (tiny * 1).item() > 0
    imported(written)
    products: list[float] = []
    thread = Thread(target=lambda: products.append((tiny * 1).item()))
    thread.start()
    thread.join()
    assert [*products, (tiny * 1).item()] == [0, 0]


def test_a_program_computes_without_them_only_while_imprint_does() -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip(f"{NOT_HERE} the processor always computes with them")
    tiny = torch.tensor([1e-40])
    with without_denormals():
        assert (tiny * 1).item() == 0
        with without_denormals():
            assert (tiny * 1).item() == 0
        assert (tiny * 1).item() == 0
    assert (tiny * 1).item() > 0


def test_train_of_a_program_computes_as_the_command_does(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.set_flush_denormal(False):
        pytest.skip(f"{NOT_HERE} the processor always computes with them")
    seen: list[float] = []

    def trained(cfg: object) -> None:
        seen.append((torch.tensor([1e-40]) * 1).item())
        raise UserError("far enough")

    monkeypatch.setattr(verb, "train", trained)
    with pytest.raises(UserError, match="far enough"):
        imprint.train("dry_run=true")
    assert seen == [0]


class _Interrupted(ModuleType):
    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


def test_an_interruption_of_its_imports_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "imprint.cli", _Interrupted("imprint.cli"))
    with pytest.raises(SystemExit, match="130"):
        main()
    assert capsys.readouterr().err == "\nimprint: interrupted. Nothing was begun.\n"
