"""The honest work of a day. Every activity is bounded by its loop and by the plan's limit."""

import asyncio
import os
from random import Random

from lab import dns
from lab.doors import Host, Note
from lab.servers import (
    COUNTERS,
    DATABASE,
    LIVE,
    NAMES,
    OBJECTS,
    PASSWORD,
    PUSH,
    SSH,
    TELEMETRY,
    TIME,
    TLS,
    UPLOAD,
    USER,
    WEB,
)
from lab.talk import framed, heavy, http, think


def _benign(service: str, detail: str) -> Note:
    return Note("benign", service, detail)


async def _name(host: Host, draw: Random, name: str, kind: int) -> None:
    with host.datagrams(_benign("dns", "query"), "names", NAMES) as server:
        await server.ask(dns.query(name, kind, draw.getrandbits(16)))


async def look_up(host: Host, draw: Random) -> None:
    """One name: its IPv4 address, often the IPv6 one too, now and then a text record."""
    name = f"host{heavy(draw, 20, 1.2, 2000)}.{draw.choice(('lab', 'cdn.lab', 'mail.lab'))}"
    await _name(host, draw, name, dns.A)
    if draw.random() < 0.5:
        await _name(host, draw, name, dns.AAAA)
    if draw.random() < 0.1:
        await _name(host, draw, name, dns.TXT)


async def look_up_nothing(host: Host, draw: Random) -> None:
    """Names that do not exist: a typo, a search list."""
    for _ in range(draw.randrange(1, 4)):
        await _name(host, draw, f"no-{draw.getrandbits(24):x}.lab", dns.A)


async def browse(host: Host, draw: Random) -> None:
    """A page and what it needs: one to three connections, some kept alive for the next page."""
    server = draw.choice(("web", "web", "cloud"))
    tls = draw.random() < 0.4
    if draw.random() < 0.7:
        await _name(host, draw, f"{server}.lab", dns.A)

    async def connection(pages: int) -> None:
        note = _benign("tls" if tls else "web", "browse")
        keep = draw.random() < 0.75
        async with host.connect(note, server, TLS if tls else WEB, tls=tls) as stream:
            for _ in range(pages if keep else 1):
                path = f"/{min(heavy(draw, 12, 1, OBJECTS) - 1, OBJECTS - 1)}.bin"
                await http(stream, draw, path, keep=keep)
                await think(draw, 0.4, 1.2)
            if keep and draw.random() < 0.3:
                await think(draw, 4)

    count = draw.choices((1, 2, 3), weights=(6, 3, 1))[0]
    await asyncio.gather(*(connection(draw.choice((1, 1, 1, 2))) for _ in range(count)))


async def call_api(host: Host, draw: Random) -> None:
    """One short request on a fresh connection; half of them over TLS."""
    tls = draw.random() < 0.5
    note = _benign("tls" if tls else "web", "api")
    async with host.connect(note, draw.choice(("web", "cloud")), TLS if tls else WEB, tls=tls) as s:
        body = bytes(heavy(draw, 300, 0.8, 4000)) if draw.random() < 0.4 else None
        path = "/in" if body else f"/{draw.randrange(OBJECTS)}.bin"
        await http(s, draw, path, body=body, keep=False)


async def poll_news(host: Host, draw: Random) -> None:
    """A small regular request, like clockwork: a period alone is no attack."""
    async with host.connect(_benign("tls", "poll"), "cloud", TLS, tls=True) as stream:
        await http(stream, draw, "/in", keep=False)


async def send_form(host: Host, draw: Random) -> None:
    """An upload of a few to some tens of kB: an upload alone is no attack."""
    async with host.connect(_benign("tls", "form"), "cloud", TLS, tls=True) as stream:
        for _ in range(draw.choice((1, 1, 1, 2))):
            await http(stream, draw, "/in", body=bytes(heavy(draw, 3500, 0.9, 50_000)))
            await think(draw, 0.5)


async def watch(host: Host, draw: Random) -> None:
    """Part of a live stream: chunks of one to some kB, several a second or slower."""
    chunks, size, wait = (
        heavy(draw, 4, 0.8, 50),
        heavy(draw, 1000, 0.7, 9_000),
        draw.randrange(80, 600),
    )
    request = f"/{chunks}/{size}/{wait}"
    async with host.connect(_benign("stream", "chunked"), "web", LIVE) as (reader, writer):
        writer.write(f"GET {request} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)


async def query_once(host: Host, draw: Random) -> None:
    """A fresh database connection for one transaction."""
    async with host.connect(_benign("database", "single"), "data", DATABASE) as stream:
        await framed(stream, 80, 330)
        for _ in range(draw.choice((1, 1, 1, 3))):
            await framed(
                stream, heavy(draw, 120, 0.6, 2000), heavy(draw, 400, 1.4, 20_000),
                heavy(draw, 4, 1.2, 900),
            )  # fmt: skip


async def query_pooled(host: Host, draw: Random) -> None:
    """A pooled connection: transactions with pauses, kept for up to minutes."""
    async with host.connect(_benign("database", "pooled"), "data", DATABASE) as stream:
        await framed(stream, 80, 330)
        for _ in range(heavy(draw, 6, 0.8, 40)):
            await framed(stream, heavy(draw, 150, 0.6, 2000), heavy(draw, 400, 1.2, 20_000))
            await think(draw, 1.0, 1.4)


def _dbclient(host: Host, *options: str) -> list[str]:
    return ["dbclient", "-y", "-y", *options, f"{USER}@{host.plan.address('shell')}"]


async def _ssh(host: Host, draw: Random, detail: str, remote: str, size: int = 0) -> None:
    command = [*_dbclient(host, "-T"), remote]
    environment = {"DROPBEAR_PASSWORD": PASSWORD, "HOME": str(host.work)}
    async with host.tool(
        _benign("ssh", detail), "shell", command, port=SSH, protocol=6,
        stdin=asyncio.subprocess.PIPE, environment=environment,
    ) as client:  # fmt: skip
        await client.communicate(draw.randbytes(size))


async def run_command(host: Host, draw: Random) -> None:
    """A command over SSH, as a script does."""
    await _ssh(host, draw, "command", f"head -c {heavy(draw, 300, 1.5, 20_000)} /dev/zero")


async def copy_over_ssh(host: Host, draw: Random) -> None:
    """A file over SSH, as scp does."""
    await _ssh(host, draw, "copy", "cat > /dev/null", heavy(draw, 10_000, 1, 100_000))


async def work_in_shell(host: Host, draw: Random) -> None:
    """Typing: a key at a time, pauses between words and long ones between commands."""
    ours, theirs = os.openpty()
    environment = {"DROPBEAR_PASSWORD": PASSWORD, "HOME": str(host.work), "TERM": "dumb"}
    try:
        async with host.tool(
            _benign("ssh", "typing"), "shell", _dbclient(host, "-t"), port=SSH, protocol=6,
            stdin=theirs, environment=environment,
        ) as client:  # fmt: skip
            await think(draw, 1.0, 0.3)
            for _ in range(draw.randrange(1, 5)):
                for key in draw.choice(("ls -l /etc | head -40\n", "uptime\n", "cat notes\n")):
                    os.write(ours, key.encode())
                    await think(draw, 0.15, 0.5)
                await think(draw, 3)
            os.write(ours, b"exit\n")
            await client.wait()
    finally:
        os.close(ours)
        os.close(theirs)


async def mistype_password(host: Host, draw: Random) -> None:
    """One wrong password, then the right one: everybody does."""
    command = [*_dbclient(host, "-T"), "true"]
    for password in ("corect-horse", PASSWORD):
        environment = {"DROPBEAR_PASSWORD": password, "HOME": str(host.work)}
        note = _benign("ssh", "mistyped password")
        async with host.tool(
            note, "shell", command, port=SSH, protocol=6, environment=environment
        ) as client:
            await client.wait()
        await think(draw, 2, 0.3)


async def copy_files(host: Host, draw: Random) -> None:
    """An FTP session: some downloads, now and then an upload, a pause between them."""
    objects = host.work / "objects"
    wanted = [draw.randrange(OBJECTS) for _ in range(draw.choice((1, 2, 3)))]
    steps = [f"cat {number}.bin > /dev/null" for number in wanted]
    if draw.random() < 0.3:
        steps.append(f"put {objects}/{draw.randrange(OBJECTS)}.bin -o up-{host.name}")
    orders = [
        "set net:max-retries 1",
        "set ftp:ssl-allow no",
        f"open -u {USER},{PASSWORD} ftp://{host.plan.address('files')}",
        f"; shell sleep {draw.uniform(0.1, 1.5):.1f}; ".join(steps),
        "bye",
    ]
    command = ["lftp", "--norc", "-c", "; ".join(orders)]
    note = _benign("ftp", "transfer")
    # Port and protocol stay open: the data connections have ports of their own.
    async with host.tool(note, "files", command, environment={"HOME": str(host.work)}) as client:
        await client.wait()


async def tell_time(host: Host, draw: Random) -> None:
    """One time request, or a burst of four on one socket as a client does at its start."""
    with host.datagrams(_benign("time", "ntp"), "names", TIME) as server:
        for _ in range(draw.choice((1, 1, 1, 4))):
            await server.ask(b"\x23" + bytes(47))
            await think(draw, 0.5, 0.2)


async def stay_connected(host: Host, draw: Random) -> None:
    """A push connection: almost nothing, for long."""
    async with host.connect(_benign("push", "keep-alive"), "cloud", PUSH) as stream:
        await framed(stream, 180, 60)
        period = draw.uniform(8, 40)
        for _ in range(draw.randrange(2, 8)):
            await asyncio.sleep(period)
            await framed(stream, 4, heavy(draw, 8, 1.5, 900))


async def back_up(host: Host, draw: Random) -> None:
    """A large upload: bytes out alone are no attack."""
    size = heavy(draw, 150_000, 0.5, 500_000)
    async with host.connect(_benign("backup", "upload"), "files", UPLOAD) as (reader, writer):
        writer.write(f"PUT /backup HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode())
        while size > 0:
            part = min(size, 32_768)
            writer.write(bytes(part))
            await writer.drain()
            size -= part
            await asyncio.sleep(0.02)
        await reader.readuntil(b"\r\n\r\n")


async def misdial(host: Host, draw: Random) -> None:
    """A connection to a port where nobody listens: a typo, a service that is down."""
    server, port = draw.choice(("web", "data", "files")), draw.choice((81, 3000, 9200))
    async with host.connect(_benign("refused", "closed port"), server, port):
        pass


async def check_health(host: Host, draw: Random) -> None:
    """curl, like clockwork."""
    server = draw.choice(("web", "cloud"))
    tls = draw.random() < 0.3
    address, scheme = host.plan.address(server), "https" if tls else "http"
    command = ["curl", "-ksS", "-m", "5", "-o", "/dev/null", f"{scheme}://{address}/0.bin"]
    note = _benign("tls" if tls else "web", "health check")
    async with host.tool(note, server, command, port=TLS if tls else WEB, protocol=6) as client:
        await client.wait()


async def poll_counters(host: Host, draw: Random) -> None:
    """Counters over UDP, like clockwork."""
    server = draw.choice(("web", "names", "shell", "data", "files", "cloud"))
    with host.datagrams(_benign("counters", "poll"), server, COUNTERS) as agent:
        for _ in range(draw.choice((1, 1, 3))):
            await agent.ask(bytes([draw.randrange(4, 60)]) * draw.randrange(40, 90))


async def ping(host: Host, draw: Random) -> None:
    """A few echo requests."""
    server = draw.choice(("web", "names", "shell", "data", "files", "cloud"))
    count = str(draw.randrange(1, 5))
    command = ["ping", "-n", "-c", count, "-i", "0.5", host.plan.address(server)]
    async with host.tool(_benign("ping", "echo"), server, command, protocol=1) as client:
        await client.wait()


async def report_once(host: Host, draw: Random) -> None:
    """A telemetry message on a connection of its own (day 2 only)."""
    async with host.connect(_benign("telemetry", "single"), "broker", TELEMETRY) as stream:
        await framed(stream, 30, 4)
        await framed(stream, heavy(draw, 90, 0.4, 1200), 4)


async def report_session(host: Host, draw: Random) -> None:
    """Telemetry on one long connection, a message every few seconds (day 2 only)."""
    async with host.connect(_benign("telemetry", "session"), "broker", TELEMETRY) as stream:
        await framed(stream, 30, 4)
        period = draw.uniform(2, 8)
        for _ in range(draw.randrange(10, 40)):
            await asyncio.sleep(period * draw.uniform(0.95, 1.05))
            await framed(stream, heavy(draw, 110, 0.4, 1200), 4)


ACTIVITIES = {
    activity.__name__: activity
    for activity in (
        back_up, browse, call_api, check_health, copy_files, copy_over_ssh, look_up,
        look_up_nothing, misdial, mistype_password, ping, poll_counters, poll_news, query_once,
        query_pooled, report_once, report_session, run_command, send_form, stay_connected,
        tell_time, watch, work_in_shell,
    )
}  # fmt: skip
