"""Namespaces and their cables. Only ever called inside the lab's own network namespace."""

import subprocess
from collections.abc import Sequence

from lab.guard import inside
from lab.plan import Host

# What tells operating systems apart on the wire: TTL, TCP timestamps, receive window.
_SYSTEMS = {
    "linux": {},
    "desktop": {
        "ip_default_ttl": "128",
        "tcp_timestamps": "0",
        "tcp_rmem": "4096 65536 4194304",
    },
    "embedded": {"tcp_rmem": "4096 16384 65536", "tcp_window_scaling": "0"},
}


def mac(host: Host) -> bytes:
    """A locally administered hardware address made from the IPv4 one."""
    return b"\x02\x4c" + bytes(int(part) for part in host.address.split("."))


def build(hosts: Sequence[Host]) -> list[str]:
    """Makes a namespace for each host, cabled to an interface here; returns those interfaces.

    No interface here gets an address and nothing is routed: the switch is all there is.
    """
    ports = []
    for host in hosts:
        port, address = f"to-{host.name}", inside(host.address)
        hardware = mac(host).hex(":")
        _ip("netns", "add", host.name)
        _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _quiet(port)
        within = ("netns", "exec", host.name)
        # No segmentation or checksum offload: the frames are those a cable would carry.
        for at, interface in (((), port), (("ip", *within), "eth0")):
            off = ("tx", "off", "tso", "off", "gso", "off", "gro", "off")
            _do(*at, "ethtool", "-K", interface, *off)
        settings = {"conf/all/disable_ipv6": "1", **_SYSTEMS[host.system]}
        for name, value in settings.items():
            family = "ipv6" if name.startswith("conf") else "ipv4"
            _ip(*within, "sh", "-c", f"echo {value} > /proc/sys/net/{family}/{name}")
        _ip("-n", host.name, "link", "set", "lo", "up")
        _ip("-n", host.name, "link", "set", "eth0", "address", hardware, "up")
        _ip("-n", host.name, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("link", "set", port, "up")
        ports.append(port)
    return ports


def _quiet(port: str) -> None:
    """Keeps this end of the cable from speaking for itself."""
    _do("sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{port}/disable_ipv6")


def _ip(*words: str) -> None:
    _do("ip", *words)


def _do(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
