"""Kills trainings, evaluations and grids at random moments, gives the same command again until it ends well, and
compares all that it made with what an uninterrupted program makes.

    python tests/attack                                  20 attacks of each kind
    python tests/attack --count 1 --kinds saving         one of one kind
    python tests/attack --page docs/trust.md             and writes the table into the page

Which moments those are follows from --seed. Attacks that are in the record are not made again, so a series that was
stopped goes on.
"""

import argparse
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the second one for the cluster

import slurm_cluster  # noqa: E402
from disk import small_disk  # noqa: E402
from kinds import KINDS, Kind, Place, wait  # noqa: E402
from program import MARK, Program, warm_up  # noqa: E402
from results import difference, unfinished  # noqa: E402
from summary import Attack, Record, table, write_page  # noqa: E402

MOST_STARTS = 6
MOST_MISSES = 5  # a program that had ended before it could be killed


def main() -> None:
    given = _parsed(sys.argv[1:])
    work: Path = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    record = Record(given.record or work / "attacks.jsonl")
    print(f"seed {given.seed}, {given.count} attacks of each kind, in {work}", flush=True)
    warm_up()
    skipped: dict[str, str] = {}
    with ExitStack() as cluster:
        environment: dict[str, str] = {}
        for number in range(given.count):
            for name in given.kinds:
                kind = KINDS[name]
                if record.has(name, number) or name in skipped:
                    continue
                if kind.needs == "slurm" and not environment:
                    if reason := slurm_cluster.why_not():
                        skipped[name] = reason
                        continue
                    environment = cluster.enter_context(slurm_cluster.cluster(work / f"cluster-{os.getpid()}"))
                series = _Series(kind, work, environment if kind.needs == "slurm" else {})
                attack = series.attack(number, given.seed)
                record.add(attack)
                print(_line(attack), flush=True)
    text = table(record.attacks, skipped)
    print(f"\n{text}")
    if given.page:
        write_page(given.page, text)
    if any(not attack.finished for attack in record.attacks):
        sys.exit(1)


class _Series:
    """Attacks of one kind."""

    def __init__(self, kind: Kind, work: Path, environment: dict[str, str]) -> None:
        self._kind = kind
        self._folder = work / kind.name.replace(" ", "-")
        self._environment = environment

    def attack(self, number: int, seed: int) -> Attack:
        seconds = self._reference()
        began = time.monotonic()
        for miss in range(MOST_MISSES):
            chance = random.Random(f"{seed} {self._kind.name} {number} {miss}")
            attack = Attack(self._kind.name, number, seed)
            with self._fresh(str(number)) as folder:
                if self._kind.needs == "disk":
                    self._fill_disk(attack, folder, chance)
                else:
                    self._kill(attack, folder, chance, seconds)
                if attack.struck:
                    self._go_on(attack, folder)
                    break
        attack.seconds = round(time.monotonic() - began, 1)
        return attack

    def _reference(self) -> float:
        """Makes, once, what an uninterrupted program makes. How many seconds that takes in a fork."""
        folder, said = self._folder / "reference", self._folder / "seconds.txt"
        if not said.is_file():
            shutil.rmtree(self._folder, ignore_errors=True)
            with self._fresh("reference", keep=True):
                code = self._program(folder, afresh=True).wait()
                assert code == 0, (folder / "log.txt").read_text()
            with self._fresh("timing") as timing:
                began = time.monotonic()
                assert self._program(timing).wait() == 0, (timing / "log.txt").read_text()
                said.write_text(str(time.monotonic() - began))
                found = difference(timing, folder)
                assert self._kind.equal == "rounding" or not found.files, found
        return float(said.read_text())

    def _kill(self, attack: Attack, folder: Path, chance: random.Random, seconds: float) -> None:
        moment = self._kind.choose(chance, Place(folder / "outputs", folder / "cache"), seconds)
        attack.moment = moment.text
        program = self._program(folder)
        attack.starts = 1
        attack.struck = wait(moment, program.is_alive)
        if attack.struck:
            attack.victim = program.kill(chance if self._kind.victim == "any" else None)
            attack.finished = program.wait() == 0
        if self._kind.needs != "slurm":  # whose jobs go on without their launcher, as they should
            attack.living = program.left()

    def _fill_disk(self, attack: Attack, folder: Path, chance: random.Random) -> None:
        """Its size is any from nothing to what is needed."""
        reference = self._folder / "reference"
        needed = sum(file.stat().st_size for file in reference.rglob("*") if file.is_file())
        size = int(needed * chance.uniform(0.0, 1.2)) // 4096 * 4096 + 4096
        attack.moment = f"{size} bytes"
        for name in ("outputs", "cache"):
            (folder / name).mkdir(exist_ok=True)
        with small_disk(folder / "disk", size) as disk:
            attack.means = disk.means
            program = self._program(folder, outputs=folder / "disk" / "outputs", largest_file=disk.largest_file)
            attack.starts, attack.victim = 1, "the disk"
            attack.struck = program.wait() != 0
            attack.living = program.left()
            disk.enlarge()
            while attack.struck and not attack.finished and attack.starts < MOST_STARTS:
                attack.starts += 1
                attack.finished = self._program(folder, outputs=folder / "disk" / "outputs").wait() == 0
            shutil.rmtree(folder / "outputs")
            shutil.copytree(folder / "disk" / "outputs", folder / "outputs", symlinks=True)

    def _go_on(self, attack: Attack, folder: Path) -> None:
        while not attack.finished and attack.starts < MOST_STARTS:
            attack.starts += 1
            program = self._program(folder)
            attack.finished = program.wait() == 0
            attack.living += program.left()
        if attack.starts == 1:  # the program outlived its process, and has nothing to go on with: it says so
            attack.starts += 1
            attack.finished = self._program(folder).wait() == 0
        found = difference(folder, self._folder / "reference")
        attack.files, attack.losses, attack.weights = found
        attack.unfinished = unfinished(folder)
        attack.folders = len(list((folder / "tmp").glob("imprint-*")))
        attack.tracebacks = (folder / "log.txt").read_text(errors="replace").count("Traceback (most recent call last)")

    def _program(
        self, folder: Path, *, outputs: Path | None = None, afresh: bool = False, largest_file: int | None = None
    ) -> Program:
        environment = {
            **self._environment,
            MARK: str(folder),
            "IMPRINT_CACHE": str(folder / "cache"),
            "TMPDIR": str(folder / "tmp"),
            "OMP_NUM_THREADS": "1",
        }
        arguments = [*self._kind.arguments, f"outputs={outputs or folder / 'outputs'}"]
        return Program(arguments, environment, folder / "log.txt", afresh=afresh, largest_file=largest_file)

    @contextmanager
    def _fresh(self, name: str, *, keep: bool = False) -> Iterator[Path]:
        """Removed in the end, unless the attack failed."""
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "tmp").mkdir(parents=True)
        yield folder
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _line(attack: Attack) -> str:
    outcome = "finished" if attack.finished else "NOT FINISHED" if attack.struck else "missed"
    same = f"{len(attack.files)} files differ" if attack.files else "same bytes"
    left = f"{len(attack.unfinished) + attack.folders} left, {attack.living} alive"
    what = f"{attack.victim}, {attack.moment}"
    return (
        f"{attack.kind} {attack.number}: {what}: {outcome}, {attack.starts} starts, {same}, {left}, {attack.seconds} s"
    )


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/attack", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--count", type=int, default=20, help="attacks of each kind")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), help="which; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--work", type=Path, default=Path("build/attack"), help="a folder for what is trained")
    parser.add_argument("--record", type=Path, help="what came out; WORK/attacks.jsonl by default")
    parser.add_argument("--page", type=Path, help="a page whose table is to be written")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
