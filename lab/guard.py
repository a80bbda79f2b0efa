"""The one gate of the lab: every address a generator means to reach passes here first."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

NETWORK = IPv4Network("10.77.0.0/16")
"""All lab addresses of all days; day n lives in 10.77.n.0/24."""

_DOTTED = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RANGE = re.compile(r"[\d.,/*-]*\d+\.[\d.,/*-]+")
_OWN_CHOICE = {
    "nmap": ("-iL", "-iR", "-D", "-S", "-sI", "-6"),
    "hping3": ("--rand-source", "--rand-dest", "-a", "--spoof"),
    "hydra": ("-M", "-6"),
}
"""Options that let a tool take addresses from elsewhere, or send under somebody else's."""


class OutsideLabError(ValueError):
    """A generator was pointed at something that is not a host of the lab."""


def inside(address: str) -> str:
    """Returns `address` if it is one IPv4 host of the lab, else raises.

    Names are refused as well: what they resolve to is not ours to know.
    """
    try:
        host = IPv4Address(address)
    except ValueError:
        raise OutsideLabError(f"{address!r} is not an IPv4 address of the lab") from None
    if host not in NETWORK or host.packed[-1] in (0, 255):
        raise OutsideLabError(f"{address} is outside the lab's {NETWORK}")
    return address


def inside_all(target: str, command: Iterable[str]) -> list[str]:
    """Returns `command` if `target` and every address written in it are hosts of the lab.

    The command must name its target, and may not let the tool pick addresses of its own.
    """
    words = list(command)
    inside(target)
    refused = {option for word in words for option in _OWN_CHOICE.get(word, ())}
    for word in words:
        if word in refused:
            raise OutsideLabError(f"{words[0]} {word} would choose addresses of its own")
        if word.count(".") >= 3 and _RANGE.fullmatch(word):
            inside(word)  # a range or a prefix is not one host
        for address in _DOTTED.findall(word):
            inside(address)
    if not any(target in word for word in words):
        raise OutsideLabError(f"{words[0]} is not aimed at {target}")
    return words
