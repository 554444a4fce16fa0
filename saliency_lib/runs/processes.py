"""The processes of one run: one alone, or as many as `torchrun` starts, on one machine or several."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed

from saliency_lib.errors import SaliencyError
from saliency_lib.progress import said_after

Value = TypeVar("Value")

COLLECTIVE_TIMEOUT = timedelta(days=7)
"""How long one process waits for the slowest."""

RENDEZVOUS_TIMEOUT = timedelta(seconds=60)
"""How long the processes of a run wait for each other to come at all."""

SILENCE = 1.5
"""So many seconds does one wait without a word."""


@dataclass(frozen=True)
class ProcessGroup:
    """Which process this is, from 0, of how many, and which process started it."""

    rank: int = 0
    world_size: int = 1
    parent: int = 0

    def check_launcher(self) -> None:
        """Raise `SaliencyError` if the launcher has died: nobody would end this process, and it holds the lock."""
        if self.world_size > 1 and os.getppid() != self.parent:
            raise SaliencyError("torchrun has ended, and this process ends with it")

    def on_all(self, work: Callable[[], Value]) -> Value:
        """Do something in every process. If it fails in one, it fails in all, and the first process says why."""
        error, result = None, None
        try:
            result = work()
        except SaliencyError as caught:
            error = str(caught)
        errors = [message for message in self._gather(error) if message]
        if errors and self.rank:
            raise SystemExit(2)
        if errors:
            raise SaliencyError(errors[0])
        return result  # type: ignore[return-value]

    def on_first(self, work: Callable[[], Value]) -> Value:
        """Do something in the first process and give every one its result."""
        result = [self.on_all(lambda: work() if self.rank == 0 else None)]
        if self.world_size > 1:
            torch.distributed.broadcast_object_list(result, src=0)
        return result[0]  # type: ignore[return-value]

    def _gather(self, value: Any) -> list[Any]:
        if self.world_size == 1:
            return [value]
        values = [None] * self.world_size
        torch.distributed.all_gather_object(values, value)
        return values


@contextmanager
def process_group() -> Iterator[ProcessGroup]:
    """The group that the environment describes, as `torchrun` sets it: RANK and WORLD_SIZE.

    Raises `SaliencyError` if the environment makes no sense, or the others do not come.
    """
    said = os.environ.get("WORLD_SIZE", "1")
    if not (said.isdecimal() and 0 < int(said) < 10**6):
        raise SaliencyError(f"WORLD_SIZE is the number of processes, as torchrun sets it, and not {said!r}")
    world_size = int(said)
    if world_size == 1:
        yield ProcessGroup()
        return
    parent = os.getppid()
    _join(world_size)
    try:
        yield ProcessGroup(torch.distributed.get_rank(), world_size, parent)
    finally:
        torch.distributed.destroy_process_group()


def _join(world_size: int) -> None:
    """Meet the other processes; who has to wait for them is told so."""
    words = f"waiting for the other processes: WORLD_SIZE says that there are {world_size} ..."
    try:
        with said_after(SILENCE, words):
            store, rank, _ = next(torch.distributed.rendezvous("env://", timeout=RENDEZVOUS_TIMEOUT))
            store.set(f"saliency_lib/{rank}", "here")
            store.wait([f"saliency_lib/{other}" for other in range(world_size)], RENDEZVOUS_TIMEOUT)
    except (RuntimeError, ValueError) as error:  # nobody listens, nobody comes, or a variable is missing
        reason = str(error).strip().split("\n", 1)[0]
        raise SaliencyError(
            f"WORLD_SIZE says {world_size} processes, and they cannot meet ({reason}): "
            "start them with torchrun, or unset it"
        ) from None
    torch.distributed.init_process_group(
        "gloo", store=store, rank=rank, world_size=world_size, timeout=COLLECTIVE_TIMEOUT
    )
