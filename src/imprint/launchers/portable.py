"""What a point has come to, in a form that gets from one process to another."""

import pickle

from hydra.core.utils import JobReturn, JobStatus

from imprint.errors import UserError
from imprint.libraries.hydra import outcome


class PointLost(UserError):
    """The process of a point ended without saying how it went, or what it said did not arrive."""


def portable(done: JobReturn) -> JobReturn:
    """Some errors can be packed and not be unpacked, which would take the results of all points with them."""
    if done.status is JobStatus.FAILED:
        error = outcome(done)
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            done.return_value = PointLost(f"{type(error).__name__}: {error}")
    return done


def lost(overrides: tuple[str, ...], reason: str) -> JobReturn:
    """Of a point that nothing was heard of."""
    done = JobReturn()
    done.overrides = overrides
    done.status = JobStatus.FAILED
    done.return_value = PointLost(reason)
    return done
