"""Lint: what a principles file gets away with when it is loaded, and should not. `check` loads, `lint` reads it as a reviewer would.

Rules are grouped in one small module a family (`wording`, `pairs`, `effect`, `upkeep`, `silence`), listed in `rules.RULES`. To add
one, write a function from a `Subject` to hits, give it a `Rule` with an id that is never used again, and add a broken file to
`tests/constitution/broken/`.
"""
