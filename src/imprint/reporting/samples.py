"""Draws the protocol's pictures while a run trains, and keeps the index of all of them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from torch import nn

from imprint.errors import UserError
from imprint.evaluation.samples import SampleProtocol
from imprint.files import is_inside, write_atomically, write_json
from imprint.libraries.lightning import precision_of
from imprint.reporting.sheet import contact_sheet
from imprint.reporting.tracking.tracker import SampleRow, Tracker
from imprint.runs import Run


class SampleEntry(NamedTuple):
    """A row of samples.json. Files are relative to it; `untuned_file` is the same picture at step 0."""

    step: int
    prompt: str
    seed: int
    file: str
    untuned_file: str | None


_INDEX = TypeAdapter(list[SampleEntry])


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
        if trainer.is_global_zero and not self._is_drawn(module):
            quiet = undisturbed(module, trainer.strategy.root_device)
            with quiet, module.drawing(), precision_of(trainer):
                self._draw(module)
        trainer.strategy.barrier("samples")

    def _is_drawn(self, module: Any) -> bool:
        drawn = {
            (entry.prompt, entry.seed)
            for entry in read_samples(self._run)
            if entry.step == self._step and (self._run.samples / entry.file).is_file()
        }
        return drawn.issuperset(self._protocol.asked(module.concepts))

    def _draw(self, module: Any) -> None:
        others = read_samples(self._run)
        untuned = {(entry.prompt, entry.seed): entry.file for entry in others if entry.step == 0}
        folder = f"step-{self._step:06d}"
        new: list[SampleEntry] = []
        for index, sample in enumerate(self._protocol.draw(module.family, module.concepts, *module.frame)):
            file = f"{folder}/{index // len(self._protocol.seeds):02d}-s{sample.seed}.png"
            save_png(sample.image, self._run.samples / file)
            before = file if self._step == 0 else untuned.get((sample.prompt, sample.seed))
            new.append(SampleEntry(self._step, sample.prompt, sample.seed, file, before))
        taken = {entry.file for entry in new}
        kept = [entry for entry in others if entry.file not in taken]
        entries = sorted([*kept, *new], key=lambda entry: entry.step)
        write_json(self._run.sample_index, [entry._asdict() for entry in entries])
        save_png(contact_sheet(entries, self._run.samples), self._run.samples / "sheet.png")
        for tracker in self._trackers:
            tracker.log_samples(self._step, [_row(entry, self._run.samples) for entry in new])


def read_samples(run: Run) -> list[SampleEntry]:
    """Raises UserError for an index that cannot be read, or that points out of its folder."""
    file = run.sample_index
    if not file.is_file():
        return []
    try:
        entries = _INDEX.validate_python(json.loads(file.read_text(encoding="utf-8")))
    except (ValidationError, ValueError, RecursionError) as error:
        raise UserError(f"{file}: it is damaged, or no index of pictures. Delete it.") from error
    files = [name for entry in entries for name in (entry.file, entry.untuned_file) if name is not None]
    if outside := [name for name in files if not is_inside(name)]:
        raise UserError(f"{file}: it names {outside[0]!r}, which is not in its folder. Delete the entry.")
    return entries


def save_png(image: Image.Image, path: Path) -> None:
    """Lossless, and the pixels alone: no profile, no note of where the picture comes from."""
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    write_atomically(path, lambda temporary: bare.save(temporary, format="PNG"))


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
