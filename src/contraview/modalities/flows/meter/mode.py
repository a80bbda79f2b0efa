"""The two ways to cut packets into flows."""

from dataclasses import dataclass
from typing import Final

from contraview.core.errors import InputError

SECOND: Final = 1_000_000
"""All times are microseconds."""


@dataclass(frozen=True, slots=True)
class Mode:
    """When a flow ends, and whose definitions its columns follow.

    A model trained on flows of one mode must be given flows of the same mode: the name is written
    into every file and model.

    ``std``: a flow ends when its packets stop for 120 s or when it has lasted 1,800 s. Packets
    after a FIN or RST stay with their flow; a pure SYN (no ACK) after one starts the next flow.
    The source is the sender of the flow's first packet. ICMP messages take the place of ports as
    in Community ID: type and the type that answers it, or type and code where none does.

    ``lycos``: column-compatible with LycoSTand, the tool behind Lycos2017 (Rosay et al. 2021,
    doi:10.1145/3486622.3493973). Plain IPv4 over Ethernet only. A flow ends 120 s after its
    first packet (the next piece keeps the direction) or with its first FIN or RST; packets of the
    same ends are then discarded for 240 s unless a SYN comes. A first packet with SYN and ACK is
    read as the answer. When the capture ends, open flows younger than 120 s are not written.
    ICMP and IGMP have ports 0. Copied from it although they are defects, so that columns agree:

    - the protocol is not part of what tells two flows apart;
    - ``{fwd,bwd}_pkt_len_min`` is 0 for the direction that did not send the first packet;
    - ``fwd_tcp_init_win_bytes`` is 0, not -1, in a TCP flow without a forward packet;
    - the FIN or RST that ends a flow does not count for ``active_*`` and ``idle_*``;
    - a FIN or RST outside a flow makes no flow.

    Not copied: later fragments read as if they had ports, lengths beyond the frame, reversed
    ends of some UDP flows (a TCP flag read from another packet), flows lost in its last flush,
    and bulks that survive an answer stamped with the very microsecond the bulk began.
    """

    name: str
    idle: int
    """End a flow after this silence (microseconds)."""
    active: int
    """End a flow this long after its first packet (microseconds)."""
    lycos: bool = False

    @classmethod
    def named(cls, name: str) -> "Mode":
        """Look a mode up; an unknown name is an InputError that lists the known ones."""
        if name not in _SETTINGS:
            raise InputError(f"meter mode '{name}' is not known; expected one of {list(_SETTINGS)}")
        return cls(name, *_SETTINGS[name])


_NEVER: Final = 1 << 62

_SETTINGS: Final = {
    "std": (120 * SECOND, 1_800 * SECOND, False),
    "lycos": (_NEVER, 120 * SECOND, True),
}
