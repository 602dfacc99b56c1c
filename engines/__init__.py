"""Hosts of models behind one small interface (`engines.base`), and the prompts that go into them (`engines.prompting`)."""
