"""A project's folder as `tenet init` writes it. Import from `generate.project.write`."""
