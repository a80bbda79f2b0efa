"""A capture that is cut holds, for the meter, the packets that tcpdump and tshark find in it."""

import gzip
import shutil
import subprocess

import pytest
from meter_frames import START, ethernet, ip, pcap, udp

from contraview.modalities.flows.lab_traffic import day
from contraview.modalities.flows.meter import meter

PACKETS = 30
TOOLS = ("tcpdump", "tshark")


def listed(tool, path):
    """How many packets a tool lists before it finds the cut, and whether it found one."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    with path.open("rb") as file:
        done = subprocess.run([tool, "-n", "-r", "-"], stdin=file, capture_output=True, text=True)
    return len(done.stdout.splitlines()), done.returncode != 0


def metered(path):
    counts = meter(path).counts
    return counts.packets, counts.cut_short


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("cut", [1, 15, 16, 17, 40, 200])
def test_cut_in_the_last_record(tool, cut, tmp_path):
    frames = [
        (START + 1000 * k, ethernet(ip("10.0.0.1", "10.0.0.2", udp(2000 + k, 53, 150))))
        for k in range(PACKETS)
    ]
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap(frames)[:-cut])
    packets, failed = listed(tool, path)
    assert failed
    assert metered(path) == (packets, 1)
    assert packets in (PACKETS - 1, PACKETS - 2)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("size", [24, 1_000, 123_457, 400_000])
def test_a_lab_day_cut_anywhere(tool, size, tmp_path):
    path = tmp_path / "cut.pcap"
    with gzip.open(day(3)) as file:
        path.write_bytes(file.read(size))
    packets, failed = listed(tool, path)
    assert metered(path) == (packets, int(failed))
