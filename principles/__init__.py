"""The principles files that come with Tenet: YAML beside this module, found by `constitution.sources.shipped`."""
