"""The watcher's own process: it ends, in order, when the service that began it is gone."""

import os
import signal
import sys
import threading

from contraview.apps.cli import main


def end_with(pipe: int) -> None:
    """Stop the watcher once nobody holds the other end of a pipe."""
    while os.read(pipe, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), daemon=True).start()
    sys.exit(main(sys.argv[2:]))
