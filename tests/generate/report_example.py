"""A whole `ReportData` made by hand, for tests of the page (and for looking at it)."""

from __future__ import annotations

from generate.report.model import (
    AttributeRow,
    AuditRow,
    CardRow,
    Change,
    CostRow,
    Curve,
    Evaluation,
    FunnelStep,
    Histogram,
    JudgeCard,
    LabelMass,
    Lengths,
    Level,
    Loss,
    Margins,
    Notice,
    PlanRow,
    PolicyRow,
    Positions,
    PrincipleRow,
    Rate,
    ReportData,
    Series,
    StageRow,
    Tile,
    Training,
    Verdict,
)
from generate.report.opinions import BlendView, Fit, Labels, People, PersonRow
from generate.report.views import (
    ChainView,
    CritiqueView,
    Example,
    ResponseView,
    Revisions,
    RoundRow,
    StepView,
    Turn,
)


def _rate(value: float, reach: float = 0.05, count: int = 200) -> Rate:
    return Rate(value, max(0.0, value - reach), min(1.0, value + reach), count)


def _histogram(low: float, high: float, counts: tuple[int, ...]) -> Histogram:
    return Histogram(tuple(round(low + (high - low) * i / len(counts), 4) for i in range(len(counts) + 1)), counts)


def example_pair(text: str, group: str = "surest", *, flipped: bool = False, p: float = 0.97) -> Example:
    critique = CritiqueView("courteous", "yes", "It greets the person and wishes them well at the end.")
    chosen = ResponseView("c1", text, "policy", 2.31, (critique,))
    rejected = ResponseView(
        "r1",
        "Did you ever think before asking? Unplug the kettle and read the manual. That is all you get.",
        "policy",
        -2.2,
        (CritiqueView("courteous", "no", "It scolds the person and ends with a brush-off."),),
        120,
    )
    shown = (0.62, 0.44) if flipped else (0.98, 0.96)
    return Example(
        group,
        "p1",
        (Turn("user", "My kettle no longer works. What should I do?"),),
        chosen,
        rejected,
        p,
        flipped,
        ("courteous",),
        shown,
    )


def example_data() -> ReportData:
    grid = [[0] * 10 for _ in range(10)]
    for i, j, n in (
        (9, 9, 310),
        (8, 9, 64),
        (9, 8, 71),
        (8, 8, 40),
        (7, 8, 22),
        (6, 6, 11),
        (5, 6, 9),
        (3, 8, 6),
        (4, 7, 8),
        (2, 9, 4),
        (7, 3, 2),
        (6, 5, 6),
    ):
        grid[i][j] = n
    attributes = (
        AttributeRow("courteous", _rate(0.34, 0.065), _rate(0.935, 0.035), Change(0.595, 0.52, 0.67), asked=True),
        AttributeRow("blunt", _rate(0.27, 0.06), _rate(0.015, 0.015), Change(-0.255, -0.32, -0.19)),
        AttributeRow("brief", _rate(0.31, 0.06), _rate(0.29, 0.06), Change(-0.02, -0.1, 0.06)),
        AttributeRow("thorough", _rate(0.33, 0.06), _rate(0.38, 0.06), Change(0.05, -0.04, 0.14)),
        AttributeRow("harmless", _rate(0.5, 0.14, 40), _rate(0.55, 0.14, 40), Change(0.05, -0.15, 0.25)),
    )
    steps = [float(s) for s in range(10, 130, 10)]
    loss = Curve(
        "Loss",
        "Cross-entropy with the judge's probabilities; the line can only come down to their own doubt.",
        (
            Series("training", tuple((s, 0.69 - 0.42 * (1 - 2.7 ** (-s / 40))) for s in steps)),
            Series("held out", tuple((s, 0.69 - 0.38 * (1 - 2.7 ** (-s / 40))) for s in steps[::4])),
        ),
    )
    margin = Curve(
        "Reward margin",
        "Chosen minus rejected.",
        (Series("training", tuple((s, 3.1 * (1 - 2.7 ** (-s / 50)) - 0.2) for s in steps)),),
    )
    return ReportData(
        name="courteous-demo",
        created="21 November 2026, 05:40 UTC",
        version="0.1.0",
        principles_name="courteous",
        principles_version="1.0",
        principles_digest="9f2c41d07be35a6688",
        judge=(
            ("Model", "pocket/models/judge"),
            ("Engine", "transformers"),
            ("Reads", "one label token, both orders averaged"),
            ("Principles", "one drawn for each prompt"),
        ),
        policies=(
            ("Model", "pocket/models/policy"),
            ("Engine", "transformers"),
            ("Drawn", "4 responses a prompt at temperature 1"),
        ),
        headline="Courteous replies rose from 34\u202f% to 94\u202f% after training on 287 preference pairs.",
        standfirst="Measured before and after on 200 held-out prompts. The judge compared 1,800 pairs of responses.",
        tiles=(
            Tile("Preference pairs", "287", "from 300 prompts"),
            Tile("Courteous", "+60 points", "34 % to 94 % on held-out prompts"),
            Tile("Position consistency", "96 %", "95 to 97, both orders"),
            Tile("Failures", "0.2 %", "4 of 2,400 calls"),
        ),
        notices=(
            Notice(
                Level.CAUTION,
                "This judge has not been checked against people",
                "No human labels were given, so nothing here says whether people would agree with its verdicts.",
                "Label some of the exported pairs, fifty are a beginning:",
                "tenet labels page runs/courteous-demo",
            ),
            Notice(
                Level.NOTE,
                "Pocket models",
                "The bundled models know only the pocket world. These figures prove that the loop works.",
            ),
            Notice(
                Level.SERIOUS,
                "One call in five gave no verdict",
                "The judge's label mass is low.",
                "Set chat_template_kwargs.",
            ),
        ),
        verdict=Verdict(
            "Do not train on this data yet", "1 serious finding and 1 cautionary finding stand below.", Level.SERIOUS
        ),
        funnel=(
            FunnelStep("Prompts read", 300, "prompts", (Loss("duplicates", 12), Loss("empty", 1))),
            FunnelStep("Responses drawn", 1200, "responses", (Loss("empty", 3), Loss("cut at the token limit", 7))),
            FunnelStep("Pairs compared", 1764, "pairs", (Loss("identical texts", 26),)),
            FunnelStep("Pairs with an opinion", 1762, "pairs", (Loss("low label mass", 2),)),
            FunnelStep(
                "Preference pairs exported",
                287,
                "pairs",
                (Loss("prompts without a margin", 9), Loss("prompts with too few responses", 4)),
            ),
        ),
        principles=(
            PrincipleRow(
                "courteous",
                "The response is courteous: it greets or thanks the person and wishes them well.",
                "principle",
                1.0,
                "",
                180,
                2158,
                1079,
                2,
                _rate(0.96, 0.01),
                _rate(0.971, 0.01),
                2.9,
            ),
            PrincipleRow(
                "no-theft",
                "The response never helps to steal or break what belongs to somebody else.",
                "rule",
                2.0,
                "",
                120,
                1370,
                685,
                0,
                _rate(0.99, 0.01),
                _rate(0.98, 0.01),
                3.8,
            ),
        ),
        outcomes={"first": 1190, "second": 1206, "tie": 0, "low_mass": 4},
        margins=Margins(
            _histogram(0.5, 1.0, (18, 11, 9, 12, 14, 17, 13, 21, 19, 25, 31, 28, 40, 44, 57, 73, 102, 161, 320, 747)),
            0.94,
            0.06,
            1762,
        ),
        positions=Positions(
            1762, 71, 2, _rate(0.96, 0.01), _rate(0.497, 0.015), -0.004, tuple(tuple(row) for row in grid)
        ),
        label_mass=LabelMass(
            _histogram(0.0, 1.0, (0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 1, 2, 8, 11, 20, 40, 120, 310, 3008)), 0.996, 0.93
        ),
        lengths=Lengths(_rate(0.61, 0.05), 214.0, 187.3),
        policy_rows=(PolicyRow("pocket", 600, 900, _rate(0.55)), PolicyRow("pocket-hot", 600, 900, _rate(0.45))),
        trainings=(
            Training(
                "Reward model",
                "reward",
                (
                    ("Pairs", "272 to train on, 15 held out"),
                    ("Held-out accuracy", "97 %"),
                    ("Calibration error", "0.02"),
                ),
                (loss, margin),
            ),
            Training("DPO", "dpo", (("Pairs", "272"), ("β", "0.1"), ("Steps", "120")), (loss, margin)),
        ),
        evaluation=Evaluation(
            "base",
            "trained",
            200,
            attributes,
            _rate(0.88, 0.03),
            "pocket/models/judge",
            self_judged=True,
            facts=(("Words a response", "34 before, 37 after"),),
        ),
        examples=(
            example_pair(
                "Hello, and thank you! Unplug the kettle, let it cool and look at the fuse. I wish you a good day."
            ),
            example_pair("Thank you. Let it cool for an hour.", "middle", p=0.83),
            example_pair("Good day. Let it cool.", "flip", flipped=True, p=0.55),
        ),
        costs=(
            CostRow("Sampling", "pocket/models/policy", 1200, 25200, None, 51000, 21.4),
            CostRow("Judging", "pocket/models/judge", 3528, 912000, 640000, 0, 48.0),
            CostRow("Critiques", "pocket/models/judge", 574, 88100, None, 13800, 19.1),
        ),
        people=People(
            Labels(
                156,
                68,
                (PersonRow("ann", 80, 12, 1, _rate(0.84, 0.1, 60)), PersonRow("bob", 76, 10, 0, None)),
                (("about one principle", 3),),
                _rate(0.93, 0.08, 44),
            ),
            Fit(
                (("Fitted on", "68 labelled pairs of 68 prompts"), ("Log loss", "0.935 before, 0.592 after")),
                Curve(
                    "Said and found",
                    "How often people preferred a response of which the judge said so.",
                    (
                        Series("as the judge gave it", ((0.02, 0.24), (0.5, 0.5), (0.98, 0.76))),
                        Series("as it should be", ((0.0, 0.0), (1.0, 1.0))),
                    ),
                    x_name="what the judge said",
                ),
                (("as the judge gave it", "0.02", "0.24", "50 %"), ("as the judge gave it", "0.98", "0.76", "50 %")),
            ),
            (
                BlendView(
                    "blends/weighted",
                    "weighted",
                    180,
                    68,
                    9,
                    (("the judge", 112, 0.81), ("both, weighed", 68, 0.91)),
                    (("neither response is likelier to be better", 15),),
                    "by principle, seed 0",
                    (("trl-preference/train-00000.parquet", 172, "a612" * 16),),
                ),
            ),
        ),
        revisions=Revisions(
            120,
            60,
            49,
            11,
            (RoundRow(1, 120, {"left alone": 60, "rewritten": 60}),),
            (
                ChainView(
                    "p1",
                    (Turn("user", "Where do I keep my kite?"),),
                    "On a shelf.",
                    "policy",
                    (StepView(1, "courteous", "no", "It greets nobody.", "rewritten", "Hello! On a shelf."),),
                    0.98,
                ),
            ),
        ),
        judge_cards=(
            JudgeCard(
                "judge",
                (
                    CardRow(
                        "accuracy", "Accuracy", "Verdicts that say what most people say", "64.8 %", "54.3 % to 75.4 %"
                    ),
                    CardRow("alt_test", "Alt test", "May it replace a person?", "", "", "too few people"),
                ),
                ("Few labels: people have an opinion of 68 pairs; the intervals are wide.",),
                68,
                3,
            ),
        ),
        audits=(
            AuditRow(
                "injection", "verdicts turned", "+3.1", "+0.4 to +9.0", "at most +10.0", "holds", "attacks turned 10 %"
            ),
        ),
        plans=(
            PlanRow("Sampling", "calls", "1,200", "1,200"),
            PlanRow("Judging", "calls", "3,500 (3,400-3,600)", "3,528"),
            PlanRow("Judging", "prompt tokens", "at most 0.95 M", "0.91 M"),
        ),
        currency="USD",
        made=(("Begun", "21 November 2026, 05:40 UTC"), ("Commands", "tenet generate run.yaml")),
        stages=(
            StageRow("samples", 1200, 0, 3),
            StageRow("judgements", 3524, 4, 3),
            StageRow("critiques", 574, 0, 3),
            StageRow("pairs", 287, 0, 3),
        ),
        files=(("dataset/train.parquet", "5e1f" * 16), ("dataset/test.parquet", "90ab" * 16)),
        fingerprint='{\n  "judge": {"engine": "transformers"}\n}',
        config="name: courteous-demo\nseed: 0\n",
    )
