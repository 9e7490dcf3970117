"""When to send what. Pure."""

from collections.abc import Iterator


class Rounds:
    """When the next batch of a list is due: all of its batches once in each period."""

    def __init__(self, batches: int, period: float, start: float) -> None:
        self._batches, self._step, self._period = batches, period / batches, period
        self.due = start if period else float("inf")
        self.count = -1
        """The number of the round that was begun last."""
        self.late = 0.0
        self._next = 0

    def take(self, now: float) -> int:
        """Give the batch that is due; the first one begins a round."""
        self.late = max(self.late, now - self.due)
        self.due = now if now - self.due > self._period else self.due + self._step
        batch, self._next = self._next, (self._next + 1) % self._batches
        self.count += batch == 0
        return batch

    def remaining(self) -> Iterator[int]:
        """Give the batches that the round lacks."""
        while self._next:
            yield self.take(self.due)
