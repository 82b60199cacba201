"""imprint train: check, train, save.

The same command again resumes an unfinished run and skips a finished one.
"""

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytorch_lightning as pl
import torch
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from imprint.build import Plan, assemble, prepare
from imprint.errors import UserError
from imprint.files import folder_atomically, write_text
from imprint.provenance import describe, folder_bytes
from imprint.relaunch import single_run_command_line
from imprint.reporting.model_card import origin, write_model_card
from imprint.reporting.redaction import redacted
from imprint.runs import Run
from imprint.training.trainer import make_trainer, process_rank

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> None:
    train(cfg)


def train(cfg: DictConfig) -> Run:
    """The finished run of `cfg`. Raises UserError for what the user can mend; the run's folder then says why."""
    plan = prepare(cfg)
    run = plan.run
    if run.status == "finished":
        log.info("Finished before: %s", run.folder)
        return run
    if process_rank() != 0:
        _fit(plan, cfg)
        return run
    with _alone(run), _failures_noted(run):
        _begin(plan, cfg)
        _fit(plan, cfg)
        run.note({"status": "finished", "finished": _now(), "result_bytes": folder_bytes(run.result)})
        run.checkpoint.unlink(missing_ok=True)
    log.info("Finished: %s", run.folder)
    return run


def _begin(plan: Plan, cfg: DictConfig) -> None:
    run, concept = plan.run, plan.concept
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.create(redacted(cfg))))
    before = run.read()
    run.note(
        {
            "status": "running",
            "name": plan.parts.name,
            "signature": run.signature,
            "concept": concept._asdict(),
            "content": plan.identity["content"],
            "started": [*before.get("started", []), _now()],
            "config": redacted(cfg),
            **describe(),
        }
    )
    run.error.unlink(missing_ok=True)
    verb = "Going on with" if run.checkpoint.exists() else "Training"
    log.info("%s %s", verb, run.folder)
    log.info("%s is called %r; %d pictures.", concept.noun, concept.identifier, len(plan.pictures))


def _fit(plan: Plan, cfg: DictConfig) -> None:
    parts, run = plan.parts, plan.run
    pl.seed_everything(parts.seed, workers=True, verbose=False)
    module = assemble(plan)
    if process_rank() == 0:
        trained = {group.name: sum(p.numel() for p in group.params) for group in module.lesson.groups}
        run.note({"trained_parameters": trained, "frame": module.frame})
    loggers, callbacks = parts.report.attach(run, config=redacted(cfg), protocol=parts.samples, name=parts.name)
    trainer = make_trainer(parts.trainer, parts.hparams, run, loggers=loggers, callbacks=callbacks)
    resume_from = str(run.checkpoint) if run.checkpoint.exists() else None
    with single_run_command_line():
        trainer.fit(module, ckpt_path=resume_from)
    if trainer.is_global_zero:
        with folder_atomically(run.result) as folder:
            module.save_result(folder)
            parts.method.sign(folder, origin(run))
            write_model_card(run, folder, usage=parts.method.usage(plan.concept))


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Two processes in one folder would write over one another."""
    run.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"{run.folder}: another process is training this very run. Wait for it, or stop it.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _failures_noted(run: Run) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = _explained(error)
        with suppress(UserError):  # a full disk is why it failed, perhaps
            write_text(run.error, reason if isinstance(error, UserError) else traceback.format_exc())
            run.note({"status": "failed", "failed": _now(), "error": reason})
        if isinstance(error, torch.OutOfMemoryError):
            raise UserError(reason) from error
        raise


def _explained(error: BaseException) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "The device's memory is not enough. Raise trainer.accumulation, set trainer.gradient_checkpointing=true or "
            "hparams.precision=bf16-mixed, use optimizer=adamw8bit, or lower hparams.batch_size (which changes the "
            f"result). {str(error).splitlines()[0]}"
        )
    return str(error) or type(error).__name__


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
