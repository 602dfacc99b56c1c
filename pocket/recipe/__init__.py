"""How the two bundled checkpoints are made: tokenizer, training data, packed batches, training loops. Used by `pocket.build` only."""
