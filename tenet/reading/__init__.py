"""Reads what people bring: rows out of files, turns out of values, text that every later stage can carry.

`rows` opens a file in any of the formats and yields one value a row; `turns` makes messages of such a value;
`transcript` knows the `Human:` / `Assistant:` form; `clean` removes what Parquet, SQLite and tokenizers
refuse. Nothing here knows what the rows are for.
"""
