"""What a point has come to gets from one process to another."""

import pickle

import pytest
from accidents import Unpackable
from hydra.core.utils import JobReturn, JobStatus

from imprint.errors import ConfigError, ModelNotFound, Problem, UserError
from imprint.launchers.job_return import lost_job, picklable


def failed(error: Exception) -> JobReturn:
    done = JobReturn()
    done.status = JobStatus.FAILED
    done.return_value = error
    return done


def elsewhere(done: JobReturn) -> JobReturn:
    return pickle.loads(pickle.dumps(picklable(done)))


def test_an_error_that_cannot_be_unpacked_arrives_as_its_text() -> None:
    with pytest.raises(UserError, match="Unpackable: it rained"):
        _ = elsewhere(failed(Unpackable(reason="it rained"))).return_value


def test_an_error_that_can_arrives_as_it_is() -> None:
    with pytest.raises(ModelNotFound, match="nowhere"):
        _ = elsewhere(failed(ModelNotFound("nowhere"))).return_value


def test_a_configurations_problems_arrive_whole() -> None:
    error = ConfigError([Problem("method.lr", 0, "must be positive."), "And this."])
    with pytest.raises(ConfigError) as caught:
        _ = elsewhere(failed(error)).return_value
    assert str(caught.value) == str(error)
    assert caught.value.problems == error.problems


def test_what_succeeded_is_left_alone() -> None:
    done = JobReturn()
    done.status = JobStatus.COMPLETED
    done.return_value = [0.5, 0.25]
    assert elsewhere(done).return_value == [0.5, 0.25]


def test_a_lost_point_has_failed() -> None:
    with pytest.raises(UserError, match="killed"):
        _ = elsewhere(lost_job(("seed=1",), "its process was killed.")).return_value
