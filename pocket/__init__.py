"""The pocket world: a help desk small enough to know the truth about, and two tiny models that live in it.

Nothing imports this package but the demo, the tests and the benchmarks. Importing it costs nothing: the models are only paths here.
"""

from pathlib import Path

POLICY_PATH: Path = Path(__file__).resolve().parent / "models" / "policy"
JUDGE_PATH: Path = Path(__file__).resolve().parent / "models" / "judge"
