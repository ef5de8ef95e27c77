"""What a person sees of a run: one line of progress, and TensorBoard scalars."""

import sys
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm


def progress_bar(title: str, total: int | None, unit: str, *, done: int = 0) -> tqdm:
    """A line with what is done, the rate, the time left and the current figures (``set_postfix_str``).

    On a terminal it is redrawn in place; in a log a new state appears every ten seconds.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        initial=done,
        desc=title,
        unit=f" {unit}",
        mininterval=0.2 if terminal else 10.0,
        dynamic_ncols=terminal,
        ncols=None if terminal else 120,
        smoothing=0.1,
    )


class TensorBoard:
    """Scalars of a run under ``workdir/events``: one curve per member and metric."""

    def __init__(self, workdir: Path):
        from tensorboardX import SummaryWriter

        self.writer = SummaryWriter(str(Path(workdir) / "events"), flush_secs=10)

    def write(self, scalars: Mapping[str, float], step: int) -> None:
        """Writes finite scalars at a step; a curve has no point where there is no figure."""
        for name, value in scalars.items():
            if value == value:
                self.writer.add_scalar(name, float(value), int(step))

    def close(self) -> None:
        """Flushes and closes the file."""
        self.writer.close()
