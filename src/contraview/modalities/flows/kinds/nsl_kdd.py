"""NSL-KDD (Tavallaee et al. 2009, doi:10.1109/CISDA.2009.5356528): traffic of 1998."""

from typing import Final

from contraview.modalities.flows.kinds.kind import Kind

_COLUMNS: Final = """
duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot
num_failed_logins logged_in num_compromised root_shell su_attempted num_root num_file_creations
num_shells num_access_files num_outbound_cmds is_host_login is_guest_login count srv_count
serror_rate srv_serror_rate rerror_rate srv_rerror_rate same_srv_rate diff_srv_rate
srv_diff_host_rate dst_host_count dst_host_srv_count dst_host_same_srv_rate
dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate
dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate
attack difficulty
"""

NSL_KDD_COLUMNS: Final = tuple(_COLUMNS.split())
"""The columns of the official files, which have no header."""

_CATEGORICAL = ("protocol_type", "service", "flag")
_LABELS = ("attack", "difficulty")

NSL_KDD: Final = Kind(
    name="nsl_kdd",
    marks=frozenset(("dst_host_srv_diff_host_rate", "num_outbound_cmds", "srv_serror_rate")),
    numbers=tuple(c for c in NSL_KDD_COLUMNS if c not in (*_CATEGORICAL, *_LABELS)),
    categorical=_CATEGORICAL,
    labels=_LABELS,
    benign="attack == normal",
)
