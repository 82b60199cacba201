"""What TAB offers after `imprint ...`: verbs, settings and choices, as composed with what is typed already."""

import shlex
from collections.abc import Collection, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from hydra.errors import HydraException

from imprint.config import choices
from imprint.errors import UserError
from imprint.explaining.settings import Section, sections

SHELLS = ("bash", "zsh", "fish")
OPTIONS = ("--cfg", "--config-dir", "--help", "--hydra-help", "--multirun", "--resolve")


def script(shell: str) -> str:
    """What the shell has to read at its start. Raises UserError for another shell."""
    if shell not in SHELLS:
        raise UserError(f"{shell}: there is completion for {', '.join(SHELLS)}.")
    return (files("imprint.explaining") / "shells" / f"imprint.{shell}").read_text(encoding="utf-8").rstrip()


def candidates(
    line: str, *, verbs: Collection[str], with_places: Collection[str], topics: Sequence[str], own: Path | None
) -> list[str]:
    """Words in place of the last one of a command line up to the cursor. `with_places` are the verbs that take files or
    folders by themselves, `topics` what help is about, `own` is the configuration of the project."""
    [_, *words] = [*_split(line), ""] if line[-1:].isspace() else _split(line)
    [verb, *typed, current] = words if len(words) > 1 else ["", *(words or [""])]
    if verb in verbs and not current.startswith("-"):
        places = _places(current) if verb in with_places and "=" not in current else []
        return [*sorted(set(_of_verb(verb, typed, current, own))), *places]
    others = {"": [*verbs, "help", "completion"], "help": topics, "completion": SHELLS}
    return [word for word in (OPTIONS if verb in verbs else others.get(verb, ())) if word.startswith(current)]


def _split(line: str) -> list[str]:
    """As the shell does, also where a quote is open still."""
    for closing in ("", "'", '"'):
        try:
            return shlex.split(line + closing)
        except ValueError:
            continue
    return line.split()


def _of_verb(verb: str, typed: Sequence[str], current: str, own: Path | None) -> Iterator[str]:
    key, equals, value = current.partition("=")
    options = ["--config-dir", str(own)] if own else []
    others = [text for text in typed if "=" in text and text.partition("=")[0] != key]
    found = _sections(verb, options, others)
    if equals:
        yield from _values(found, key, value, own)
        return
    for name in _names(found):
        if name.startswith(key):  # up to the next dot
            rest = name[len(key) :]
            yield key + rest[: rest.index(".") + 1] if "." in rest else f"{name}="


def _names(found: Sequence[Section]) -> Iterator[str]:
    for section in found:
        if section.group and (section.others or section.chosen):
            yield section.group
        yield from (setting.key for setting in section.settings)


def _values(found: Sequence[Section], key: str, value: str, own: Path | None) -> Iterator[str]:
    """After a comma, those of one more point of a grid."""
    given, comma, last = value.rpartition(",")
    before = f"{key}={given}{comma}"
    values = choices(key, own)
    for section in found:
        if any(setting.key == key and setting.value in ("true", "false") for setting in section.settings):
            values = ["true", "false"]
    named = [name for name in values if name.startswith(last)]
    yield from (f"{before}{name}" for name in (named or _places(last)))


def _places(text: str) -> list[str]:
    """Files and folders that begin so; hidden ones where a dot is typed."""
    folder, slash, beginning = text.rpartition("/")
    where = Path(f"{folder}{slash}" or ".").expanduser()
    try:
        entries = sorted(entry.name + "/" * entry.is_dir() for entry in where.iterdir())
    except OSError:
        return []
    shown = [name for name in entries if not name.startswith(".") or beginning.startswith(".")]
    return [f"{folder}{slash}{name}" for name in shown if name.startswith(beginning)]


def _sections(verb: str, options: Sequence[str], typed: Sequence[str]) -> list[Section]:
    """What was typed may have a mistake, which is told when the command is given."""
    try:
        return sections(verb, [*options, *typed])
    except (HydraException, ValueError):
        return sections(verb, options)
