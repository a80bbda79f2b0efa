"""Community ID v1 against the vectors published with its specification."""

import pytest

from contraview.modalities.flows.community_id import community_id

# The baseline of corelight/community-id-spec for seed 0, and the tests of pycommunityid.
VECTORS = [
    ("128.232.110.120", "66.35.250.204", 34855, 80, 6, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ("10.0.0.1", "10.0.0.2", 10, 11569, 6, "1:SXBGMX1lBOwhhoDrZynfROxnhnM="),
    ("192.168.1.52", "8.8.8.8", 54585, 53, 17, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ("192.168.170.8", "192.168.170.56", 7, 80, 132, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
    ("192.168.0.89", "192.168.0.1", 8, 0, 1, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ("10.1.24.4", "10.1.12.1", 0, 0, 46, "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="),
    (
        "2001:470:e5bf:dead:4957:2174:e82c:4887",
        "2607:f8b0:400c:c03::1a",
        63943,
        25,
        6,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
    ),
    (
        "fe80::200:86ff:fe05:80da",
        "fe80::260:97ff:fe07:69ea",
        135,
        136,
        58,
        "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
    ),
]
ONE_WAY = [
    ("192.168.0.89", "192.168.0.1", 20, 0, 1, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="),
    ("192.168.0.89", "192.168.0.1", 20, 1, 1, "1:tz/fHIDUHs19NkixVVoOZywde+I="),
    ("10.0.0.1", "10.0.0.2", 11, 0, 1, "1:YHxtAirCG//0OzkcVAukqKQN9xM="),
    (
        "3ffe:507:0:1:260:97ff:fe07:69ea",
        "3ffe:507:0:1:200:86ff:fe05:80da",
        3,
        0,
        58,
        "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=",
    ),
    (
        "3ffe:507:0:1:200:86ff:fe05:80da",
        "3ffe:507:0:1:260:97ff:fe07:69ea",
        3,
        0,
        58,
        "1:/OGBt9BN1ofenrmSPWYicpij2Vc=",
    ),
]


@pytest.mark.parametrize(("src", "dst", "sport", "dport", "protocol", "expected"), VECTORS)
def test_published_vectors(src, dst, sport, dport, protocol, expected):
    assert community_id(src, dst, sport, dport, protocol) == expected
    assert community_id(dst, src, dport, sport, protocol) == expected


@pytest.mark.parametrize(("src", "dst", "kind", "code", "protocol", "expected"), ONE_WAY)
def test_icmp_that_nothing_answers_keeps_its_direction(src, dst, kind, code, protocol, expected):
    assert community_id(src, dst, kind, code, protocol) == expected
