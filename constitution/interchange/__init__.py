"""Principles files of other projects, read into ours and written from ours.

One module a format; `registry` lists them, `export` tells what one cannot hold. To add a format, write a module
with a `FORMAT`, add it to the registry and put an example file beside its test.
"""
