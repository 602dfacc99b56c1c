"""The page: figures worked by hand, notices that fire when they should, and no text that escapes from its place."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from generate.report import headline, notices, plots, words
from generate.report.examples import CLOSEST, FLIPPED, RANDOM, SUREST, pick
from generate.report.findings import Findings
from generate.report.model import Change, Curve, Histogram, Level, Rate, ReportData, Series
from generate.report.opinions import People
from generate.report.render import render
from generate.report.tally import HistogramTally, MeanTally, RateTally, merge
from generate.report.verdicts import VerdictTally, questions
from tenet.intervals import wilson
from tenet.records import Judgement, Outcome, Preference, PreferencePair, Ranking
from tests.generate.report_example import example_data, example_pair

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    '"><svg onload=alert(1)>',
    "<svg><script>alert(1)</script></svg>",
    "javascript:alert(1)",
    '<a href="javascript:alert(1)">x</a>',
    "<iframe src=javascript:alert(1)></iframe>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<!--<script>alert(1)</script>-->",
    "]]><script>alert(1)</script>",
    "{{ 7 * 7 }}{% for x in y %}",
    "<meta http-equiv=refresh content='0;url=https://example.org'>",
    "<base href=https://example.org/>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<ScRiPt>alert(1)</sCrIpT>",
    "\u2028<script>\u2029alert(1)</script>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
]


class _Page(HTMLParser):
    """Collects tags, attribute names, attribute values and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.values: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)
        self.values += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def hostile_everywhere(text: str) -> ReportData:
    data = example_data()
    assert data.evaluation is not None
    assert data.people is not None
    assert data.people.labels is not None
    assert data.people.fit is not None
    assert data.revisions is not None
    pair = example_pair(text, text)
    view = replace(
        pair.chosen, policy=text, critiques=tuple(replace(c, principle=text, text=text) for c in pair.chosen.critiques)
    )
    return replace(
        data,
        name=text,
        principles_name=text,
        headline=text,
        standfirst=text,
        fingerprint=text,
        config=text,
        created=text,
        judge=((text, text),),
        outcomes={text: 3},
        files=((text, text),),
        verdict=replace(data.verdict, title=text, body=text),
        notices=tuple(replace(one, title=text, body=text, mend=text, command=text) for one in data.notices),
        people=People(
            replace(data.people.labels, rows=tuple(replace(row, name=text) for row in data.people.labels.rows)),
            replace(data.people.fit, facts=((text, text),), points=((text,) * 4,)),
            tuple(
                replace(
                    one,
                    name=text,
                    settings=text,
                    sources=((text, 1, 0.5),),
                    dropped=((text, 1),),
                    files=((text, 1, text),),
                )
                for one in data.people.blends
            ),
        ),
        trainings=tuple(
            replace(
                one,
                kind=text,
                name=text,
                facts=((text, text),),
                curves=tuple(replace(curve, series=(replace(curve.series[0], label=text),)) for curve in one.curves),
            )
            for one in data.trainings
        ),
        judge_cards=tuple(
            replace(
                card,
                name=text,
                warnings=(text,),
                rows=tuple(replace(row, title=text, reason=text) for row in card.rows),
            )
            for card in data.judge_cards
        ),
        audits=tuple(replace(row, name=text, says=text, result=text) for row in data.audits),
        revisions=replace(
            data.revisions,
            rounds=(replace(data.revisions.rounds[0], outcomes={text: 1}),),
            chains=tuple(
                replace(
                    one,
                    turns=(replace(one.turns[0], text=text),),
                    original=text,
                    policy=text,
                    steps=tuple(
                        replace(step, principle=text, verdict="no", critique=text, outcome=text, text=text)
                        for step in one.steps
                    ),
                )
                for one in data.revisions.chains
            ),
        ),
        plans=tuple(replace(row, stage=text, planned=text) for row in data.plans),
        costs=tuple(replace(row, stage=text, model=text) for row in data.costs),
        stages=tuple(replace(row, name=text) for row in data.stages),
        made=((text, text),),
        currency=text,
        principles=tuple(replace(row, id=text, text=text) for row in data.principles),
        funnel=tuple(
            replace(step, name=text, unit=text, lost=tuple(replace(loss, reason=text) for loss in step.lost))
            for step in data.funnel
        ),
        evaluation=replace(
            data.evaluation,
            base_name=text,
            judge=text,
            rows=tuple(replace(row, name=text) for row in data.evaluation.rows),
        ),
        examples=(
            replace(
                pair,
                chosen=view,
                principles=(text,),
                turns=(replace(pair.turns[0], text=text), replace(pair.turns[0], role=text)),
            ),
        ),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_models_and_users_cannot_leave_their_place(text: str) -> None:
    plain, page = _Page(render(example_data())), _Page(render(hostile_everywhere(text)))
    assert page.tags <= plain.tags
    assert page.names <= plain.names
    assert not any(name.startswith("on") for name in page.names)
    assert "script" not in page.tags
    assert all(value.startswith("#") for name, value in page.values if name == "href")
    assert any(text.strip() in shown for shown in page.texts)


def test_page_loads_nothing_and_forbids_scripts() -> None:
    html = render(example_data())
    page = _Page(html)
    policy = next(value for name, value in page.values if name == "content" and "default-src" in value)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not {"script", "link", "img", "iframe", "object"} & page.tags
    assert not {"src", "srcset", "xlink:href", "action"} & page.names
    assert "url(" not in html
    assert "http://" not in html.replace("http://www.w3.org/", "")
    assert "https://" not in html


def test_page_of_a_run_without_training_evaluation_or_verdicts() -> None:
    data = replace(
        example_data(),
        trainings=(),
        evaluation=None,
        margins=None,
        positions=None,
        label_mass=None,
        lengths=None,
        examples=(),
        costs=(),
        stages=(),
        files=(),
        funnel=(),
        tiles=(),
        notices=(),
        policies=(),
        policy_rows=(),
        outcomes={},
        judge=(),
        people=None,
        revisions=None,
        judge_cards=(),
        audits=(),
        plans=(),
        made=(),
    )
    html = render(data)
    assert "This run has recorded nothing yet." in html
    assert 'id="training"' not in html
    assert 'href="#training"' not in html


def test_equal_data_give_equal_pages() -> None:
    assert render(example_data()) == render(example_data())


def test_every_plot_has_its_numbers_in_a_table() -> None:
    html = render(example_data())
    sections = html.split("<section ")[1:]
    drawn = [section for section in sections if 'role="img"' in section and 'id="pairs"' not in section]
    assert len(drawn) == 5
    assert all("<summary>The numbers</summary>" in section for section in drawn)


def test_anchors_of_the_contents_exist() -> None:
    page = _Page(render(example_data()))
    ids = {value for name, value in page.values if name == "id"}
    assert {value[1:] for name, value in page.values if name == "href"} <= ids


# --- figures


def test_wilson_against_numbers_worked_by_hand() -> None:
    # 8 of 10: (0.8 + 1.9208/10) / (1 + 3.8415/10) -+ 1.96 sqrt(0.016 + 0.9604/100) / 1.38415
    low, high = wilson(0.8, 10)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert wilson(0.5, 0) == (0.0, 1.0)
    assert wilson(0.0, 10)[0] == pytest.approx(0.0)
    assert wilson(0.0, 10)[1] == pytest.approx(3.8415 / 13.8415, abs=1e-4)


def test_a_rate_of_single_units_is_wilson_of_the_units() -> None:
    tally = RateTally()
    for hit in [1] * 80 + [0] * 20:
        tally.add(hit, 1)
    rate = tally.rate
    assert rate is not None
    low, high = wilson(0.8, 99)  # n_eff = p(1-p) / (n/(n-1) p(1-p) / n) = n - 1
    assert (rate.value, rate.count) == (0.8, 100)
    assert (rate.low, rate.high) == pytest.approx((low, high))


def test_units_of_one_prompt_count_as_one_where_they_all_agree() -> None:
    tally = RateTally()
    for hit in [1] * 8 + [0] * 2:
        tally.add(10 * hit, 10)
    rate = tally.rate
    assert rate is not None
    assert rate.count == 100
    assert (rate.low, rate.high) == pytest.approx(wilson(0.8, 9))


def test_a_rate_of_all_is_bounded_by_the_number_of_prompts() -> None:
    tally = RateTally()
    for _ in range(5):
        tally.add(6, 6)
    tally.add(0, 0)
    rate = tally.rate
    assert rate is not None
    assert (rate.low, rate.high) == pytest.approx(wilson(1.0, 5))
    assert RateTally().rate is None


def test_histogram_bins_and_quantiles() -> None:
    tally = HistogramTally(0.5, 1.0, 10)
    for value in (0.5, 0.549, 0.55, 0.999, 1.0, 0.2):
        tally.add(value)
    assert tally.counts == [3, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert tally.histogram.edges[:3] == (0.5, 0.55, 0.6)
    assert tally.quantile(0.5) == pytest.approx(0.55)
    assert HistogramTally(0, 1, 4).quantile(0.5) is None
    assert merge(tally.histogram, 5) == Histogram((0.5, 0.6, 0.7, 0.8, 0.9, 1.0), (4, 0, 0, 0, 2))
    with pytest.raises(ValueError, match="cannot be merged"):
        merge(tally.histogram, 3)
    assert MeanTally().mean is None


def judgement(
    first: str, second: str, p: float | None, principle: str = "kind", outcome: Outcome | None = None
) -> Judgement:
    if outcome is None:
        assert p is not None
        outcome = Outcome.FIRST if p > 0.5 else Outcome.SECOND if p < 0.5 else Outcome.TIE
    return Judgement(f"{first}{second}{principle}", "p", first, second, "j", outcome, p, 0.99, principle)


def test_questions_join_the_two_orders() -> None:
    asked = questions(
        [
            judgement("a", "b", 0.9),
            judgement("b", "a", 0.3),
            judgement("b", "c", 0.6),
            judgement("c", "b", None, outcome=Outcome.LOW_MASS),
        ]
    )
    assert [(q.a_id, q.b_id) for q in asked] == [("a", "b"), ("b", "c")]
    assert asked[0].opinions == pytest.approx((0.9, 0.7))
    assert asked[0].agreed
    assert asked[1].p_shown_b is None
    assert not asked[1].agreed


def test_verdicts_add_up() -> None:
    tally = VerdictTally()
    told = [
        judgement("a", "b", 0.9),
        judgement("b", "a", 0.3),
        judgement("b", "c", 0.8),
        judgement("c", "b", 0.6),
        judgement("a", "c", 0.7),
        judgement("c", "a", None, outcome=Outcome.ERROR),
    ]
    preferences = [
        Preference("p", "a", "b", 0.8, 0.9, 0.7, False, 2, ("kind",)),
        Preference("p", "b", "c", 0.6, 0.8, 0.4, True, 2, ("kind",)),
        Preference("p", "a", "c", 0.7, 0.7, None, False, 1, ("kind",)),
    ]
    tally.add(told, preferences, Ranking("p", ("a", "b", "c"), (1.0, 0.0, -1.0)))
    assert dict(tally.outcomes) == {"first": 4, "second": 1, "error": 1}
    positions = tally.positions
    assert positions is not None
    assert (positions.questions, positions.flips, positions.single) == (2, 1, 1)
    assert positions.consistency.value == 0.5
    assert positions.first_slot.value == pytest.approx(4 / 5)
    assert positions.mean_gap == pytest.approx((0.4 - 0.2 + 0.3 + 0.1 + 0.2) / 5)
    assert positions.grid[7][9] == 1  # a: 0.9 shown first, 0.7 shown second
    assert positions.grid[4][8] == 1  # b: 0.8 shown first, 0.4 shown second
    margins = tally.margins
    assert margins is not None
    assert margins.pairs == 3
    assert margins.close_share == 0.0
    kind = tally.principles["kind"]
    assert (kind.prompts, kind.asked, kind.questions, kind.failures) == (1, 6, 3, 1)
    assert kind.followed.rate is not None
    assert kind.followed.rate.value == 1.0
    assert kind.strength.mean == pytest.approx((math.log(4) + math.log(1.5) + math.log(7 / 3)) / 3)


# --- notices and headline


def findings(**values: object) -> Findings:
    return replace(Findings(prompts=300, pairs=250, calls=3000, failed=3), **values)  # type: ignore[arg-type]


def titles(found: Findings) -> list[str]:
    return [notice.title for notice in notices.notices(found)]


def test_a_judge_without_anchors_is_called_unvalidated() -> None:
    assert titles(findings()) == ["This judge has not been checked against people"]
    assert titles(findings(anchors=50)) == []


def test_the_most_serious_notice_comes_first() -> None:
    data = example_data()
    assert data.positions is not None
    shaky = replace(data.positions, consistency=Rate(0.5, 0.45, 0.55, 900), first_slot=Rate(0.8, 0.75, 0.85, 1800))
    found = notices.notices(
        findings(positions=shaky, failed=700, pairs=40, pocket=True, owed=12, resume="tenet generate run.yaml")
    )
    assert [n.level for n in found] == sorted(
        (n.level for n in found), key=[Level.SERIOUS, Level.CAUTION, Level.NOTE].index
    )
    assert found[0].level is Level.SERIOUS
    assert {n.title for n in found} >= {
        "Many calls without an opinion",
        "Few pairs",
        "This run is not finished",
        "Pocket models",
        "The judge favours the response shown first",
    }
    assert any(n.command == "tenet generate run.yaml" for n in found)
    assert all(n.command for n in found if n.level is not Level.NOTE)


def test_length_is_no_bias_where_a_principle_asks_for_it() -> None:
    data = example_data()
    assert data.lengths is not None
    lengths = replace(data.lengths, longer_chosen=Rate(0.1, 0.05, 0.15, 200))
    asks_length = replace(data.principles[0], text="The response is brief: one or two sentences.")
    assert "The shorter response usually wins" in titles(findings(lengths=lengths))
    assert "The shorter response usually wins" not in titles(findings(lengths=lengths, principles=(asks_length,)))


def test_headlines() -> None:
    data = example_data()
    assert headline.headline(findings(evaluation=data.evaluation)).replace("\u202f", " ") == (
        "Courteous replies rose from 34 % to 94 % after training on 250 preference pairs."
    )
    assert data.evaluation is not None
    unsure = replace(data.evaluation, rows=(replace(data.evaluation.rows[0], change=Change(0.6, -0.1, 0.7)),))
    assert headline.headline(findings(evaluation=unsure)).endswith("which may be chance.")
    assert headline.headline(findings()) == "250 preference pairs from 300 prompts."
    assert headline.headline(findings(pairs=0)) == "No preference pairs yet."


# --- words and geometry


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.934, "93 %"),
        (0.999, "99.9 %"),
        (0.9999, ">99.9 %"),
        (0.002, "0.2 %"),
        (0.0001, "<0.1 %"),
    ],
)
def test_percent_never_rounds_to_all_or_none(share: float, text: str) -> None:
    assert words.percent(share).replace("\u202f", " ") == text


def test_words() -> None:
    assert words.points(0.584) == "+58"
    assert words.points(-0.3) == "\u221230"
    assert words.points(0.001) == "±0"
    assert words.seconds(200).replace("\u202f", " ") == "3 min 20 s"
    assert words.seconds(7500).replace("\u202f", " ") == "2 h 5 min"
    assert words.tokens(912_000).replace("\u202f", " ") == "912 k"
    assert words.tokens(4_560_000).replace("\u202f", " ") == "4.56 M"


@pytest.mark.parametrize(
    ("low", "high", "most"), [(0, 747, 4), (-0.2, 2.7, 4), (0, 0, 5), (3, 3, 5), (0.0011, 0.0019, 5), (0, 1e9, 5)]
)
def test_ticks_cover_the_range_with_few_round_numbers(low: float, high: float, most: int) -> None:
    found = plots.ticks(low, high, most)
    assert found[0] <= low + 1e-12
    assert found[-1] >= high - 1e-12
    assert 2 <= len(found) <= most + 3


def test_bars_fill_the_width() -> None:
    plot = plots.bars(Histogram((0.0, 0.5, 1.0), (3, 6)), "x", str, height=100)
    assert [(bar.x, bar.width) for bar in plot.bars] == [(0.0, 50.0), (50.0, 50.0)]
    assert plot.bars[1].height == 100 * 6 / 6
    assert plot.bars[0].y == 50.0
    empty = plots.bars(Histogram((0.0, 1.0), (0,)), "x", str)
    assert empty.bars[0].height == 0


def test_lines_leave_out_what_is_not_finite() -> None:
    curve = Curve("loss", "", (Series("training", ((0.0, 1.0), (1.0, math.nan), (2.0, 0.0))), Series("held out", ())))
    plot = plots.lines(curve)
    assert plot is not None
    assert [path.path for path in plot.paths] == ["M0.00 0.00 L100.00 100.00"]
    assert plots.lines(Curve("loss", "", (Series("training", ((0.0, math.inf),)),))) is None
    assert plots.lines(Curve("loss", "", (Series("training", ((5.0, 2.0),)),))) is not None


# --- examples


def pair(i: int, p: float, *, flipped: bool = False, prompt: int | None = None) -> PreferencePair:
    return PreferencePair(
        f"{i:024x}",
        f"prompt{i if prompt is None else prompt}",
        f"c{i}",
        f"r{i}",
        p,
        1.0,
        1.0,
        -1.0,
        "ai",
        ("kind",),
        flipped,
        2,
    )


def test_examples_are_picked_by_rule_and_never_twice() -> None:
    pairs = [pair(i, 0.5 + i / 400, flipped=i % 50 == 3) for i in range(200)]
    picks = pick(pairs)
    assert picks == pick(list(reversed(pairs)))
    assert len({one.pair.id for one in picks}) == len(picks)
    groups = {group: [one.pair for one in picks if one.group == group] for group in (SUREST, RANDOM, CLOSEST, FLIPPED)}
    assert [one.p_chosen for one in groups[SUREST]] == [0.5 + 199 / 400, 0.5 + 198 / 400]
    assert [one.p_chosen for one in groups[CLOSEST]] == [0.5, 0.5 + 1 / 400]
    assert all(one.flipped for one in groups[FLIPPED])
    assert len(groups[RANDOM]) == 4


def test_examples_prefer_other_prompts_and_small_ids() -> None:
    picks = pick(
        [pair(i, 0.9, prompt=0) for i in range(30)] + [pair(99, 0.8)], surest=2, random=0, closest=1, flipped=2
    )
    assert [one.pair.id for one in picks if one.group == SUREST] == [f"{0:024x}", f"{1:024x}"]
    assert [one.pair.prompt_id for one in picks if one.group == CLOSEST] == ["prompt99"]
    assert pick([]) == []
