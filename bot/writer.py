"""One writer a process: changes to conversations go through one thread, and those that come together share a transaction.

SQLite lets one connection write at a time. Threads that queue for its lock wait in steps of up to a tenth of a second and each
pays for its own flush to disk; one thread that takes what has gathered pays once for all. PostgreSQL gains as much by fewer
round trips. Where a job fails, those of its transaction are run again one by one, so it takes nobody else's change with it: a job
does nothing but read and write its session.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

TOGETHER = 64  # jobs in one transaction at most

log = structlog.get_logger()
Result = TypeVar("Result")
_Job = tuple[Callable[[Session], Any], "Future[Any]"]


class NotReadyError(SQLAlchemyError):
    """The database is not known to be the one that it should be; whoever prepares it has said so."""


class Writer:
    """Runs jobs in the order in which they were handed in.

    Args:
        sessions: makes a session that may write.
        before: called before each transaction; raises `NotReadyError` where the database is not the one it was.

    """

    def __init__(self, sessions: sessionmaker[Session], *, before: Callable[[], None] = lambda: None) -> None:
        self._sessions = sessions
        self._before = before
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.is_healthy = True
        self._thread.start()

    def submit(self, job: Callable[[Session], Result]) -> Future[Result]:
        """Hand a job in. Its future holds what it returns once that is committed, or the error; a cancelled job is not run."""
        future: Future[Result] = Future()
        self._jobs.put((job, future))
        return future

    def call(self, job: Callable[[Session], Result], *, within: float | None = None) -> Result:
        """Run a job and wait for it.

        Args:
            within: seconds to wait; a job that has not begun by then is not run any more.

        Raises:
            TimeoutError: the time was over.
            sqlalchemy.exc.SQLAlchemyError: the database failed; nothing of the job is stored.

        """
        future = self.submit(job)
        try:
            return future.result(within)
        except TimeoutError:
            future.cancel()
            raise

    async def run(self, job: Callable[[Session], Result], *, within: float | None = None) -> Result:
        """The same without blocking the event loop."""
        # Cancelling the wait cancels the job.
        return await asyncio.wait_for(asyncio.wrap_future(self.submit(job)), within)

    def stop(self) -> None:
        """Finish what was handed in and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch, is_last = self._with_those_waiting(first)
            self._commit([entry for entry in batch if entry[1].set_running_or_notify_cancel()])
            if is_last:
                return

    def _with_those_waiting(self, first: _Job) -> tuple[list[_Job], bool]:
        batch = [first]
        while len(batch) < TOGETHER:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _commit(self, batch: list[_Job]) -> None:
        """Run the jobs in one transaction; where one of them fails, each in one of its own."""
        try:
            if batch:
                self._before()
                with self._sessions.begin() as session:
                    results = [job(session) for job, _ in batch]
        except Exception as failure:  # the database's, or one job's own
            self._failed(batch, failure)
        else:
            self.is_healthy = True
            for (_, future), result in zip(batch, results if batch else (), strict=True):
                future.set_result(result)

    def _failed(self, batch: list[_Job], failure: Exception) -> None:
        if len(batch) > 1:
            for entry in batch:
                self._commit([entry])
            return
        if isinstance(failure, SQLAlchemyError) and not isinstance(failure, NotReadyError):
            if self.is_healthy:
                log.warning("database_failed", error=type(failure).__name__)
            self.is_healthy = False
        for _, future in batch:
            future.set_exception(failure)
