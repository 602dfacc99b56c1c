"""The command `tenet`: a table of commands that are imported when they are used, and the way from errors to
exit codes.

Knows the names and one line of each command, so that `tenet --help` imports none of them. To add a command,
add a line to `COMMANDS`.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from tenet.cligroup import imported
from tenet.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_USAGE, TenetError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

EXIT_BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ends

# name: (where it is, what it does). The order is that of the help page.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("pocket.cli:demo", "Run the whole loop on the bundled pocket models, offline."),
    "init": ("generate.project.cli:init", "Begin a project: settings, principles and prompts to edit."),
    "doctor": ("tenet.doctor.cli:doctor", "Look for what is wrong with this machine, and name the cure."),
    "principles": ("constitution.cli:principles", "Check, lint, list, import and export files of principles."),
    "generate": ("generate.cli:generate", "Sample, judge and pair: from prompts to a preference dataset."),
    "sample": ("generate.cli:sample", "Draw a policy's responses only."),
    "judge": ("generate.cli:judge", "Judge the responses of a run only."),
    "pairs": ("generate.cli:pairs", "Choose pairs from the judgements of a run anew."),
    "schedule": ("generate.cli:schedule", "Recommend which pairs to judge, by a run's own statistics."),
    "revise": ("generate.cli:revise", "Critique and revise the responses of a run."),
    "calibrate": ("generate.calibrate_cli:calibrate", "Fit a run's judge on people's labels."),
    "audit": ("generate.audit.cli:audit", "Try to fool the judge of a run, and say how far that went."),
    "weigh": ("generate.weigh_cli:weigh", "Fit the weights of a run's propositions on people's labels."),
    "blend": ("generate.blend.cli:blend", "Blend a run's labels with those of people into one dataset."),
    "export": ("generate.cli:export", "Write a run's dataset in another form."),
    "status": ("tenet.status:status", "Show how far a run is, and what to do next."),
    "view": ("generate.view.cli:view", "Search, read and compare a run's pairs on a page of this machine."),
    "runs": ("tenet.runs_cli:runs", "List the runs of a folder."),
    "report": ("generate.cli:report", "Write a run's report page."),
    "serve": ("engines.cli:serve", "Serve a judge to runs, or rewards to other RL stacks."),
    "labels": (
        "judges.humans.cli:labels",
        "Collect people's labels, bring them in and out, measure how far people agree.",
    ),
    "verdicts": ("generate.recorded_cli:verdicts", "Bring in verdicts that judges gave elsewhere."),
    "card": ("judges.card.cli:card", "Measure how far the judges of a run may be trusted."),
    "plugins": ("tenet.plugins.cli:plugins", "List the plug-ins that are installed, and whether they work."),
    "train": ("train.cli:train", "Train: sft, reward, dpo, kto, online-dpo, ppo, rloo."),
    "evaluate": ("train.cli:evaluate", "Compare a trained model with its base."),
    "evaluate-curve": ("train.measures.cli:evaluate_curve", "Measure every checkpoint: proxy, gold measure and KL."),
    "evaluate-reward": ("train.measures.cli:evaluate_reward", "Measure a reward model on pairs it has not seen."),
    "pipeline": (
        "tenet.pipeline.cli:pipeline",
        "Run a file of the commands above, and leave out what has not changed.",
    ),
    "completion": ("tenet.completion:completion", "Print what makes a shell complete commands and runs."),
}

# Ours; a distribution of the same import name in one environment with them breaks both.
PACKAGES = ("engines", "constitution", "judges", "generate", "train", "principles", "pocket")

# What libraries would otherwise send home, and what they print while doing so.
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1", "TOKENIZERS_PARALLELISM": "false"}


class LazyGroup(click.Group):
    """A group whose commands are imported on use, and which ends every run with the exit code of its error."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command.

        Raises:
            UsageError: a package of ours is shadowed by another distribution's, or torch's packages do not fit together.
        """
        if cmd_name not in COMMANDS:
            return None
        where = COMMANDS[cmd_name][0]
        if where.split(".")[0] in PACKAGES:
            from tenet.environment import require_matching_torchvision, require_own_packages

            require_own_packages(PACKAGES)
            require_matching_torchvision()
        return imported(where)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name, or suggest one that resembles it."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from tenet.yamlfile import suggest

            hint = suggest(args[0], COMMANDS) or f"the commands are {', '.join(COMMANDS)}"
            ctx.fail(f"no such command: {args[0]}\n  {hint}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, without importing any."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=words) for name, (_, words) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command; in standalone mode end the process with its exit code."""
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        words = list(sys.argv[1:] if args is None else args)
        if "_TENET_COMPLETE" in os.environ:
            from tenet.completion import register

            register()
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        sys.exit(self._run(words, prog_name, extra))

    def _run(self, words: list[str], prog_name: str | None, extra: dict[str, Any]) -> int:
        try:
            result = super().main(words, prog_name or "tenet", standalone_mode=False, **extra)
        except TenetError as error:
            _say(f"Error: {error}" if error.exit_code not in (0, EXIT_INTERRUPTED) else str(error))
            return error.exit_code
        except click.ClickException as error:
            error.show()
            return EXIT_USAGE
        except (KeyboardInterrupt, click.Abort):
            _say(f"Stopped.\n  go on with: {shlex.join(['tenet', *words])}")
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            # The reader of our output is gone (`tenet ... | head`); Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return EXIT_BROKEN_PIPE
        except Exception:
            import traceback

            _say(traceback.format_exc().rstrip())
            _say("This is a bug in Tenet, not in your files; what was recorded is kept. Please report the lines above.")
            return EXIT_BUG
        return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from tenet.environment import version

    click.echo(f"tenet {version()}")
    ctx.exit()


def _say(text: str) -> None:
    from tenet.console import harmless

    click.echo(harmless(text), err=True)


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Examples:\n\n\b\n  tenet demo\n  tenet generate run.yaml --dry-run\n  tenet status runs/support",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
def cli() -> None:
    """AI feedback from a file of principles: judge samples of a policy, make preference pairs, train on them,
    measure.

    Words go to stderr, data to stdout. Exit codes: 0 good, 1 a bug in Tenet, 2 usage or configuration, 3
    something is missing, 4 too many failures, 130 interrupted (the command that goes on is printed).
    """


def main() -> None:
    """Run the command line; the console script's entry."""
    cli.main()
