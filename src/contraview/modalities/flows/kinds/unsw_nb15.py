"""UNSW-NB15 (Moustafa and Slay 2015, doi:10.1109/MilCIS.2015.7348942), the partitioned files."""

from typing import Final

from contraview.modalities.flows.kinds.kind import Kind

_NUMBERS: Final = """
dur spkts dpkts sbytes dbytes rate sttl dttl sload dload sloss dloss sinpkt dinpkt sjit djit
swin stcpb dtcpb dwin tcprtt synack ackdat smean dmean trans_depth response_body_len ct_srv_src
ct_state_ttl ct_dst_ltm ct_src_dport_ltm ct_dst_sport_ltm ct_dst_src_ltm is_ftp_login ct_ftp_cmd
ct_flw_http_mthd ct_src_ltm ct_srv_dst is_sm_ips_ports
"""

UNSW_NB15: Final = Kind(
    name="unsw_nb15",
    marks=frozenset(("ct_state_ttl", "ct_dst_src_ltm", "is_sm_ips_ports")),
    numbers=tuple(_NUMBERS.split()),
    categorical=("proto", "service", "state"),
    identity=("id",),
    labels=("attack_cat", "label"),
    benign="attack_cat == Normal",
)
