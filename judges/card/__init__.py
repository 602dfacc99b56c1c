"""Judge cards: how far the judges of a run may be trusted, by the run's own rows and the labels of people beside them."""
