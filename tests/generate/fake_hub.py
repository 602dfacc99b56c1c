"""A Hugging Face Hub in memory, over HTTP: the endpoints that the hub's own library asks for names, uploads and downloads.

The library runs as it is, against this address (HF_ENDPOINT); LFS files go through the `basic` transfer (HF_HUB_DISABLE_XET).
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "hf_of_the_tests"


@dataclass
class Repo:
    """One repository: its files by path, and the message of each commit."""

    private: bool = False
    gated: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()


@dataclass
class FakeHub:
    """The repositories by kind and id ("datasets/org/name"), and every request that came: (method, path)."""

    repos: dict[str, Repo] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    address: str = ""

    def app(self) -> Starlette:
        repo = "/api/{kind}/{org}/{name}"
        return Starlette(
            routes=[
                Route("/api/whoami-v2", self.whoami),
                Route("/api/repos/create", self.create, methods=["POST"]),
                Route("/api/validate-yaml", self.validate, methods=["POST"]),
                Route(f"{repo}/preupload/{{rev}}", self.preupload, methods=["POST"]),
                Route(f"{repo}/commit/{{rev}}", self.commit, methods=["POST"]),
                Route(f"{repo}/paths-info/{{rev}}", self.paths_info, methods=["POST"]),
                Route(f"{repo}/tree/{{rev}}", self.tree),
                Route(f"{repo}/tree/{{rev}}/{{path:path}}", self.tree),
                Route(f"{repo}/auth-check", self.auth_check),
                Route(f"{repo}/revision/{{rev}}", self.info),
                Route(repo, self.info),
                Route("/{kind}/{org}/{name}.git/info/lfs/objects/batch", self.lfs_batch, methods=["POST"]),
                Route("/lfs/{oid}", self.lfs_put, methods=["PUT"]),
                Route("/{org}/{name}/resolve/{rev}/{path:path}", self.resolve, methods=["GET", "HEAD"]),
                Route("/{kind}/{org}/{name}/resolve/{rev}/{path:path}", self.resolve, methods=["GET", "HEAD"]),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.asked.append((scope["method"], scope["path"]))
        await self._app(scope, receive, send)

    def __post_init__(self) -> None:
        self._app = self.app()

    def _repo(self, request: Request) -> Repo | None:
        found = self.repos.get("{kind}/{org}/{name}".format(**{"kind": "models", **request.path_params}))
        return found if found is not None and (not found.private or self._known(request)) else None

    @staticmethod
    def _known(request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    @staticmethod
    def _missing() -> Response:
        return JSONResponse({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    async def whoami(self, request: Request) -> Response:
        if not self._known(request):
            return JSONResponse({"error": "Invalid credentials in Authorization header"}, 401)
        return JSONResponse({"type": "user", "name": "ada", "orgs": [{"name": "lab"}]})

    async def validate(self, request: Request) -> Response:
        return JSONResponse({"errors": [], "warnings": []})

    async def create(self, request: Request) -> Response:
        asked = await request.json()
        name = f"{asked['type']}s/{asked['organization']}/{asked['name']}"
        if not self._known(request):
            return JSONResponse({"error": "no"}, 401)
        if name in self.repos:
            return JSONResponse({"error": "You already created this repo", "url": f"{self.address}/{name}"}, 409)
        self.repos[name] = Repo(private=asked.get("visibility") == "private")
        return JSONResponse({"url": f"{self.address}/{name}", "name": name})

    async def info(self, request: Request) -> Response:
        repo = self._repo(request)
        if repo is None:
            return self._missing()
        org, name = request.path_params["org"], request.path_params["name"]
        siblings = [{"rfilename": path} for path in sorted(repo.files)]
        return JSONResponse(
            {
                "id": f"{org}/{name}", "_id": "0", "author": org, "sha": repo.sha, "private": repo.private, "gated": repo.gated,
                "disabled": False, "downloads": 0, "likes": 0, "tags": [], "siblings": siblings, "lastModified": "2026-01-01T00:00:00.000Z",
            }
        )  # fmt: skip

    async def auth_check(self, request: Request) -> Response:
        repo = self._repo(request)
        if repo is None:
            return self._missing()
        if repo.gated:
            return JSONResponse({"error": "gated"}, 403, {"X-Error-Code": "GatedRepo"})
        return JSONResponse({})

    async def preupload(self, request: Request) -> Response:
        asked = (await request.json())["files"]
        modes = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(".parquet") else "regular",
                "shouldIgnore": False,
            }
            for one in asked
        ]
        return JSONResponse({"files": modes})

    async def lfs_batch(self, request: Request) -> Response:
        asked = (await request.json())["objects"]
        told = [
            {
                "oid": one["oid"],
                "size": one["size"],
                "actions": {"upload": {"href": f"{self.address}/lfs/{one['oid']}"}},
            }
            for one in asked
        ]
        return JSONResponse({"transfer": "basic", "objects": told}, media_type="application/vnd.git-lfs+json")

    async def lfs_put(self, request: Request) -> Response:
        body = await request.body()
        assert hashlib.sha256(body).hexdigest() == request.path_params["oid"]
        self.blobs[request.path_params["oid"]] = body
        return Response()

    async def commit(self, request: Request) -> Response:
        repo = self._repo(request)
        if repo is None or not self._known(request):
            return self._missing()
        address = "{0}/{kind}/{org}/{name}".format(self.address, **request.path_params)
        for line in (await request.body()).splitlines():
            told = json.loads(line)
            value = told["value"]
            if told["key"] == "header":
                repo.commits.append(value["summary"])
            elif told["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif told["key"] == "lfsFile":
                repo.files[value["path"]] = self.blobs[value["oid"]]
            elif told["key"] == "deletedFile":
                del repo.files[value["path"]]
        return JSONResponse({"commitOid": repo.sha, "commitUrl": f"{address}/commit/{repo.sha}", "success": True})

    def _entry(self, repo: Repo, path: str) -> dict[str, Any]:
        held = repo.files[path]
        return {"type": "file", "path": path, "size": len(held), "oid": hashlib.sha1(held).hexdigest()}

    async def paths_info(self, request: Request) -> Response:
        repo = self._repo(request)
        if repo is None:
            return self._missing()
        if "json" in request.headers.get("content-type", ""):
            asked = (await request.json())["paths"]
        else:
            from urllib.parse import parse_qs

            asked = parse_qs((await request.body()).decode()).get("paths", [])
        folders = [
            path for path in asked if path not in repo.files and any(one.startswith(f"{path}/") for one in repo.files)
        ]
        found = [self._entry(repo, path) for path in asked if path in repo.files]
        return JSONResponse([*found, *({"type": "directory", "path": path, "oid": "0" * 40} for path in folders)])

    async def tree(self, request: Request) -> Response:
        repo = self._repo(request)
        if repo is None:
            return self._missing()
        under = request.path_params.get("path", "")
        held = [path for path in sorted(repo.files) if not under or path.startswith(f"{under}/")]
        deep = request.query_params.get("recursive", "").lower() in ("true", "1")
        if not deep:
            depth = under.count("/") + 1 if under else 0
            folders = dict.fromkeys("/".join(path.split("/")[: depth + 1]) for path in held if path.count("/") > depth)
            held = [path for path in held if path.count("/") == depth]
            return JSONResponse(
                [
                    *(self._entry(repo, path) for path in held),
                    *({"type": "directory", "path": path, "oid": "0" * 40} for path in folders),
                ]
            )
        return JSONResponse([self._entry(repo, path) for path in held])

    async def resolve(self, request: Request) -> Response:
        repo, path = self._repo(request), request.path_params["path"]
        if repo is None:
            return self._missing()
        if path not in repo.files:
            return JSONResponse({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        held = repo.files[path]
        told = {"ETag": f'"{hashlib.sha1(held).hexdigest()}"', "X-Repo-Commit": repo.sha, "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            return Response(headers={**told, "Content-Length": str(len(held))})
        return Response(held, headers=told)


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """The hub on a free port of this machine, until the block is left."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        hub = FakeHub()
        hub.address = f"http://127.0.0.1:{held.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(hub, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield hub
        server.should_exit = True
        thread.join()
