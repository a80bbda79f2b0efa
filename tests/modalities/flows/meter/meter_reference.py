"""The meter once more, packet by packet in plain Python: slow, and written from the definitions."""

import ipaddress
import itertools
import statistics
import struct
from dataclasses import dataclass, field

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
SECOND = 1_000_000


@dataclass
class Packet:
    time: int
    src: tuple
    dst: tuple
    protocol: int
    payload: int
    header: int
    flags: int
    window: int
    backward: bool = False


@dataclass
class Flow:
    src: tuple
    dst: tuple
    protocol: int
    packets: list = field(default_factory=list)
    closed: bool = False
    ended_by_flag: bool = False


def read_pcap(data):
    """(time, frame) of a little-endian microsecond pcap of Ethernet frames."""
    at = 24
    while at + 16 <= len(data):
        seconds, micro, size, _ = struct.unpack_from("<IIII", data, at)
        if at + 16 + size > len(data):
            return
        yield seconds * SECOND + micro, data[at + 16 : at + 16 + size]
        at += 16 + size


def decode(time, frame):
    """One untagged, untunnelled, unfragmented, whole TCP, UDP or ICMP echo packet; else None."""
    kind = int.from_bytes(frame[12:14])
    if kind == 0x0800:
        size = (frame[14] & 15) * 4
        total = int.from_bytes(frame[16:18])
        protocol = frame[23]
        src, dst = (str(ipaddress.IPv4Address(frame[at : at + 4])) for at in (26, 30))
        body = frame[14 + size : 14 + total]
        length = total - size
    elif kind == 0x86DD:
        length = int.from_bytes(frame[18:20])
        protocol = frame[20]
        src, dst = (str(ipaddress.IPv6Address(frame[at : at + 16])) for at in (22, 38))
        body = frame[54:]
    else:
        return None
    flags, window, header = 0, -1, 8
    sport, dport = int.from_bytes(body[:2]), int.from_bytes(body[2:4])
    if protocol == 6:
        header, flags, window = (body[12] >> 4) * 4, body[13], int.from_bytes(body[14:16])
    elif protocol == 1:
        sport, dport = body[0], {8: 0, 0: 8}[body[0]]
    elif protocol != 17:
        return None
    return Packet(
        time, (src, sport), (dst, dport), protocol, length - header, header, flags, window
    )


def std_flows(packets):
    """The flows of mode std."""
    open_, done = {}, []
    for packet in packets:
        key = (frozenset((packet.src, packet.dst)), packet.protocol)
        flow = open_.get(key)
        closed = False
        if flow is not None:
            silent = packet.time - flow.packets[-1].time >= 120 * SECOND
            renewed = packet.flags & (SYN | ACK) == SYN and flow.closed
            closed = flow.closed and not silent and not renewed
            if silent or renewed or packet.time - flow.packets[0].time >= 1800 * SECOND:
                done.append(open_.pop(key))
                flow = None
        if flow is None:
            flow = open_[key] = Flow(packet.src, packet.dst, packet.protocol, closed=closed)
        packet.backward = packet.src != flow.src
        flow.packets.append(packet)
        flow.closed |= bool(packet.flags & (FIN | RST))
    return done + list(open_.values())


def lycos_flows(packets):
    """The flows of mode lycos, as LycoSTand forms them of TCP and UDP over IPv4."""
    open_, shut, done = {}, {}, []
    now = 0
    for packet in packets:
        key = frozenset((packet.src, packet.dst))
        now = packet.time
        ends = packet.protocol == 6 and bool(packet.flags & (FIN | RST))
        if key in shut and now - shut[key] >= 240 * SECOND:
            del shut[key]
        backward = packet.flags & (SYN | ACK) == SYN | ACK
        if flow := open_.get(key):
            backward = packet.src != flow.src
            if now - flow.packets[0].time >= 120 * SECOND:
                done.append(open_.pop(key))
                if ends:
                    shut[key] = now
                    continue
            else:
                packet.backward = backward
                flow.packets.append(packet)
                if ends:
                    flow.ended_by_flag = True
                    done.append(open_.pop(key))
                    shut[key] = now
                continue
        elif packet.protocol == 6:
            if ends:
                shut.setdefault(key, now)
                continue
            if key in shut:
                if not packet.flags & SYN:
                    continue
                del shut[key]
        packet.backward = backward
        src, dst = (packet.dst, packet.src) if backward else (packet.src, packet.dst)
        open_[key] = Flow(src, dst, packet.protocol, [packet])
    return done + [f for f in open_.values() if now - f.packets[0].time >= 120 * SECOND]


def spread(prefix, values, *names):
    figures = {
        "tot": sum(values),
        "max": max(values, default=0),
        "min": min(values, default=0),
        "mean": statistics.fmean(values) if values else 0.0,
        "var": statistics.variance(values) if len(values) > 1 else 0.0,
        "std": statistics.stdev(values) if len(values) > 1 else 0.0,
    }
    return {f"{prefix}_{name}": figures[name] for name in names}


def gaps(packets):
    return [b.time - a.time for a, b in itertools.pairwise(packets)]


def bulks(packets, backward):
    """Runs of at least four non-empty packets of one direction, as lists."""
    runs, last = [], None
    for packet in packets:
        if packet.payload:
            if last and last.backward == packet.backward and packet.time - last.time <= SECOND:
                runs[-1].append(packet)
            else:
                runs.append([packet])
            last = packet
    return [run for run in runs if len(run) >= 4 and run[0].backward == backward]


def per(amount, whole):
    return amount / whole if whole else 0.0


def columns(flow, lycos=False):
    """The 75 statistics of one flow."""
    packets = flow.packets
    ways = {
        "fwd": [p for p in packets if not p.backward],
        "bwd": [p for p in packets if p.backward],
    }
    duration = packets[-1].time - packets[0].time
    seconds = duration / SECOND
    lengths = [p.payload for p in packets]
    out = {
        "flow_duration": duration,
        "down_up_ratio": per(len(ways["bwd"]), len(ways["fwd"])),
        **spread("pkt_len", lengths, "max", "min", "mean", "var", "std"),
        "bytes_per_s": per(sum(lengths), seconds),
        "pkt_per_s": per(len(packets), seconds),
        "fwd_pkt_per_s": per(len(ways["fwd"]), seconds),
        "bwd_pkt_per_s": per(len(ways["bwd"]), seconds),
        **spread("iat", gaps(packets), "max", "min", "mean", "std"),
    }
    timed = packets[:-1] if lycos and flow.ended_by_flag else packets
    active, idle, since = [], [], packets[0].time
    for a, b in itertools.pairwise(timed):
        if b.time - a.time > 5 * SECOND:
            idle.append(b.time - a.time)
            if a.time > since:
                active.append(a.time - since)
            since = b.time
    out |= spread("active", active, "max", "min", "mean", "std")
    out |= spread("idle", idle, "max", "min", "mean", "std")
    for name, bit in (
        ("SYN", SYN), ("fin", FIN), ("rst", RST), ("ack", ACK),
        ("psh", PSH), ("urg", URG), ("cwr", CWR), ("ece", ECE),
    ):  # fmt: skip
        out[f"flag_{name}"] = sum(bool(p.flags & bit) for p in packets)
    subflows = 1 + sum(gap > SECOND for gap in gaps(packets))
    for way, some in ways.items():
        sizes = [p.payload for p in some]
        found = bulks(packets, way == "bwd")
        size = sum(p.payload for run in found for p in run)
        span = sum(run[-1].time - run[0].time for run in found) / SECOND
        out |= {
            f"{way}_pkt_cnt": len(some),
            **spread(f"{way}_pkt_len", sizes, "tot", "max", "min", "mean", "std"),
            **spread(f"{way}_pkt_hdr_len", [p.header for p in some], "tot", "min"),
            f"{way}_non_empty_pkt_cnt": sum(size > 0 for size in sizes),
            **spread(f"{way}_iat", gaps(some), "tot", "max", "min", "mean", "std"),
            f"{way}_flag_psh": sum(bool(p.flags & PSH) for p in some),
            f"{way}_flag_urg": sum(bool(p.flags & URG) for p in some),
            f"{way}_bulk_bytes_mean": per(size, len(found)),
            f"{way}_bulk_pkt_mean": per(sum(map(len, found)), len(found)),
            f"{way}_bulk_rate_mean": per(size, span),
            f"{way}_subflow_bytes_mean": sum(sizes) / subflows,
            f"{way}_subflow_pkt_mean": len(some) / subflows,
            f"{way}_tcp_init_win_bytes": some[0].window if some else -1,
        }
    if lycos:
        other = "fwd" if packets[0].backward else "bwd"
        out[f"{other}_pkt_len_min"] = 0
        if flow.protocol == 6 and not ways["fwd"]:
            out["fwd_tcp_init_win_bytes"] = 0
    return out


def table(flows, lycos=False):
    """flow_id and start -> the 75 statistics."""
    rows = {}
    for flow in flows:
        name = f"{flow.src[0]}-{flow.dst[0]}-{flow.src[1]}-{flow.dst[1]}-{flow.protocol}"
        key = name, flow.packets[0].time
        while key in rows:  # two flows of the same ends can begin in the same microsecond
            key = (*key, "again")
        rows[key] = columns(flow, lycos)
    return rows
