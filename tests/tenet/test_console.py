"""Words, data, tables and the progress line come out where and as they should."""

from __future__ import annotations

import json
import os
from io import StringIO

import pytest

from tenet.console import Console, Progress, cell_text, draw_table, duration, harmless, has_colour, plural


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def console(
    *, terminal: bool = False, json: bool = False, quiet: bool = False
) -> tuple[Console, StringIO, StringIO, Clock]:
    out, err, clock = StringIO(), Terminal() if terminal else StringIO(), Clock()
    return Console(json=json, quiet=quiet, out=out, err=err, clock=clock), out, err, clock


def test_words_go_to_stderr_and_data_to_stdout() -> None:
    con, out, err, _ = console()
    con.say("hello")
    con.data("result\n")
    con.data({"é": 1})
    assert err.getvalue() == "hello\n"
    assert out.getvalue() == 'result\n{\n  "é": 1\n}\n'


def test_a_table_and_its_json_twin() -> None:
    rows = [["a", 1200, 0.5, None], ["long name", 3, 12.25, True]]
    con, out, _, _ = console()
    con.table(["name", "rows", "p", "ok"], rows, title="Runs")
    lines = out.getvalue().splitlines()
    assert lines[0] == "Runs"
    assert [line.split() for line in lines if "1,200" in line] == [["a", "1,200", "0.500"]]
    assert [line.split() for line in lines if "long" in line] == [["long", "name", "3", "12.250", "yes"]]
    assert "\x1b" not in out.getvalue()
    con, out, _, _ = console(json=True)
    con.table(["name", "rows", "p", "ok"], rows)
    assert json.loads(out.getvalue())[0] == {"name": "a", "rows": 1200, "p": 0.5, "ok": None}


def test_markup_in_cells_stays_text() -> None:
    con, out, _, _ = console()
    con.table(["[bold]x"], [["[red]no[/red] :smile:"]])
    assert "[red]no[/red] :smile:" in out.getvalue()
    assert "[bold]x" in out.getvalue()


def test_no_color_and_dumb_terminals_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_colour(Terminal())
    assert not has_colour(StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colour(Terminal())


def test_colour_can_be_forced_into_a_pipe_and_no_color_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert has_colour(StringIO())
    con, out, _, _ = console()
    con.table(["name"], [["a"]])
    assert "\x1b[1m" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour(Terminal())
    monkeypatch.setenv("NO_COLOR", "")  # both standards: an empty value says nothing
    monkeypatch.setenv("FORCE_COLOR", "")
    assert not has_colour(StringIO())


def test_without_colour_a_terminal_gets_no_escape_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Console(out=out).table(["name", "rows"], [["a", 1]])
    assert "\x1b" not in out.getvalue()
    assert "name" in out.getvalue()


def test_the_line_tells_done_rate_flight_time_left_and_outcomes() -> None:
    con, _, _, clock = console()
    with Progress(con, "judge") as progress:
        progress.start(1000, 400, {"first": 300, "second": 100})
        clock.now += 10
        progress.advance(100, {"first": 60, "tie": 40})
        progress.in_flight(64)
        # 100 in 10 s; 500 left at 10 a second
        assert progress.line() == (
            "judge: 500 of 1,000 (50 %) · 10.0/s · 64 in flight · 50s left · first 360 · second 100 · tie 40"
        )


def test_the_rate_is_that_of_the_last_minute() -> None:
    con, _, _, clock = console()
    progress = Progress(con, "x")
    progress.start(100_000)
    for _ in range(120):
        clock.now += 1
        progress.advance(10)
        progress.rate()
    for _ in range(70):
        clock.now += 1
        progress.advance(1)
        progress.rate()
    assert progress.rate() == pytest.approx(1.0, rel=0.05)


def test_what_takes_longer_than_a_minute_is_not_taken_for_a_sudden_hurry() -> None:
    con, _, _, clock = console()
    progress = Progress(con, "sampling")
    progress.start(64)
    clock.now += 80
    progress.advance(1)
    assert progress.line() == "sampling: 1 of 64 (2 %) · 0.8/min"
    clock.now += 0.2
    progress.advance(63)
    assert progress.line() == "sampling: 64 of 64 (100 %) · 0.8/s"


def test_into_a_log_it_is_a_plain_line_now_and_then() -> None:
    con, _, err, clock = console()
    with con.progress("sample") as progress:
        progress.start(100)
        for _ in range(65):
            clock.now += 1
            progress.advance(1)
    lines = err.getvalue().splitlines()
    assert len(lines) == 3  # after half a minute, after a minute, at the end
    assert lines[0].startswith("sample: 30 of 100 (30 %) · 1.0/s · 1m 10s left")
    assert lines[-1].startswith("sample: 65 of 100")
    assert "\x1b" not in err.getvalue()
    assert "\r" not in err.getvalue()


def test_on_a_terminal_one_line_is_drawn_over() -> None:
    con, _, err, clock = console(terminal=True)
    with con.progress("sample") as progress:
        progress.start(10)
        for _ in range(10):
            clock.now += 0.2
            progress.advance(1)
        progress.say("a word")
    text = err.getvalue()
    assert text.count("\r\x1b[2Ksample:") >= 10
    assert "\r\x1b[2Ka word\n" in text
    assert text.endswith("sample: 10 of 10 (100 %) · 5.0/s\n")
    assert text.count("\n") == 2


@pytest.mark.parametrize("mode", ["quiet", "json"])
def test_quiet_and_json_draw_nothing_live(mode: str) -> None:
    con, _, err, clock = console(terminal=True, **{mode: True})
    with con.progress("x") as progress:
        progress.start(2)
        clock.now += 1
        progress.advance(2)
    assert "\x1b" not in err.getvalue()
    assert (err.getvalue() == "") is (mode == "quiet")


def test_a_real_terminal_shows_the_line_cut_to_its_width() -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    clock = Clock()
    with os.fdopen(follower, "w") as err:
        progress = Progress(Console(err=err, clock=clock), "a long title that fills more than the line")
        progress.start(10)
        clock.now += 1
        progress.advance(1)
        err.flush()
        seen = os.read(leader, 1000).decode()
    os.close(leader)
    assert seen == "\r\x1b[2K" + "a long title that fills more than the line"[:39]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (200, "3m 20s"), (7500, "2h 05m"), (277_200, "3d 5h"), (-3, "0s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_cells() -> None:
    assert [cell_text(value) for value in (None, True, 12345, 0.12345, "x", ["a", 1])] == [
        "", "yes", "12,345", "0.123", "x", '["a", 1]',
    ]  # fmt: skip


def test_words_of_anybody_come_above_the_live_line() -> None:
    con, _, err, clock = console(terminal=True)
    with con.progress("sample") as progress:
        progress.start(10)
        clock.now += 1
        progress.advance(1)
        con.say("a shard was set aside")
        assert err.getvalue().endswith("\r\x1b[2Ka shard was set aside\n\r\x1b[2Ksample: 1 of 10 (10 %) · 1.0/s")
    con.say("after")
    assert err.getvalue().endswith("\nafter\n")


@pytest.mark.parametrize(
    "text", ["\x1b]0;owned\x07", "\x1b[2J", "back\x08", "over\rwritten", "\x9b2J", "\x1bc", "\x7f", "\0"]
)
def test_text_of_others_cannot_steer_the_terminal(text: str) -> None:
    con, out, err, _ = console()
    con.say(f"said {text}")
    con.data(f"data {text}")
    con.table(["column"], [[f"cell {text}"]])
    shown = out.getvalue() + err.getvalue()
    assert "\ufffd" in shown
    assert not set(shown) & {"\x1b", "\x07", "\x08", "\r", "\x9b", "\x7f", "\0"}


def test_colours_tabs_and_lines_stay() -> None:
    text = "\x1b[32mgreen\x1b[0m\tand\nplain \u4f60"
    assert harmless(text) == text
    assert "\u4f60" in draw_table(["a"], [["\u4f60"]])


def test_a_noun_goes_with_its_count() -> None:
    assert [plural(count, "pair") for count in (0, 1, 1200)] == ["0 pairs", "1 pair", "1,200 pairs"]
    assert plural(2, "person", "people") == "2 people"


def test_a_narrow_terminal_gets_tables_under_each_other_before_a_word_is_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    columns = ["run", "state", "begun", "judgements", "completions"]
    drawn = draw_table(columns, [["questions", "finished", "2026-11-21", 120, 48]], terminal=True)
    words = drawn.split()
    assert {"questions", "finished", "2026-11-21", *columns} <= set(words)
    assert words.count("questions") == 2
    assert max(map(len, drawn.splitlines())) <= 40


def test_a_narrow_terminal_wraps_between_words_where_that_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    drawn = draw_table(
        ["rule", "finds"], [["short-text", "principles that say next to nothing of what is better"]], terminal=True
    )
    assert drawn.count("rule") == 1
    assert {"principles", "nothing", "better", "short-text"} <= set(drawn.split())
    assert max(map(len, drawn.splitlines())) <= 40


def test_a_word_that_no_terminal_holds_is_folded_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    drawn = draw_table(["a", "b"], [["k", "x" * 50]], terminal=True)
    assert drawn.count("x") == 50
    assert max(map(len, drawn.splitlines())) <= 20


def test_into_a_pipe_very_long_cells_are_wrapped() -> None:
    drawn = draw_table(["id", "text"], [["one", "many words " * 40]])
    assert max(map(len, drawn.splitlines())) < 120
    assert drawn.count("many") == 40
