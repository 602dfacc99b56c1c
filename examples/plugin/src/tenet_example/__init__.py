"""An example plug-in for Tenet: a judge, an importer and an exporter."""
