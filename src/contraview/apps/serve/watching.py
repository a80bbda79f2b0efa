"""Keeps a watcher running beside the service: begun again where it fails, ended in order."""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from contraview.core.errors import ContraviewError, InputError

LONGEST_WAIT: Final = 60.0
"""Seconds between two tries to begin a watcher that fails."""
BEGIN_SECONDS: Final = 120.0
STOP_SECONDS: Final = 30.0


class Watching:
    """A process of ``contraview detect --follow``, looked after.

    The process holds one end of a pipe whose other end is ours: however this one ends, the watcher
    notices, finishes what is in hand and moves its cursor.

    Args:
        arguments: of the command, from ``detect`` on.

    Attributes:
        state: ``running``, ``ended`` (as the source did), ``waiting`` (to begin again) or
            ``stopped``.
        restarts: how often it was begun again.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._command = list(arguments)
        self._said: deque[str] = deque(maxlen=50)
        self._stopping, self._renewing = threading.Event(), threading.Event()
        self._lifeline: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._look_after, name="watching", daemon=True)
        self.state, self.restarts = "waiting", 0
        self._process = self._begin()

    def start(self) -> None:
        """Wait for the first word of the watcher, then look after it.

        Raises:
            InputError: it refuses what it was given.
            ContraviewError: it failed otherwise.
        """
        first = self._process.stderr
        assert first is not None
        line = first.readline().strip()
        self._said.append(line)
        code = None
        if line.startswith("contraview: "):
            code = self._process.wait(STOP_SECONDS)
        elif not line:
            code = self._process.wait(STOP_SECONDS) or 1
        if code:
            self._stopping.set()
            self._close_lifeline()
            first.close()
            said = line.removeprefix("contraview: ") or f"the watcher ended with {code}"
            raise (InputError if code == 2 else ContraviewError)(said)
        self.state = "running"
        self._thread.start()

    @property
    def said(self) -> list[str]:
        """The watcher's latest lines."""
        return list(self._said)

    def renew(self) -> None:
        """Let the watcher finish what is in hand, and begin again: with a model that changed."""
        if self.state == "running":
            self._renewing.set()
            self._close_lifeline()

    def stop(self) -> None:
        """Let the watcher finish what is in hand."""
        self._stopping.set()
        self._close_lifeline()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self.state = "stopped"

    def _begin(self) -> subprocess.Popen[str]:
        ours, theirs = os.pipe()
        self._lifeline = theirs, ours
        command = [sys.executable, "-m", "contraview.apps.serve.child", str(ours), *self._command]
        process = subprocess.Popen(  # noqa: S603 our own command
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=[ours],
            start_new_session=True,  # Ctrl-C is for the service, which then ends the watcher
        )
        os.close(ours)
        self._lifeline = theirs, -1
        return process

    def _close_lifeline(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline[0])
            self._lifeline = None

    def _look_after(self) -> None:
        wait = 1.0
        while True:
            begun = time.monotonic()
            assert self._process.stderr is not None
            with self._process.stderr as said:
                self._said.extend(line.strip() for line in said)
            code = self._process.wait()
            if self._stopping.is_set():
                return
            renewed = self._renewing.is_set()
            self._renewing.clear()
            if code == 0 and not renewed:
                self.state = "ended"
                return
            if not renewed:
                self.state = "waiting"
                long = time.monotonic() - begun > LONGEST_WAIT
                wait = 1.0 if long else min(2 * wait, LONGEST_WAIT)
                if self._stopping.wait(wait):
                    return
                self.restarts += 1
            self._close_lifeline()
            self._process = self._begin()
            self.state = "running"
