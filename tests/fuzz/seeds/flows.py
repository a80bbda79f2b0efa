"""Flow records as tables and logs."""

import gzip
import io
import json
import re
from datetime import datetime

import polars as pl

_ZEEK = (
    *("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service"),
    *("duration", "orig_bytes", "resp_bytes", "conn_state", "missed_bytes", "history"),
    *("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"),
)


def _csv(rows: int = 6) -> str:
    lines = ["ts,src_ip,bytes,packets,proto,dur,label"]
    lines += [
        f"2024-01-0{i + 1} 10:00:00,10.0.0.{i},{i * 100},{i},{('tcp', 'udp')[i % 2]},0.{i},benign"
        for i in range(rows)
    ]
    return "\n".join(lines) + "\n"


def csv() -> list[bytes]:
    """Comma, semicolon, tab, quoted, gzip, nfdump's, NSL-KDD's."""
    text = _csv()
    nfdump = "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt\n" + "".join(
        f"2024-01-01 10:00:0{i},2024-01-01 10:00:0{i + 1},1.0,10.0.0.1,10.0.0.2,{i},443,TCP,"
        f".AP.SF,{i},{i * 60}\n"
        for i in range(4)
    )
    kdd = "".join(
        f"{i},tcp,http,SF,{i * 10},20,0,0,0,"
        + "0," * 13
        + f"{i},{i},"
        + "0.5," * 17
        + "normal,21\n"
        for i in range(3)
    )
    return [
        text.encode(),
        text.replace(",", ";").encode(),
        text.replace(",", "\t").replace("\n", "\r\n").encode(),
        text.replace("tcp", '"tcp, six"').encode(),
        gzip.compress(text.encode(), mtime=0),
        (nfdump + "Summary\nflows,bytes\n3,7\n").encode(),
        kdd.encode(),
        b"a,b,b,,\n1,2,x,4,5\n2,NaN,y,-inf,1e400\n",
    ]


def zeek() -> list[bytes]:
    """conn.log as TSV and as JSON lines."""
    rows = [
        [
            *(f"170000000{i}.5", f"C{i}", "10.0.0.1", str(4000 + i), "10.0.0.2", "443", "tcp"),
            *("ssl", "1.5", "100", str(200 * i), "SF", "0", "ShADadfF", "5", "400", "6", "700"),
        ]
        for i in range(5)
    ]
    rows[2][7:11] = ["-", "-", "-", "-"]
    head = (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    )
    types = "#types\t" + "\t".join("string" for _ in _ZEEK) + "\n"
    body = "".join("\t".join(row) + "\n" for row in rows)
    tsv = head + "#fields\t" + "\t".join(_ZEEK) + "\n" + types + body + "#close\t2024-01-01\n"
    records = [
        {
            name: (float(cell) if name in ("ts", "duration") else cell)
            for name, cell in zip(_ZEEK, row, strict=True)
            if cell != "-"
        }
        for row in rows
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    return [tsv.encode(), lines.encode(), gzip.compress(tsv.encode(), mtime=0)]


def eve() -> list[bytes]:
    """Suricata's eve.json with flow records and others."""
    made = []
    for i in range(4):
        times = {"start": f"2024-01-01T10:00:0{i}.000000+0000", "end": "2024-01-01T10:00:09.5+0000"}
        counts = {"pkts_toserver": i, "pkts_toclient": 5, "bytes_toserver": 60 * i}
        flow = {**counts, "bytes_toclient": 900, **times, "age": 9, "state": "closed"}
        record = {
            "timestamp": f"2024-01-01T10:00:1{i}.0+0000",
            "flow_id": 7_000_000_000 + i,
            "event_type": "flow",
            "src_ip": "10.0.0.1",
            "src_port": 4000 + i,
            "dest_ip": "10.0.0.2",
            "dest_port": 443,
            "proto": "TCP",
            "app_proto": ("tls", "http")[i % 2],
            "flow": flow | {"reason": "timeout", "alerted": False},
            "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1b", "state": "x"},
        }
        made.append(record)
    lines = [json.dumps(record) for record in made]
    stats = json.dumps({"event_type": "stats", "timestamp": "2024-01-01T10:00:00.0+0000"})
    text = "\n".join([*lines, stats]) + "\n"
    return [text.encode(), text.replace(" ", "").encode(), gzip.compress(text.encode(), mtime=0)]


def binetflow() -> list[bytes]:
    """Argus flows as CTU-13 has them."""
    head = (
        "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,"
        "SrcBytes,Label"
    )
    rows = [
        f"2011/08/10 09:46:5{i}.277635,{i}.5,{('tcp', 'udp')[i % 2]},147.32.84.59,{i},  <?>,"
        f"93.45.239.29,6881,{('SPA_FRA', 'CON')[i % 2]},0,0,{i + 2},{300 + i},{120 + i},flow=B{i}"
        for i in range(5)
    ]
    text = "\n".join([head, *rows]) + "\n"
    plain = re.sub(r",(Label|flow=B\d)\n", "\n", text)
    return [text.encode(), plain.encode()]


def parquet() -> list[bytes]:
    """Numbers, text, categories, times, lists; plain and packed, with and without statistics."""
    table = pl.read_csv(_csv().encode()).drop("label")
    typed = table.with_columns(
        pl.col("ts").str.to_datetime(),
        pl.col("proto").cast(pl.Categorical),
        (pl.col("bytes") > 100).alias("large"),
        pl.lit(None).alias("nothing"),
    )
    odd = pl.DataFrame(
        {
            "bytes": [1, 2, None],
            "packets": [0.5, float("nan"), float("inf")],
            "many": [[1], [], [2, 3]],
            "inside": [{"a": 1}, {"a": 2}, {"a": None}],
            "raw": [b"a", b"\xff", None],
            "at": [datetime(2024, 1, 1), None, datetime(1, 1, 1)],
        }
    )
    made = []
    for frame, packed in ((table, "uncompressed"), (typed, "uncompressed"), (odd, "zstd")):
        file = io.BytesIO()
        frame.write_parquet(file, compression=packed, statistics=frame is table)  # type: ignore[arg-type]
        made.append(file.getvalue())
    return made
