"""A local page over the pairs of one or many runs: searched, filtered, read and compared."""
