"""The command `tenet view`: opens runs, serves the page on this machine, and says where it is."""

from __future__ import annotations

from contextlib import suppress

import click


@click.command(
    epilog="Keys: / search, j and k the next and the previous pair, Enter opens, Escape goes back, ? help.\n\n"
    "Example: tenet view runs/support runs/support-2"
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1.  [default: a free one]")
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
def view(runs: tuple[str, ...], port: int, *, no_open: bool) -> None:
    """Search, read, compare and export the pairs of one or many runs on a web page of this machine.

    The page answers on 127.0.0.1 only, to whoever opens the address that is printed, and changes nothing. What it shows is in its address:
    the same address shows the same again. An index is made once for each state of a run, in its folder .view, which may be deleted.
    """
    import webbrowser

    from generate.view.opening import opened
    from generate.view.server import application
    from tenet.console import Console
    from tenet.localpage.serving import serve_page
    from tenet.runs import find_run

    console = Console()

    def ready(address: str) -> None:
        console.say(f"View: {address}\nStop with Ctrl-C.")
        if not no_open:
            webbrowser.open(address)

    with opened([find_run(name) for name in runs], console) as held, suppress(KeyboardInterrupt):
        serve_page(lambda at, token: application(held, port=at, token=token), port=port, ready=ready)
