"""A small server that speaks as much of the Hub's protocol as the real client uses, on the loopback interface.

It holds repositories in memory: files under `(repo_type, repo_id)`, and those of a data set's conversion to Parquet
under `("converted", repo_id)`. Set `broken` to a part of a path, and requests with it are cut off in the middle, as by
a network that fails; or `failing`, and they are answered with `status`, by default 503. With status 200 they get a web
page, as from a network that wants a login first.
"""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

MAIN, CONVERTED = "0" * 40, "1" * 40  # commits
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in to this network.</body></html>\n"


class LoopbackHub(ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), RequestHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repos: dict[tuple[str, str], dict[str, bytes]] = {}
        self.lfs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.commits: list[tuple[str, str]] = []
        self.private: dict[str, bool] = {}
        self.large: tuple[str, ...] = (".safetensors",)  # ends of the names of files that go to the LFS storage
        self.broken: str | None = None
        self.failing: str | None = None
        self.status, self.headers = 503, {}  # of the answers to failing requests
        threading.Thread(target=self.serve_forever, daemon=True).start()


class RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackHub

    def log_message(self, *args) -> None:
        pass

    def answer(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def route(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.broken and self.server.broken in self.path:
            self.close_connection = True
            return
        if self.server.failing and self.server.failing in self.path:
            self.answer(PAGE if self.server.status == 200 else {"error": "no"}, self.server.status, self.server.headers)
            return
        parts = [unquote(p) for p in urlsplit(self.path).path.strip("/").split("/")]
        if parts[0] == "lfs":
            self.server.lfs[parts[1]] = body
            self.answer({})
        elif parts[:2] == ["api", "repos"]:
            self.create(json.loads(body))
        elif parts[:2] == ["api", "validate-yaml"]:
            self.answer({"errors": [], "warnings": []})
        elif parts[0] == "api":
            self.api(parts[1], "/".join(parts[2:4]), parts[4:], body)
        elif parts[-3:] == ["lfs", "objects", "batch"]:
            objects = json.loads(body)["objects"]
            upload = [o | {"actions": {"upload": {"href": f"{self.server.url}/lfs/{o['oid']}"}}} for o in objects]
            kind = {"Content-Type": "application/vnd.git-lfs+json"}
            self.answer({"transfer": "basic", "objects": upload}, headers=kind)
        elif "resolve" in parts:
            kind = "datasets" if parts[0] == "datasets" else "models"
            at = parts.index("resolve")
            self.resolve(kind, "/".join(parts[at - 2 : at]), parts[at + 1], "/".join(parts[at + 2 :]))
        else:
            self.answer({"error": "not here"}, 404)

    do_GET = do_HEAD = do_POST = do_PUT = route  # noqa: N815

    def create(self, request: dict) -> None:
        repo_id = f"{request.get('organization') or 'someone'}/{request['name']}"
        known = ("models", repo_id) in self.server.repos
        self.server.repos.setdefault(("models", repo_id), {})
        self.server.private.setdefault(repo_id, request.get("visibility") == "private")
        self.answer({"url": f"{self.server.url}/{repo_id}", "name": repo_id}, 409 if known else 200)

    def files(self, kind: str, repo_id: str, revision: str) -> dict[str, bytes] | None:
        return self.server.repos.get(
            ("converted" if revision in (CONVERTED, "refs/convert/parquet") else kind, repo_id)
        )

    def api(self, kind: str, repo_id: str, rest: list[str], body: bytes) -> None:
        files = self.files(kind, repo_id, rest[1] if len(rest) > 1 else "")
        if files is None:
            self.answer({"error": "no such repository"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif rest and rest[0] == "preupload":
            asked = json.loads(body)["files"]
            modes = {f["path"]: "lfs" if f["path"].endswith(self.server.large) else "regular" for f in asked}
            self.answer({"files": [{"path": p, "uploadMode": m, "shouldIgnore": False} for p, m in modes.items()]})
        elif rest and rest[0] == "commit":
            lines = [json.loads(line) for line in body.splitlines()]
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.server.lfs[value["oid"]]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            self.server.commits.append((repo_id, lines[0]["value"]["summary"]))
            self.answer({"commitUrl": f"{self.server.url}/{repo_id}/commit/0", "commitOid": "0" * 40, "success": True})
        elif rest and rest[0] in ("tree", "paths-info"):
            folder, entries = "/".join(rest[2:]), tree_entries(files)
            if rest[0] == "paths-info":
                paths = parse_qs(body.decode()).get("paths", [])
                self.answer([entry for entry in entries if entry["path"] in paths])
                return
            inside = [e for e in entries if e["path"].startswith(f"{folder}/" if folder else "")]
            if "recursive=true" not in self.path:
                inside = [e for e in inside if e["path"].count("/") == (folder.count("/") + 1 if folder else 0)]
            if inside or not folder:
                self.answer(inside)
            else:
                self.answer({"error": "no such folder"}, 404, {"X-Error-Code": "EntryNotFound"})
        else:
            siblings = [{"rfilename": name} for name in files]
            sha = CONVERTED if files is self.server.repos.get(("converted", repo_id)) else MAIN
            private = self.server.private.get(repo_id, False)
            self.answer({"id": repo_id, "sha": sha, "siblings": siblings, "tags": [], "private": private})

    def resolve(self, kind: str, repo_id: str, revision: str, name: str) -> None:
        files = self.files(kind, repo_id, revision)
        commit = CONVERTED if files is self.server.repos.get(("converted", repo_id)) else MAIN
        if files is None:
            self.answer({"error": "no such repository"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif name not in files:
            self.answer({"error": "no such file"}, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        else:
            etag = hashlib.sha256(files[name]).hexdigest()
            self.answer(files[name], headers={"ETag": f'"{etag}"', "X-Repo-Commit": commit})


def tree_entries(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """The files of a repository and the folders that they are in, as the Hub lists them."""
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents} - {"."}
    entries: list[dict[str, Any]] = [{"type": "directory", "path": name, "size": 0, "oid": "0"} for name in folders]
    for name, content in files.items():
        oid = hashlib.sha256(content).hexdigest()[:40]
        entries.append({"type": "file", "path": name, "size": len(content), "oid": oid})
    return entries
