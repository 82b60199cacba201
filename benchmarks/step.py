"""How long a step of `imprint train` takes, beside a plain loop that does the same.

    python benchmarks/step.py
    python benchmarks/step.py --size mid --rounds 5
    python benchmarks/step.py trainer.compile=true

Both train the same model on the same pictures, turn by turn in one process. benchmarks/README.md says how to read it.
"""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from layouts import LAYOUTS

from imprint.quiet import quiet_libraries

RESULTS = Path(__file__).parent / "results"
FREE = ("trainer", "optimizer")  # groups that change how a step is computed, not what


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    if others := [text for text in given.overrides if _group(text) not in FREE]:
        parser.error(f"{', '.join(others)}: only settings of {' and '.join(FREE)} leave both sides the same task")
    quiet_libraries()
    import torch
    import transformers
    from comparison import measure
    from record import table, write

    transformers.utils.logging.disable_progress_bar()
    given.threads = given.threads or torch.get_num_threads()
    torch.set_num_threads(given.threads)
    result = {
        "command": _command(given),
        "note": given.note,
        **measure(given.size, rounds=given.rounds, steps=given.steps, overrides=given.overrides),
    }
    files = write(result, given.out, f"{result['date']}-step-{given.size}")
    print(f"\n{table(result)}\n{' and '.join(map(str, files))}")


def _command(given: argparse.Namespace) -> str:
    """What repeats the measurement, with the choices that the machine made."""
    options = [f"--{name}={getattr(given, name)}" for name in ("size", "rounds", "steps", "threads")]
    return shlex.join(["python", "benchmarks/step.py", *options, *given.overrides])


def _group(override: str) -> str:
    return override.lstrip("+").partition("=")[0].partition(".")[0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=LAYOUTS, default="mini", help="of the model (%(default)s)")
    parser.add_argument("--rounds", type=_positive, default=10, help="turns of each side (%(default)s)")
    parser.add_argument("--steps", type=_positive, default=10, help="of a turn (%(default)s)")
    parser.add_argument("--threads", type=_positive, help="of torch (as many as it chooses)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result (benchmarks/results)")
    parser.add_argument("--note", default="", help="what a reader of the result should know")
    parser.add_argument("overrides", nargs="*", help=f"settings of imprint's side, of {' and '.join(FREE)}")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


if __name__ == "__main__":
    main()
