"""A service in a thread of the test's own process."""

import threading

from contraview.apps.serve.guard import Guard
from contraview.apps.serve.service import Server, configured, listen


class InThread:
    """Serves an application on a free port until it is stopped."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.socket = listen("127.0.0.1", 0)
        self.port = self.socket.getsockname()[1]
        self.server = Server(configured(guard))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.socket.close()
