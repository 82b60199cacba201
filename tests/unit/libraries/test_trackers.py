"""What is assumed of TensorBoard's files and of Optuna's studies."""

from pathlib import Path

import pytest


def test_readers_of_a_file_forget_steps_that_are_taken_again(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    from imprint.libraries.tensorboard import mark_restart

    writer = SummaryWriter(str(tmp_path))
    for step in (1, 2, 3):
        writer.add_scalar("loss", step, step)
    mark_restart(writer, 2)
    writer.add_scalar("loss", 20, 2)
    writer.close()
    [file] = tmp_path.iterdir()
    events = EventAccumulator(str(file))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1), (2, 20)]


def test_a_trial_that_waits_has_its_parameters_in_optunas_notes() -> None:
    optuna = pytest.importorskip("optuna")
    from imprint.libraries.optuna import enqueued_parameters

    study = optuna.create_study()
    study.enqueue_trial({"lr": 0.1})
    [trial] = study.get_trials(states=(optuna.trial.TrialState.WAITING,))
    assert enqueued_parameters(trial) == {"lr": 0.1}
