"""A clock that passes time at once, and does what is planned for each moment."""


class Wall:
    def __init__(self, at=1_700_003_600.0):
        self.begun = self.now = at
        self.plan = []

    def then(self, *steps):
        """What is done at each further sleep, a step a time; after the last the watcher stops."""
        self.plan += steps
        return self

    def time(self):
        return self.now

    def elapsed(self):
        return self.now - self.begun

    def sleep(self, seconds):
        self.now += seconds
        if not self.plan:
            raise StopWatchError
        self.plan.pop(0)()


class StopWatchError(Exception):
    """The plan is through."""


def nothing():
    """A moment in which nothing happens."""
