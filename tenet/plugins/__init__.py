"""Plug-ins: judges, engines, importers, exporters and trainers that other distributions bring. Import from here.

A distribution names what it brings as an entry point of a group, `tenet.judges` for one; nothing is imported before a name is asked for.
Knows names and versions of what is installed, and nothing of what a plug-in of a kind has to be: the registries say that.
"""

from tenet.plugins.entries import Kind, Plugin, find, installed, names, versions_of

__all__ = ["Kind", "Plugin", "find", "installed", "names", "versions_of"]
