"""Runs one after another, or several at once, each in a process of its own."""

import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import torch
from omegaconf import OmegaConf

from imprint.config import register_resolvers
from imprint.construct import Constructor
from imprint.evaluation.profile import Profile
from imprint.libraries.process import quiet_libraries
from imprint.verbs.benchmark.campaign import Job
from imprint.verbs.benchmark.work import Outcome, is_elsewhere, train_and_score

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds between looks at runs that another program trains
GRACE = 10.0  # seconds for an interrupted process to write its checkpoint

Finished = Iterator[tuple[Job, Outcome]]


class _Queue:
    """Jobs that wait. One that another program has begun goes to the end, and is picked up when that one is through."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._waiting = deque(jobs)
        self._told = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put_back(self, job: Job) -> None:
        self._waiting.append(job)

    def free(self) -> Job | None:
        """The next job that nobody is at; None if there is none at the moment."""
        for _ in range(len(self._waiting)):
            job = self._waiting.popleft()
            if not is_elsewhere(job.run):
                return job
            self._waiting.append(job)
        if self._waiting and not self._told:
            self._told = True
            log.info("Waiting for %d runs that another program trains.", len(self._waiting))
        return None


def one_by_one(jobs: Sequence[Job], profile: Profile) -> Finished:
    """In this process."""
    queue = _Queue(jobs)
    while queue:
        job = queue.free()
        if job is None:
            time.sleep(PATIENCE)
            continue
        outcome = train_and_score(job.cfg, profile)
        if outcome.state == "busy":
            queue.put_back(job)
        else:
            yield job, outcome


class _Child(NamedTuple):
    job: Job
    process: BaseProcess
    answer: Connection


def side_by_side(jobs: Sequence[Job], processes: int, profile: Any) -> Finished:
    """`processes` at a time. `profile` is the evaluation's configuration: every process makes its own of it.

    A process that is killed costs only the run that it was at.
    """
    queue, children = _Queue(jobs), list[_Child]()
    threads = max(1, torch.get_num_threads() // processes)
    try:
        while queue or children:
            while len(children) < processes and (job := queue.free()):
                children.append(_start(job, profile, threads))
            if not children:
                time.sleep(PATIENCE)
                continue
            wait([child.process.sentinel for child in children], timeout=PATIENCE if queue else None)
            for child in [child for child in children if not child.process.is_alive()]:
                children.remove(child)
                outcome = _answer_of(child)
                if outcome.state == "busy":
                    queue.put_back(child.job)
                else:
                    yield child.job, outcome
    finally:  # reached with children only where this program is interrupted; the terminal has told them, too
        for child in children:
            child.process.join(GRACE)
            child.process.kill()
            child.process.join()


def _start(job: Job, profile: Any, threads: int) -> _Child:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    cfg = OmegaConf.to_container(job.cfg, resolve=False)  # resolved where it is used, so that secrets stay hidden
    process = context.Process(target=_child, args=(cfg, profile, threads, theirs))
    process.start()
    theirs.close()
    return _Child(job, process, ours)


def _child(cfg: Any, profile: Any, threads: int, answer: Connection) -> None:
    """What a process of its own does."""
    quiet_libraries()
    logging.basicConfig(level=logging.WARNING, format=f"{cfg['name']}: %(message)s")
    register_resolvers()
    torch.set_num_threads(threads)
    config = OmegaConf.create(cfg)
    config.report.progress = "off"
    with suppress(KeyboardInterrupt):
        answer.send(train_and_score(config, Constructor().build(profile, "evaluation")))


def _answer_of(child: _Child) -> Outcome:
    child.process.join()
    try:
        outcome: Outcome = child.answer.recv()
    except EOFError:
        return Outcome("failed", reason=f"its process ended with exit code {child.process.exitcode}.")
    finally:
        child.answer.close()
    return outcome
