"""NetFlow v5, v9 and IPFIX from exporters, over UDP, as nfdump would write it.

Parsed by netflume (MIT); its flows become the columns of ``nfdump -o csv``, so that a model of
nfdump's files judges them.
"""

import select
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.nfdump import NFDUMP
from contraview.modalities.flows.live.source import Batch, Place, Trouble
from contraview.modalities.flows.live.typed import Typed

DATAGRAMS: Final = 2_000
"""Read together."""
ROOM: Final = 8 << 20
"""Bytes of datagrams that may wait (the kernel may allow fewer)."""
_LETTERS: Final = "CEUAPRSF"
"""TCP flags as nfdump writes them, the highest bit first."""


class NetflowSource:
    """Flow records that exporters send to a UDP port.

    Whoever can reach the port can send records: bind it to loopback (a relay such as samplicator
    or nfcapd's repeater beside it), or filter who may.

    Raises:
        InputError: the address cannot be listened on, or netflume is not installed.
    """

    kind = NFDUMP.name
    replayable = False
    delay = "the exporter's own active and inactive time-outs"

    def __init__(
        self, host: str, port: int, numeric: Sequence[str], categorical: Sequence[str]
    ) -> None:
        self.name = f"udp://{host}:{port}"
        self._decoder = _decoder(self.name)
        self._typed = Typed(NFDUMP, numeric, categorical)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise InputError(f"{self.name}: cannot be listened on ({error.strerror})") from None
        self.port = self._socket.getsockname()[1]
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        with suppress(OSError):  # a kernel without it tells nothing of drops
            self._socket.setsockopt(socket.SOL_SOCKET, _OVERFLOW, 1)
        self._dropped = self._lost = self._wrong = 0

    def read(self, wait: float) -> Batch | None:
        """The flows of the datagrams that came."""
        select.select([self._socket], [], [], wait)
        rows: list[dict[str, str | None]] = []
        overflow = self._dropped
        for _ in range(DATAGRAMS):
            try:
                data, beside, _, sender = self._socket.recvmsg(65_535, 64)
            except BlockingIOError:
                break
            for level, sort, value in beside:
                if level == socket.SOL_SOCKET and sort == _OVERFLOW:
                    overflow = int.from_bytes(value[:4], "little")
            message = self._decoder.decode(data, sender[0])
            if message is not None:
                rows += [_row(flow) for flow in message.typed_flows()]
        dropped = overflow - self._dropped
        self._dropped = overflow
        return self._batch(rows, dropped)

    def place(self) -> Place:
        """What was sent once is not sent again."""
        return Place()

    def rest(self) -> Batch:
        """Nothing is held."""
        return Batch()

    def close(self) -> None:
        """Close the port."""
        self._socket.close()

    def _batch(self, rows: list[dict[str, str | None]], dropped: int) -> Batch:
        stats = self._decoder.stats
        lost = stats["missed_exports"] + stats["deferred"]
        kinds = ("malformed", "parse_errors", "unsupported_version", "truncated")
        wrong = sum(stats[kind] for kind in kinds)
        fresh_lost, fresh_wrong = lost - self._lost, wrong - self._wrong
        self._lost, self._wrong = lost, wrong
        flows = None
        if rows:
            flows, _ = self._typed.flows(
                pl.DataFrame(rows, schema=[(name, pl.String) for name in _COLUMNS])
            )
        return Batch(
            flows,
            received=len(rows) + fresh_wrong,
            malformed=fresh_wrong,
            dropped=dropped + fresh_lost,
            queued=self._waiting(),
            troubles=tuple(_troubles(self.name, self._decoder.take_events())),
        )

    def _waiting(self) -> int:
        """Bytes of datagrams in the kernel (with what it needs to keep them)."""
        try:
            told = self._socket.getsockopt(socket.SOL_SOCKET, _MEMORY, 4)
        except OSError:
            return 0
        return int.from_bytes(told[:4], "little")


_OVERFLOW, _MEMORY = 40, 55  # SO_RXQ_OVFL, SO_MEMINFO of Linux
_COLUMNS: Final = (
    *("ts", "te", "td", "sa", "da", "sp", "dp", "pr", "flg", "ipkt", "ibyt", "opkt", "obyt"),
)


def _row(flow: Any) -> dict[str, str | None]:
    """A flow of netflume's in nfdump's columns; what the exporter did not say is empty."""
    from netflume import PROTO_NAMES

    raw: Mapping[str, Any] = flow.raw
    end = flow.start + (flow.duration or 0.0)
    flags = flow.tcp_flags
    letters = None
    if flags is not None:
        letters = "".join(c if flags & 128 >> k else "." for k, c in enumerate(_LETTERS))
    said = {
        "ts": _moment(float(flow.start)),
        "te": _moment(float(end)),
        "td": None if flow.duration is None else f"{flow.duration:.3f}",
        "sa": flow.src_addr,
        "da": flow.dst_addr,
        "sp": flow.src_port,
        "dp": flow.dst_port,
        "pr": PROTO_NAMES.get(flow.proto, flow.proto),
        "flg": letters,
        "ipkt": flow.packets,
        "ibyt": flow.octets,
        "opkt": raw.get("out_packets"),
        "obyt": raw.get("out_octets"),
    }
    return {name: None if value is None else str(value) for name, value in said.items()}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _troubles(name: str, events: Sequence[Any]) -> list[Trouble]:
    """What the exporters said that changes what their numbers mean."""
    from netflume import SamplingChange

    return [
        Trouble(
            "columns",
            f"{name}: {event.exporter} reports one flow in {event.rate} now: its counts are a "
            "sample, unlike those the model may have learnt",
        )
        for event in events
        if isinstance(event, SamplingChange) and (event.rate != 1 or event.previous)
    ]


def _decoder(name: str) -> Any:
    try:
        from netflume import Decoder
    except ImportError:
        raise InputError(
            f"{name}: NetFlow is read with netflume; install it with: pip install "
            "'contraview[netflow]'"
        ) from None
    return Decoder()
