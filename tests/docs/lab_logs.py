"""The lab's flows as Zeek, Suricata and Argus would have told of them."""

import gzip
import json

import polars as pl

from contraview.modalities.flows import lab_traffic
from contraview.modalities.flows.community_id import community_id

NAMES = {1: "icmp", 6: "tcp", 17: "udp"}
SERVICES = {53: "dns", 80: "http", 443: "ssl", 22: "ssh", 21: "ftp", 123: "ntp", 5432: "postgresql"}


def flows(day, *, benign_only):
    """The flows of a day that are TCP or UDP, with their labels, by their end."""
    rows = pl.read_parquet(lab_traffic.flows(day)).filter(pl.col("ip_prot").is_in([6, 17]))
    if benign_only:
        rows = rows.filter(pl.col("label") == "benign")
    end = pl.col("timestamp") + pl.duration(microseconds=pl.col("flow_duration").cast(pl.Int64))
    rows = rows.with_columns(end.alias("last_seen"))
    return list(rows.sort("last_seen").iter_rows(named=True))


def found(alerts, day):
    """For each kind of traffic how many of its flows are alerts, and how many there are."""
    alerted = {alert["community_id"] for alert in alerts}
    counts = {}
    for row in flows(day, benign_only=False):
        hits, total = counts.get(row["label"], (0, 0))
        counts[row["label"]] = (hits + (_community_id(row) in alerted), total + 1)
    return counts


def gzipped(path, lines):
    with gzip.open(path, "wt") as file:
        file.writelines(lines)


def zeek(rows):
    """One JSON line a connection."""
    return [
        json.dumps(_connection(row, i), separators=(",", ":")) + "\n" for i, row in enumerate(rows)
    ]


def suricata(rows):
    """One JSON line a flow, and for every dns flow a record of another type before it."""
    lines = []
    for i, row in enumerate(rows):
        record = _flow(row, i)
        if row["dst_port"] == 53:
            dns = {key: record[key] for key in ("timestamp", "flow_id", "src_ip", "dest_ip")}
            lines.append(dns | {"event_type": "dns", "dns": {"rrname": "lab.example"}})
        lines.append(record)
    return [json.dumps(line, separators=(",", ":")) + "\n" for line in lines]


def argus(rows):
    """A line of column names, then one line a flow."""
    names = "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes"
    return [f"{names},SrcBytes,Label\n", *(",".join(map(str, _record(row))) + "\n" for row in rows)]


def _community_id(row):
    ends = row["src_addr"], row["dst_addr"], row["src_port"], row["dst_port"], row["ip_prot"]
    return community_id(*ends)


def _sizes(row, way):
    payload = int(row[f"{way}_pkt_len_tot"])
    packets = int(row[f"{way}_pkt_cnt"])
    return payload, packets, payload + int(row[f"{way}_pkt_hdr_len_tot"]) + 20 * packets


def _connection(row, number):
    sent, sent_packets, sent_bytes = _sizes(row, "fwd")
    got, got_packets, got_bytes = _sizes(row, "bwd")
    tcp = row["ip_prot"] == 6
    state, history = ("SF", "Dd") if got_packets else ("S0", "D")
    if tcp:
        reset, ended = row["flag_rst"] > 0, row["flag_fin"] > 0
        answered = got_packets > 0
        state = "REJ" if reset and not sent else "RSTO" if reset else "SF" if ended else "S1"
        state = state if answered else "S0"
        data = ("D" if sent else "") + ("d" if got else "")
        history = "S" + ("h" if answered and state != "REJ" else "") + data
        history += "r" if reset else "Ff" if ended else ""
    return {
        "ts": row["timestamp"].timestamp(),
        "uid": f"C{number:06d}{row['src_port']:05d}",
        "id.orig_h": row["src_addr"],
        "id.orig_p": row["src_port"],
        "id.resp_h": row["dst_addr"],
        "id.resp_p": row["dst_port"],
        "proto": NAMES[row["ip_prot"]],
        **({"service": SERVICES[row["dst_port"]]} if row["dst_port"] in SERVICES and got else {}),
        "duration": row["flow_duration"] / 1e6,
        "orig_bytes": sent,
        "resp_bytes": got,
        "conn_state": state,
        "missed_bytes": 0,
        "history": history,
        "orig_pkts": sent_packets,
        "orig_ip_bytes": sent_bytes,
        "resp_pkts": got_packets,
        "resp_ip_bytes": got_bytes,
        "community_id": _community_id(row),
    }


def _flow(row, number):
    _, sent_packets, sent_bytes = _sizes(row, "fwd")
    got, got_packets, got_bytes = _sizes(row, "bwd")
    moment = "%Y-%m-%dT%H:%M:%S.%f+0000"
    record = {
        "timestamp": row["last_seen"].strftime(moment),
        "flow_id": 10**15 + number,
        "event_type": "flow",
        "src_ip": row["src_addr"],
        "src_port": row["src_port"],
        "dest_ip": row["dst_addr"],
        "dest_port": row["dst_port"],
        "proto": NAMES[row["ip_prot"]].upper(),
        **({"app_proto": SERVICES[row["dst_port"]]} if row["dst_port"] in SERVICES and got else {}),
        "flow": {
            "pkts_toserver": sent_packets,
            "pkts_toclient": got_packets,
            "bytes_toserver": sent_bytes,
            "bytes_toclient": got_bytes,
            "start": row["timestamp"].strftime(moment),
            "end": row["last_seen"].strftime(moment),
            "age": int(row["flow_duration"] // 1e6),
            "state": "closed" if row["flag_fin"] or row["flag_rst"] else "established",
            "reason": "timeout",
        },
        "community_id": _community_id(row),
    }
    if row["ip_prot"] == 6:
        flags = 0x02 | (0x10 if row["flag_ack"] else 0) | (0x01 if row["flag_fin"] else 0)
        flags |= 0x04 if row["flag_rst"] else 0
        record["tcp"] = {"tcp_flags_ts": f"{flags:02x}", "tcp_flags_tc": f"{flags:02x}"}
    return record


def _record(row):
    _, sent_packets, sent_bytes = _sizes(row, "fwd")
    _, got_packets, got_bytes = _sizes(row, "bwd")
    state = "CON" if got_packets else "INT"
    if row["ip_prot"] == 6:
        ended = ("F" if row["flag_fin"] else "") + ("R" if row["flag_rst"] else "")
        state = f"S{'PA' if sent_packets > 1 else ''}{ended}_{f'SPA{ended}' if got_packets else ''}"
    return (
        row["timestamp"].strftime("%Y/%m/%d %H:%M:%S.%f"),
        f"{row['flow_duration'] / 1e6:.6f}",
        NAMES[row["ip_prot"]],
        row["src_addr"],
        row["src_port"],
        "  <->" if got_packets else "   ->",
        row["dst_addr"],
        row["dst_port"],
        state,
        0,
        0,
        sent_packets + got_packets,
        sent_bytes + got_bytes,
        sent_bytes,
        "",
    )
