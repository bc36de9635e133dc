"""A keeper as the process sees it that started it."""

import logging
import subprocess
import threading
from collections.abc import Sequence

from lakehouse_assets.defs.warm.messages import (
    Begin,
    Drop,
    Fork,
    Forked,
    Message,
    Ready,
    Refused,
    command,
    pair,
    receive,
    send,
)
from lakehouse_assets.errors import LakehouseError

log = logging.getLogger(__name__)

# it loads for a second, on a machine with much to do for ten
_STARTS_WITHIN = 60.0
_ANSWERS_WITHIN = 20.0


class NoProcess(LakehouseError):
    """A keeper gives no process for a run; one that `is_old`, or gone, never will again."""

    def __init__(self, message: str, *, is_old: bool = False) -> None:
        super().__init__(message)
        self.is_old = is_old


class Keeper:
    """
    A process that is about to fork, and the line to it.

    Example:
        >>> keeper = Keeper(sys.executable)
        >>> pid = keeper.fork(args, None)
        >>> keeper.begin(pid)
        >>> keeper.close()
    """

    def __init__(self, executable: str, modules: Sequence[str] = ()) -> None:
        """
        Start one, and wait until it has loaded everything.

        Args:
            executable: The Python that does it, and the runs.
            modules: What to load besides what every run needs.

        Raises:
            NoProcess: It did not come up; why stands in what it wrote to stderr.
        """
        self._line, theirs = pair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    command(executable, theirs, modules), stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            except OSError as exc:
                self._line.close()
                msg = f"{executable} cannot be started: {exc}"
                raise NoProcess(msg, is_old=True) from exc
        # nothing is left of it when it has ended
        threading.Thread(target=self._process.wait, name="lakehouse-keeper", daemon=True).start()
        try:
            self._line.settimeout(_STARTS_WITHIN)
            ready = self._receive()
            if not isinstance(ready, Ready):
                msg = ready.why if isinstance(ready, Refused) else f"the keeper answered {ready}"
                raise NoProcess(msg, is_old=True)
        except NoProcess:
            self.close()
            self._process.kill()
            raise
        self._line.settimeout(_ANSWERS_WITHIN)
        log.info(
            "a keeper of warm processes is up: pid %d, %d modules loaded in %.1f s",
            self.pid,
            ready.modules,
            ready.seconds,
        )

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def fork(self, args: str, folder: str | None) -> int:
        """
        The number of a new process that waits to be told to begin, and ends when the keeper or this process is gone.

        Args:
            args: Those of Dagster's command `execute_run`.
            folder: Where the code of the run is looked for first.
        """
        self._send(Fork(args, folder))
        answer = self._receive()
        if isinstance(answer, Forked):
            return answer.pid
        if isinstance(answer, Refused):
            raise NoProcess(answer.why, is_old=answer.is_old)
        msg = f"the keeper answered {answer}"
        raise NoProcess(msg)

    def begin(self, pid: int) -> None:
        """Let a process go to work; when this raises, it does not."""
        self._send(Begin(pid))

    def drop(self, pid: int) -> None:
        """End a process that waits."""
        self._send(Drop(pid))

    def close(self) -> None:
        """Ask for nothing more: it ends when its last process has."""
        self._line.close()

    def _send(self, message: Message) -> None:
        try:
            send(self._line, message)
        except OSError as exc:
            msg = f"the keeper (pid {self.pid}) cannot be reached: {exc}"
            raise NoProcess(msg, is_old=True) from exc

    def _receive(self) -> Message:
        try:
            answer = receive(self._line)
        except OSError as exc:
            msg = f"the keeper (pid {self.pid}) does not answer: {exc}"
            raise NoProcess(msg, is_old=True) from exc
        if answer is None:
            msg = f"the keeper (pid {self.pid}) ended"
            raise NoProcess(msg, is_old=True)
        return answer
