"""Draws the protocol's pictures while a run trains, into a store that holds those of all steps."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import nn

from imprint.errors import UserError
from imprint.evaluation.samples import SampleProtocol
from imprint.libraries.lightning import precision_of
from imprint.pictures.draw import drawn_by, fill
from imprint.pictures.files import save_png
from imprint.pictures.recipe import Recipe
from imprint.pictures.store import Store, read_index
from imprint.reporting.sheet import contact_sheet
from imprint.reporting.tracking.tracker import SampleRow, Tracker
from imprint.runs import Run


class SampleEntry(NamedTuple):
    """A picture that samples.json tells of. Files are relative to it; `untuned_file` is the same picture at step 0."""

    step: int
    prompt: str
    seed: int
    file: str
    untuned_file: str | None


class SamplePictures(pl.Callback):
    """Draws on rank zero, with the averaged weights, at the steps that the protocol names.

    Training does not notice: modes are restored, and no generator is advanced. What a step already has is not
    drawn again.
    """

    def __init__(self, run: Run, protocol: SampleProtocol, trackers: Sequence[Tracker]) -> None:
        self._run = run
        self._protocol = protocol
        self._trackers = trackers
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step = trainer.global_step  # where a resumed run was interrupted, perhaps before it had drawn
        self._draw_if_due(trainer, pl_module, total=trainer.max_steps)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > self._step:
            self._step = trainer.global_step
            self._draw_if_due(trainer, pl_module, total=trainer.max_steps)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Training may end before `max_steps`; and a run resumed at its last step passes no other hook.
        self._step = trainer.global_step
        self._draw_if_due(trainer, pl_module, total=self._step)

    def _draw_if_due(self, trainer: pl.Trainer, module: Any, *, total: int) -> None:
        if not self._protocol.due(self._step, total):
            return
        if trainer.is_global_zero:
            store = self._store(module)
            if store.missing():
                quiet = undisturbed(module, trainer.strategy.root_device)
                with quiet, module.generating(), precision_of(trainer):
                    fill(
                        store,
                        drawn_by(module.model),
                        batch_size=self._protocol.batch_size,
                        label=None,
                        counts_failures=False,
                    )
                self._show()
        trainer.strategy.barrier("samples")

    def _store(self, module: Any) -> Store:
        protocol, folder = self._protocol, f"step-{self._step:06d}"
        recipes = [
            Recipe(
                file=f"{folder}/{place // len(protocol.seeds):02d}-s{seed}.png",
                prompt=prompt,
                seed=seed,
                sampler=protocol.sampler,
                size=module.frame,
                facts={"step": self._step},
            )
            for place, (prompt, seed) in enumerate(protocol.asked(module.concepts))
        ]
        return Store(self._run.samples, recipes, {}, index=self._run.sample_index.name)

    def _show(self) -> None:
        entries = read_samples(self._run)
        save_png(contact_sheet(entries, self._run.samples), self._run.samples / "sheet.png")
        rows = [_row(entry, self._run.samples) for entry in entries if entry.step == self._step]
        for tracker in self._trackers:
            tracker.log_samples(self._step, rows)


def read_samples(run: Run) -> list[SampleEntry]:
    """By step. Raises UserError for an index that cannot be read."""
    file = run.sample_index
    if not file.is_file():
        return []
    try:
        _, listed = read_index(file)
        drawn = [(int(each["step"]), str(each["prompt"]), int(each["seed"]), each["file"]) for each in listed]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{file}: it is damaged, or no index of pictures. Delete it.") from error
    untuned = {(prompt, seed): name for step, prompt, seed, name in drawn if step == 0}
    entries = [SampleEntry(*each, untuned.get(each[1:3])) for each in drawn]
    return sorted(entries, key=lambda entry: entry.step)


@contextmanager
def undisturbed(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode without gradients; then every part is in its own mode, and no generator has moved."""
    modes = {part: part.training for part in module.modules()}
    cuda = [device] if device.type == "cuda" else []
    module.eval()
    try:
        with torch.random.fork_rng(devices=cuda), torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def _row(entry: SampleEntry, folder: Path) -> SampleRow:
    untuned = folder / entry.untuned_file if entry.untuned_file else None
    return SampleRow(entry.prompt, entry.seed, folder / entry.file, untuned if untuned and untuned.is_file() else None)
