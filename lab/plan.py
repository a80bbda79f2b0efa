"""What happens on a day: the hosts, their links, and every event, all drawn from one seed.

Nothing is decided later than here, so a seed gives the same schedule again, and its size and
length are known before the first packet.
"""

import json
from dataclasses import asdict, dataclass
from itertools import accumulate, takewhile
from pathlib import Path
from random import Random
from typing import Self


@dataclass(frozen=True)
class Link:
    """One host's way to the switch; `delay` and `jitter` in seconds, `rate` in bit/s, each way."""

    delay: float
    jitter: float
    rate: float
    loss: float


@dataclass(frozen=True)
class Host:
    """One network namespace. `system` picks TCP options and window as different systems have."""

    name: str
    address: str
    role: str
    link: Link
    system: str


@dataclass(frozen=True)
class Event:
    """`activity` begins on `host` at `start` seconds of the day and is cut after `seconds`."""

    start: float
    host: str
    activity: str
    seed: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """A whole day."""

    day: int
    seed: int
    seconds: float
    hosts: tuple[Host, ...]
    events: tuple[Event, ...]

    def address(self, name: str) -> str:
        """The address of a host by its name."""
        return next(host.address for host in self.hosts if host.name == name)

    @property
    def clock_ahead(self) -> float:
        """Seconds to add to all times: days run side by side, but are dated one after another."""
        return (self.day - 1) * 86_400.0

    def write(self, path: Path) -> None:
        """Writes the plan as JSON."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Reads what `write` wrote."""
        plain = json.loads(path.read_text())
        hosts = [Host(**host | {"link": Link(**host["link"])}) for host in plain.pop("hosts")]
        events = [Event(**event) for event in plain.pop("events")]
        return cls(hosts=tuple(hosts), events=tuple(events), **plain)


SERVERS = ("web", "names", "shell", "data", "files", "cloud")

# Events a minute of lab time, by personality.
RATES: dict[str, dict[str, float]] = {
    "office": {
        "browse": 4.5, "call_api": 3, "look_up": 8, "look_up_nothing": 0.6, "send_form": 0.8,
        "copy_files": 0.8, "watch": 2.5, "tell_time": 3, "stay_connected": 0.6, "misdial": 0.15,
    },
    "developer": {
        "browse": 3, "call_api": 4, "look_up": 10, "look_up_nothing": 1, "query_once": 4,
        "work_in_shell": 0.5, "run_command": 3.5, "copy_over_ssh": 1, "mistype_password": 0.2,
        "copy_files": 0.8, "tell_time": 3, "misdial": 0.3,
    },
    "application": {
        "query_pooled": 1.5, "query_once": 14, "call_api": 6, "look_up": 12, "send_form": 0.8,
        "tell_time": 3, "stay_connected": 0.6, "misdial": 0.15,
    },
    "kiosk": {
        "browse": 2, "watch": 6, "look_up": 6, "tell_time": 5, "stay_connected": 0.8,
        "poll_news": 8,
    },
    "monitor": {"check_health": 15, "poll_counters": 24, "ping": 8, "look_up": 8, "tell_time": 4},
    "archive": {"back_up": 1, "copy_files": 5, "run_command": 4, "look_up": 6, "tell_time": 3},
    "sensor": {"report_once": 11, "report_session": 0.6, "look_up": 3, "tell_time": 3},
}  # fmt: skip

MINUTES = {1: 13.2, 2: 7.75, 3: 9.5}
"""Length of each day; rates are such that it holds the traffic of a small office's longer day."""

PERIODIC = frozenset({"poll_news", "check_health", "poll_counters"})

# Seconds after which an activity is cut, whatever it is doing.
LIMITS: dict[str, float] = {
    "browse": 40, "watch": 45, "work_in_shell": 90, "copy_over_ssh": 30, "copy_files": 40,
    "query_pooled": 150, "stay_connected": 240, "back_up": 60, "report_session": 200,
}  # fmt: skip
LIMIT = 20.0

MIX: dict[int, dict[str, int]] = {
    1: {"office": 5, "developer": 3, "application": 2, "kiosk": 2, "monitor": 1, "archive": 1},
    2: {"office": 3, "developer": 4, "application": 3, "kiosk": 1, "monitor": 1, "archive": 1,
        "sensor": 4},
    3: {"office": 4, "developer": 2, "application": 3, "kiosk": 3, "monitor": 1, "archive": 1},
}  # fmt: skip

# Attack, who does it, how often a day, and its limit in seconds. Day 1 has none.
ATTACKS: tuple[tuple[str, str, int, float], ...] = (
    ("scan_connect", "attacker", 2, 20),
    ("scan_syn", "attacker", 2, 20),
    ("scan_udp", "attacker", 1, 30),
    ("scan_sweep", "attacker", 2, 20),
    ("guess_ssh", "attacker", 2, 75),
    ("guess_ftp", "attacker", 2, 75),
    ("slow_headers", "attacker", 1, 50),
    ("slow_body", "attacker", 1, 50),
    ("slow_read", "attacker", 1, 50),
    ("flood_syn", "attacker", 2, 10),
    ("flood_http", "attacker", 2, 10),
    ("tunnel_dns", "compromised", 3, 60),
    ("exfiltrate", "compromised", 2, 240),
    ("beacon", "compromised", 1, 600),
)


def plan(day: int, seed: int, minutes: float) -> Plan:
    """Draws the day `day` (1 to 3) of `minutes` minutes from `seed`."""
    draw = Random(f"{seed}/{day}")
    seconds = minutes * 60
    hosts = tuple(_hosts(day, draw))
    events = [e for host in hosts if host.role in RATES for e in _benign(host, seconds, draw)]
    # Attackers and the compromised host also do honest work: the address is not the label.
    honest = {"attacker": ("kiosk", 0.3), "compromised": ("office", 1.0)}
    for host in hosts:
        if host.role in honest:
            personality, share = honest[host.role]
            events += _benign(host, seconds, draw, personality, share)
    if day > 1:
        events += _attacks(hosts, seconds, draw)
    return Plan(day, seed, seconds, hosts, tuple(sorted(events, key=lambda event: event.start)))


def _hosts(day: int, draw: Random):
    servers = (*SERVERS, "broker") if day == 2 else SERVERS
    for number, name in enumerate(servers, start=2):
        far = name == "cloud"
        link = Link(draw.uniform(0.008, 0.02) if far else 1e-4, 2e-3 if far else 3e-5, 200e6, 0)
        yield Host(name, f"10.77.{day}.{number}", "server", link, "linux")
    roles = [role for role, count in MIX[day].items() for _ in range(count)]
    roles += ["compromised", "attacker", "attacker"] if day > 1 else []
    numbers = draw.sample(range(20, 250), len(roles))
    for role, number in zip(roles, numbers, strict=True):
        system = draw.choice(("linux", "desktop", "embedded"))
        yield Host(f"h{number}", f"10.77.{day}.{number}", role, _link(draw), system)


def _link(draw: Random) -> Link:
    cable = Link(draw.uniform(1e-4, 6e-4), 1e-4, 100e6, 0)
    wireless = Link(draw.uniform(1e-3, 4e-3), draw.uniform(1e-3, 3e-3), 30e6, 0.001)
    remote = Link(draw.uniform(0.01, 0.04), draw.uniform(1e-3, 5e-3), 15e6, 0.002)
    return draw.choices((cable, wireless, remote), weights=(5, 3, 2))[0]


def _benign(
    host: Host, seconds: float, draw: Random, personality: str | None = None, share: float = 1.0
):
    for activity, rate in RATES[personality or host.role].items():
        # A host is busier or lazier than its kind, in each thing it does.
        gap = 60 / (rate * share * draw.lognormvariate(0, 0.3))

        def step(_: int, gap: float = gap, regular: bool = activity in PERIODIC) -> float:
            return gap if regular else gap * draw.lognormvariate(-0.5, 1)

        starts = accumulate(map(step, range(10_000)), initial=draw.uniform(0, gap))
        limit = LIMITS.get(activity, LIMIT)
        for start in takewhile(lambda start: start < seconds - 5, starts):
            yield Event(start, host.name, activity, draw.getrandbits(32), limit)


def _attacks(hosts: tuple[Host, ...], seconds: float, draw: Random):
    """An attacker's tools take turns, as their flows are told apart by time.

    The compromised host's attacks may overlap: their sockets are known one by one.
    """
    planned = [(what, role, limit) for what, role, count, limit in ATTACKS for _ in range(count)]
    planned.sort(key=lambda attack: attack[2], reverse=True)
    for role in ("attacker", "compromised"):
        able = [host for host in hosts if host.role == role]
        theirs = [attack for attack in planned if attack[1] == role]
        for turn, host in enumerate(able):
            mine = theirs[turn :: len(able)]
            draw.shuffle(mine)
            stretch = 0.86 * seconds / sum(limit for *_, limit in mine)
            slot = 0.06 * seconds
            for activity, _, limit in mine:
                room = limit * stretch
                if role == "attacker":
                    start = slot + draw.uniform(0, max(0, room - limit - 3))
                else:
                    start = draw.uniform(0.06, 0.3 if limit > seconds / 4 else 0.8) * seconds
                yield Event(start, host.name, activity, draw.getrandbits(32), limit)
                slot += room
