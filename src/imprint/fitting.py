"""Trains a run in its folder: locks the folder, notes the start, fits, saves the result, notes the outcome."""

import gc
import logging
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers.logger import Logger
from torch.optim import Optimizer

from imprint.errors import RunBusy, UserError
from imprint.evaluation.profile import Profile
from imprint.files import folder_atomically, write_text
from imprint.kinds import recorded
from imprint.libraries.lightning import command_line, interruptible, process_rank
from imprint.models.quantisation.network import count_weights
from imprint.partial_files import remove_abandoned
from imprint.planning import memory_settings, quantised_base, residence
from imprint.planning.assemble import assemble
from imprint.planning.memory.describe import describe as describe_memory
from imprint.planning.parts import Plan
from imprint.planning.subjects import photo_hashes
from imprint.process_folder import end_with_parent, named_for_children, remove_abandoned_folders
from imprint.provenance.environment import describe, file_bytes, folder_bytes
from imprint.reporting.local import LocalLogger
from imprint.reporting.metrics_file import read_metrics
from imprint.reporting.model_card import origin, write_model_card
from imprint.reporting.redaction import redacted
from imprint.reporting.score_curve import ScoreCurve
from imprint.reporting.tracking.loggers import concluding
from imprint.reporting.tracking.scores import log_scores
from imprint.results.load import place_of
from imprint.results.training_adapter import read_training_adapter
from imprint.runs import Run
from imprint.scoring.live import LiveScorer
from imprint.scoring.score import score_run, scoring_noted, sheets_of
from imprint.training.callbacks import IntermediateResults
from imprint.training.checkpoints import check_whole
from imprint.training.drawing import first_alone
from imprint.training.host_optimizer import who_updates
from imprint.training.module import TrainingModule
from imprint.training.trainer import make_trainer

log = logging.getLogger(__name__)

LOOK = 0.2  # seconds; who looks whether a run is locked holds the lock for less
ALONE = "hydra.mode=RUN"  # a verb that is a sweep by itself carries out one point

Assemble = Callable[[Plan], TrainingModule]  # loads the model and attaches the method


def train_and_score(plan: Plan, cfg: DictConfig, *, trained_now: bool = False) -> None:
    """Trains the run of `plan`, alone in its process, or continues it, and scores it by its evaluation; what is there
    already is not made again. `cfg` is what `plan` was prepared from. `trained_now`: by this command, so that it need
    not be told again. Raises as `carry_out`."""
    remove_abandoned_folders()
    if plan.run.status == "finished":
        remove_abandoned(plan.run.folder)  # perhaps of its scores
        if not trained_now:
            log.info("Finished before: %s", plan.run.folder)
    else:
        if process_rank() == 0:
            for line in describe_memory(plan, phases=False):
                log.info(line)
        with single_run_command_line(plan.settled(cfg)):
            carry_out(plan, cfg, assemble)
        gc.collect()  # trainer and network refer to each other: both would stay in memory beside the encoders
    _score(plan)


def carry_out(plan: Plan, cfg: DictConfig, assemble: Assemble) -> None:
    """Trains the run of `plan`, or continues it; a finished one is left as it is. `cfg` is what `plan` was prepared
    from. Raises UserError for what the user can correct, which is also noted in the run's folder. Raises
    KeyboardInterrupt when asked to stop; the run then continues from its checkpoint.
    """
    run = plan.run
    if process_rank() != 0:
        end_with_parent()
        with interruptible():
            _fit(plan, recorded(redacted(cfg)), assemble)
        return
    busy = f"{run.folder}: another process is training this very run."
    with locked(run.lock, busy), _failures_noted(run), interruptible():
        remove_abandoned(run.folder)
        if run.status == "finished":  # by another process, just now
            return
        config = recorded(redacted(cfg))
        _begin(plan, cfg, config)
        _fit(plan, config, assemble)
        run.note(
            {
                "status": "finished",
                "finished": _now(),
                "result_bytes": folder_bytes(run.result),
                "result_files": file_bytes(run.result),
            }
        )
        run.checkpoint.unlink(missing_ok=True)
    log.info("Finished: %s", run.folder)


@contextmanager
def single_run_command_line(settled: Sequence[str]) -> Iterator[None]:
    """Lightning starts the other processes of a multi-device run with the command line of the first. In a sweep that
    would start the whole sweep again, and in a launcher's process another program: so each run shows it the command
    line of this run alone, with what was `settled`, which each would else find out for itself."""
    if not HydraConfig.initialized():
        yield
        return
    job = HydraConfig.get()
    given = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    searched = [text for text in job.overrides.hydra if text.startswith("hydra.searchpath=")]
    folders = [*(f"--config-dir={folder}" for folder in given), *searched]  # with the user's own configuration
    with command_line("imprint.cli", [str(job.job.config_name), *folders, *job.overrides.task, *settled, ALONE]):
        yield


def _score(plan: Plan) -> None:
    """Scores the finished run by its evaluation, if it has one and there are no scores yet."""
    profile, trainer = plan.parts.evaluation, plan.parts.trainer
    if profile is None or process_rank() != 0:
        return
    files = sheets_of(plan)
    if not files:
        with scoring_noted(plan.run):
            files = score_run(plan.run, profile, accelerator=trainer.accelerator, encoders=plan.parts.model.encoders)
        for file in files:
            log.info("Scores: %s", file)
    log_scores(plan.run, files, plan.parts.report.wandb)


def _begin(plan: Plan, cfg: DictConfig, config: Mapping[str, Any]) -> None:
    """`config` is `cfg` without secrets."""
    run = plan.run
    before = run.read()
    if run.checkpoint.exists():
        check_whole(run.checkpoint)
        read_metrics(run.metrics)
    write_text(run.config, OmegaConf.to_yaml(OmegaConf.create(dict(config))))
    run.note(
        {
            "status": "running",
            "name": plan.parts.name,
            "signature": run.signature,
            "concepts": [concept._asdict() for concept in plan.concepts],
            "nouns": plan.nouns,
            "content": plan.identity["content"],
            "photos": photo_hashes(plan.subjects),
            "model_place": place_of(cfg.model),
            "started": [*before.started, _now()],
            "config": config,
            **describe(),
        }
    )
    run.error.unlink(missing_ok=True)
    verb = "Going on with" if run.checkpoint.exists() else "Training"
    log.info("%s %s", verb, run.folder)
    for concept, dataset, pictures in plan.subjects:
        held = f", and {dataset.holdout} held out to be scored against" if dataset.holdout else ""
        log.info("%s is called %r; %d pictures%s.", concept.noun, concept.identifier, len(pictures), held)
    lines = (residence.describe(plan), memory_settings.describe(plan), quantised_base.describe(plan))
    for line in (*plan.remarks(), *chain.from_iterable(lines)):
        log.info(line)


def _fit(plan: Plan, config: Mapping[str, Any], assemble: Assemble) -> None:
    parts, run = plan.parts, plan.run
    pl.seed_everything(parts.seed, workers=True, verbose=False)
    adapter = read_training_adapter(parts.model)
    module = assemble(plan)
    if adapter is not None:
        module.train_with(adapter)
    if process_rank() == 0:
        trained = {group.name: sum(p.numel() for p in group.params) for group in module.task.groups}
        every = count_weights(module.model)
        run.note({"trained_parameters": trained, "parameters": every, "frame": module.frame})
    loggers, callbacks = parts.report.attach(run, config=config, protocol=parts.samples, name=parts.name)
    if parts.trainer.save_every:
        callbacks = [*callbacks, IntermediateResults(run, parts.trainer.save_every, partial(_save_result, plan))]
    if parts.evaluation is not None and parts.watch.every:
        callbacks = [*callbacks, _score_curve(plan, parts.evaluation, loggers)]
    trainer = make_trainer(parts.trainer, parts.hparams, run, loggers=loggers, callbacks=callbacks)
    resume_from = str(run.checkpoint) if run.checkpoint.exists() else None
    starts_others = parts.trainer.world_size > 1 and process_rank() == 0
    with concluding(loggers, run):
        with named_for_children() if starts_others else nullcontext():
            trainer.fit(module, ckpt_path=resume_from)
        _free_state(trainer.optimizers)
        with first_alone(trainer, module) as is_first:
            if is_first:
                _write_result(plan, module, trainer.global_step)


def _check_there(run: Run) -> None:
    if run.status != "running":
        reason = "this folder was deleted, or changed, while the run was trained"
        raise UserError(f"{run.folder}: {reason}. Give the same command again.")


def _free_state(optimizers: Sequence[Optimizer]) -> None:
    """Gradients and moments take the memory of three models, and saving may load one more."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
        who_updates(optimizer).state.clear()


def _score_curve(plan: Plan, profile: Profile, loggers: Sequence[Logger]) -> ScoreCurve:
    scorer = LiveScorer(plan.run, profile, plan.parts.trainer.own_device)
    trackers = [logger for logger in loggers if not isinstance(logger, LocalLogger)]
    save = partial(_save_result, plan)
    return ScoreCurve(plan.run, plan.parts.watch, profile, score=scorer.score, save=save, trackers=trackers)


def _write_result(plan: Plan, module: TrainingModule, step: int) -> None:
    parts, run = plan.parts, plan.run
    _check_there(run)
    with folder_atomically(run.result) as folder:
        _save_final(plan, module, folder, step)
        usage = parts.method.usage(plan.concepts, plan.facts)
        write_model_card(run, folder, usage=usage, provenance=parts.provenance)


def _save_final(plan: Plan, module: TrainingModule, folder: Path, step: int) -> None:
    """The run's result: what training ended with, or what scored best on the way."""
    if plan.parts.watch.keep == "best" and plan.run.best.is_dir():
        shutil.copytree(plan.run.best, folder, dirs_exist_ok=True)
    else:
        _save_result(plan, module, folder, step)


def _save_result(plan: Plan, module: TrainingModule, folder: Path, step: int) -> None:
    module.save_result(folder)
    plan.parts.method.write_origin(folder, {**origin(plan.run), "steps": str(step)})


@contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Raises RunBusy, which begins with `busy`, where another process holds this lock, and not only looks whether
    another one does (`claims.is_locked`)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=LOOK)
    except Timeout as error:
        raise RunBusy(f"{busy} Wait for it, or stop it.") from error
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
        with suppress(UserError):  # the reason may be a full disk
            write_text(run.error, reason if isinstance(error, UserError) else traceback.format_exc())
            run.note({"status": "failed", "failed": _now(), "error": reason})
        if isinstance(error, torch.OutOfMemoryError):
            raise UserError(reason) from error
        raise


def _explained(error: BaseException) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "The device's memory is not enough. Raise trainer.accumulation, set trainer.gradient_checkpointing=true, "
            "trainer.keep_parts=needed, trainer.offload_activations=true, trainer.offload_optimizer=true or "
            "hparams.precision=bf16-mixed, use optimizer=adamw8bit, or lower hparams.batch_size or, of adapters, set "
            f"model.quantise=int8 (which change the result). {str(error).splitlines()[0]}"
        )
    return str(error) or type(error).__name__


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
