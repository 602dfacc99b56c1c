"""Whether a judge is independent of what it judges: by weights, by the models that it and others were trained from, and by labels.

A verdict on a policy is *self-judged* where the judge made labels that the policy was trained on (the policy follows it, whoever is
right), where it shares a base model with a judge that did, or where it shares one with the policy (models prefer their own kind:
Panickssery et al. 2024, arXiv:2404.13076). What is known of a model is its revision (a digest of its weights), the models that its
config.json and its train.json, and theirs in turn, say it began with, and the judges and reward models in these records. A model whose
records are gone, or that was trained elsewhere and renamed, is not recognised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.loading import folder_revision
from judges.audit.families import Kinship, family, kinship
from tenet.bundled import model_folder
from tenet.errors import InvalidInput
from tenet.ids import Json
from train.folder import read_record
from train.provenance import Origin

_DEPTH: Final = 16
_TEACHERS: Final = ("reward", "reward_model", "judge")
"""Keys of a training's configuration that name a model whose rewards it learnt from: a path, or a mapping with `model`."""


@dataclass(frozen=True)
class Identity:
    """What one model is known by: its name, and its revision where that is known."""

    name: str
    revision: str = ""

    def same(self, other: Identity) -> bool:
        """Whether two are one model, whatever hosts it: by revision where both have one, else by name."""
        if self.revision and other.revision:
            return self.revision == other.revision
        return bool(self.name) and self.name == other.name


@dataclass(frozen=True)
class Ancestry:
    """A model, the models that it was trained from one after the other, and those whose labels or rewards any of these learnt from."""

    own: Identity
    before: tuple[Identity, ...] = ()
    teachers: tuple[Ancestry, ...] = ()

    def shares_model(self, other: Ancestry) -> bool:
        """Whether the two have a model in common: themselves, or one that they were trained from."""
        return any(mine.same(theirs) for mine in (self.own, *self.before) for theirs in (other.own, *other.before))


def ancestry_of(model: str, fingerprint: Mapping[str, Json] | None = None) -> Ancestry:
    """What is known of a model, by its folder or hub id, and by the fingerprint that an engine gives of it."""
    return _ancestry(model, fingerprint, 0)


def self_judged(judge: Ancestry, policies: Sequence[Ancestry]) -> list[str]:
    """Why a judge of these policies is not independent; empty where no reason is known.

    Args:
        judge: that of the judging model.
        policies: those of the trained policy and of what it is compared with.
    """
    teachers = [teacher for policy in policies for teacher in policy.teachers]
    second = [one for teacher in teachers for one in teacher.teachers]
    reasons = []
    if any(judge.own.same(teacher.own) for teacher in teachers):
        reasons.append("this judge also made the labels or rewards that the model was trained on")
    elif any(judge.own.same(one.own) for one in second):
        reasons.append("this judge also made the labels of the reward model that the model was trained by")
    elif any(own.own.same(one.own) for own in judge.teachers for one in (*teachers, *second)):
        reasons.append("this judge learnt from the labels of the judge that the model was trained by")
    elif any(judge.shares_model(one) for one in (*teachers, *second)):
        reasons.append("this judge has a base model in common with the judge that the model was trained by")
    if any(judge.shares_model(policy) for policy in policies):
        reasons.append("this judge has a base model in common with the policy that it judges")
    return reasons


def same_family(judge: str, policies: Sequence[str]) -> str:
    """The family of models that a judge and a policy belong to by their names alone; empty where none is known."""
    return family(judge) if any(kinship(judge, one) is Kinship.SAME_FAMILY for one in policies) else ""


def _ancestry(model: str, fingerprint: Mapping[str, Any] | None, depth: int) -> Ancestry:
    folder = model_folder(model)
    there = bool(model) and folder.is_dir()
    if fingerprint:
        own = Identity(str(fingerprint.get("model") or ""), str(fingerprint.get("revision") or ""))
    else:
        own = Identity(folder.resolve().name, folder_revision(folder)) if there else Identity(model)
    if not there or depth >= _DEPTH:
        return Ancestry(own)
    before: list[Identity] = []
    teachers: list[Ancestry] = []
    for parent in _parents(folder, depth):
        before += [parent.own, *parent.before]
        teachers += parent.teachers
    return Ancestry(own, tuple(dict.fromkeys(before)), tuple(dict.fromkeys((*teachers, *_teachers(folder, depth)))))


def _parents(folder: Path, depth: int) -> list[Ancestry]:
    """The models that a folder says its own began with."""
    found = []
    record = _record(folder)
    begun = (record.get("identity") or {}).get("model")
    if isinstance(begun, Mapping):
        path = str((record.get("config") or {}).get("model") or "")
        known = _ancestry(path, None, depth + 1)
        # The folder may hold other weights by now than those that the training began with: then the record counts.
        said = Identity(str(begun.get("name") or ""), str(begun.get("revision") or ""))
        found.append(known if known.own.same(said) else Ancestry(said))
    name = _config(folder).get("_name_or_path")
    if isinstance(name, str) and name and Path(name).expanduser().resolve() != folder.resolve():
        found.append(_ancestry(name, None, depth + 1))
    return found


def _teachers(folder: Path, depth: int) -> list[Ancestry]:
    """The judges and reward models that a folder's training learnt from."""
    record = _record(folder)
    judge = Origin.of_json(record["origin"]).judge_model if isinstance(record.get("origin"), Mapping) else None
    found = [_ancestry("", judge, depth + 1)] if judge else []
    config = record.get("config") or {}
    for key in _TEACHERS:
        value = config.get(key)
        named = value.get("model") if isinstance(value, Mapping) else value
        if isinstance(named, str) and named:
            found.append(_ancestry(named, None, depth + 1))
    return found


def _record(folder: Path) -> Mapping[str, Any]:
    """The train.json of a folder; of a checkpoint, that of the training it belongs to."""
    for place in (folder, folder.parent.parent if folder.parent.name == "checkpoints" else folder):
        try:
            if (record := read_record(place)) is not None:
                return record
        except InvalidInput:
            continue
    return {}


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
