"""Tenet's ground floor: records, ids, errors, configuration, run folders, workers, the command line. Knows nothing of judging."""
