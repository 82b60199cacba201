"""What is to be learned in the first minutes on a GPU: one command, no network, parts in order of importance.

    python benchmarks/on_gpu.py --out results/gpu                 what a checkout needs beside it: benchmarks/on_gpu.txt
    python benchmarks/on_gpu.py --out results/gpu --peer path/to/diffusers
    python benchmarks/on_gpu.py --pack luggage [--peer ...]       all that it needs, in one small folder
    python benchmarks/on_gpu.py --rehearse --out /tmp/rehearsal   all of it on a CPU, with tiny models
    python benchmarks/on_gpu.py --list

Each part is a process of its own with a time limit. Its results are in OUT/on_gpu.json as soon as they are there, what
it printed is in OUT/on_gpu.log. The same command again goes on where it was: what this code has done is passed over.
Every part ends as done, skipped or failed, with a reason, and none ends the others. Nothing is asserted here.
"""

import argparse
import contextlib
import datetime
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from gpu.document import Document
from gpu.luggage import WHEELS, pack, unpack
from revision import code

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"


class Planned(NamedTuple):
    what: str
    seconds: float  # at most


# In order of importance. What comes last has all the time that is left.
PARTS = {
    "machine": Planned("what is here: versions, memory, the rate of products and copies", 40),
    "precision": Planned("losses in bf16 and in 16-mixed beside those in float32", 75),
    "waiting": Planned("whether a step waits for the device, by torch's own debug mode", 70),
    "steps": Planned("a step's time and peak memory, LoRA, DreamBooth, Textual Inversion", 170),
    "grids": Planned("twelve LoRA points side by side, and one after another", 75),
    "groups": Planned("how many points pass at once when memory is short", 35),
    "quantised": Planned("frozen weights in four and eight bits", 60),
    "memory": Planned("LoRA on a network of FLUX.1's size, beside what the plan says it needs", 70),
    "graphs": Planned("whether CUDA graphs or compiling repeated blocks pay", 45),
    "drawing": Planned("drawing in batches, and one picture a call", 40),
    "pretraining": Planned("more steps of the miniature of flows", 3600),
}
SLOWER = 6  # how much longer a part may take on a CPU, however busy it is
BROUGHT = ("on_gpu.json", "flow_")  # files of results that another start goes on from
SPARE = 5.0  # seconds that ending a part may take


def main() -> None:
    parser = _parser()
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{name:12} {planned.what}" for name, planned in PARTS.items()))
    elif given.pack:
        for line in pack(ROOT, given.pack, peer=given.peer, python=given.python):
            print(line)
    elif given.part:
        _carry_out(given)
    else:
        _run(given)


def _run(given: argparse.Namespace) -> None:
    began = time.time()
    given.out.mkdir(parents=True, exist_ok=True)
    given.work.mkdir(parents=True, exist_ok=True)
    if given.earlier:
        for file in given.earlier.iterdir():
            if file.name.startswith(BROUGHT) and not (given.out / file.name).exists():
                shutil.copyfile(file, given.out / file.name)
    environment = _environment(given)
    document = _document(given)
    told = shlex.join(["python", "benchmarks/on_gpu.py", *_choices(given)])
    document.begin(command=told, code=code(), again=given.again)
    ends = began + 60 * given.minutes
    for name, planned in PARTS.items():
        if given.only and name not in given.only:
            continue
        if document.state(name) == "done" and not given.again:
            print(f"{name} is done", flush=True)
            continue
        most = planned.seconds * (SLOWER if given.rehearse else 1)
        seconds = min(most, ends - time.time() - SPARE)
        if seconds < 5:
            document.end(name, "skipped", "no time was left", 0.0)
            continue
        _part(name, given, document, environment, seconds)
    print(f"{document.file}: {document.summary()}; {time.time() - began:.0f} s")


def _part(
    name: str, given: argparse.Namespace, document: Document, environment: dict[str, str], seconds: float
) -> None:
    command = [sys.executable, __file__, *_choices(given), "--part", name, "--until", str(time.time() + seconds)]
    document.start(name, command=shlex.join(["python", "benchmarks/on_gpu.py", *_choices(given), f"--only={name}"]))
    began = time.time()
    log = given.out / "on_gpu.log"
    with log.open("ab") as file:
        file.write(f"\n== {name}, {datetime.datetime.now(datetime.timezone.utc):%H:%M:%S}\n".encode())
        file.flush()
        start = file.tell()
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            ended = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            ended = None
        finally:
            _end(process)
    with log.open("rb") as file:
        file.seek(start)
        words = file.read().decode(errors="replace").splitlines()
    if ended is None:
        document.end(name, "failed", f"its time was over, {seconds:.0f} s", time.time() - began)
    elif ended != 0:
        document.end(name, "failed", "\n".join(words[-15:]) or f"it ended with {ended}", time.time() - began)
    print(f"{name}: {document.state(name)}, {time.time() - began:.0f} s {document.reason(name)}"[:200], flush=True)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """With all that it started, which is of its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _carry_out(given: argparse.Namespace) -> None:
    """In the part's own process."""
    from gpu.part import Part, carry_out

    document = _document(given)
    part = Part(
        name=given.part,
        document=document,
        rehearse=given.rehearse,
        work=given.work,
        out=given.out,
        peer=given.peer,
        until=given.until,
    )
    carry_out(part)


def _document(given: argparse.Namespace) -> Document:
    folders = {"OUT": given.out, "WORK": given.work, ".": ROOT, "ENVIRONMENT": Path(sys.prefix), "HOME": Path.home()}
    peer = {"diffusers": given.peer} if given.peer else {}
    return Document(given.out / "on_gpu.json", private={**folders, **peer})


def _environment(given: argparse.Namespace) -> dict[str, str]:
    """Of the parts: wheels come before what is installed, and nothing asks a network."""
    wheels = given.wheels or ROOT / WHEELS
    site = unpack(wheels, given.work / "site") if wheels.is_dir() else None
    own = [*([str(site)] if site else []), str(SRC), str(Path(__file__).parent)]
    if given.rehearse:  # as in CI, also where a GPU is
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*own, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "disabled",
        "IMPRINT_CACHE": str(given.work / "cache"),
        "TOKENIZERS_PARALLELISM": "false",
    }


def _choices(given: argparse.Namespace) -> list[str]:
    return [
        f"--out={given.out}",
        f"--work={given.work}",
        *([f"--peer={given.peer}"] if given.peer else []),
        *(["--rehearse"] if given.rehearse else []),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("OUT", "gpu-results")
    parser.add_argument("--out", type=_absolute, default=Path(default).absolute(), help="results (OUT, or gpu-results)")
    parser.add_argument(
        "--work", type=_absolute, default=Path("/tmp/imprint-on-gpu"), help="models, runs (%(default)s)"
    )
    parser.add_argument("--minutes", type=float, default=9.5, help="for all parts together (%(default)s)")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), metavar="PART", help="only these")
    parser.add_argument("--earlier", type=_absolute, metavar="FOLDER", help="results of another start, to go on from")
    parser.add_argument("--again", action="store_true", help="do what is done, too")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, with tiny models")
    parser.add_argument("--peer", type=_absolute, help="a checkout of diffusers, or a folder with its examples/")
    parser.add_argument(
        "--wheels", type=_absolute, help=f"folder of the wheels in on_gpu.txt ({WHEELS}, if it is there)"
    )
    parser.add_argument("--pack", type=_absolute, metavar="FOLDER", help="write all that travels to this folder")
    parser.add_argument("--python", default="3.12", help="version there, for --pack (%(default)s)")
    parser.add_argument("--list", action="store_true", help="show the parts")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--until", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser


def _absolute(text: str) -> Path:
    return Path(text).absolute()


if __name__ == "__main__":
    main()
