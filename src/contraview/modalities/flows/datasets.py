"""The data sets of network flows that examples, claims and tests are measured on.

Licences are of the data, and as far as they are known: read the owners' terms before you pass
anything on.
"""

from typing import Final
from urllib.parse import quote

from contraview.core.datasets import Dataset, File

_NSL_HOME: Final = (
    "https://raw.githubusercontent.com/jmnwong/NSL-KDD-Dataset/"
    "9d544d0eb9b87d7e2f43ff65733bdb644631d12f/"
)
_LAB: Final = "contraview.modalities.flows.lab_traffic"


def _nsl_kdd(name: str, part: str, parquet: File, official: str, sha256: str) -> Dataset:
    return Dataset(
        name=name,
        about=f"NSL-KDD (Tavallaee et al. 2009), traffic of 1998: {part}",
        licence="University of New Brunswick: redistribution with citation",
        editions=((parquet,), (File(official, sha256, _NSL_HOME + quote(official)),)),
    )


def _slips(name: str, about: str, file: File) -> Dataset:
    return Dataset(
        name=name,
        about=f"{about}, from the tests of Stratosphere Linux IPS",
        licence="GPL-2.0",
        editions=((file,),),
    )


def _lab(name: str, about: str, file: str) -> Dataset:
    return Dataset(
        name=name,
        about=f"laboratory traffic of this project, {about}",
        licence="Apache-2.0",
        editions=((File(file),),),
        real=False,
        package=_LAB,
    )


DATASETS: Final = (
    Dataset(
        name="unsw_nb15",
        about="UNSW-NB15 (Moustafa and Slay 2015): the smaller official part, 82,332 flows",
        licence="University of New South Wales: free for research, commercial use by agreement",
        editions=(
            (
                File(
                    "unsw_nb15_82k_part0.parquet",
                    "2f6e031068086fa4a9cc4a374db41f0cd7ebf93ad87a6b88ae965f6850a5b0e0",
                ),
                File(
                    "unsw_nb15_82k_part1.parquet",
                    "c7c68bce076147063a032cb2b258c4792f2c69e303ba2ac0209966b16cd2e266",
                ),
            ),
        ),
    ),
    _nsl_kdd(
        "nsl_kdd",
        "a fifth of the training part, 25,192 flows",
        File(
            "nsl_kdd_train20.parquet",
            "6f3853e46e0ca3fcec263c7279ceb220b24e1fe0de833277fab4725db8a49711",
        ),
        "KDDTrain+_20Percent.txt",
        "7ea86479faab5ca2190b7f18b4982fb058ce5bf2b46e0e1017d0d9ef90f9c16e",
    ),
    _nsl_kdd(
        "nsl_kdd_test",
        "the test part with attacks that training has not, 22,544 flows",
        File(
            "nsl_kdd_test.parquet",
            "d4758f02e1468462044520e2ce0af9cecac8133ea20ec979e3030080b6a3fa2c",
        ),
        "KDDTest+.txt",
        "fa46b0935342616aa83b7c2578db355b6a7aaabbc492248172c7a1e8b7ab8f84",
    ),
    _nsl_kdd(
        "nsl_kdd_test21",
        "the harder half of the test part, 11,850 flows",
        File(
            "nsl_kdd_test21.parquet",
            "a349927d781fb548a9b8b61620eb1fe54027fb8c5c98d3fdd66bf9999496d4a4",
        ),
        "KDDTest-21.txt",
        "746993ac9e25868827cacf09eab450050a2a1056e1ce48a1ad39f5dc801d531d",
    ),
    Dataset(
        name="cicids2017_benign",
        about="CIC-IDS2017 (Sharafaldin et al. 2018): 6,860 benign flows of five days",
        licence="Canadian Institute for Cybersecurity: citation; repository BSD-2-Clause",
        editions=(
            (
                File(
                    "cicids2017_benign_days.parquet",
                    "7afe44084d201d2badb6330ba8a013407c59b706cfd4a90db7cbc022cef9966c",
                ),
            ),
        ),
    ),
    _slips(
        "slips_zeek_vertical",
        "Zeek conn.log (JSON) of a port scan of one host",
        File(
            "slips_port-scans_vertical_conn.log.gz",
            "3df9fea9a32e49bdf4888e219fcd78c6c55caafa229d94a1f108788f2b560c21",
        ),
    ),
    _slips(
        "slips_zeek_horizontal",
        "Zeek conn.log (TSV) of a port scan of many hosts",
        File(
            "slips_port-scans_horizontal_conn.log.gz",
            "ee7145baa8df0635aff0a34829125bf703fb9b7a48e9a066d44b7d418b16591f",
        ),
    ),
    _slips(
        "slips_argus_malicious",
        "Argus binetflow of an infected host",
        File(
            "slips_test4-malicious.binetflow.gz",
            "7c8155ad05136b10f72bfd886f296bc3262615c704bffa64a7eedafcb4f4d6c5",
        ),
    ),
    _slips(
        "slips_argus_mixed",
        "Argus binetflow of normal and infected hosts",
        File(
            "slips_test5-mixed.binetflow.gz",
            "aa30975e777c03246d3584f73cab580966ffa3d15d1be011ced53ba02f98aad3",
        ),
    ),
    _slips(
        "slips_ssh_guessing",
        "capture of SSH password guessing",
        File(
            "slips_test19-malicious-ssh_malicious-ssh-bruteforce.pcap.gz",
            "222fc2374bed7a907a6db45f037556cb152877fe5fb44bde6ea5b27baea831c4",
        ),
    ),
    *(_lab(f"lab_day{day}", f"day {day}: labelled flows", f"day{day}_flows.parquet")
      for day in (1, 2, 3)),
    *(_lab(f"lab_day{day}_capture", f"day {day}: the capture", f"day{day}.pcap.gz")
      for day in (1, 2, 3)),
)  # fmt: skip
