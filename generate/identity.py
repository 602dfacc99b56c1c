"""What makes a generation run the run it is: the fingerprint's three parts, from the seed, the models, the principles and the plug-ins.

What may change on the same run (which pairs are chosen, whether critiques are written, what is exported) is in no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generate.intake import Input
from generate.panel import Member
from generate.sampling import Policy
from judges.registry import AnyJudge
from tenet.ids import Json
from tenet.plugins import Kind
from tenet.runconfig import RunConfig
from tenet.runs import Fingerprint, versions

PRINCIPLES = "principles"
MEMBERS = "members"


def fingerprint(
    config: RunConfig, policies: Sequence[Policy], judge: AnyJudge, found: Input, members: Sequence[Member] = ()
) -> Fingerprint:
    """The fingerprint of a run; the principles, the prompts and the members of a panel are its growth."""
    identity: dict[str, Json] = {"seed": config.seed}
    for policy in policies:
        identity[f"policy {policy.name}"] = policy.identity
    growth: dict[str, Json] = {PRINCIPLES: judge.constitution.digest, "prompts": found.digest}
    if members:
        identity["judge"] = {"kind": "panel", "mode": judge.mode.value, "seed": judge.seed}
        growth[MEMBERS] = {one.key: one.judge.fingerprint for one in members}
    else:
        identity["judge"] = judge.fingerprint
    return Fingerprint(identity, growth, versions(_used(config)))


def _used(config: RunConfig) -> Iterator[tuple[Kind, str]]:
    """What of a run plug-ins may bring, and another version of theirs may do otherwise."""
    for judge in config.judge.asked:
        yield Kind.JUDGES, judge.kind
        yield Kind.ENGINES, judge.engine
    for policy in config.policies:
        yield Kind.ENGINES, policy.engine
