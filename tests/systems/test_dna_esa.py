import math
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import contraview
from contraview.apps.cli import main
from contraview.core.errors import ContraviewError, InputError
from contraview.core.run import Run
from contraview.core.seeds import numpy_generator, torch_generator
from contraview.modalities.sequences.crops import CropInCrop, cut, substituted
from contraview.modalities.sequences.data import read_sequences
from contraview.modalities.sequences.letters import BASES, reverse_complement
from contraview.systems.dna_esa import DnaEsa
from contraview.systems.dna_esa.dna_esa import fragment_to_read

sys.path.insert(0, str(Path(__file__).parent))
from tiny import Tiny

LANCE = pytest.mark.skipif(find_spec("lancedb") is None, reason="lancedb is not installed")


def letters(bases):
    return np.frombuffer(BASES, np.uint8)[bases].tobytes().decode()


def genome(seed=0):
    g = numpy_generator(seed, "tiny genome")
    return {name: letters(g.integers(0, 4, n)) for name, n in (("chr1", 3000), ("chr2", 1200))}


def data():
    return read_sequences(genome())


def reads(share=0.01, count=12):
    """Reads of 60 bases with substitutions, their sequence and their place."""
    g = numpy_generator(0, "tiny reads")
    where = [("chr1", int(g.integers(0, 2940))) for _ in range(count // 2)]
    where += [("chr2", int(g.integers(0, 1140))) for _ in range(count - count // 2)]
    reference = data()
    starts = np.array([place + (3000 if name == "chr2" else 0) for name, place in where])
    drawn = cut(reference.bases, starts, np.full(count, 60))
    return [letters(each) for each in substituted(drawn, share, g)], where


KNOBS = {
    "k": 4,
    "stride": 1,
    "width": 16,
    "heads": 2,
    "hidden": 32,
    "train_fragments": (150, 250),
    "train_reads": (40, 80),
    "steps": 15,
    "batch": 16,
    "fragment": 200,
    "overlap": 50,
    "candidates": 30,
}
TINY = Tiny(
    lambda: read_sequences({name: each[:240] for name, each in genome().items()}),
    KNOBS,
    ask={
        "search": lambda system: system.search(reads()[0], k=2),
        "align": lambda system: system.align(reads()[0]),
    },
    wrong=("no/such/file.fa", "", [], 3.5, ["ACGT"], ["ACGTX"]),
)


@pytest.fixture(scope="module")
def system():
    return DnaEsa(**KNOBS).fit(data(), run=Run(seed=0))


def test_reads_are_placed_where_they_were_cut_from(system):
    placed = system.align(reads()[0])
    assert (placed["flag"] == 0).all()
    for row, (name, place) in zip(placed.iter_rows(named=True), reads()[1], strict=True):
        assert row["rname"] == name
        clipped = int(row["cigar"].split("S")[0]) if "S" in row["cigar"][:3] else 0
        assert abs(row["pos"] - 1 - clipped - place) <= 2
    exact = system.align(reads(share=0.0)[0])
    assert [row - 1 for row in exact["pos"]] == [place for _, place in reads()[1]]
    assert set(exact["cigar"]) == {"60M"}
    assert set(exact["distance"]) == {0}
    assert set(exact["score"]) == {120.0}
    assert exact["mapq"].min() > 20


def test_a_read_across_the_end_of_a_fragment_is_found_whole(system):
    for place in (100, 160, 195, 199):  # fragments begin at 0, 150, 300 and are 200 long
        read = genome()["chr1"][place : place + 90]
        row = system.align([read]).row(0, named=True)
        assert (row["pos"], row["cigar"]) == (place + 1, "90M")


def test_only_with_both_strands_is_a_read_of_the_other_strand_found(system, tmp_path):
    read = genome()["chr1"][500:580]
    other = reverse_complement(np.frombuffer(read.encode(), np.uint8)).tobytes().decode()
    assert system.align([other])["flag"].to_list() == [4]
    both = contraview.load(system.save(tmp_path / "model"))
    both.config = both.config.model_copy(update={"strands": "both"})
    (tmp_path / "r.fq").write_text(f"@r\n{other}\n+\n{'!' + 'I' * 79}\n@s\n{read}\n+\n{'#' * 80}\n")
    first, second = both.align(tmp_path / "r.fq").iter_rows(named=True)
    assert (first["flag"], first["pos"], first["seq"]) == (16, 501, read)
    assert first["qual"] == "I" * 79 + "!"
    assert (second["flag"], second["pos"], second["qual"]) == (0, 501, "#" * 80)


def test_what_fits_nowhere_is_unmapped(system):
    row = system.align([letters(numpy_generator(9, "other").integers(0, 4, 80))]).row(0, named=True)
    assert (row["flag"], row["rname"], row["pos"], row["cigar"]) == (4, "*", 0, "*")
    assert system.align(["N" * 50])["flag"].to_list() == [4]


def test_a_repeat_has_no_mapping_quality():
    one = genome()["chr1"]
    twice = {"a": one[:400], "b": one[100:400] + one[2000:2200]}
    repeated = DnaEsa(**KNOBS | {"steps": 0}).fit(twice)
    row = repeated.align([one[150:230]]).row(0, named=True)
    assert row["mapq"] == 0
    assert repeated.align([one[2050:2130]]).row(0, named=True)["mapq"] > 20


def test_another_genome_is_searched_with_the_same_encoder(system):
    other = genome(seed=5)
    read = other["chr2"][300:380]
    assert system.align([read])["flag"].to_list() == [4]
    row = system.align([read], reference=other).row(0, named=True)
    assert (row["rname"], row["pos"]) == ("chr2", 301)


def test_the_loss_is_one_way_from_fragment_to_read_worked_out_by_hand():
    fragments = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    found = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    cosine = [[1, 0.6], [0, 0.8]]
    rows = [
        math.log(sum(math.exp(c / 0.5) for c in row)) - row[i] / 0.5 for i, row in enumerate(cosine)
    ]
    loss = fragment_to_read(fragments, found, T=0.5)
    assert loss.item() == pytest.approx(sum(rows) / 2, rel=1e-5)
    assert abs(fragment_to_read(found, fragments, T=0.5).item() - loss.item()) > 0.03


def test_views_are_the_crops_and_noise_falls_on_the_read_alone(system):
    reference = data()
    crops = CropInCrop(reference, (150, 250), (40, 80))
    places = torch.arange(0, 4000, 100)
    plain = system._views(crops, places, torch_generator(0, "v"))
    noisy = DnaEsa(**KNOBS | {"noise": 0.2})
    noisy.tokens = system.tokens
    altered = noisy._views(crops, places, torch_generator(0, "v"))
    assert torch.equal(plain[0], altered[0])
    assert not torch.equal(plain[1], altered[1])
    assert ((plain[1] > 0) == (altered[1] > 0)).all()


def test_training_teaches_which_fragment_a_read_is_from():
    knobs = KNOBS | {"k": 3, "stride": 2, "steps": 80, "lr": 1e-2, "temperature": 0.1}
    trained = DnaEsa(**knobs).fit(data(), run=Run(seed=0))
    untrained = DnaEsa(**knobs | {"steps": 0}).fit(data(), run=Run(seed=0))
    g = numpy_generator(1, "reads")
    starts = g.integers(0, 2940, 200)
    asked = cut(data().bases, starts, np.full(200, 60))

    def recall(system):
        _, found = system.index.nearest(system.embed_bases(asked), 3)
        right = system.index.fragments.cover(starts, 60, 0.8)
        return np.take_along_axis(right, found, axis=1).any(1).mean()

    assert recall(trained) > recall(untrained) + 0.2


def test_search_names_fragments_or_whole_sequences(system):
    found, cosine = system.search([genome()["chr1"][150:350]], k=2)
    row = system.kept().row(int(found[0, 0]), named=True)
    assert (row["reference"], row["first"], row["last"]) == ("chr1", 151, 350)
    assert cosine[0, 0] == pytest.approx(1, abs=1e-5)
    whole = [genome()["chr1"][i : i + 100] for i in (0, 500, 900)]
    found, _ = system.search(whole[1:2], among=whole, k=3)
    assert found[0, 0] == 1
    assert np.allclose(np.linalg.norm(system.embed(whole), axis=1), 1, atol=1e-5)


def test_a_sequence_longer_than_the_encoder_reads_is_refused(system):
    long = genome()["chr1"][:251]
    for ask in (system.embed, system.align, lambda data: system.search(data, k=1)):
        with pytest.raises(InputError, match="has 251 bases; the model reads at most 250"):
            ask([long])


def test_references_of_the_same_name_and_wrong_settings_are_refused(tmp_path):
    (tmp_path / "a.fa").write_text(f">x\n{'ACGT' * 50}\n>x\n{'ACGT' * 50}\n")
    with pytest.raises(InputError, match="two sequences are called 'x'"):
        DnaEsa(**KNOBS).fit(tmp_path / "a.fa")
    for knobs, says in (
        ({"overlap": 1000}, "overlap=1000 is not below fragment=1000"),
        ({"train_reads": (90, 80)}, "expected the least first"),
        ({"train_reads": (900, 950)}, "shortest training read is longer"),
        ({"heads": 3}, "do not divide"),
    ):
        with pytest.raises(InputError, match=says):
            DnaEsa(**knobs)


def test_byte_pair_tokens_are_saved_and_loaded(tmp_path):
    small = DnaEsa(**KNOBS | {"tokens": "bpe", "vocabulary": 40, "steps": 3}).fit(TINY.data())
    again = contraview.load(small.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.embed(reads()[0]), small.embed(reads()[0]))


@LANCE
def test_a_store_on_disk_finds_what_memory_finds(tmp_path, monkeypatch):
    knobs = KNOBS | {"steps": 0, "store": str(tmp_path / "store")}
    system = DnaEsa(**KNOBS | {"steps": 0}).fit(data(), run=Run(seed=0))
    stored = DnaEsa(**knobs).fit(data(), run=Run(seed=0))
    folder = stored.save(tmp_path / "model")
    assert "index.vectors" in system.learnt().arrays
    assert "index.vectors" not in stored.learnt().arrays
    again = contraview.load(folder)
    expected, exact = system.search(reads()[0], k=5)
    for one in (stored, again):
        found, cosine = one.search(reads()[0], k=5)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_allclose(cosine, exact, atol=1e-5)
    assert again.align(reads()[0]).equals(system.align(reads()[0]))
    DnaEsa(**knobs).fit(data(), run=Run(seed=1))
    with pytest.raises(InputError, match="holds other vectors than this model's"):
        contraview.load(folder)
    shutil.rmtree(tmp_path / "store")
    monkeypatch.setenv("RANK", "1")
    stored.index.vectors.write(np.ones((2, 4), np.float32), "of another process")
    with pytest.raises(InputError, match="no such folder"):
        contraview.load(folder)


def test_without_lancedb_a_store_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(ContraviewError, match=r"pip install 'contraview\[vectors\]'"):
        DnaEsa(**KNOBS, store=str(tmp_path / "store")).fit(TINY.data())


def write(tmp_path, system):
    system.save(tmp_path / "model")
    (tmp_path / "reads.fa").write_text(
        "".join(f">r{i} x\n{read}\n" for i, read in enumerate(reads()[0]))
    )
    return str(tmp_path / "model"), str(tmp_path / "reads.fa")


def test_the_command_writes_sam_whole_or_not_at_all(system, tmp_path, capsys):
    model, there = write(tmp_path, system)
    out = tmp_path / "placed.sam"
    assert main(["align", model, there, "--out", str(out)]) == 0
    lines = out.read_text().splitlines()
    assert lines[0] == "@HD\tVN:1.6\tSO:unsorted"
    assert lines[1:3] == ["@SQ\tSN:chr1\tLN:3000", "@SQ\tSN:chr2\tLN:1200"]
    fields = lines[4].split("\t")
    assert fields[0] == "r0"
    assert len(fields) == 13
    assert main(["align", model, there, "--out", str(tmp_path / "x.bam")]) == 2
    (tmp_path / "bad.fa").write_text(">a\nACXT\n")
    assert main(["align", model, str(tmp_path / "bad.fa"), "--out", str(tmp_path / "no.sam")]) == 2
    assert "line 2: 'X' is no DNA letter" in capsys.readouterr().err
    assert not (tmp_path / "no.sam").exists()
    assert main(["search", model, there, "--k", "2", "--out", str(tmp_path / "f.csv")]) == 0
    assert pl.read_csv(tmp_path / "f.csv")["item_reference"][0] in ("chr1", "chr2")


@pytest.mark.skipif(shutil.which("samtools") is None, reason="samtools is not installed")
def test_samtools_reads_what_is_written(system, tmp_path):
    model, there = write(tmp_path, system)
    out = tmp_path / "placed.sam"
    with (tmp_path / "reads.fa").open("a") as file:
        file.write(f">nowhere\n{'N' * 40}\n")
    assert main(["align", model, there, "--out", str(out)]) == 0
    done = subprocess.run(["samtools", "quickcheck", "-u", out], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    bam = tmp_path / "sorted.bam"
    subprocess.run(["samtools", "sort", "-o", bam, out], check=True, capture_output=True)
    counted = subprocess.run(
        ["samtools", "flagstat", bam], check=True, capture_output=True, text=True
    ).stdout
    assert "13 + 0 in total" in counted
    assert "12 + 0 mapped" in counted
    (tmp_path / "genome.fa").write_text("".join(f">{n}\n{s}\n" for n, s in genome().items()))
    again = subprocess.run(
        ["samtools", "calmd", bam, tmp_path / "genome.fa"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "different NM" not in again.stderr  # samtools counts the same edit distances


PAPER = {
    "tokens": "bpe", "vocabulary": 10_000, "width": 384, "depth": 6, "heads": 12, "hidden": 1536,
    "place": 0.7, "dropout": 0.1, "noise": 0.0,
    "train_fragments": (800, 2000), "train_reads": (80, 180),
    "temperature": 0.05, "steps": 100_000, "batch": 16, "lr": 1e-4, "weight_decay": 0.01,
    "clip": 1.0, "fragment": 1000, "overlap": 200, "candidates": 50,
    "match": 2.0, "mismatch": 1.0, "gap_open": 0.5, "gap_extend": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("knob", PAPER)
def test_the_paper_preset_has_the_official_settings(knob):
    assert getattr(DnaEsa.preset("paper").config, knob) == PAPER[knob]


def test_the_schedule_is_the_official_one_cycle():
    schedule = DnaEsa.preset("paper").schedule
    assert schedule.lr_at(0) == pytest.approx(1e-4 / 25)
    assert schedule.lr_at(30_000) == pytest.approx(1e-4)
    assert schedule.lr_at(99_999) == 0
