"""`imprint <verb> [overrides]`: each verb is a Hydra application, so overrides, -m, --cfg, --help are Hydra's own."""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.errors import HydraException
from yaml import YAMLError

from imprint import __version__
from imprint.command_line import SERVICES, SWEEPS, VERBS, as_overrides, check, options, overview, own_conf_options
from imprint.composition_errors import explained
from imprint.errors import UserError
from imprint.first_words import say, speaking_as
from imprint.messages import message, printable
from imprint.process_folder import end_with_parent
from imprint.startup import imported

if TYPE_CHECKING:
    from imprint.explaining.topics import Help


def main(arguments: Sequence[str] | None = None) -> None:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help"):
        print(overview())
    elif verb in ("-V", "--version"):
        print(f"imprint {__version__}")
    elif verb in SERVICES or verb in VERBS:
        sys.exit(run(verb, arguments[1:]))
    else:
        print(
            message(f"imprint: there is no verb {verb!r}; {_nearest(verb)} imprint --help lists all."), file=sys.stderr
        )
        sys.exit(2)


def run(verb: str, arguments: Sequence[str]) -> int:
    """The verb's exit code. Errors that the user can correct are printed without a stack trace."""
    own: list[str] = []
    try:
        if verb in SERVICES:
            _serve(verb, arguments)
        elif not {"--help", "-h"}.isdisjoint(arguments):
            print(_explained(verb, [argument for argument in arguments if argument not in ("--help", "-h")]))
        else:
            overrides = as_overrides(verb, arguments)
            own = own_conf_options(verb, overrides)
            execute(verb, [*own, *overrides])
    except BrokenPipeError:  # the reader of the output has closed it, as `head` does
        return 0
    except (UserError, HydraException, YAMLError, OSError) as error:
        if "HYDRA_FULL_ERROR" in os.environ:
            raise
        print(message(f"\nimprint {verb}: {_message(verb, [*own, *arguments], error)}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\nimprint {verb}: interrupted. The same command goes on from the last checkpoint.",
            file=sys.stderr,
        )
        return 130
    return 0


def _serve(service: str, arguments: Sequence[str]) -> None:
    if service == "help":
        print(_help(_told_of_conf()).page(arguments) if arguments else overview())
        return
    if service.startswith("from-"):
        _translate(service.removeprefix("from-"), arguments)
        return
    from imprint.explaining.completion import candidates, script

    if arguments[:1] == ["line"]:  # what the shells' scripts ask
        places = [name for name, verb in VERBS.items() if verb.positional]
        own = _own_conf()
        found = candidates(" ".join(arguments[1:]), verbs=VERBS, with_places=places, topics=_help(own).topics, own=own)
        print("\n".join(map(printable, found)))
    else:
        print(script(arguments[0] if arguments else ""))


def _own_conf() -> Path | None:
    """Of the project that TAB is pressed in. What is wrong is told when the command is given."""
    from imprint.projects import own_conf, project_above

    try:
        project = project_above(Path())
        return own_conf(project) if project else None
    except UserError:
        return None


def _told_of_conf() -> Path | None:
    """The same for help, which says where there is one that is not used."""
    from imprint.projects import not_used, project_above

    if (own := _own_conf()) is None and (project := project_above(Path())):
        print(message(f"imprint help: {not_used(project)}"), file=sys.stderr)
    return own


def _translate(program: str, arguments: Sequence[str]) -> None:
    """The command goes to the output, what is said of it does not."""
    from imprint.migration.commands import translate

    found = translate(program, arguments[0] if len(arguments) == 1 else shlex.join(arguments))
    print(message(found.command()))
    for note in found.notes:
        print(message(note), file=sys.stderr)


def _explained(verb: str, arguments: Sequence[str]) -> str:
    overrides = as_overrides(verb, arguments)
    overrides = [*own_conf_options(verb, overrides), *overrides]
    check(verb, overrides)
    return _help(None).verb(verb, overrides)


def _help(own: Path | None) -> "Help":
    from imprint.explaining.topics import Help

    return Help({name: verb.summary for name, verb in VERBS.items()}, own)


def _nearest(verb: str) -> str:
    from imprint.suggestions import nearest

    return nearest(verb, [*VERBS, *SERVICES])


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

    failed: list[Exception] = []  # Hydra would print every override before an error

    def work(cfg: DictConfig) -> object:
        from imprint.given_places import check_places

        register_resolvers()  # this may be another process, started by a launcher
        try:
            check_places(verb, cfg)
            # Imported only now: composing and showing a configuration needs no torch.
            return imported(f"imprint.verbs.{verb}").main(cfg)
        except Exception as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN:  # its launcher handles it
                raise
            failed.append(error)
            return None

    def start(arguments: Sequence[str]) -> None:
        given = options(arguments)
        if given.multirun and given.cfg:
            raise UserError("--cfg shows one configuration; leave -m and the axes out. dry_run=true lists points.")
        check(verb, arguments)
        own_choices_first()
        register_resolvers()
        sys.argv = [sys.argv[0], *arguments]
        with speaking_as(f"imprint {verb}"):
            if verb in SWEEPS and not (given.cfg or given.info or given.hydra_help):
                say("reading the configuration")  # of trainings, and of what they are for: the largest
            hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=verb)(work)()
        if failed:
            raise failed[0]

    return start


def _message(verb: str, arguments: Sequence[str], error: Exception) -> str:
    from imprint.locations import remedy_of_cache

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, HydraException):
        overrides = as_overrides(verb, arguments) if verb in VERBS else []
        return explained(verb, overrides, error, places=VERBS[verb].positional) if overrides else str(error)
    if isinstance(error, YAMLError):
        return f"a file of the configuration cannot be read. {error}"
    assert isinstance(error, OSError)
    return f"{error.filename or 'a file'}: {error.strerror or error}. {remedy_of_cache(error.filename)}".rstrip()


if __name__ == "__main__":
    main()
