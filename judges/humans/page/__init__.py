"""The labelling page: a local web page on which people compare two responses."""
