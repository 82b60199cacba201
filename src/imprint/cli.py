"""`imprint <verb> [overrides]`: each verb is a Hydra application, so overrides, -m, --cfg, --help are Hydra's own."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hydra.errors import HydraException

from imprint import __version__
from imprint.composition_errors import explained
from imprint.errors import UserError
from imprint.quiet import quiet_libraries


class Verb(NamedTuple):
    summary: str
    positional: str | None = None  # the key that an argument without "=" gives
    texts: tuple[str, ...] = ()  # keys whose values are sentences, not Hydra's grammar


VERBS = {
    "train": Verb("teach a model a subject from a few pictures"),
    "generate": Verb("draw pictures with a trained run", "run", ("prompt", "negative_prompt")),
    "export": Verb("write a trained run in another format", "run"),
    "report": Verb("write one page about all the runs in a folder", "folder"),
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
        sys.exit(run(verb, [_as_override(VERBS[verb], argument) for argument in arguments[1:]]))


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
    """The verb's exit code. Errors that the user can mend are told without a stack trace."""
    wants_trace = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors come here, instead of being printed and ended by Hydra
    try:
        _application(verb)(arguments)
    except BrokenPipeError:  # whoever read the output has seen enough
        return 0
    except (UserError, HydraException, OSError) as error:
        if wants_trace:
            raise
        print(f"\nimprint {verb}: {_told(verb, arguments, error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\nimprint {verb}: interrupted. The same command goes on from the last checkpoint.",
            file=sys.stderr,
        )
        return 130
    finally:
        if not wants_trace:
            del os.environ["HYDRA_FULL_ERROR"]
    return 0


def _application(verb: str) -> Callable[[Sequence[str]], None]:
    import hydra
    from omegaconf import DictConfig

    from imprint.config import conf_folder, register_resolvers

    def work(cfg: DictConfig) -> None:
        # Imported only now: composing and showing a configuration needs no torch.
        quiet_libraries()
        importlib.import_module(f"imprint.{verb}").main(cfg)

    def start(arguments: Sequence[str]) -> None:
        register_resolvers()
        sys.argv = [sys.argv[0], *arguments]
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=verb)(work)()

    return start


def _told(verb: str, arguments: Sequence[str], error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, HydraException):
        return explained(verb, arguments, error)
    assert isinstance(error, OSError)
    return f"{error.filename or 'a file'}: {error.strerror or error}."


def _as_override(verb: Verb, argument: str) -> str:
    """`imprint report outputs` means `folder=outputs`; a sentence may hold commas and braces without quotes."""
    key, equals, value = argument.partition("=")
    if argument.startswith("-"):
        return argument
    if not equals:
        return f"{verb.positional}={_quoted(argument)}" if verb.positional else argument
    if key in verb.texts and not value.startswith(("[", "'", '"')):
        return f"{key}={_quoted(value)}"
    return argument


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


if __name__ == "__main__":
    main()
