"""The commands `tenet principles import` and `export`. Know files and the console; formats are in `registry`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from constitution.interchange.assemble import slug
from constitution.interchange.export import export
from constitution.interchange.read import Imported, read_foreign
from constitution.interchange.registry import FORMATS, named
from constitution.load import load
from constitution.write import to_yaml
from tenet.console import Console
from tenet.errors import UsageError
from tenet.runs.atomic import write_text
from tenet.yamlfile import MAX_BYTES

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
FORCE = click.option("--force", is_flag=True, help="Write over a file that is there.")
FORMAT_LIST = "\b\nFormats:\n" + "".join(f"  {one.name:<22} {one.summary}\n" for one in FORMATS.values())
MOST_REMARKS = 20


@click.command(
    "import", epilog="Example:\n\n\b\n  tenet principles import constitution.json --to mine.yaml\n\n" + FORMAT_LIST
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", default="auto", show_default=True, help="What FILE is; auto looks into it.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="Where to write.  [default: NAME.yaml]")
@click.option("--name", default="", help="Name of the new file's principles.  [default: that of FILE]")
@FORCE
@AS_JSON
def import_command(file: Path, form: str, target: Path | None, name: str, *, force: bool, as_json: bool) -> None:
    """Make a principles file of another project's FILE.

    Texts are kept as they are. What is not understood is told with its line; where something cannot be read at all,
    every problem is named and nothing is written.
    """
    console = Console(json=as_json)
    if name and slug(name) != name:
        raise UsageError(
            f'"{name}" is no name of a file of principles', hint=f"write --name {slug(name) or 'my-rules'}"
        )
    imported = read_foreign(file, form, name=name, source=file.name)
    constitution = imported.constitution
    path = target or Path(f"{constitution.name}.yaml")
    keep_file(path, force=force)
    remarks = _few(imported.remarks)
    text = to_yaml(constitution, remarks=_head(file, imported, remarks), comments=imported.comments)
    if (size := len(text.encode())) > MAX_BYTES:
        told = (
            f"{len(constitution.principles):,} principles make a file of {size:,} bytes; at most {MAX_BYTES:,} are read"
        )
        raise UsageError(told, hint=f"split {file} into several files, import each, and `include` them")
    write_text(path, text)
    console.say(f"{path}: {len(constitution.principles):,} principles from {file} ({imported.format})")
    for remark in remarks:
        console.say(f"  {remark}")
    if as_json:
        console.data(
            {
                "path": str(path),
                "format": imported.format,
                "principles": [one.id for one in constitution.principles],
                "remarks": list(imported.remarks),
            }
        )


@click.command(
    "export",
    epilog="Example:\n\n\b\n  tenet principles export honesty --format salmon --to honesty.json\n\n" + FORMAT_LIST,
)
@click.argument("file")
@click.option("--format", "form", required=True, help="What to write.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="Where to write.  [default: standard output]")
@FORCE
@AS_JSON
def export_command(file: str, form: str, target: Path | None, *, force: bool, as_json: bool) -> None:
    """Write the principles of FILE in another project's format, and say what that format cannot hold."""
    console = Console(json=as_json)
    wanted = named(form)
    exported = export(load(file), wanted)
    if target is not None:
        keep_file(target, force=force)
        write_text(target, exported.text)
    elif not as_json:
        console.out.write(exported.text)
        console.out.flush()
    if exported.left_out:
        console.say(f"left out, for they are not active: {', '.join(exported.left_out)}")
    told = exported.told()
    console.say(f"{wanted.name} does not hold: {told}" if told else f"{wanted.name} holds all of it")
    if as_json:
        console.data(
            {
                "path": str(target) if target else None,
                "format": wanted.name,
                "text": None if target else exported.text,
                "lost": {field: list(ids) for field, ids in exported.lost.items()},
                "heading": list(exported.heading),
                "left_out": list(exported.left_out),
            }
        )


def keep_file(path: Path, *, force: bool) -> None:
    """Refuse to write over a file unless told to.

    Raises:
        UsageError: the file is there, or its folder is not.
    """
    if path.exists() and not force:
        raise UsageError(
            f"{path} is there already", hint="name another file with --to, or add --force to write over it"
        )
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint=f"make it with: mkdir -p {path.parent}")


def _few(remarks: Sequence[str]) -> list[str]:
    """Return the first remarks and the number of the others."""
    more = len(remarks) - MOST_REMARKS
    return [*remarks[:MOST_REMARKS], *([f"and {more:,} more remarks (--json lists them)"] if more > 0 else [])]


def _head(file: Path, imported: Imported, remarks: Sequence[str]) -> list[str]:
    return [f"Imported from {file.name} ({imported.format}).", *remarks]
