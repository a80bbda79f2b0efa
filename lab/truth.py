"""The truth of a day as a table: what the generators wrote down, and whose ports are whose."""

import polars as pl

from lab import servers
from lab.plan import Plan

_SERVICES = (
    ("web", servers.WEB, 6, "web"),
    ("web", servers.TLS, 6, "tls"),
    ("web", servers.LIVE, 6, "stream"),
    ("cloud", servers.WEB, 6, "web"),
    ("cloud", servers.TLS, 6, "tls"),
    ("cloud", servers.PUSH, 6, "push"),
    ("names", servers.NAMES, 17, "dns"),
    ("names", servers.TIME, 17, "time"),
    ("shell", servers.SSH, 6, "ssh"),
    ("data", servers.DATABASE, 6, "database"),
    ("files", servers.FTP, 6, "ftp"),
    ("files", servers.UPLOAD, 6, "backup"),
    ("broker", servers.TELEMETRY, 6, "telemetry"),
)

SCHEMA = {
    "start": pl.Float64,
    "end": pl.Float64,
    "src_addr": pl.String,
    "src_port": pl.Int64,
    "dst_addr": pl.String,
    "dst_port": pl.Int64,
    "ip_prot": pl.Int64,
    "label": pl.String,
    "service": pl.String,
    "detail": pl.String,
}


def table(plan: Plan, summary: dict) -> pl.DataFrame:
    """All rows of truth of the day that `summary` (dayN.json) tells of."""
    names = {host.name for host in plan.hosts}
    day = {"start": summary["start"], "end": summary["end"], "label": "benign"}
    services = [
        day | {"dst_addr": plan.address(server), "dst_port": port, "ip_prot": protocol,
               "service": service, "detail": "service"}
        for server, port, protocol, service in _SERVICES
        if server in names
    ]  # fmt: skip
    moment = pl.from_epoch(
        ((pl.col("start", "end") + plan.clock_ahead) * 1e3).round().cast(pl.Int64), "ms"
    )
    return (
        pl.DataFrame([*summary["record"], *services], schema=SCHEMA)
        .with_columns(moment.dt.replace_time_zone("UTC"))
        .sort("start", "src_addr", "src_port")
    )
