"""The command. Until the verb is known nothing but the catalog is imported."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from contraview.core.errors import ContraviewError, InputError
from contraview.core.plain_text import plain
from contraview.core.processes import is_main, rank

VERBS: Final[dict[str, tuple[str, str]]] = {
    "list": ("contents", "every system: modality, verbs, what its claims showed"),
    "info": ("contents", "one system: paper, verbs, claims"),
    "fit": ("fit", "learn from your data: contraview fit SLUG DATA... --out DIR"),
    "embed": ("use", "one vector an item: contraview embed MODEL DATA... [--out FILE]"),
    "score": ("use", "one anomaly score an item: contraview score MODEL DATA... [--out FILE]"),
    "classify": ("use", "a class an item: contraview classify MODEL DATA... [--out FILE]"),
    "cluster": ("use", "a group an item: contraview cluster MODEL DATA... [--out FILE]"),
    "regress": ("use", "a number an item: contraview regress MODEL DATA... [--out FILE]"),
    "forecast": ("forecast", "what comes next: contraview forecast MODEL TABLE [--out FILE]"),
    "search": ("search", "similar items: contraview search MODEL QUERIES... --among DATA..."),
    "calibrate": ("calibrate", "a threshold: contraview calibrate MODEL BENIGN --max-fpr P"),
    "segment": ("segment", "a mask an image: contraview segment MODEL IMAGES... --out DIR"),
    "audit": ("audit", "look for a weakness: contraview audit MODEL DATA... [--json FILE]"),
    "act": ("act", "play episodes: contraview act MODEL [--episodes N] [--out FILE]"),
    "generate": ("generate", "new items: contraview generate MODEL [REFERENCES...] --out DIR"),
    "align": ("align", "places on a reference: contraview align MODEL READS... [--out FILE.sam]"),
    "detect": ("detect", "alerts from a capture or a log: contraview detect MODEL SOURCE"),
    "suppress": ("suppress", "quieten alerts by rule: contraview suppress MODEL --host H ..."),
    "feedback": ("feedback", "alerts judged by people: contraview feedback MODEL ID --benign"),
    "drift": ("drift", "what changed since the fit: contraview drift MODEL FLOWS --out DIR"),
    "refit": ("refit", "bring a model up to date: contraview refit MODEL FLOWS --centre"),
    "evaluate": ("evaluate", "figures: contraview evaluate MODEL DATA... [--labels COLUMN]"),
    "reproduce": ("reproduce", "run a system's claims: contraview reproduce SLUG|all"),
    "report": ("report", "a page about a run: contraview report RUN"),
    "export": (
        "export",
        "a file that runs anywhere: contraview export MODEL [DATA...] --onnx FILE",
    ),
    "serve": ("serve", "a live page: contraview serve MODEL --watch SOURCE, or MODEL DATA..."),
    "data": ("data", "the known data sets: contraview data list|get NAME"),
    "demo": ("demo", "the main job on bundled traffic, from capture to report"),
}
"""Each verb's module in this package, and its line of help."""


LONGEST_ERROR: Final = 2_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see the table in the documentation)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except ContraviewError as error:
        said = plain(" ".join(str(error).split()), LONGEST_ERROR)
        print(f"{_name()}: {said}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        if is_main():
            print("contraview: stopped", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        _close_stdout()
        return 0
    except OSError as error:
        from contraview.core.whole_file import FULL

        if error.errno not in FULL:
            raise
        if error.filename is None:
            _close_stdout()
            said = f"the output cannot be written ({error.strerror})"
        else:
            where = plain(str(error.filename), LONGEST_ERROR)
            said = f"{where}: cannot be written ({error.strerror}); what was there is as it was"
        print(f"contraview: {said}", file=sys.stderr)  # noqa: T201
        return ContraviewError.exit_code


def _name() -> str:
    """Who speaks: any of several processes may be the first to find what is wrong, and the last."""
    return "contraview" if is_main() else f"contraview, process {rank()}"


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_help())
        return 0
    if arguments[0] == "--version":
        from contraview import __version__

        sys.stdout.write(f"contraview {__version__}\n")
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        from difflib import get_close_matches

        near = get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`contraview --help` lists them"
        raise InputError(f"no command {verb!r}; {hint}")
    module = import_module(f"{__name__}.{VERBS[verb][0]}")
    return module.run(verb, rest)


def _help() -> str:
    from contraview.catalog import ENTRIES

    papers = [entry for entry in ENTRIES if entry.kind == "paper"]
    built = [entry.slug for entry in ENTRIES if entry.built]
    lines = [
        "usage: contraview VERB ...",
        "",
        f"{len(papers)} published self-supervised systems behind one interface.",
        f"In this version: {', '.join(built)}.",
        "",
        *(f"  {verb:<10} {line}" for verb, (_, line) in VERBS.items()),
        "",
        "contraview VERB --help tells more about a verb.",
    ]
    return "\n".join(lines) + "\n"


def _close_stdout() -> None:
    """Keep the interpreter from complaining about the closed pipe once more at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
