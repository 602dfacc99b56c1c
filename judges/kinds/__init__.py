"""Kinds of judges that are not asked about two responses: about one alone, or about all of a prompt's at once."""
