"""Random constitutions, to be written and read back."""

from __future__ import annotations

from hypothesis import strategies as st

from constitution.model import Condition, Constitution, Example, Principle, PrincipleTest, Status, Tier

# Signs that mean something to YAML, JSON, CSV or Markdown, between letters of several scripts.
SIGNS = "ab Zß字🙂 \t\"'`\\#*-_+=~:;,.!?|<>[](){}&@%$/0123456789\n"
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
LINES = st.one_of(
    st.text(SIGNS, min_size=1, max_size=60),
    st.text(SIGNS, min_size=150, max_size=400),
    st.sampled_from(
        ["true", "no", "1.5", "# a\n\n\n- b\\", "1. a\n2. b", "a\n===", "a  \n  b", "**Weight:** 2", "---"]
    ),
)


def stripped(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts.map(str.strip).filter(bool)


SLUGS = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,3}", fullmatch=True)


@st.composite
def principles(draw: st.DrawFn, id_: str, texts: st.SearchStrategy[str]) -> Principle:
    overrides = st.none() | texts
    examples = st.lists(st.builds(Example, texts, texts), max_size=2).map(tuple)
    conditions = st.builds(
        Condition,
        st.lists(SLUGS | texts, min_size=1, max_size=2, unique=True).map(tuple),
        st.lists(SLUGS, max_size=2, unique=True).map(tuple),
    )
    applies_when = tuple(draw(st.lists(conditions, max_size=2)))
    tests = ()
    if draw(st.booleans()):
        tags = applies_when[0].any_tags + applies_when[0].all_tags if applies_when else ()
        tests = (PrincipleTest(draw(texts), "better", draw(texts) + " worse", tuple(dict.fromkeys(tags))),)
    return Principle(
        id=id_,
        text=draw(texts),
        compare=draw(overrides),
        critique=draw(overrides),
        revise=draw(overrides),
        weight=draw(st.sampled_from([1.0, 2.0, 0.1, 1e-7, 1e22, 12.5])),
        tier=draw(st.sampled_from(Tier)),
        applies_when=applies_when,
        examples=draw(examples),
        counterexamples=draw(examples),
        tests=tests,
        source=draw(st.just("") | texts),
        status=draw(st.sampled_from(Status)),
    )


@st.composite
def constitutions(draw: st.DrawFn, texts: st.SearchStrategy[str] = stripped(LINES)) -> Constitution:  # noqa: B008
    ids = draw(st.lists(SLUGS, min_size=1, max_size=4, unique=True))
    made = [draw(principles(id_, texts)) for id_ in ids]
    if all(one.status is not Status.ACTIVE for one in made):
        made.append(Principle(id="zz-active", text="The response is kind."))
    return Constitution(
        name=draw(SLUGS),
        version=draw(st.sampled_from(["", "1.0", "no"])),
        description=draw(st.just("") | texts),
        licence=draw(st.sampled_from(["", "CC0-1.0"])),
        principles=tuple(made),
    )
