"""Configuration files to frozen dataclasses, and back. Import from here.

    config = load_config(Path("run.yaml"), RunConfig, ["judge.prefill=Answer:"])
    print(to_yaml(config))

A file's relative paths are meant from the file's own folder; those of `--set` and of flags from the current
one. What is wrong is reported all at once, with line, column and a suggestion.
"""

from tenet.config.fields import AtLeast, Between, Complaint, InputPath, LessThan, ModelRef, MoreThan, Named, Shape
from tenet.config.load import load_config, make_config, part_complaints
from tenet.config.write import as_json, dump_yaml, to_yaml

__all__ = [
    "AtLeast",
    "Between",
    "Complaint",
    "InputPath",
    "LessThan",
    "ModelRef",
    "MoreThan",
    "Named",
    "Shape",
    "as_json",
    "dump_yaml",
    "load_config",
    "make_config",
    "part_complaints",
    "to_yaml",
]
