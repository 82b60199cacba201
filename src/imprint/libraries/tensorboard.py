"""Events that TensorBoard's writer has no function for. Tested with tensorboard 2.21.0."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def mark_restart(writer: "SummaryWriter", step: int) -> None:
    """Makes readers discard events from this step on, since these steps will be repeated. torch's writer has
    `purge_step` for it, but only at its start."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    start = Event(step=step, session_log=SessionLog(status=SessionLog.START))
    writer.file_writer.add_event(start, step)  # type: ignore[attr-defined]
