"""The text data sets that examples, claims and tests are measured on.

Licences are of the data, and as far as they are known: read the owners' terms before you pass
anything on.
"""

from typing import Final

from contraview.core.datasets import Dataset, File
from contraview.core.packages import Member


def _stsb(part: str, pairs: int, sha256: str) -> Dataset:
    return Dataset(
        name=f"stsb_{part}",
        about=f"STS benchmark (Cer et al. 2017), {part} part: {pairs:,} pairs of sentences, "
        "similarity 0 to 5",
        licence="several sources, each under its own terms; see the benchmark's licence file",
        editions=((File(f"sts-{part}.csv", sha256),),),
    )


def _wordnet(part: str, sha256: str) -> File:
    member = Member("debian", "wordnet-base", f"usr/share/wordnet/data.{part}")
    return File(f"wordnet_data.{part}", sha256, member=member)


_WORDNET: Final = (
    _wordnet("noun", "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"),
    _wordnet("verb", "adcf43e35b581e8036d8b5a52d63d9cd3d3b4870b2720d3c03c799df44777bc2"),
    _wordnet("adj", "c89120dfc1f046ddff4a631bf9b7e9fa1a36b5e86565a23bf82dbe14f30b88a7"),
    _wordnet("adv", "444a63bf3955080ab7524f5079cfc07ff9bc682cb98bdb1db73b0fb9829f1139"),
)

DATASETS: Final = (
    _stsb("train", 5749, "0f71910b59aa1ad973c5897f0791f3b0965a92b8f82b1a95f3eea9f4162fda82"),
    _stsb("dev", 1500, "5d7e944d8b02734b07bfdb5df67db3420c64bed153fcaa1ba47ad03480cf4234"),
    _stsb("test", 1379, "affe45928a66ee5a708531233c95b7dacbbdc57f974f002a3d32ea0180cf816a"),
    Dataset(
        name="mirror_sentences",
        about="10,000 raw sentences of the STS benchmark's training part, as Mirror-BERT was tuned",
        licence="MIT",
        editions=(
            (
                File(
                    "mirror_stsb_train_10k_sents.txt",
                    "f9d5fa5efa0957df52634dde3a093ad5f5c6e0dff7e2b1fbfcbd9382e5898d3f",
                ),
            ),
        ),
    ),
    Dataset(
        name="mirror_words",
        about="the 10,000 most frequent English words, as Mirror-BERT was tuned",
        licence="MIT",
        editions=(
            (
                File(
                    "mirror_en_words_top_10k.txt",
                    "9c965d384526facc59260e94f8ccff1582633fa385004abe1455ed457062acbc",
                ),
            ),
        ),
    ),
    Dataset(
        name="wordsim353",
        about="WordSim-353 (Finkelstein et al. 2002): 353 pairs of words, similarity 0 to 10",
        licence="for research, terms in its first lines",
        editions=(
            (
                File(
                    "wordsim353.tsv",
                    "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
                    member=Member("pypi", "gensim==4.4.0", "gensim/test/test_data/wordsim353.tsv"),
                ),
            ),
        ),
    ),
    Dataset(
        name="wordnet",
        about="WordNet 3.0 (Princeton University 2006): 117,659 sets of synonyms with glosses",
        licence="WordNet 3.0 licence: free use with its notice",
        editions=(_WORDNET,),
    ),
)
