"""Files of opinions, of people and of recorded judges, read into one kind of row: `judges.formats.registry` names the formats."""
