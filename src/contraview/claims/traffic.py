"""Traffic on which claims about detectors are measured: benign flows to learn from, rows to judge.

Nothing of a test row is seen before it is judged; attack rows take part in fitting nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from contraview.claims.results import Data
from contraview.core.seeds import numpy_generator
from contraview.evaluation.detection import FEWEST
from contraview.evaluation.splits import random_split
from contraview.modalities.datasets import dataset
from contraview.modalities.flows.data import Flows, read_flows

NSL_FAMILIES = {
    "dos": "apache2 back land mailbomb neptune pod processtable smurf teardrop udpstorm worm",
    "probe": "ipsweep mscan nmap portsweep saint satan",
    "r2l": "ftp_write guess_passwd httptunnel imap multihop named phf sendmail snmpgetattack "
    "snmpguess spy warezclient warezmaster xlock xsnoop",
    "u2r": "buffer_overflow loadmodule perl ps rootkit sqlattack xterm",
}
"""The attack families of KDD Cup 1999's task description, with NSL-KDD's test-only attacks."""
_FAMILY = {name: family for family, names in NSL_FAMILIES.items() for name in names.split()}


def nsl_family(attack: str) -> str:
    """The family of an NSL-KDD attack."""
    return _FAMILY[attack]


@dataclass(frozen=True)
class Traffic:
    """What one seed of a claim is measured on.

    Attributes:
        benign: flows to fit on.
        test: flows to judge.
        labels: for each test flow its attack class; empty where benign.
        labelled: flows that labels may be taken from, disjoint from ``test``.
        named: for each labelled flow its class, ``benign`` included.
    """

    benign: Flows
    test: Flows
    labels: np.ndarray
    labelled: Flows
    named: np.ndarray


def _data(name: str, *, real: bool = True) -> Data:
    return Data(name=name, real=real, fingerprint=read_flows(dataset(name)).fingerprint())


def _classes(flows: Flows, benign: str, family: Callable[[str], str]) -> np.ndarray:
    return np.array(["" if each == benign else family(each) for each in flows.labels()])


@dataclass(frozen=True)
class PublicSet:
    """A labelled set, split at random in half: benign rows of one half to fit, the other to test.

    This is the protocol of CLAN's paper: a stratified random split, attack rows removed from the
    training half. `contraview fit ... --split random --seed N` makes the same split.

    Attributes:
        name: of the data set.
        benign: the label of benign rows.
        fit: most benign rows to fit on; all of them where unset.
        quiet: most benign rows to test on.
        a_class: most rows of an attack class to test on.
        family: the class that an attack's label stands for.
    """

    name: str
    benign: str
    fit: int | None = None
    quiet: int | None = None
    a_class: int | None = None
    family: Callable[[str], str] = str

    @property
    def names(self) -> tuple[str, ...]:
        """The data sets it reads."""
        return (self.name,)

    def data(self) -> list[Data]:
        """The set's name and fingerprint."""
        return [_data(self.name)]

    def __call__(self, seed: int) -> Traffic:
        """The parts for one seed."""
        flows = read_flows(dataset(self.name))
        labels = _classes(flows, self.benign, self.family)
        fit, test = random_split(flows.labels(), (0.5, 0.5), seed)
        generator = numpy_generator(seed, "traffic")
        rows = _test_rows(labels, test, self.quiet, self.a_class, generator)
        tested = np.isin(labels[fit], np.unique(labels[rows]))
        return Traffic(
            benign=flows.take(_some(fit[labels[fit] == ""], self.fit, generator)),
            test=flows.take(rows),
            labels=labels[rows],
            labelled=flows.take(fit[tested]),
            named=np.where(labels[fit[tested]] == "", "benign", labels[fit[tested]]),
        )


@dataclass(frozen=True)
class ShiftedSet:
    """Benign rows of one set to fit, another set with other traffic to test."""

    train: str
    test: str
    benign: str
    family: Callable[[str], str] = str
    a_class: int = 1_500

    @property
    def names(self) -> tuple[str, ...]:
        """The data sets it reads."""
        return (self.train, self.test)

    def data(self) -> list[Data]:
        """Names and fingerprints of the two."""
        return [_data(name) for name in self.names]

    def __call__(self, seed: int) -> Traffic:
        """The parts for one seed, which draws the test rows of large classes."""
        train, test = read_flows(dataset(self.train)), read_flows(dataset(self.test))
        known = _classes(train, self.benign, self.family)
        labels = _classes(test, self.benign, self.family)
        every, generator = np.arange(len(labels)), numpy_generator(seed, "traffic")
        rows = _test_rows(labels, every, None, self.a_class, generator)
        return Traffic(
            benign=train.benign(),
            test=test.take(rows),
            labels=labels[rows],
            labelled=train,
            named=np.where(known == "", "benign", known),
        )


@dataclass(frozen=True)
class Lab:
    """The lab's days: learn from day 1, take labels from day 2, judge on day 3."""

    @property
    def names(self) -> tuple[str, ...]:
        """The data sets it reads."""
        return ("lab_day1", "lab_day2", "lab_day3")

    def data(self) -> list[Data]:
        """The days' names and fingerprints."""
        return [_data(name, real=False) for name in self.names]

    def __call__(self, seed: int) -> Traffic:  # noqa: ARG002 the days are what they are
        """The parts; the seed decides about the models alone."""
        first, second, third = (read_flows(dataset(name)) for name in self.names)
        labels, named = _classes(third, "benign", str), second.labels()
        every, generator = np.arange(len(labels)), numpy_generator(0, "traffic")
        rows = _test_rows(labels, every, None, None, generator)
        known = np.flatnonzero(np.isin(named, labels[rows]) | (named == "benign"))
        return Traffic(
            benign=first.benign(),
            test=third.take(rows),
            labels=labels[rows],
            labelled=second.take(known),
            named=named[known],
        )


def _test_rows(
    labels: np.ndarray,
    rows: np.ndarray,
    quiet: int | None,
    a_class: int | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Of ``rows`` all classes with enough of them, benign and attack classes capped, ascending."""
    kept = []
    for name in np.unique(labels[rows]):
        of_class = rows[labels[rows] == name]
        if len(of_class) >= FEWEST:
            kept.append(_some(of_class, a_class if name else quiet, generator))
    return np.sort(np.concatenate(kept))


def _some(rows: np.ndarray, most: int | None, generator: np.random.Generator) -> np.ndarray:
    if most is None or len(rows) <= most:
        return rows
    return np.sort(generator.choice(rows, most, replace=False))


unsw_nb15 = PublicSet("unsw_nb15", benign="Normal")
nsl_kdd = PublicSet("nsl_kdd", benign="normal")
lab = Lab()
