"""A run, as programs use it: its files, its scores and pictures, and what its model draws."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from imprint.api.commands import command
from imprint.api.scores import Score, scores_of
from imprint.locations import locate
from imprint.runs import Run as RunFolder

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL.Image import Image

    from imprint.api.drawing import RunModel
    from imprint.manifest import Manifest
    from imprint.reporting.record import RunRecord
    from imprint.types import Concept

Device = Literal["auto", "cpu", "cuda", "mps"]
SHOWN = 6  # scores in the representation of a run


class Picture(NamedTuple):
    """Generated while a run trained. `untuned` is the same prompt and noise before the first step."""

    step: int
    prompt: str
    seed: int
    path: Path
    untuned: Path | None


class Run:
    """A run's folder, as `train` and `open` give it. Its properties are read from there at each access."""

    def __init__(
        self, folder: str | Path, *, choices: Mapping[str, str] | None = None, trust: Sequence[str] = ()
    ) -> None:
        """`choices` is what a sweep set for this run, `trust` as in `open`. Raises UserError where no run lies in
        `folder`."""
        self._files = RunFolder.open(locate(str(folder)), trust=trust)
        self._model: RunModel | None = None
        self.folder = self._files.folder
        self.result = self._files.result
        self.choices = dict(choices or {})

    @property
    def status(self) -> str:
        """running (also of a run that was killed), failed or finished."""
        return self._files.status

    @property
    def concepts(self) -> "tuple[Concept, ...]":
        """What was taught: the word and the noun of each subject."""
        return self._files.concepts

    @property
    def manifest(self) -> "Manifest":
        """What the result came from: versions, hashes of model and pictures, time, memory, the configuration."""
        return self._files.read()

    @property
    def settings(self) -> dict[str, str]:
        """The resolved configuration, by dotted key."""
        return self._record().settings

    @property
    def metrics(self) -> dict[str, list[float | None]]:
        """Losses and rates by name, a value for each entry of `step`; None where a step has none."""
        from imprint.reporting.metrics_file import read_metrics

        return read_metrics(self._files.metrics)

    @property
    def scores(self) -> list[Score]:
        """Of its newest evaluation under each profile. `pandas.DataFrame(run.scores)` is a table of them."""
        return scores_of([self._record()])

    @property
    def pictures(self) -> list[Picture]:
        """The samples that were generated during training, by step."""
        folder = self._files.samples
        return [
            Picture(
                one.step,
                one.prompt,
                one.seed,
                folder / one.file,
                folder / one.untuned_file if one.untuned_file else None,
            )
            for one in self._record().samples
        ]

    def generate(
        self,
        prompt: str | Sequence[str],
        *,
        seed: int | Sequence[int] = 0,
        size: tuple[int, int] | None = None,
        hires: str | Mapping[str, Any] | None = None,
        device: Device = "auto",
        **sampler: Any,
    ) -> "list[Image]":
        """Each prompt with each seed: the same pictures as `imprint generate` makes.

        `{identifier}` and `{noun}` in a prompt stand for what was taught. `size` is (height, width), by default that of
        training; `sampler` may have scheduler, steps, guidance and negative_prompt. `hires` draws each picture again,
        larger: "second_pass", "tiles", or settings of these, as in {"factor": 1.5, "tile": 512}. The model stays in
        memory for the next call.
        """
        seeds = [seed] if isinstance(seed, int) else list(seed)
        return self._drawing().draw(prompt, seeds, sampler, size=size, hires=hires, device=device)

    def enlarge(
        self,
        picture: "Image | str | Path | Sequence[Image | str | Path]",
        prompt: str,
        *,
        seed: int = 0,
        device: Device = "auto",
        **upscaler: Any,
    ) -> "list[Image]":
        """Larger ones of these pictures, by the run of an upscaler: what `imprint generate RUN picture=...` makes.

        A file, a folder of them or a picture; sides are cut to multiples of what the model needs. `upscaler` may have
        level, tile, overlap, steps, guidance, scheduler and negative_prompt (conf/enlarging/by_upscaler.yaml). Raises
        UserError for a run that draws from prompts: `generate(..., hires=...)` is its way to larger pictures.
        """
        from PIL.Image import Image

        given = [picture] if isinstance(picture, str | Path | Image) else picture
        return self._drawing().enlarge(given, prompt, seed, upscaler, device=device)

    def pipeline(self) -> "DiffusionPipeline":
        """The library's own pipeline with the result in it, in float32 on the CPU. It needs nothing of imprint."""
        return self._drawing().pipeline()

    def evaluate(self, *overrides: str) -> list[Score]:
        """Scores it as `imprint evaluate RUN <overrides>` does. What is scored already is found."""
        trust = [f"trust=[{','.join(self._files.trust)}]"] if self._files.trust else []
        command("evaluate", str(self.folder), *trust, *overrides)
        return self.scores

    def __repr__(self) -> str:
        scores = [f"{score.title} {score.mean:.3f}" for score in self.scores if score.row == "tuned"][:SHOWN]
        return "\n  ".join([f"Run({str(self.folder)!r})", self._summary(), *([", ".join(scores)] if scores else [])])

    def _repr_html_(self) -> str:
        from imprint.tables.html import html
        from imprint.tables.table import Table

        rows = [(one.profile, one.title, one.row, f"{one.mean:.3f}") for one in self.scores]
        table = html(Table.of_values(("profile", "metric", "row", "mean"), rows)) if rows else ""
        return f"<b>{escape(self.folder.name)}</b><br>{escape(self._summary())}{table}"

    def _summary(self) -> str:
        record = self._record()
        taught = ", ".join(f'"{concept.identifier} {concept.noun}"' for concept in self.concepts)
        loss = None if record.loss is None else f"loss {record.loss:.4f}"
        took = record.cost.get("seconds")
        seconds = None if took is None else f"{took:.0f} s"
        parts = [record.status, record.settings.get("method"), taught, f"{record.steps or 0} steps", loss, seconds]
        return " · ".join(part for part in parts if part)

    def _record(self) -> "RunRecord":
        from imprint.reporting.record import read_run

        return read_run(self._files)

    def _drawing(self) -> "RunModel":
        from imprint.api.drawing import RunModel

        if self._model is None:
            self._model = RunModel(self._files)
        return self._model
