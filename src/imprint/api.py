"""What programs and notebooks use: train, open a run, read its scores and pictures, generate with it."""

import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hydra.errors import HydraException
from omegaconf import DictConfig

from imprint import cli, config, sweeps
from imprint.command_line import as_overrides
from imprint.composition_errors import explained
from imprint.errors import ConfigError, UserError
from imprint.libraries.process import without_denormals
from imprint.locations import locate
from imprint.overrides import check_overrides
from imprint.process_folder import own_folder
from imprint.runs import Run as RunFolder

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline
    from PIL.Image import Image

    from imprint.manifest import Manifest
    from imprint.models.base import Model
    from imprint.pictures.second_pass import SecondPass, Wanted
    from imprint.pictures.store import Recipe
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


class Score(NamedTuple):
    """One metric of one row: `tuned` is the run, `untuned`, `real` and the like are its floors and ceilings.

    Scores may be compared exactly if their fingerprints are equal. The interval (95%) is for other prompts like these.
    """

    run: str
    profile: str
    subject: str
    row: str
    metric: str
    title: str
    mean: float
    low: float | None
    high: float | None
    better: str
    fingerprint: str


class Run:
    """A run's folder, as `train` and `open` give it. Its properties are read from there at each access."""

    def __init__(
        self, folder: str | Path, *, choices: Mapping[str, str] | None = None, trust: Sequence[str] = ()
    ) -> None:
        """`choices` is what a sweep set for this run, `trust` as in `open`. Raises UserError where no run lies in
        `folder`."""
        self._files = RunFolder.open(locate(str(folder)), trust=trust)
        self._model: tuple[str, Model] | None = None
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
        return _scores([self._record()])

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
        import torch

        from imprint.pictures.generate import generate_with
        from imprint.pictures.second_pass import Wanted
        from imprint.pictures.store import Recipe
        from imprint.requests import as_list
        from imprint.results.load import own_model
        from imprint.verbs.generate import filled

        if own_model(self._finished(), {}).facts().upscaling is not None:
            raise UserError(
                f"{self.folder.name} is an upscaler's run, which draws nothing from prompts: run.enlarge(...)"
            )
        prompts = filled(as_list(prompt), self.concepts, key="prompt")
        seeds = [seed] if isinstance(seed, int) else list(seed)
        model = self._loaded(device)
        unknown = sampler.keys() - set(model.sampler._fields)
        if unknown:
            raise UserError(f"{', '.join(sorted(unknown))}: a sampler has {', '.join(model.sampler._fields)}.")
        chosen = model.sampler._replace(**sampler)
        once = [Recipe("", text, number, chosen, size or self._files.frame, {}) for text in prompts for number in seeds]
        again = _second_pass(hires)
        wanted = self._enlarged(again, once, model) if again else [Wanted(recipe) for recipe in once]
        draw = generate_with(model)
        with torch.no_grad(), without_denormals():
            pictures = []
            for recipe, one in zip(once, wanted, strict=True):
                [picture] = draw([recipe])
                pictures.append(one.again.drawn(model, one.recipe, picture) if one.again else picture)
            return pictures

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
        from PIL import Image

        from imprint.pictures.store import Recipe
        from imprint.results.given_pictures import given_pictures, middle
        from imprint.results.load import own_model
        from imprint.results.upscaling import KEY, Upscaler
        from imprint.verbs.generate import filled

        run = self._finished()
        settings = _settings(KEY, {**upscaler, "run": None, "model": None})
        enlarges = Upscaler(settings, own_model(run, {}), run)
        given = [picture] if isinstance(picture, str | Path | Image.Image) else picture
        lows: list[Image.Image] = []
        for one in given:
            if isinstance(one, Image.Image):
                lows.append(middle(one.convert("RGB"), enlarges.enlarged_part(one)))
            else:
                lows += [found.load() for found in given_pictures(str(one), key="picture", upscaler=enlarges)]
        sizes = [(low.height, low.width) for low in lows]
        problems = [problem for size in sizes for problem in enlarges.problems(size)]
        if problems:
            raise ConfigError({str(problem): problem for problem in problems}.values())
        [text] = filled([prompt], self.concepts, key="prompt")
        recipes = [enlarges.recipe(Recipe("", text, seed, enlarges.sampler, size, {}), self.concepts) for size in sizes]
        model = self._loaded(device)
        with without_denormals():
            return [enlarges.drawn(model, recipe, low) for recipe, low in zip(recipes, lows, strict=True)]

    def pipeline(self) -> "DiffusionPipeline":
        """The library's own pipeline with the result in it, in float32 on the CPU. It needs nothing of imprint."""
        import torch
        from diffusers import DiffusionPipeline

        from imprint.models.checkpoint.finding import left_out
        from imprint.results.load import trained_model

        model, _, method = trained_model(self._finished(), scale={}, quantised=False)
        formats = {**model.formats, **method.formats(model)}
        with tempfile.TemporaryDirectory(dir=own_folder(), ignore_cleanup_errors=True) as folder:
            place = Path(folder) / "pipeline"
            formats["pipeline"].write(place, torch.float32)
            without = dict.fromkeys(left_out(place))  # which the library wants to be told
            pipeline: DiffusionPipeline = DiffusionPipeline.from_pretrained(place, disable_mmap=True, **without)
        return pipeline

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

    def _finished(self) -> RunFolder:
        return RunFolder.finished(self.folder, trust=self._files.trust)

    def _enlarged(self, again: "SecondPass", once: "Sequence[Recipe]", model: "Model") -> "list[Wanted]":
        """What is drawn in place of each of these. Raises ConfigError with all that is wrong with it."""
        from imprint.results.load import own_model

        facts = own_model(self._finished(), {}).facts()
        problems = [problem for recipe in once for problem in again.problems(recipe.size, recipe.sampler, facts)]
        if problems:
            raise ConfigError({str(problem): problem for problem in problems}.values())
        wanted = [again.wanted(recipe, facts) for recipe in once]
        for one in wanted:
            one.check(model)
        return wanted

    def _loaded(self, device: str) -> "Model":
        from imprint.methods.adapter_layers import merge_exactly
        from imprint.results.load import trained_model
        from imprint.training.trainer import available_device

        if self._model is None or self._model[0] != device:
            model = trained_model(self._finished(), scale={}).model.to(available_device(device))
            merge_exactly(model.roles.values())
            self._model = device, model
        return self._model[1]


class Sweep:
    """The runs of a grid or a search."""

    def __init__(self, folder: str | Path) -> None:
        """`folder` is outputs/sweeps/NAME. Raises UserError where no sweep lies there."""
        self._files = sweeps.Sweep.open(locate(str(folder)))
        self.folder = self._files.folder

    @property
    def runs(self) -> list[Run]:
        """Those that have begun, in the order in which they were planned, each with its `choices`."""
        from imprint.reporting.record import axes, records_of

        points = self._files.points
        keys = axes(points)
        return [
            Run(record.folder, choices={key: record.settings[key] for key in keys if key in record.settings})
            for record in records_of(points)
            if record.status != "absent"
        ]

    @property
    def scores(self) -> list[Score]:
        """Of all its runs. Intervals of the metrics come with them."""
        from imprint.reporting.record import records_of

        return _scores(records_of(self._files.points))

    @property
    def summary(self) -> str:
        """The results of its points, as Markdown; empty while nothing is finished."""
        return self._files.summary.read_text(encoding="utf-8") if self._files.summary.is_file() else ""

    def __repr__(self) -> str:
        lines = (f"  {run.folder.name}  {run.status}" for run in self.runs)
        return "\n".join([f"Sweep({str(self.folder)!r})", *lines])

    def _repr_markdown_(self) -> str:
        return self.summary or f"`{self!r}`"


def compose(*overrides: str, verb: str = "train") -> DictConfig:
    """The configuration that `imprint <verb> <overrides>` runs with. Raises UserError for what does not exist.

    What is `--config-dir mine` in a command is the override `hydra.searchpath=[file:///path/to/mine]` here.
    """
    try:
        overrides = tuple(as_overrides(verb, overrides))
        check_overrides(overrides, sweeps=False)
        return config.compose(verb, overrides)
    except HydraException as error:
        raise UserError(explained(verb, overrides, error)) from error


def train(*overrides: str, configuration: DictConfig | None = None) -> Run:
    """Does what `imprint train <overrides>` does, and returns the finished run.

    The same call again resumes a run that was interrupted, and returns one that is finished. A `configuration` from
    `compose` takes the place of overrides. Raises UserError, with all mistakes at once, before a model is loaded.
    """
    if configuration is not None and overrides:
        raise UserError("Give either overrides or a configuration: compose(*overrides) takes them.")
    composed = compose(*overrides) if configuration is None else configuration

    from imprint.verbs import train as verb  # only now: a misspelt key needs no PyTorch to be refused

    with without_denormals():
        trained = verb.train(composed)
    return Run(trained.folder, trust=trained.trust)


def synthesise(*overrides: str) -> Path:
    """Does what `imprint synthesise <overrides>` does, and returns the data set's folder.

    The same call again draws what is missing. One with several values of a key makes a data set for each: that is
    `command("synthesise", ...)`. Raises UserError, with all mistakes at once, before anything is trained or drawn.
    """
    folder = compose(*overrides, verb="synthesise").out
    command("synthesise", *overrides)
    return locate(folder)


def open(folder: str | Path, *, trust: Sequence[str] = ()) -> Run:
    """The run that lies in `folder`, finished or not.

    A run may have been trained with classes of your own. Their import paths, as in `trust=["my_package.MyMethod"]`,
    say that these may be used to open it; without that only imprint's own classes are.
    """
    return Run(folder, trust=trust)


def command(verb: str, *arguments: str) -> None:
    """Does what `imprint <verb> <arguments>` does, for what has no function of its own: `command("train", "-m", ...)`.

    Raises UserError where the command line would print an error.
    """
    overrides = as_overrides(verb, arguments)
    try:
        cli.execute(verb, overrides)
    except HydraException as error:
        raise UserError(explained(verb, overrides, error)) from error


def _second_pass(hires: str | Mapping[str, Any] | None) -> "SecondPass | None":
    """A choice of conf/hires, or settings of a second pass. Raises ConfigError with all that is wrong with them."""
    from imprint.pictures.second_pass import KEY

    if hires is None:
        return None
    choice, own = (hires, {}) if isinstance(hires, str) else ("second_pass", hires)
    again: SecondPass | None = _settings(KEY, own, f"{KEY}={choice}")
    return again


def _settings(key: str, own: Mapping[str, Any], *overrides: str) -> Any:
    """What `imprint generate` has under this key, with settings of one's own. Raises ConfigError with all that is wrong
    with them."""
    from imprint.construct import Constructor

    node = compose(*overrides, verb="generate")[key]
    if node is None:
        return None
    constructor = Constructor()
    built = constructor.build({**config.resolved(node), **own}, key)
    if constructor.problems:
        raise ConfigError(constructor.problems)
    return built


def _scores(records: "Sequence[RunRecord]") -> list[Score]:
    from imprint.reporting.run_scores import scores_of

    found = scores_of(records)
    scores = []
    for record in records:
        for sheet in found.sheets[record.folder]:
            for column in (column for column in found.columns if column.of(sheet)):
                facts = sheet.metrics[column.name]
                alone = len(found.sheets_with(record, column)) == 1
                for row, numbers in sheet.rows.items():
                    if column.name in numbers:
                        interval = found.interval(record, column) if alone and row == "tuned" else None
                        scores.append(
                            Score(
                                run=record.name,
                                profile=sheet.profile,
                                subject=sheet.subject,
                                row=row,
                                metric=column.name,
                                title=facts.title,
                                mean=numbers[column.name].mean,
                                low=interval.low if interval else None,
                                high=interval.high if interval else None,
                                better=facts.better,
                                fingerprint=facts.fingerprint,
                            )
                        )
    return scores
