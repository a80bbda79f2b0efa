"""`contraview serve`: a page, and a JSON API, on alerts as they come or on a model's items."""

from pathlib import Path

from contraview.apps.cli.arguments import Positional, parse
from contraview.core.errors import InputError

PORT = 8053


def run(_verb: str, arguments: list[str]) -> int:
    """Serve until told to stop."""
    chosen = parse(
        "contraview serve",
        "A page on loopback, and a JSON API beside it (/api/openapi.json): of DATA the embedding "
        "map, what is nearest to what, and the run's curves; with --watch the alerts of a detector "
        "on a SOURCE that grows, as `detect --follow` knows them.",
        arguments,
        model=(Positional[Path], ...),
        data=(Positional[tuple[str, ...]], ()),
        watch=(str | None, None),
        out=(Path, Path("runs/serve")),
        host=(str, "127.0.0.1"),
        port=(int, PORT),
        token_file=(Path | None, None),
        redact=(bool, False),
        max_fpr=(float | None, None),
        benign=(Path | None, None),
    )
    if not chosen.model.is_dir():
        raise InputError(f"{chosen.model}: no such folder; expected a model")
    if not 0 <= chosen.port < 1 << 16:
        raise InputError(f"--port {chosen.port}: expected 0 to 65535")
    if chosen.benign is not None and not chosen.benign.exists():
        raise InputError(f"{chosen.benign}: no such file or folder; expected benign flows")
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise InputError("serve needs two more packages: pip install 'contraview[serve]'") from None
    if (chosen.watch is None) == (not chosen.data):
        raise InputError("contraview serve: expected --watch SOURCE, or DATA after the model")
    if chosen.watch is None:
        from contraview.apps.serve.items import ItemSettings, serve_items

        if chosen.redact or chosen.benign or chosen.max_fpr is not None:
            raise InputError("--redact, --benign and --max-fpr go with --watch")
        serve_items(
            ItemSettings(chosen.model, chosen.data, chosen.host, chosen.port, chosen.token_file)
        )
        return 0
    from contraview.apps.serve.alerts import Settings, serve

    serve(
        Settings(
            chosen.model,
            chosen.watch,
            chosen.out,
            host=chosen.host,
            port=chosen.port,
            token_file=chosen.token_file,
            redact=chosen.redact,
            max_fpr=chosen.max_fpr,
            benign=chosen.benign,
        )
    )
    return 0
