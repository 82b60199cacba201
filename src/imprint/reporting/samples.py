"""The pictures of the sampling protocol: generated while a run trains, in a store that holds those of all steps."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from imprint.evaluation.samples import SampleProtocol
from imprint.pictures.files import save_png
from imprint.pictures.generate import generate_missing, generate_with
from imprint.pictures.store import PictureStore, Recipe
from imprint.reporting.contact_sheets import samples_contact_sheet
from imprint.reporting.sample_index import SampleEntry, read_samples
from imprint.reporting.step_callback import StepCallback
from imprint.reporting.tracking.loggers import SampleRow, Tracker
from imprint.runs import Run
from imprint.training.drawing import first_alone, generation
from imprint.training.low_views import LowViews


class SamplePictures(StepCallback):
    """Generates on rank zero, with the averaged weights, at the steps that the protocol names.

    Modes and RNG state of the training stay as they are. What a step already has is not generated again.
    """

    def __init__(self, run: Run, protocol: SampleProtocol, trackers: Sequence[Tracker]) -> None:
        super().__init__(protocol.due)
        self._run = run
        self._protocol = protocol
        self._trackers = trackers

    def act(self, trainer: pl.Trainer, module: Any) -> None:
        with first_alone(trainer, module) as is_first:
            if is_first:
                self._draw(trainer, module)
        trainer.strategy.barrier("samples")

    def _draw(self, trainer: pl.Trainer, module: Any) -> None:
        store = self._store(module)
        is_new = bool(store.missing())
        if is_new:
            side = module.model.low_side
            with generation(trainer, module), side.needed() if side else nullcontext():
                low_res = LowViews(module) if side else None
                model, batch_size = generate_with(module.model, low_res), self._protocol.batch_size
                generate_missing(store, model, batch_size=batch_size, label=None, counts_failures=False)
        else:
            store.complete_index()
        entries = read_samples(self._run)
        # Also of pictures that were there: a program may be killed between them and their sheet.
        save_png(samples_contact_sheet(entries, self._run.samples), self._run.samples / "sheet.png")
        if is_new:
            self._tell(entries)

    def _store(self, module: Any) -> PictureStore:
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
        return PictureStore(self._run.samples, recipes, {}, index=self._run.sample_index.name)

    def _tell(self, entries: Sequence[SampleEntry]) -> None:
        rows = [_row(entry, self._run.samples) for entry in entries if entry.step == self._step]
        for tracker in self._trackers:
            tracker.log_samples(self._step, rows)


def _row(entry: SampleEntry, folder: Path) -> SampleRow:
    untuned = folder / entry.untuned_file if entry.untuned_file else None
    return SampleRow(entry.prompt, entry.seed, folder / entry.file, untuned if untuned and untuned.is_file() else None)
