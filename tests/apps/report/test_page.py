import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl

from contraview.apps.report.contents import Contents
from contraview.apps.report.page import page

SECTIONS = [
    "time",
    "alerts",
    "kinds",
    "scores",
    "map",
    "rules",
    "learned",
    "findings",
    "training",
    "limits",
    "commands",
]
VOID = {"meta"}


class Outline(HTMLParser):
    """Checks that tags close in order; collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def sections(text: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', text)


def test_every_section_is_there(made_page: str):
    assert sections(made_page) == SECTIONS


def test_what_is_not_known_is_left_out(made: Contents):
    unlabelled = replace(made.detected, flows=made.detected.flows.drop("label", "timestamp"))
    assert not {"kinds", "time"} & set(sections(page(replace(made, detected=unlabelled))))
    no_capture = replace(made, detected=None)
    assert sections(page(no_capture)) == [
        "scores", "rules", "learned", "findings", "training", "limits", "commands",
    ]  # fmt: skip
    assert sections(page(Contents("simclr", "0.1.0"))) == ["learned"]


def test_no_text_becomes_markup(made_page: str):
    outline = Outline(made_page)
    assert "script" not in outline.tags
    assert not [name for name, _ in outline.attributes if name.startswith("on")]
    # Source, kind, column, value, rule, category, setting, finding, training, command.
    assert outline.text.count('<script>alert("x")</script> & $x$') >= 10


def test_nothing_is_loaded_from_anywhere(made_page: str):
    assert not re.search(r"(https?:)?//\w", made_page)
    assert "default-src 'none'" in made_page
    for name, value in Outline(made_page).attributes:
        if name in ("href", "src"):
            assert value is not None
            assert value.startswith("#")


def test_addresses_only_where_asked_for(made: Contents, made_page: str):
    asked = page(replace(made, with_addresses=True))
    for address in ("192.0.2.7", "198.51.100.", "203.0.113.80", "port 8443"):
        assert address not in made_page
        assert address in asked
    assert "holds no addresses" in made_page


def test_one_file_of_moderate_size(made_page: str):
    assert len(made_page.encode()) < 3_000_000


def test_the_same_contents_give_the_same_page(made: Contents, made_page: str):
    assert page(made) == made_page


def test_figures_in_the_page_are_those_of_the_judgement(made: Contents, made_page: str):
    judgement = made.detected.judgement
    exact = [float(value) for value in re.findall(r'data-value="([^"]+)"', made_page)]
    expected = [
        figure.value
        for kind in judgement.kinds
        for figure in (kind.detected, kind.auroc, kind.precision)
    ]
    assert exact == [*expected, judgement.false_alarms.value]


def test_headline_figures(made: Contents, made_page: str):
    text = Outline(made_page).text
    flows = made.detected.flows
    alerts = flows["alert"].sum()
    assert f"{alerts} alerts in 400 flows" in text
    assert "10.0expected in 1,000 benign flows" in text  # 10 of 999 + 1 held-out flows
    seconds = 399 * 0.25
    assert f"{0.01 * 400 / seconds * 86_400:,.0f}if the 4.01 flows a second" in text
    assert "1,500benign flows, no attack labels" in text


def test_times_are_utc_and_say_so(made_page: str):
    text = Outline(made_page).text
    assert "All times are UTC. First flow 2026-03-01 23:59:30" in text
    assert "2026-03-02 00:01:09" in text


def test_more_false_alarms_than_expected_are_pointed_out(made: Contents, made_page: str):
    assert "somewhat unlike them" in made_page  # 3.0 is passed by 5 % of its benign flows
    quiet = made.detected.flows.with_columns(alert=pl.col("alert") & (pl.col("label") != "benign"))
    reasons = made.detected.reasons[: quiet["alert"].sum()]
    calm = replace(made.detected, flows=quiet, reasons=reasons)
    assert "somewhat unlike them" not in page(replace(made, detected=calm))


def test_a_capture_without_alerts(made: Contents):
    flows = made.detected.flows.with_columns(alert=False, rule=pl.lit(None, pl.String))
    text = page(replace(made, detected=replace(made.detected, flows=flows, reasons=[])))
    assert "No flow raised an alert." in text
    assert "No flow of the capture broke a rule." in text


def test_rules_that_misfire_raise_no_alert(made: Contents, made_page: str):
    weak = replace(made, calibrated=replace(made.calibrated, rule_rate=0.02, rules_alert=False))
    assert "shown beside the score only" in page(weak)
    assert "an alert of its own" in made_page
