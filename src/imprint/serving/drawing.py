"""Draws what the try-out asks for, in a thread, by the parts of `imprint generate`: one picture after another, into the
run's own folder of generated pictures, where what is there already is found and nothing is overwritten."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from imprint.errors import UserError
from imprint.methods.adapter_layers import merge_exactly
from imprint.models.base import Model
from imprint.models.roles import DENOISER
from imprint.pictures.generate import generate_missing, generate_with
from imprint.pictures.store import PictureStore
from imprint.planning.assemble import computing
from imprint.planning.residence import loading_to_draw
from imprint.results.combine import combined_model, has_strength
from imprint.results.load import method_of
from imprint.results.mix import Mix, check_size
from imprint.runs import Run
from imprint.serving.folder import GENERATED, Listed, ServedFolder
from imprint.training.trainer import available_device
from imprint.verbs.generate import Request as Generating
from imprint.verbs.generate import filled

log = logging.getLogger(__name__)

LOADED = 2  # models that stay in memory: those of two pictures side by side
LARGEST_SEED = 2**32 - 1
MOST_STEPS = 500  # of a sampler; some schedulers of a thousand have no more


class Busy(UserError):
    """It draws already."""


class Cancelled(UserError):
    """Somebody does not want it any more."""


class Side(BaseModel):
    """One of the pictures that are asked for."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    run: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
    strength: Annotated[float, Field(ge=0, le=10)]


class Asked(BaseModel):
    """Pictures from the same noise."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    sides: Annotated[list[Side], Field(min_length=1, max_length=2)]
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)]
    # None, here and below: as the run's model is usually sampled, unless the settings of `serve` say otherwise
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] | None = None
    guidance: Annotated[float, Field(ge=0, le=100)] | None = None


@dataclass(frozen=True)
class Drawn:
    """What has become of a side."""

    side: Side
    prompt: str = ""  # with the words of the subject in it
    file: str = ""  # in the run's folder of generated pictures; empty: not yet
    error: str = ""


@dataclass(frozen=True)
class State:
    """What the try-out's page shows."""

    version: int = 0
    is_busy: bool = False
    doing: str = ""
    seed: int = 0
    sides: tuple[Drawn, ...] = ()


class TryOut:
    """One request at a time. What can be read of it from any thread is `state`."""

    def __init__(self, folder: ServedFolder, generating: Generating) -> None:
        """`generating` says all that the page does not ask."""
        self._folder = folder
        self._generating = generating
        self._models: OrderedDict[object, Model] = OrderedDict()  # the one that was used last is the last
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._thread: threading.Thread | None = None
        self.state = State()

    def has_strength(self, listed: Listed) -> bool:
        """Whether what the run learned can be made weaker."""
        try:
            return bool(self._roles(self._folder.run(listed.key)))
        except UserError:  # of a class that is not trusted: drawing says so
            return False

    def begin(self, asked: Asked) -> None:
        """Raises Busy, and NotServed for runs that are not here."""
        for side in asked.sides:
            self._folder.listed(side.run)
        with self._lock:
            if self.state.is_busy:
                raise Busy("It draws already. Wait for it, or cancel it.")
            self._cancelled.clear()
            self.state = State(self.state.version + 1, True, "", asked.seed, tuple(map(Drawn, asked.sides)))
            self._thread = threading.Thread(target=self._work, args=(asked,), name="try-out", daemon=True)
            self._thread.start()

    def cancel(self) -> None:
        """Ends what is being drawn, at the next step of its sampler."""
        self._cancelled.set()

    def wait(self, seconds: float) -> None:
        """For what is being drawn, or has just been cancelled."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self, asked: Asked) -> None:
        try:
            for place, side in enumerate(asked.sides):
                self._put(place, self._outcome(side, asked, "AB"[place]))
                if self._cancelled.is_set():
                    break
        finally:
            self._change(is_busy=False, doing="")

    def _outcome(self, side: Side, asked: Asked, name: str) -> Drawn:
        try:
            if self._cancelled.is_set():
                raise Cancelled("Cancelled.")
            return self._draw(side, asked, name)
        except (UserError, OSError) as error:
            return Drawn(side, error=str(error))
        except Exception as error:  # of a library: out of memory, above all
            log.exception("The try-out could not draw with %s.", side.run)
            self._models.clear()
            return Drawn(side, error=f"It could not be drawn ({type(error).__name__}: {UserError(str(error))}).")

    def _draw(self, side: Side, asked: Asked, name: str) -> Drawn:
        run = self._folder.run(side.run)
        request = self._request(run, side, asked)
        mix = Mix.of([run], request, rank=request.rank, precision=request.precision, as_trained=True)
        source, _ = mix.chosen()
        if source.facts().upscaling is not None:
            raise UserError(f"This run enlarges pictures: imprint generate {run.folder} picture=FILE does.")
        check_size(mix, request)
        [prompt] = filled([side.prompt], run.concepts, key="prompt")
        recipe = mix.recipe(prompt, asked.seed, request)
        writer = request.provenance.writer(cache(mix.made_by))
        store = PictureStore(Path(request.outputs), [recipe], {}, writer=writer)
        if store.missing():
            self._change(doing=f"{name}: loading the model of {run.folder.name}")
            device = available_device(request.accelerator)
            model = self._loaded(mix, run, request)
            steps = recipe.sampler.steps
            hook = model.roles[DENOISER].register_forward_pre_hook(self._counting(f"{name}: drawing", steps))
            try:
                with computing(request.precision, device):
                    generate_missing(store, generate_with(model), batch_size=1, label=None, counts_failures=False)
            finally:
                hook.remove()
        store.rewrite()
        [outcome] = store.outcomes()
        return Drawn(side, prompt, outcome.file.name)

    def _request(self, run: Run, side: Side, asked: Asked) -> Generating:
        """Texts of the page are put where they belong as they are: nothing in them is a reference, or a setting."""
        given = self._generating
        roles = self._roles(run) or [DENOISER]
        strengths: dict[str, Any] = dict.fromkeys(roles, side.strength)
        return replace(
            given,
            run=str(run.folder),
            prompt=side.prompt,
            seeds=[asked.seed],
            steps=asked.steps or given.steps,
            guidance=given.guidance if asked.guidance is None else asked.guidance,
            scale=replace(given.scale, **strengths),
            outputs=str(run.folder / GENERATED),
        )

    def _roles(self, run: Run) -> list[str]:
        """The parts whose strength can be chosen."""
        method = method_of(run)
        return [role for role in self._generating.scale.by_role() if has_strength(method, role)]

    def _loaded(self, mix: Mix, run: Run, request: Generating) -> Model:
        key = (run.folder, run.manifest.stat().st_mtime_ns, mix.scale)
        if key not in self._models:
            while len(self._models) >= LOADED:
                self._models.popitem(last=False)
            device = available_device(request.accelerator)
            loading = loading_to_draw(request.precision, device)
            model, _ = combined_model(
                [run], weights=None, scale=dict(mix.scale), base=mix.base, rank=mix.rank, loading=loading
            )
            model = model.to(device)
            merge_exactly(model.roles.values())
            self._models[key] = model
        self._models.move_to_end(key)
        return self._models[key]

    def _counting(self, doing: str, steps: int) -> Callable[..., None]:
        """A hook that is called before each computation of the network that draws."""
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            if self._cancelled.is_set():
                raise Cancelled("Cancelled.")
            calls += 1
            self._change(doing=f"{doing}, step {min(calls, steps)} of {steps}")

        return count

    def _put(self, place: int, drawn: Drawn) -> None:
        sides = self.state.sides
        self._change(sides=(*sides[:place], drawn, *sides[place + 1 :]))

    def _change(self, **facts: Any) -> None:
        with self._lock:
            self.state = replace(self.state, version=self.state.version + 1, **facts)
