"""Where the lab lives: namespaces that end with it, and the programs it needs to be installed."""

import os
from pathlib import Path

_TOOLS = (
    "curl", "dbclient", "dropbear", "ethtool", "hping3", "hydra", "ip", "lftp", "nginx", "nmap",
    "openssl", "ping", "setpriv", "slowhttptest", "unshare", "vsftpd",
)  # fmt: skip
_PLACES = [Path(root, kind) for root in ("/", "/usr", "/usr/local") for kind in ("bin", "sbin")]


def command() -> list[str]:
    """The command that runs another one in namespaces of its own, which die with it.

    The network namespace is new and has no interface but its own: there is no way out of it. Who
    is not root needs a range of user ids (/etc/subuid), as dropbear and vsftpd change theirs.
    """
    kill = ["setpriv", "--pdeathsig", "KILL"]
    own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    user = [] if os.geteuid() == 0 else ["--map-root-user", "--map-auto", "--setgroups", "allow"]
    return [*kill, *own, *user]


def missing() -> list[str]:
    """The programs that the lab needs and this machine lacks."""
    return [tool for tool in _TOOLS if not any((place / tool).exists() for place in _PLACES)]
