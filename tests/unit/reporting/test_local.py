from pathlib import Path

import pandas
import pytest

from imprint.errors import UserError
from imprint.reporting.local import LocalLogger
from imprint.reporting.metrics_file import final_loss, read_metrics


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "metrics.csv"


def test_rows_are_in_the_file_as_soon_as_they_are_logged(path: Path) -> None:
    logger = LocalLogger(path)
    for step in (1, 2):
        logger.log_metrics({"loss": 1 / step, "lr/denoiser": 1e-6}, step)
        assert list(pandas.read_csv(path).step) == list(range(1, step + 1))
    assert path.read_text() == "step,loss,lr/denoiser\n1,1.0,1e-06\n2,0.5,1e-06\n"


def test_a_new_metric_widens_the_file(path: Path) -> None:
    logger = LocalLogger(path)
    logger.log_metrics({"loss": 1.0}, 1)
    logger.log_metrics({"loss": 2.0, "loss/prior": 0.5}, 2)
    logger.log_metrics({"loss": 3.0}, 3)
    assert read_metrics(path) == {"step": [1, 2, 3], "loss": [1, 2, 3], "loss/prior": [None, 0.5, None]}


def test_a_first_line_that_was_cut_off_is_written_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("step,lo")
    LocalLogger(path).log_metrics({"loss": 1.0}, 1)
    assert path.read_text() == "step,loss\n1,1.0\n"


def test_a_resumed_run_continues_the_file_where_its_checkpoint_stood(path: Path) -> None:
    first = LocalLogger(path)
    for step in range(1, 8):
        first.log_metrics({"loss": float(step)}, step)
    with path.open("a") as file:
        file.write("8,0.3")  # the writer was killed in the middle of a line
    resumed = LocalLogger(path)
    resumed.rewind(5)
    resumed.log_metrics({"loss": 60.0, "lr/text": 1.0}, 6)
    resumed.finalize("success")
    frame = pandas.read_csv(path)
    assert list(frame.step) == [1, 2, 3, 4, 5, 6]
    assert list(frame.loss) == [1, 2, 3, 4, 5, 60]


def test_rewinding_to_the_start_forgets_everything(path: Path) -> None:
    old = LocalLogger(path)
    old.log_metrics({"loss": 1.0, "old": 2.0}, 1)
    new = LocalLogger(path)
    new.rewind(0)
    new.log_metrics({"loss": 3.0}, 1)
    assert read_metrics(path) == {"step": [1], "loss": [3]}


@pytest.mark.parametrize("content", ["", "step,lo", "step,loss\n", "step,loss\n1,0.5\n2,0."])
def test_any_unfinished_file_can_be_continued(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    logger = LocalLogger(path)
    logger.rewind(1)
    logger.log_metrics({"loss": 7.0}, 2)
    assert read_metrics(path)["loss"][-1] == 7
    assert read_metrics(path)["step"][-1] == 2


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    logger = LocalLogger(tmp_path / "file" / "metrics.csv")
    with pytest.raises(UserError, match=r"Cannot write .*metrics\.csv"):
        logger.log_metrics({"loss": 1.0}, 1)


def test_the_final_loss_is_the_mean_of_the_last_steps(path: Path) -> None:
    assert final_loss(path) is None
    logger = LocalLogger(path)
    for step in range(1, 101):
        logger.log_metrics({"loss": 100.0 if step <= 50 else float(step % 2)}, step)
    assert final_loss(path) == 0.5
