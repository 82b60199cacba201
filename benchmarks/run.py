"""What imprint's work costs beside others' on the same: JSON, a page of tables, curves.

    python benchmarks/run.py                                 the short cases, beside a plain loop of our own
    python benchmarks/run.py --peer path/to/diffusers        the same beside diffusers' example scripts
    python benchmarks/run.py "step-*" grid-mini-lora-50 --peer path/to/diffusers
    python benchmarks/run.py --all --peer path/to/diffusers
    python benchmarks/run.py --list

A case that was measured with this very code is passed over. benchmarks/README.md says how to read the results.
"""

import argparse
import fnmatch
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cases.base import Case

RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    from imprint.libraries.process import quiet_libraries

    quiet_libraries()
    import torch
    from cases import ALL, ALL_ON_GPU, SHORT, every_case
    from sides.peer import missing

    if given.peer and (lacking := missing(given.peer)):
        parser.error(f"--peer={given.peer}: this is no checkout of diffusers; {', '.join(lacking)} is not there")
    peer = given.peer.resolve() if given.peer else None
    cases = every_case(peer)
    everything = ALL_ON_GPU if torch.cuda.is_available() else ALL
    chosen = _chosen(cases, everything if given.all else given.cases or SHORT)
    if unknown := [name for name in given.cases if not fnmatch.filter(cases, name)]:
        parser.error(f"{', '.join(unknown)}: there is no such case; --list shows all")
    if given.list:
        shown: Mapping[str, Case] = chosen if given.cases or given.all else cases
        print("\n".join(f"{name:36} {case.title} ({', '.join(case.sides)})" for name, case in shown.items()))
        return
    _measure(chosen, given)


def _measure(cases: Mapping[str, "Case"], given: argparse.Namespace) -> None:
    import torch
    import transformers
    from keeping import file_of, keep, read, write_page
    from measure import measure
    from record import code

    transformers.utils.logging.disable_progress_bar()
    on_gpu = torch.cuda.is_available()
    clock = given.clock or ("wall" if on_gpu else "cpu")
    folder = given.out / ("gpu" if on_gpu else "cpu")
    failed = []
    for name, case in cases.items():
        file = file_of(folder, name, list(case.sides))
        there = read(file)
        if there and not given.again and there["circumstances"]["code"] == code() is not None:
            print(f"{name} is measured")
            continue
        try:
            result = measure(
                case, rounds=given.rounds, clock=clock, threads=given.threads, precision=given.precision, tell=_tell
            )
        except RuntimeError as error:
            failed.append(name)
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            continue
        keep({"command": _command(name, given, clock), **result}, file)
        write_page(folder)
    print(folder / "README.md")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _tell(line: str) -> None:
    print(line, flush=True)


def _chosen(cases: Mapping[str, "Case"], patterns: Sequence[str]) -> dict[str, "Case"]:
    return {name: case for name, case in cases.items() if any(fnmatch.fnmatch(name, each) for each in patterns)}


def _command(name: str, given: argparse.Namespace, clock: str) -> str:
    """What repeats the measurement, with the choices that the machine made."""
    options = [f"--clock={clock}", f"--threads={given.threads}", f"--precision={given.precision}"]
    options += [f"--rounds={given.rounds}"] if given.rounds else []
    options += ["--peer=diffusers"] if given.peer else []
    return shlex.join(["python", "benchmarks/run.py", name, *options])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names or patterns of cases (the short ones)")
    parser.add_argument("--all", action="store_true", help="every case of the sizes for this machine; takes hours")
    parser.add_argument("--peer", type=Path, help="a checkout of diffusers, or a folder with its examples/")
    parser.add_argument("--rounds", type=int, help="turns of each side (what each case says)")
    parser.add_argument("--clock", choices=("cpu", "wall"), help="(wall where there is a GPU, else cpu)")
    parser.add_argument("--threads", type=int, default=1, help="of each process (%(default)s)")
    parser.add_argument("--precision", choices=("32", "bf16"), default="32", help="of the trainings (%(default)s)")
    parser.add_argument("--again", action="store_true", help="measure what is measured, too")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (benchmarks/results)")
    parser.add_argument("--list", action="store_true", help="show the cases, measure nothing")
    return parser


if __name__ == "__main__":
    main()
