"""The miniature's one front door: `python -m imprint.miniature <verb>`.

It knows nothing of imprint's own commands, as they know nothing of it. Heavy libraries are imported by the verb that
needs them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

VERBS = {
    "sheet": ("imprint.miniature.sheet", "draw contact sheets of the world"),
    "export": ("imprint.miniature.export", "write reference pictures, captions and truth of any subject to a folder"),
    "pretrain": ("imprint.miniature.pretrain", "make the weights and the evaluators from nothing, resumably"),
    "upscaling": (
        "imprint.miniature.quality.upscaling",
        "measure the upscaler on scenes that it has never seen",
    ),
    "report": ("imprint.miniature.quality.report", "measure the networks and write the report"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if arguments is None else arguments)
    front = argparse.ArgumentParser(
        prog="python -m imprint.miniature",
        description="The miniature: a drawn world, and a small text-to-image model that was pre-trained on it.",
        epilog="`<verb> --help` tells the rest.",
    )
    verbs = front.add_subparsers(metavar="<verb>", required=True, dest="verb")
    for verb, (_, said) in VERBS.items():
        verbs.add_parser(verb, help=said, add_help=False)
    verb = front.parse_known_args(given[:1])[0].verb
    module = import_module(VERBS[verb][0])
    parser = argparse.ArgumentParser(
        prog=f"{front.prog} {verb}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(parser)
    module.run(parser, parser.parse_args(given[1:]))


if __name__ == "__main__":
    main()
