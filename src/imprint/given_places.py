"""Whether what a command names by its place is there: asked before anything is imported that computes."""

from omegaconf import DictConfig

from imprint.command_line import FINISHED_RUN, RUNS, VERBS, Wanted
from imprint.config import resolved
from imprint.errors import ConfigError, Faults, Problem, UserError, no_value
from imprint.locations import locate
from imprint.partial_files import files_named
from imprint.requests import as_list
from imprint.runs import Run


def check_places(verb: str, cfg: DictConfig) -> None:
    """Raises UserError with all places that are not what the verb wants there, or with all keys that have no value."""
    if not (wanted := VERBS[verb].wanted):
        return
    given = resolved(cfg)
    if missing := [key for key, value in given.items() if value == "???"]:
        raise ConfigError(map(no_value, missing))
    faults = Faults()
    for key, kind in wanted.items():
        for place in as_list(given[key] or []):
            with faults.gathered():
                _check(key, place, kind)
    faults.tell()


def _check(key: str, place: str, wanted: Wanted) -> None:
    path = locate(place)
    if wanted is FINISHED_RUN or (wanted is RUNS and (path / "manifest.json").is_file()):
        Run.finished(path)
    elif not path.exists():
        raise ConfigError([Problem(key, place, f"there is no such {wanted.kind}. Give {wanted.said}.")])
    elif wanted is RUNS and not any(files_named("manifest.json", path)):
        raise UserError(f"{key}={place}: there is no finished run here. Give {wanted.said}.")
