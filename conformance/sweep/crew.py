"""Who judges the shards: processes of the sweep's own, any executor that is lent, or this process itself."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from conformance.errors import ConformanceError
from conformance.implementations import Implementation
from conformance.implementations.complaints import ended
from conformance.sweep import worker
from conformance.sweep.found import Found
from conformance.sweep.identity import Subject, subject
from conformance.sweep.place import Place
from conformance.sweep.plan import Plan, Shard
from conformance.sweep.shard import Failure, failure, judge_shard
from conformance.sweep.worker import Refusal

Outcome = tuple[Found, ...] | Failure
Seen = tuple[Shard, Subject | None, Outcome | Refusal]
"""A shard, who was judged there (None where nobody can say), and what came of it."""
TRIES = 2
"""So often a shard is begun whose worker dies: a death may come from outside, and then the second try succeeds."""


class WorkerFailed(ConformanceError):
    """A lent executor did not bring a shard to its end: says which shard, and what happened."""


class Crew(Protocol):
    """Judges shards, several at a time."""

    def introduce(self) -> Subject | Refusal:
        """Who is to be judged, as a worker sees it."""

    def ready(self) -> bool:
        """True where another shard can be handed over."""

    def submit(self, shard: Shard) -> None:
        """Hand over a shard."""

    def busy(self) -> bool:
        """True where a shard is under way."""

    def wait(self) -> list[Seen]:
        """What has come of some of the shards that are under way; empty where one of them is begun once more."""

    def close(self) -> None:
        """Let go of everything; what is under way is lost."""


class Here:
    """The process that asks: one shard at a time, with nothing between the implementation and a debugger."""

    def __init__(self, implementation: Implementation, source: str, planned: Plan) -> None:
        self._implementation = implementation
        self._source = source
        self._planned = planned
        self._shard: Shard | None = None

    def introduce(self) -> Subject | Refusal:
        """The object itself."""
        return worker.refusal(self._implementation, self._planned.fmt) or subject(self._implementation, self._source)

    def ready(self) -> bool:
        """One at a time."""
        return self._shard is None

    def submit(self, shard: Shard) -> None:
        """It is judged when it is waited for."""
        self._shard = shard

    def busy(self) -> bool:
        """Where one waits to be judged."""
        return self._shard is not None

    def wait(self) -> list[Seen]:
        """Judge it."""
        assert self._shard is not None
        shard, self._shard = self._shard, None
        return [(shard, None, judge_shard(self._implementation, self._planned, shard))]

    def close(self) -> None:
        """Nothing is held."""


class Lent:
    """Any executor: threads, processes, or a cluster. Workers load the implementation by name, each once."""

    def __init__(self, executor: Executor, source: str, planned: Plan, width: int, time_limit: float) -> None:
        self._executor = executor
        self._source = source
        self._planned = planned
        self._width = width
        self._limit = time_limit
        self._running: dict[Future[Any], Shard] = {}

    def introduce(self) -> Subject | Refusal:
        """As the first worker sees it."""
        call = self._executor.submit(worker.introduce, self._source, self._planned.fmt)
        told: Subject | Refusal = self._result(call, "the first call")
        return told

    def ready(self) -> bool:
        """As many as were asked for, under way or queued in the executor."""
        return len(self._running) < self._width

    def submit(self, shard: Shard) -> None:
        """Hand it to the executor."""
        self._running[self._executor.submit(worker.judge, self._source, self._planned, shard)] = shard

    def busy(self) -> bool:
        """Where the executor has any."""
        return bool(self._running)

    def wait(self) -> list[Seen]:
        """Whatever the executor has finished, or what hangs. Raises WorkerFailed where the executor breaks."""
        done, _ = concurrent.futures.wait(self._running, self._limit, concurrent.futures.FIRST_COMPLETED)
        if not done:
            oldest = next(iter(self._running.values()))
            told = f"none of {len(self._running)} shards was finished within {self._limit:g} s"
            self.close()
            return [(oldest, None, failure("hung", told, oldest, self._planned.fmt))]
        ended = [(future, shard) for future, shard in self._running.items() if future in done]
        self._running = {future: shard for future, shard in self._running.items() if future not in done}
        return [_seen(shard, self._result(future, _told(shard, self._planned))) for future, shard in ended]

    def close(self) -> None:
        """Cancel what has not begun; the executor stays its owner's."""
        for future in self._running:
            future.cancel()
        self._running.clear()

    def _result(self, future: Future[Any], what: str) -> Any:
        try:
            return future.result(self._limit)
        except TimeoutError:
            raise WorkerFailed(f"the executor gave no answer at {what} within {self._limit:g} s") from None
        except Exception as error:
            name = type(error).__name__
            raise WorkerFailed(f"the executor failed at {what}: {name}: {error}".rstrip(": ")) from error


class Processes:
    """Fresh processes, each with one shard at a time, so that one that dies or hangs is known, and costs that shard alone."""

    def __init__(self, source: str, planned: Plan, workers: int, time_limit: float) -> None:
        self._source = source
        self._planned = planned
        self._limit = time_limit
        self._folder = tempfile.TemporaryDirectory(prefix="dpo-conformance-")
        self._lanes = [_Lane(Path(self._folder.name), number) for number in range(workers)]
        self._deaths: Counter[Shard] = Counter()

    def introduce(self) -> Subject | Refusal:
        """As the first process sees it, which imports the implementation."""
        lane = self._lanes[0]
        lane.submit(worker.introduce, self._source, self._planned.fmt)
        try:
            assert lane.future is not None
            told: Subject | Refusal = lane.future.result(self._limit)
        except BrokenExecutor:
            told = Refusal("CannotLoad", f"{self._source}: {lane.ending()} while it was imported")
        except TimeoutError:
            told = Refusal("CannotLoad", f"{self._source}: it was not imported within {self._limit:g} s")
        lane.future = None
        return told

    def ready(self) -> bool:
        """Where a process is idle."""
        return any(lane.shard is None for lane in self._lanes)

    def submit(self, shard: Shard) -> None:
        """Hand it to an idle process."""
        lane = next(lane for lane in self._lanes if lane.shard is None)
        lane.shard = shard
        lane.submit(worker.judge, self._source, self._planned, shard)

    def busy(self) -> bool:
        """Where a process has one."""
        return any(lane.shard is not None for lane in self._lanes)

    def wait(self) -> list[Seen]:
        """Whatever is finished, dead or hung; a shard whose process died is begun once more."""
        busy = {lane.future: lane for lane in self._lanes if lane.shard is not None and lane.future is not None}
        nearest = min(lane.changed for lane in busy.values()) + self._limit
        patience = max(0.0, nearest - time.monotonic())
        done, _ = concurrent.futures.wait(busy, patience, concurrent.futures.FIRST_COMPLETED)
        lanes = [busy[future] for future in done]
        if not lanes:
            lanes = [lane for lane in busy.values() if lane.changed + self._limit <= time.monotonic()]
        return [seen for lane in lanes if (seen := self._collect(lane)) is not None]

    def close(self) -> None:
        """End the processes."""
        for lane in self._lanes:
            lane.kill()
        self._folder.cleanup()

    def _collect(self, lane: _Lane) -> Seen | None:
        shard, future = lane.shard, lane.future
        assert shard is not None and future is not None
        lane.shard = lane.future = None
        if not future.done():
            block = lane.place.block
            lane.kill()
            told = f"no answer within {self._limit:g} s; a longer time limit may help"
            return shard, None, failure("hung", told, block or shard, self._planned.fmt)
        try:
            return _seen(shard, future.result())
        except BrokenExecutor:
            how, block = lane.ending(), lane.place.block
            lane.kill()
        self._deaths[shard] += 1
        if self._deaths[shard] < TRIES:
            self.submit(shard)
            return None
        return shard, None, failure("died", f"it {how}", block or shard, self._planned.fmt)


class _Lane:
    """One process at a time behind an executor of its own, and what it wrote."""

    def __init__(self, folder: Path, number: int) -> None:
        self.shard: Shard | None = None
        self.future: Future[Any] | None = None
        self._submitted = 0.0
        self._noise, self._where = folder / f"{number}.txt", folder / f"{number}.place"
        self.place = Place(self._where)
        self._process: BaseProcess | None = None
        self._executor: ProcessPoolExecutor | None = None
        self._open()

    @property
    def changed(self) -> float:
        """When the process last began to do something, or the implementation answered it."""
        return max(self._submitted, self.place.changed)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Give the process something to do."""
        executor = self._executor or self._open()
        self._process = self._process or self._started()
        self.place.clear()
        self._submitted = time.monotonic()
        self.future = executor.submit(function, *arguments)

    def ending(self) -> str:
        """How the process ended, with the message of the crash among what it wrote."""
        assert self._process is not None
        deadline = time.monotonic() + 5
        while (status := self._process.exitcode) is None and time.monotonic() < deadline:
            time.sleep(0.01)  # the executor's own thread may be the one that learns it
        return ended(status, self._noise.read_text(errors="replace"))

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self._executor is None:
            return
        if self._process is not None:
            self._process.kill()
        self._executor.shutdown(wait=self._process is None, cancel_futures=True)
        self._executor = self._process = None

    def _started(self) -> BaseProcess:
        try:
            pid = self._pid.result()
            return next(child for child in multiprocessing.active_children() if child.pid == pid)
        except (BrokenExecutor, StopIteration):
            hint = "a script that sweeps must do so under if __name__ == '__main__'"
            raise WorkerFailed(f"a worker process ended while it started; {hint}") from None

    def _open(self) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(1, spawn, initializer=worker.start, initargs=(self._noise, self._where))
        self._executor, self._pid = executor, executor.submit(os.getpid)
        return executor


def _seen(shard: Shard, result: tuple[Subject, Outcome] | Refusal) -> Seen:
    return (shard, None, result) if isinstance(result, Refusal) else (shard, *result)


def _told(shard: Shard, planned: Plan) -> str:
    first, last = shard.ends(planned.fmt)
    return f"the shard from {first!r} to {last!r}"
