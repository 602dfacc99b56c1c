"""Puts a written dataset, with its card, on the Hugging Face Hub: `tenet export --push ORG/NAME`.

`Target.check` asks for everything that can stop it before any work is done: an id, a network, a token, a namespace that is the token's, and
a repository whose visibility is the one that was asked for. Only the files of the formats written now are sent, in one commit; Parquet
files of the same formats that were there before go. Knows no format, and never deletes anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generate.export import ExportReport
from generate.export.card import CARD
from tenet.errors import MissingInput, UsageError
from tenet.hub import SECONDS, first_line, is_offline, reaching
from tenet.ids import Json

_LOGIN: Final = "hf auth login   (or set HF_TOKEN); a token that may write is made in the settings of your account"


@dataclass(frozen=True)
class Target:
    """A data set's repository on the hub, `ORG/NAME`; private unless `public`."""

    repo: str
    public: bool = False

    def require_id(self) -> None:
        """Make sure that this can be an id at all; asks nobody.

        Raises:
            UsageError: it is none.
        """
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id

        try:
            validate_repo_id(self.repo)
        except HFValidationError as error:
            raise UsageError(
                f"--push {self.repo} is no id of the hub: {first_line(error)}", hint="write ORG/NAME"
            ) from error
        if self.repo.count("/") != 1:
            raise UsageError(f"--push {self.repo} does not say whose it is", hint=f"write ORG/{self.repo}")

    def check(self) -> None:
        """Ask the hub whether an upload can succeed.

        Raises:
            UsageError: it is no id, belongs to somebody else, or is public where `public` was not asked for.
            MissingInput: there is no token or no way to the hub, or the hub refuses the token.
        """
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.errors import RepositoryNotFoundError

        self.require_id()
        if is_offline():
            raise MissingInput(
                "HF_HUB_OFFLINE is set, so nothing can be uploaded", hint="unset it, or leave --push out"
            )
        if not get_token():
            raise MissingInput("there is no token for the Hugging Face Hub on this machine", hint=_LOGIN)
        api = HfApi()
        with reaching():
            try:
                there = api.dataset_info(self.repo, timeout=SECONDS)
            except RepositoryNotFoundError:
                there = None
            account = api.whoami()
        owner = self.repo.partition("/")[0]
        owners = [str(account.get("name")), *(str(one.get("name")) for one in account.get("orgs") or ())]
        if owner not in owners:
            hint = f"your token is for {', '.join(owners)}"
            raise UsageError(f"{self.repo} would belong to {owner}, where you may not write", hint=hint)
        if there is not None and not there.private and not self.public:
            hint = "add --public to say that this is meant, or choose another name"
            raise UsageError(f"{self.repo} is there already, and everybody can read it", hint=hint)

    def push(self, folder: Path, reports: Sequence[ExportReport], message: str) -> str:
        """Upload a written dataset in one commit; gives its address.

        Raises:
            MissingInput: the hub cannot be reached or refuses; what it has stays as it was.
        """
        from huggingface_hub import HfApi

        api = HfApi()
        with reaching(), _quiet_bars():
            api.create_repo(self.repo, repo_type="dataset", private=not self.public, exist_ok=True)
            api.upload_folder(
                repo_id=self.repo, repo_type="dataset", folder_path=folder, commit_message=message,
                allow_patterns=[name for name, _ in files_of(folder, reports)],
                delete_patterns=[f"{report.name}/*.parquet" for report in reports],
            )  # fmt: skip
        return f"{api.endpoint}/datasets/{self.repo}"

    def as_json(self, folder: Path, reports: Sequence[ExportReport]) -> dict[str, Json]:
        """What would be, or was, uploaded."""
        return {
            "repository": self.repo,
            "visibility": "public" if self.public else "private",
            "files": [{"name": name, "bytes": size} for name, size in files_of(folder, reports)],
        }


def files_of(folder: Path, reports: Sequence[ExportReport]) -> list[tuple[str, int]]:
    """The files of a dataset that go to the hub, and their sizes: its card, and what the reports say was written."""
    names = [CARD, *(file.name for report in reports for file in report.files)]
    return [(name, (folder / name).stat().st_size) for name in names]


@contextmanager
def _quiet_bars() -> Iterator[None]:
    """Keep the library's progress bars off the terminal for a while."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    off = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not off:
            enable_progress_bars()
