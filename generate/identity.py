"""What makes a generation run the run it is: the fingerprint's three parts, from the seed, the models and the principles.

What may change on the same run (which pairs are chosen, whether critiques are written, what is exported) is in no part.
"""

from __future__ import annotations

from collections.abc import Sequence

from generate.intake import Input
from generate.panel import Member
from generate.sampling import Policy
from judges.registry import AnyJudge
from tenet.ids import Json
from tenet.runs import Fingerprint, versions

PRINCIPLES = "principles"
MEMBERS = "members"


def fingerprint(
    seed: int, policies: Sequence[Policy], judge: AnyJudge, found: Input, members: Sequence[Member] = ()
) -> Fingerprint:
    """The fingerprint of a run; the principles, the prompts and the members of a panel are its growth."""
    identity: dict[str, Json] = {"seed": seed}
    for policy in policies:
        identity[f"policy {policy.name}"] = policy.identity
    growth: dict[str, Json] = {PRINCIPLES: judge.constitution.digest, "prompts": found.digest}
    if members:
        identity["judge"] = {"kind": "panel", "mode": judge.mode.value, "seed": judge.seed}
        growth[MEMBERS] = {one.key: one.judge.fingerprint for one in members}
    else:
        identity["judge"] = judge.fingerprint
    return Fingerprint(identity, growth, versions())
