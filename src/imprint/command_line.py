"""What can be typed: the verbs, and how arguments become Hydra's overrides."""

import os
import re
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from imprint import __version__
from imprint.errors import UserError


class Wanted(NamedTuple):
    """What has to lie at a place that is named."""

    kind: str  # file or folder
    said: str


FINISHED_RUN = Wanted("folder", "the folder of a run")
RUNS = Wanted("folder", "the folder of one, or of several")
PICTURES = Wanted("folder", "the folder that holds the pictures")


class Verb(NamedTuple):
    summary: str
    positional: str | None = None  # the key that an argument without "=" gives
    texts: tuple[str, ...] = ()  # keys whose values are sentences, not Hydra's grammar
    first: str | None = None  # the key of the first such argument, where it is another
    # a key -> the choices of this group, and the key that the place of a run gives
    short: Mapping[str, tuple[str, str]] = {}
    wanted: Mapping[str, Wanted] = {}  # by key; what the verb itself makes, or looks for, need not be there


ENLARGING = {"upscaler": ("model@upscaler.model", "upscaler.run")}
VERBS = {
    "init": Verb("make a project: a folder with settings of its own, found without flags", "folder", ("noun",)),
    "train": Verb("teach a model a subject from a few pictures", texts=("dataset.rights",)),
    "preview": Verb("show what a training will see, before it begins", texts=("dataset.rights",)),
    "caption": Verb(
        "have a model write what is on each picture",
        "folder",
        ("template", "identifier", "noun"),
        wanted={"folder": PICTURES},
    ),
    "generate": Verb(
        "draw pictures with a trained run",
        "run",
        ("prompt", "negative_prompt"),
        short=ENLARGING,
        wanted={"run": FINISHED_RUN},
    ),
    "evaluate": Verb("score a trained run, or a folder of pictures", "run", wanted={"run": RUNS}),
    "benchmark": Verb("train and score many subjects, and compare methods in one table", texts=("dataset.rights",)),
    "synthesise": Verb(
        "draw a labelled data set of what was taught, or train what is missing and draw it",
        "run",
        ("negative_prompt", "dataset.rights"),
        wanted={"run": FINISHED_RUN},
    ),
    "masks": Verb(
        "find where the subject is in photos, and write a mask beside each", "photos", wanted={"photos": PICTURES}
    ),
    "study": Verb(
        "measure whether drawn pictures help a learner, beside photos alone",
        "data",
        ("synthesise",),
        wanted=dict.fromkeys(("data", "test"), Wanted("folder", "a labelled data set, or folders of classes")),
    ),
    "export": Verb(
        "write a trained run, or a data set, in another format",
        "run",
        wanted={"run": Wanted("folder", "the folder of a run, or a labelled data set")},
    ),
    "adopt": Verb(
        "make a run of a LoRA or an embedding that was trained elsewhere",
        "files",
        ("dataset.rights",),
        wanted={"files": Wanted("file", "a LoRA, an embedding, or a folder of them")},
    ),
    "grid": Verb(
        "draw pictures along two axes, as a sheet and a page",
        "run",
        ("prompt", "negative_prompt"),
        short=ENLARGING,
        wanted={"run": FINISHED_RUN},
    ),
    "merge": Verb("put several trained runs into one file", "run", wanted={"run": FINISHED_RUN}),
    "compare": Verb("show what differs between runs, and what of it is more than luck", "runs"),
    "trace": Verb(
        "read a picture's marks, and find which seed of a run drew it",
        "run",
        first="picture",
        wanted={"picture": Wanted("file", "the file of a picture"), "run": FINISHED_RUN},
    ),
    "report": Verb("write one page about all the runs in a folder", "folder"),
    "serve": Verb(
        "show the runs in a folder in a browser, live, and draw with them",
        "folder",
        wanted={"folder": Wanted("folder", "one that holds runs")},
    ),
    "publish": Verb(
        "put a run's result on the hub, with its card; never without being asked", "run", wanted={"run": FINISHED_RUN}
    ),
    "doctor": Verb("say what imprint finds on this machine, and what is wrong"),
}


SWEEPS = ("benchmark", "synthesise", "study")  # grids without -m
# What has no configuration of its own.
SERVICES = {
    "help": "explain a verb, a group, a choice or a setting",
    "from-diffusers": "print a command of diffusers' training scripts as one of imprint's",
    "from-kohya": "print a command of kohya's scripts as one of imprint's",
    "completion": "print what makes a shell complete names: bash, zsh or fish",
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


def overview() -> str:
    verbs = "\n".join(f"  {name:15} {verb.summary}" for name, verb in VERBS.items())
    services = "\n".join(f"  {name:15} {summary}" for name, summary in SERVICES.items())
    return (
        f"imprint {__version__}: teach a text-to-image diffusion model a subject, and measure how well it took.\n\n"
        f"usage: imprint <verb> [key=value ...]\n\n{verbs}\n\n{services}\n\n"
        "  imprint train --help          the settings of a verb, explained\n"
        "  imprint help method.lora      a choice, a group or a setting, explained\n"
        "  imprint train --cfg job       the configuration it would run with\n"
        "  imprint train -m seed=0,1,2   a grid"
    )


def as_overrides(name: str, arguments: Sequence[str]) -> list[str]:
    """`imprint report outputs` means `folder=outputs`, `imprint generate one two` means `run=[one,two]`, and
    `imprint trace a.png one` means `picture=a.png run=one`."""
    from imprint.overrides import as_override, check_letters, in_quotes

    if name not in VERBS:
        raise UserError(f"There is no verb {name!r}. There are {', '.join(VERBS)}.")
    check_letters(arguments)
    _answer_options_of_others(arguments)
    verb, is_grid = VERBS[name], sweeps(name, arguments)
    options, bare, overrides = [], [], []
    for before, argument in zip(("", *arguments), arguments, strict=False):
        if argument.startswith("-") or before in HYDRA_OPTIONS:
            options.append(argument)
        elif verb.positional and _is_place(argument, name):
            bare.append(in_quotes(argument))
        else:
            overrides.append(as_override(_in_full(argument, verb), texts=verb.texts, sweeps=is_grid))
    given = [f"{verb.first}={bare.pop(0)}"] if verb.first and bare else []
    given += [f"{verb.positional}={bare[0] if len(bare) == 1 else '[' + ','.join(bare) + ']'}"] if bare else []
    return [*options, *given, *overrides]  # Hydra does not take options between overrides


def _in_full(argument: str, verb: Verb) -> str:
    """What a short form stands for: `upscaler=sd_upscaler` is a choice of a group, `upscaler=outputs/UP` a run."""
    from imprint.config import choices

    key, _, value = argument.partition("=")
    if key not in verb.short or not value or value == "null":
        return argument
    group, place = verb.short[key]
    is_choice = value in choices(group.partition("@")[0]) and not os.path.lexists(value)
    return f"{group if is_choice else place}={value}"


def _answer_options_of_others(arguments: Sequence[str]) -> None:
    """Raises UserError for options of other trainers' scripts, and for Hydra's own completion, which knows no verbs,
    saying what they are here."""
    if not {"-sc", "--shell-completion"}.isdisjoint(arguments):
        raise UserError('TAB completes after eval "$(imprint completion bash)"; there are zsh and fish, too.')
    if not any(argument.startswith("--") for argument in arguments):
        return
    from imprint.migration.table import advice

    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    told = [f"{option} is {said} here" for option, value in pairs if (said := advice(option, value))]
    if told:
        raise UserError(f"{'; '.join(told)}. imprint from-diffusers '...' translates a whole command.")


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


def sweeps(verb: str, arguments: Sequence[str]) -> bool:
    """Whether commas separate the values of a grid."""
    asked = not {"-m", "--multirun", "hydra.mode=MULTIRUN"}.isdisjoint(arguments)
    return asked or verb in SWEEPS


def check(verb: str, arguments: Sequence[str]) -> None:
    """Raises UserError for overrides that cannot be, whatever the configuration."""
    from imprint.locations import locate
    from imprint.overrides import check_overrides

    given = options(arguments)
    own = locate(given.config_dir) if given.config_dir else None
    check_overrides(given.overrides, sweeps=sweeps(verb, arguments), own=own)


def own_conf_options(verb: str, overrides: Sequence[str]) -> list[str]:
    """Hydra's option for the configuration of the project that the command is given in, where there is one and no other
    is named. Of a project that is not trusted, a line says so."""
    from imprint.messages import message
    from imprint.projects import not_used, own_conf, project_above

    project = project_above(Path())
    if project is None or verb == "init" or options(overrides).config_dir:
        return []
    if conf := own_conf(project):
        return ["--config-dir", str(conf)]
    print(message(f"imprint {verb}: {not_used(project)}"), file=sys.stderr)
    return []


def options(arguments: Sequence[str]) -> Namespace:
    from imprint.libraries.hydra import parsed_command_line

    try:
        return parsed_command_line(arguments)
    except ValueError as error:
        remedy = "--help shows the options; a file or folder that is called like one is written as ./NAME"
        raise UserError(f"{error}: {remedy}.") from error
