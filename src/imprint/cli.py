"""`imprint <verb> [overrides]`: each verb is a Hydra application, so overrides, -m, --cfg, --help are Hydra's own."""

import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hydra.errors import HydraException

from imprint import __version__
from imprint.composition_errors import explained
from imprint.errors import UserError
from imprint.messages import message
from imprint.process_folder import end_with_parent
from imprint.startup import imported


class Verb(NamedTuple):
    summary: str
    positional: str | None = None  # the key that an argument without "=" gives
    texts: tuple[str, ...] = ()  # keys whose values are sentences, not Hydra's grammar
    first: str | None = None  # the key of the first such argument, where it is another


VERBS = {
    "train": Verb("teach a model a subject from a few pictures", texts=("dataset.rights",)),
    "generate": Verb("draw pictures with a trained run", "run", ("prompt", "negative_prompt")),
    "evaluate": Verb("score a trained run, or a folder of pictures", "run"),
    "benchmark": Verb("train and score many subjects, and compare methods in one table", texts=("dataset.rights",)),
    "synthesise": Verb(
        "draw a labelled data set of what was taught, or train what is missing and draw it",
        "run",
        ("negative_prompt", "dataset.rights"),
    ),
    "export": Verb("write a trained run, or a data set, in another format", "run"),
    "adopt": Verb("make a run of a LoRA or an embedding that was trained elsewhere", "files", ("dataset.rights",)),
    "grid": Verb("draw pictures along two axes, as a sheet and a page", "run", ("prompt", "negative_prompt")),
    "merge": Verb("put several trained runs into one file", "run"),
    "compare": Verb("show what differs between runs, and what of it is more than luck", "runs"),
    "trace": Verb("read a picture's marks, and find which seed of a run drew it", "run", first="picture"),
    "report": Verb("write one page about all the runs in a folder", "folder"),
}


# Options of Hydra's whose value is an argument of its own.
HYDRA_OPTIONS = {
    "--cfg",
    "-c",
    "--config-dir",
    "-cd",
    "--config-name",
    "-cn",
    "--config-path",
    "-cp",
    "--package",
    "-p",
}


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help"):
        print(overview())
    elif verb in ("-V", "--version"):
        print(f"imprint {__version__}")
    elif verb not in VERBS:
        print(f"imprint: there is no verb {verb!r}.\n\n{overview()}", file=sys.stderr)
        sys.exit(2)
    else:
        sys.exit(run(verb, arguments[1:]))


def overview() -> str:
    verbs = "\n".join(f"  {name:10} {verb.summary}" for name, verb in VERBS.items())
    return (
        f"imprint {__version__}: teach a text-to-image diffusion model a subject, and measure how well it took.\n\n"
        f"usage: imprint <verb> [key=value ...]\n\n{verbs}\n\n"
        "  imprint train --help          the groups and keys of a verb\n"
        "  imprint train --cfg job       the configuration it would run with\n"
        "  imprint train -m seed=0,1,2   a grid"
    )


def run(verb: str, arguments: Sequence[str]) -> int:
    """The verb's exit code. Errors that the user can correct are printed without a stack trace."""
    try:
        arguments = as_overrides(verb, arguments)
        execute(verb, arguments)
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        return 0
    except (UserError, HydraException, OSError) as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            raise
        print(message(f"\nimprint {verb}: {_message(verb, arguments, error)}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\nimprint {verb}: interrupted. The same command goes on from the last checkpoint.",
            file=sys.stderr,
        )
        return 130
    return 0


def execute(verb: str, arguments: Sequence[str]) -> None:
    """Raises every error, for the caller to report."""
    end_with_parent()  # of a run on several devices, whose processes are started in this way
    was_set = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # otherwise Hydra prints errors and exits
    try:
        _application(verb)(arguments)
    finally:
        if not was_set:
            del os.environ["HYDRA_FULL_ERROR"]


def _application(verb: str) -> Callable[[Sequence[str]], None]:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode
    from omegaconf import DictConfig

    from imprint.config import conf_folder, own_choices_first, register_resolvers
    from imprint.locations import locate
    from imprint.overrides import check_overrides

    failed: list[Exception] = []  # Hydra would print every override before an error

    def work(cfg: DictConfig) -> object:
        register_resolvers()  # this may be another process, started by a launcher
        try:
            # Imported only now: composing and showing a configuration needs no torch.
            return imported(f"imprint.verbs.{verb}").main(cfg)
        except Exception as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN:  # its launcher handles it
                raise
            failed.append(error)
            return None

    def start(arguments: Sequence[str]) -> None:
        given = _options(arguments)
        if given.multirun and given.cfg:
            raise UserError("--cfg shows one configuration; leave -m and the axes out. dry_run=true lists points.")
        own = locate(given.config_dir) if given.config_dir else None
        check_overrides(given.overrides, sweeps=_sweeps(verb, arguments), own=own)
        own_choices_first()
        register_resolvers()
        sys.argv = [sys.argv[0], *arguments]
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=verb)(work)()
        if failed:
            raise failed[0]

    return start


def _options(arguments: Sequence[str]) -> Namespace:
    from imprint.libraries.hydra import parsed_command_line

    try:
        return parsed_command_line(arguments)
    except ValueError as error:
        remedy = "--help shows the options; a file or folder that is called like one is written as ./NAME"
        raise UserError(f"{error}: {remedy}.") from error


def _message(verb: str, arguments: Sequence[str], error: Exception) -> str:
    from imprint.locations import remedy_of_cache

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, HydraException):
        return explained(verb, arguments, error, places=VERBS[verb].positional)
    assert isinstance(error, OSError)
    return f"{error.filename or 'a file'}: {error.strerror or error}. {remedy_of_cache(error.filename)}".rstrip()


def as_overrides(name: str, arguments: Sequence[str]) -> list[str]:
    """`imprint report outputs` means `folder=outputs`, `imprint generate one two` means `run=[one,two]`, and
    `imprint trace a.png one` means `picture=a.png run=one`."""
    from imprint.overrides import as_override, check_letters, in_quotes

    if name not in VERBS:
        raise UserError(f"There is no verb {name!r}. There are {', '.join(VERBS)}.")
    check_letters(arguments)
    verb, sweeps = VERBS[name], _sweeps(name, arguments)
    options, bare, overrides = [], [], []
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if argument.startswith("-") or before in HYDRA_OPTIONS:
            options.append(argument)
        elif verb.positional and _is_place(argument, name):
            bare.append(in_quotes(argument))
        else:
            overrides.append(as_override(argument, texts=verb.texts, sweeps=sweeps))
    given = [f"{verb.first}={bare.pop(0)}"] if verb.first and bare else []
    given += [f"{verb.positional}={bare[0] if len(bare) == 1 else '[' + ','.join(bare) + ']'}"] if bare else []
    return [*options, *given, *overrides]  # Hydra does not take options between overrides


def _is_place(argument: str, verb: str) -> bool:
    """Not `key=value`, and no removal of a key (`~key`). A name that looks like one of these is a place where it exists
    and the verb has no such key."""
    key, equals, _ = argument.lstrip("~").partition("=")
    if argument.startswith("~/") or not (equals or argument.startswith("~")):
        return True
    is_key = re.search(rf"^(  - )?{re.escape(key.partition('.')[0])}\b", _settings(verb), re.MULTILINE)
    return os.path.lexists(argument) and not is_key


def _settings(verb: str) -> str:
    from imprint.config import conf_folder

    return (conf_folder() / f"{verb}.yaml").read_text(encoding="utf-8")


def _sweeps(verb: str, arguments: Sequence[str]) -> bool:
    """Whether commas separate the values of a grid."""
    return verb in ("benchmark", "synthesise") or not {"-m", "--multirun", "hydra.mode=MULTIRUN"}.isdisjoint(arguments)


if __name__ == "__main__":
    main()
