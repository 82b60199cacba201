"""Outcomes of points that run in other processes, in a form that can be sent between processes."""

import pickle

from hydra.core.utils import JobReturn, JobStatus

from imprint.errors import UserError
from imprint.libraries.hydra import outcome


class PointLost(UserError):
    """The process of a point ended without an outcome, or the outcome could not be sent."""


def picklable(done: JobReturn) -> JobReturn:
    """An error that can be pickled but not unpickled, at which the results of all points would be lost, becomes its
    text."""
    if done.status is JobStatus.FAILED:
        error = outcome(done)
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            done.return_value = PointLost(f"{type(error).__name__}: {error}")
    return done


def lost_job(overrides: tuple[str, ...], reason: str) -> JobReturn:
    """The outcome of a point whose process returned none."""
    done = JobReturn()
    done.overrides = overrides
    done.status = JobStatus.FAILED
    done.return_value = PointLost(reason)
    return done
