"""A search for the settings of an arm: how its pictures are drawn, and how often they take a photo's place.

Each combination is an arm of one study, so that all of them are compared on the same photos, subject by subject. Which
are tried, a grid says, or Optuna by those before.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, UserError
from imprint.fitting import locked
from imprint.launching.plan import key_of, sweep_points
from imprint.libraries.hydra import is_basic
from imprint.locations import locate
from imprint.messages import printable
from imprint.overrides import has_several
from imprint.requests import read_request
from imprint.startup import imported_with_extra
from imprint.study.arms import Arm
from imprint.study.choosing import Record, Trial, choice_table, measured, ranked
from imprint.study.examples import Material
from imprint.study.metrics import METRICS
from imprint.study.reading import DrawnSet
from imprint.study.writing import PAGE
from imprint.suggestions import nearest
from imprint.tables.terminal import as_text
from imprint.verbs.study.drawing import VERB, Drawer, to_draw, words_of
from imprint.verbs.study.request import Request, material_of, study_from

log = logging.getLogger(__name__)

LISTED = 20  # settings, in a plan


class Candidate(NamedTuple):
    """`settings` are those in which candidates differ; `overrides` are all of the study's, `words` all of `imprint
    synthesise`."""

    settings: tuple[str, ...]
    overrides: tuple[str, ...]
    words: tuple[str, ...]


class Tried(NamedTuple):
    trial: Trial
    arm: Arm
    sets: Sequence[DrawnSet]


def is_search(cfg: DictConfig) -> bool:
    return cfg.search.arm is not None


def run_search(
    composer: Composer, launcher: Launcher, arguments: Sequence[str], drawer: Drawer, sampling: Mapping[str, Any]
) -> None:
    """`sampling` are the sweeper's settings. Raises ConfigError, before anything is drawn, with what is wrong with all
    candidates; UserError at the end, if none can be measured."""
    given = list({override.get_key_element(): override for override in composer.parse(arguments)}.values())
    fixed = tuple(str(override.input_line) for override in given if not override.is_sweep_override())
    axes = [override.get_key_element() for override in given if override.is_sweep_override()]
    request = read_request(Request, composer.point(fixed))
    words = words_of(request.synthesise or "")
    if problems := list(_faults(request, axes, launcher)):
        raise ConfigError(problems)
    material_of(request, [])  # what is wrong with photos is told before anything is drawn
    searcher = Searcher(composer, drawer, request)
    if "n_trials" in sampling:
        _sampled(searcher, given, words, fixed, sampling)
    else:
        points = sweep_points(composer, arguments, [])
        candidates = [
            Candidate((*_prefixed(drawing.varied), *point.varied), point.overrides, drawing.overrides)
            for drawing in drawer.points(words)
            for point in points
        ]
        if not any(candidate.settings for candidate in candidates):
            raise ConfigError([_no_axis(request)])
        for candidate in candidates:
            drawer.check(candidate.words)
        _plan(searcher, [" ".join(candidate.settings) for candidate in candidates], candidates[0])
        if not request.dry_run:
            for candidate in candidates:
                searcher.measure(candidate)
    if not request.dry_run:
        searcher.finish([text for text in fixed if key_of(text).startswith(f"arms.{request.search.arm}.")], words)


def _prefixed(words: Sequence[str]) -> list[str]:
    return [f"{VERB}.{text}" for text in words]


class Searcher:
    """Measures candidates, and writes what came of all of them."""

    def __init__(self, composer: Composer, drawer: Drawer, request: Request) -> None:
        assert request.search.arm is not None
        self.request = request
        self.drawer = drawer
        self.arm = request.search.arm
        self.metric = request.search.metric or request.task.metrics[0]
        self.folder = locate(request.out)
        self._composer = composer
        self._tried: dict[tuple[str, ...], Tried] = {}
        self._drawn: set[DrawnSet] = set()
        self._failed: dict[str, str] = {}
        self._materials: dict[tuple[DrawnSet, ...], Material] = {}

    def measure(self, candidate: Candidate) -> float | None:
        """None where it cannot be: the reason is kept."""
        said = " ".join(candidate.settings)
        try:
            tried = self._measured(candidate)
        except (UserError, HydraException) as error:
            self._failed[said] = str(error)
            log.warning("%s cannot be: %s", printable(said), error)
            return None
        self._tried[candidate.settings] = tried
        log.info("%s: %s %.3f", printable(said), METRICS[self.metric].title, tried.trial.value)
        return tried.trial.value

    def finish(self, fixed: Sequence[str], words: Sequence[str]) -> None:
        """One study of all that was measured, and the record."""
        if not self._tried:
            reasons = "\n".join(f"  - {settings}: {reason}" for settings, reason in self._failed.items())
            raise UserError(f"search.arm={self.arm}: no settings could be measured:\n{reasons}")
        names = dict(zip(self._tried, _short_names(list(self._tried)), strict=True))
        material = self._material({one: None for tried in self._tried.values() for one in tried.sets})
        study = study_from(self.request, material, {names[key]: tried.arm for key, tried in self._tried.items()})
        tracking = self.request.report.wandb if self.request.report else None
        tables = study.carry_out(tracking)
        trials = ranked([tried.trial for tried in self._tried.values()], self.metric)
        for table in (*tables, choice_table(trials, self.metric)):
            print(as_text(table), end="\n\n")
        Record(
            arm=self.arm,
            metric=self.metric,
            fixed=fixed,
            words=[text for text in words if not has_several(text)],
            trials=trials,
            failed=self._failed,
            tests=sorted(one.content for one in material.tests),
        ).write(self.folder)
        log.info("First: %s. Test it on other subjects: imprint study ... chosen=%s", trials[0].said, self.folder)
        log.info("Study: %s", self.folder / PAGE)

    def _measured(self, candidate: Candidate) -> Tried:
        request = read_request(Request, self._composer.point(candidate.overrides))
        wanted = to_draw(candidate.words, request.shots, self.folder, renamed=True) if candidate.words else []
        for one in wanted:
            if one.set not in self._drawn:
                self.drawer.draw(one)
                self._drawn.add(one.set)
        sets = [one.set for one in wanted]
        arm = request.arms[self.arm]
        for source in dict.fromkeys(one.source for one in sets):
            assert source is not None
            arm = arm.taking(source)
        alone = replace(request, arms={request.against: request.arms[request.against], self.arm: arm}, counts=None)
        study = study_from(alone, self._material(dict.fromkeys(sets)), {self.arm: arm})
        study.learn()
        trial = measured(study.boards(study.done()), self.arm, self.metric, candidate.settings)
        return Tried(trial, arm, sets)

    def _material(self, sets: Mapping[DrawnSet, None]) -> Material:
        key = tuple(sets)
        if key not in self._materials:
            self._materials[key] = material_of(self.request, key)
        return self._materials[key]


def _sampled(
    searcher: Searcher, given: Sequence[Any], words: Sequence[str], fixed: Sequence[str], sampling: Mapping[str, Any]
) -> None:
    search = imported_with_extra("imprint.launching.search", extra="search", key="hydra/sweeper")
    settings = search.Search(**sampling)
    problems = list(settings.problems())
    if settings.goal != "first":
        remedy = "a study is searched by one metric (search.metric). Take hydra/sweeper=optuna."
        problems.append(Problem("hydra.sweeper.goal", settings.goal, remedy))
    if problems:
        raise ConfigError(problems)
    drawing = searcher.drawer.parse(words)
    space = {f"{VERB}.{key}": chosen for key, chosen in search.space_of(drawing).items()} | search.space_of(given)
    if not space:
        raise ConfigError([_no_axis(searcher.request)])
    fixed_words = [str(override.input_line) for override in drawing if not override.is_sweep_override()]

    def candidate(params: Mapping[str, Any]) -> Candidate:
        varied = tuple(f"{key}={value}" for key, value in params.items())
        own = [text.removeprefix(f"{VERB}.") for text in varied if text.startswith(f"{VERB}.")]
        overrides = [text for text in varied if not text.startswith(f"{VERB}.")]
        return Candidate(varied, (*fixed, *overrides), (*fixed_words, *own))

    example = candidate(dict(text.split("=", 1) for text in search.example_of(space)))
    searcher.drawer.check(example.words)
    _plan(searcher, [f"{settings.n_trials} trials, over", *search.describe_space(space)], example)
    if searcher.request.dry_run:
        return
    metric = searcher.metric
    way = "maximize" if METRICS[metric].better == "higher" else "minimize"
    with locked(searcher.folder / ".search.lock", f"{searcher.folder}: another process is at this very search."):
        trials = search.Trials(
            searcher.folder, goals={metric: way}, space=space, sampler=settings.sampler, said=f"out={searcher.folder}"
        )
        for params in trials.finished_params:  # of earlier commands: what they learned is there
            searcher.measure(candidate(params))

        def values(several: Sequence[Mapping[str, Any]]) -> list[list[float] | None]:
            found = [searcher.measure(candidate(params)) for params in several]
            return [None if value is None else [value] for value in found]

        search.run_trials(trials, values, settings)


def _plan(searcher: Searcher, lines: Sequence[str], example: Candidate) -> None:
    said = f"by {METRICS[searcher.metric].title} of {searcher.arm}, the mean over learners and numbers of shots"
    log.info("Search, %s:", said)
    for line in lines[:LISTED]:
        log.info("  %s", printable(line))
    if len(lines) > LISTED:
        log.info("  ... and %d more", len(lines) - LISTED)
    if searcher.request.dry_run and example.words:
        log.info("Of the first, this is drawn:")
        for one in to_draw(example.words, searcher.request.shots, searcher.folder, renamed=True):
            searcher.drawer.draw(one, dry_run=True)


def _faults(request: Request, axes: Sequence[str], launcher: Launcher) -> Iterator[Problem | str]:
    arm, metric = request.search.arm, request.search.metric
    assert arm is not None
    if arm not in request.arms:
        yield Problem("search.arm", arm, f"it is no arm of these; {nearest(arm, request.arms)}")
    elif arm == request.against:
        yield Problem("search.arm", arm, "others are compared with this one (against). Search for another.")
    if request.against not in request.arms:
        yield Problem("against", request.against, f"it is no arm of these; {nearest(request.against, request.arms)}")
    if metric is not None and metric not in request.task.metrics:
        yield Problem("search.metric", metric, f"not of this task; {nearest(metric, request.task.metrics)}")
    if others := [key for key in axes if not key.startswith(f"arms.{arm}.")]:
        remedy = (
            f"a search compares settings of one arm (arms.{arm}...=a,b) and of what is drawn for it "
            "(synthesise='... guidance=2,3'), with all else equal. Give one value."
        )
        yield from (Problem(key, "several values", remedy) for key in others)
    if not is_basic(launcher) or request.jobs is not None:
        yield (
            "hydra/launcher, jobs: a search learns in this process. Type the same command several times: they share "
            "the pictures to draw and the cells."
        )
    if request.chosen is not None:
        yield Problem("chosen", request.chosen, "this study searches itself. Leave one of chosen and search.arm out.")


def _no_axis(request: Request) -> Problem:
    remedy = f"no key has several values: synthesise='... guidance=2,3', arms.{request.search.arm}.share=.5,.9"
    return Problem("search.arm", request.search.arm, remedy)


def _short_names(settings: Sequence[Sequence[str]]) -> list[str]:
    """Of arms: the settings, by the last words of their keys. Equal ones are numbered."""
    found: list[str] = []
    for each in settings:
        name = ", ".join(_short(text) for text in each)
        found.append(name if name not in found else f"{name} ({len(found) + 1})")
    return found


def _short(setting: str) -> str:
    key, _, value = setting.partition("=")
    with suppress(ValueError):
        value = f"{float(value):.4g}"
    return f"{key.rpartition('.')[2].rpartition('@')[2]}={value}"
