"""Which service a flow was for: protocol and server port, in one form whatever log it is from."""

import re
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from contraview.apps.detection.conversation import PROTOCOLS, Conversation, facts_in
from contraview.core.errors import InputError

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "amqp": ("tcp/5672",),
    "bgp": ("tcp/179",),
    "coap": ("udp/5683",),
    "dhcp": ("udp/67", "udp/68"),
    "dns": ("udp/53", "tcp/53"),
    "elasticsearch": ("tcp/9200",),
    "ftp": ("tcp/21",),
    "http": ("tcp/80",),
    "http-alt": ("tcp/8080",),
    "https": ("tcp/443",),
    "imaps": ("tcp/993",),
    "kafka": ("tcp/9092",),
    "kerberos": ("tcp/88", "udp/88"),
    "ldap": ("tcp/389", "udp/389"),
    "modbus": ("tcp/502",),
    "mqtt": ("tcp/1883",),
    "mqtts": ("tcp/8883",),
    "mysql": ("tcp/3306",),
    "ntp": ("udp/123",),
    "postgresql": ("tcp/5432",),
    "quic": ("udp/443",),
    "rdp": ("tcp/3389",),
    "redis": ("tcp/6379",),
    "sip": ("udp/5060", "tcp/5060"),
    "smb": ("tcp/445",),
    "smtp": ("tcp/25",),
    "snmp": ("udp/161",),
    "ssh": ("tcp/22",),
    "syslog": ("udp/514",),
    "telnet": ("tcp/23",),
}
"""Services that go by a name, after the IANA registry of service names and port numbers."""
_NAMED: Final = {service: name for name, services in NAMES.items() for service in services}
_PORT: Final = re.compile(r"[0-9]{1,5}")
_WITH_PORTS: Final = ("tcp", "udp", "sctp")


def service_of(ends: Conversation) -> str | None:
    """``tcp/443``, or the protocol alone where it has no ports; None where it is not told."""
    if ends.protocol is None:
        return None
    protocol = ends.protocol.lower()
    if protocol not in _WITH_PORTS or ends.dst_port is None:
        return protocol
    return f"{protocol}/{ends.dst_port}"


def services_of(rows: pl.DataFrame) -> pl.Series:
    """`service_of` each flow of a table; null where the table does not tell."""
    columns = facts_in(rows, "protocol", "dst_port")
    protocol, port = columns["protocol"], columns["dst_port"]
    if protocol is None:
        return pl.Series("service", [None] * rows.height, dtype=pl.String)
    pairs = pl.DataFrame({"protocol": protocol, "port": port})
    known = pairs.unique().with_columns(
        pl.struct("protocol", "port").map_elements(_service, pl.String).alias("service")
    )
    joined = pairs.join(
        known, on=["protocol", "port"], how="left", maintain_order="left", nulls_equal=True
    )
    return joined["service"]


def readable(service: str) -> str:
    """``tcp/1883 (mqtt)``: with its usual name where it has one."""
    name = _NAMED.get(service)
    return service if name is None else f"{service} ({name})"


def understood(text: str) -> str:
    """A service as a person writes it, checked: ``tcp/1883``, ``mqtt``, ``icmp``.

    Raises:
        InputError: it is none of these.
    """
    said = text.strip().lower()
    protocols = {name.lower() for name in PROTOCOLS.values()}
    if said in NAMES or said in protocols:
        return said
    protocol, _, port = said.partition("/")
    if protocol in protocols and _PORT.fullmatch(port) and 0 < int(port) < 65_536:
        return said
    raise InputError(
        f"service {text!r}: expected protocol/port as in tcp/1883, a protocol as in icmp, or one "
        f"of {', '.join(NAMES)}"
    )


def stands_for(service: str) -> tuple[str, ...]:
    """The services that an `understood` text means: ``dns`` is ``udp/53`` and ``tcp/53``."""
    return NAMES.get(service, (service,))


def _service(pair: Mapping[str, Any]) -> str | None:
    return service_of(Conversation.of({"proto": pair["protocol"], "dst_port": pair["port"]}))
