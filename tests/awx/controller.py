# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A stand-in for AWX's API, as far as the modules of awx.awx use it to load a pattern.

It keeps what it is given, and answers as AWX 24.6.1 does: objects have AWX's fields and no others, names are unique,
references have to exist, a survey and a recurrence rule are checked with AWX's rules (``awx/api/views/__init__.py``,
``awx/api/serializers.py``), secrets are never given back. What a field would mean to AWX it does not know::

    with controller() as awx:
        ...  # awx.environment for the modules
    assert awx.named("job_templates", "ElastiCache: audit")["job_slice_count"] == 1
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

VERSION = "24.6.1"
TOKEN = "controller-token"
HIDDEN = "$encrypted$"
Object = dict[str, Any]

_COMMON: Object = {"name": "", "description": ""}
_PROMPTS = ["inventory", "limit", "scm_branch", "diff_mode", "job_tags", "skip_tags", "verbosity", "forks"]
_PROMPTS += ["job_slice_count", "timeout", "execution_environment", "job_type"]
_ASK = ["diff_mode", "variables", "limit", "tags", "skip_tags", "job_type", "verbosity", "inventory", "credential"]
_ASK += ["execution_environment", "forks", "instance_groups", "job_slice_count", "labels", "timeout", "scm_branch"]
#: The fields of each kind of object that can be written, with AWX's defaults.
FIELDS: dict[str, Object] = {
    "organizations": {**_COMMON},
    "labels": {"name": "", "organization": None},
    "notification_templates": {**_COMMON, "organization": None, "notification_type": "email"},
    "credential_types": {**_COMMON, "kind": "cloud", "inputs": {}, "injectors": {}, "managed": False},
    "credentials": {**_COMMON, "organization": None, "credential_type": None, "inputs": {}},
    "execution_environments": {**_COMMON, "organization": None, "image": "", "credential": None, "pull": ""},
    "projects": {
        **_COMMON,
        "organization": None,
        "scm_type": "",
        "scm_url": "",
        "scm_branch": "",
        "scm_update_on_launch": False,
        "scm_update_cache_timeout": 0,
        "default_environment": None,
        "credential": None,
    },
    "inventories": {
        **_COMMON,
        "organization": None,
        "kind": "",
        "host_filter": None,
        "variables": "",
    },
    "inventory_sources": {
        **_COMMON,
        "inventory": None,
        "source": "",
        "source_path": "",
        "source_vars": "",
        "source_project": None,
        "credential": None,
        "execution_environment": None,
        "overwrite": False,
        "overwrite_vars": False,
        "update_on_launch": False,
        "update_cache_timeout": 0,
        "verbosity": 1,
        "timeout": 0,
    },
    "job_templates": {
        **_COMMON,
        "job_type": "run",
        "inventory": None,
        "project": None,
        "playbook": "",
        "execution_environment": None,
        "forks": 0,
        "limit": "",
        "verbosity": 0,
        "extra_vars": "",
        "job_slice_count": 1,
        "timeout": 0,
        "survey_enabled": False,
        "diff_mode": False,
        "allow_simultaneous": False,
        **{f"ask_{name}_on_launch": False for name in _ASK},
    },
    "workflow_job_templates": {
        **_COMMON,
        "organization": None,
        "extra_vars": "",
        "survey_enabled": False,
        "allow_simultaneous": False,
        "inventory": None,
        "limit": None,
        **{f"ask_{name}_on_launch": False for name in ("variables", "inventory", "limit", "scm_branch", "labels")},
    },
    "workflow_job_template_nodes": {
        "workflow_job_template": None,
        "unified_job_template": None,
        "identifier": "",
        "all_parents_must_converge": False,
        "extra_data": {},
        **dict.fromkeys(_PROMPTS),
    },
    "workflow_approval_templates": {**_COMMON, "timeout": 0},
    "schedules": {
        **_COMMON,
        "rrule": "",
        "unified_job_template": None,
        "enabled": True,
        "extra_data": {},
        **dict.fromkeys(_PROMPTS),
    },
}
#: A field that names an object, and where that is looked for.
REFERENCES = {
    "organization": "organizations",
    "credential_type": "credential_types",
    "credential": "credentials",
    "execution_environment": "execution_environments",
    "default_environment": "execution_environments",
    "inventory": "inventories",
    "project": "projects",
    "source_project": "projects",
    "workflow_job_template": "workflow_job_templates",
    "unified_job_template": "unified_job_templates",
}
#: The kinds that AWX can run, and the type that it calls them by.
UNIFIED = {
    "projects": "project",
    "inventory_sources": "inventory_source",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_approval_templates": "workflow_approval_template",
}
_NODES = ("success_nodes", "failure_nodes", "always_nodes")
_NOTIFIED = tuple(f"notification_templates_{when}" for when in ("started", "success", "error"))
#: What can be associated with an object of a kind; anything else is an address that AWX does not have.
RELATIONS = {
    "projects": _NOTIFIED,
    "inventory_sources": ("credentials", *_NOTIFIED),
    "job_templates": ("credentials", "labels", *_NOTIFIED),
    "workflow_job_templates": ("labels", *_NOTIFIED, "notification_templates_approvals"),
    "workflow_job_template_nodes": ("credentials", "labels", *_NODES),
    "schedules": ("credentials", "labels"),
}
_SURVEY_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("text", "textarea", "password", "multiplechoice", "multiselect"), str),
    "integer": int,
    "float": (float, int),
}


def _relation(kind: str, relation: str) -> str:
    if relation not in RELATIONS.get(kind, ()):
        raise KeyError(f"{kind}/N/{relation}/")
    return relation


def _kind_of(relation: str) -> str:
    if relation in _NODES:
        return "workflow_job_template_nodes"
    return "notification_templates" if relation.startswith("notification") else relation


class Rejected(Exception):
    """What AWX answers with status 400."""


def check_survey(spec: Any) -> None:
    """Raise Rejected where AWX would refuse the survey, or not apply a default of it."""
    if not isinstance(spec.get("name"), str) or not isinstance(spec.get("description"), str):
        raise Rejected("a survey has a name and a description, which are texts")
    if not isinstance(spec.get("spec"), list) or not spec["spec"]:
        raise Rejected("'spec' doesn't contain any items.")
    seen = set()
    for item in spec["spec"]:
        for name, kind in (("type", str), ("question_name", str), ("variable", str), ("required", bool)):
            if not isinstance(item.get(name), kind):
                raise Rejected(f"{name!r} in the question {item} is to be a {kind.__name__}")
        if item["variable"] in seen:
            raise Rejected(f"{item['variable']} is asked for twice")
        seen.add(item["variable"])
        _check_question(item)


def _check_question(item: Mapping[str, Any]) -> None:
    name, kind, default = item["variable"], item["type"], item.get("default", "")
    if kind not in _SURVEY_TYPES:
        raise Rejected(f"{name}: {kind} is no type of a question")
    if default != "" and (not isinstance(default, _SURVEY_TYPES[kind]) or isinstance(default, bool)):
        raise Rejected(f"{name}: the default {default!r} is no {kind}")
    for limit in ("min", "max"):
        if not isinstance(item.get(limit, 0), int):
            raise Rejected(f"{name}: {limit} is to be an integer")
    if kind in ("multiplechoice", "multiselect"):
        choices = item.get("choices")
        if not choices:
            raise Rejected(f"{name}: no choices")
        offered = choices.splitlines() if isinstance(choices, str) else choices
        if not all(isinstance(choice, str) for choice in offered):
            raise Rejected(f"{name}: choices are texts, not {offered}")
        if any(choice not in offered for choice in default.splitlines()):
            raise Rejected(f"{name}: the default {default!r} is none of the choices")
    elif default != "":
        size = default if kind in ("integer", "float") else len(default)
        if not item.get("min", size) <= size <= item.get("max", size):
            raise Rejected(f"{name}: the default {default!r} is out of bounds")


def check_rrule(value: str) -> None:
    """Raise Rejected where AWX would refuse the recurrence rule."""
    rules = re.findall(r"RULE:[^\s]*", value)
    starts = re.findall(r"DTSTART(?:;[^:]+)?:[0-9]+T[0-9]+Z?", value)
    if len(starts) != 1 or re.search(r"DTSTART:[0-9]+T[0-9]+ ", value):
        raise Rejected("one DTSTART with a zone is required in an rrule")
    if not rules or any(word in value.upper() for word in ("EXDATE:", "RDATE:")):
        raise Rejected("a rule, without EXDATE and RDATE, is required in an rrule")
    for rule in rules:
        if "INTERVAL" not in rule or "SECONDLY" in rule:
            raise Rejected(f"INTERVAL is required, SECONDLY refused: {rule}")
        if re.search(r"BYDAY[:=][0-9]+[a-zA-Z]{2}", rule):
            raise Rejected(f"BYDAY with numeric prefix not supported: {rule}")
        if "COUNT" in rule and "UNTIL" in rule:
            raise Rejected(f"RRULE may not contain both COUNT and UNTIL: {rule}")
    try:
        rrulestr(value.replace(" ", "\n"), forceset=True)
    except (ValueError, TypeError) as error:
        raise Rejected(f"rrule parsing failed validation: {error}") from None


class Controller:
    """What AWX knows. ``ignored``: the members of requests that it has no field for, by kind of object."""

    def __init__(self) -> None:
        """Begin as a new AWX does, with an organization and the types of credentials."""
        self.url = ""
        self.objects: dict[str, dict[int, Object]] = {kind: {} for kind in FIELDS}
        self.surveys: dict[int, Object] = {}
        self.related: dict[tuple[int, str], list[int]] = {}
        self.secrets: dict[int, Object] = {}
        self.ignored: dict[str, set[str]] = {}
        self.writes: list[str] = []
        self._last = 0
        self.add("organizations", {"name": "Default"})
        secret = [{"id": "username"}, {"id": "password", "secret": True}, {"id": "security_token", "secret": True}]
        self.add("credential_types", {"name": "Amazon Web Services", "inputs": {"fields": secret}})
        self.writes.clear()

    @property
    def environment(self) -> dict[str, str]:
        """What the modules of awx.awx look for."""
        return {"CONTROLLER_HOST": self.url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "CONTROLLER_VERIFY_SSL": "false"}

    def named(self, kind: str, name: str) -> Object:
        """The one object of that name, with its survey, its associations and the names of what it refers to."""
        (found,) = [one for one in self.objects[kind].values() if name in (one.get("name"), one.get("identifier"))]
        shown = {key: value for key, value in found.items() if key not in ("related", "summary_fields", "url", "type")}
        for field, target in REFERENCES.items():
            if shown.get(field) is not None:
                shown[field] = self.find(target, shown[field])["name"]
        for (identifier, relation), others in self.related.items():
            if identifier == found["id"]:
                members = [self.find(_kind_of(relation), one) for one in others]
                shown[relation] = [one.get("identifier") or one["name"] for one in members]
        return {**shown, "survey_spec": self.surveys.get(found["id"])}

    def find(self, kind: str, identifier: int) -> Object:
        """An object by its number; raises Rejected where there is none."""
        kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
        for one in kinds:
            if found := self.objects.get(one, {}).get(identifier):
                return found
        raise Rejected(f'Invalid pk "{identifier}" - object does not exist: {kind}')

    def list(self, kind: str, query: Mapping[str, str]) -> Object:
        """The objects of a kind, or of all that can be run, whose members are as asked for."""
        kinds = tuple(UNIFIED) if kind == "unified_job_templates" else (kind,)
        every = [one for name in kinds for one in self.objects[name].values()]
        for key in query:
            if every and not any(key in one for one in every):
                raise Rejected(f"{kind} has no field {key}")
        found = [one for one in every if all(str(one.get(key)) == value for key, value in query.items())]
        return {"count": len(found), "next": None, "previous": None, "results": found}

    def add(self, kind: str, given: Mapping[str, Any]) -> Object:
        """Make an object; raises Rejected where AWX would."""
        self._last += 1
        identifier = self._last
        url = f"/api/v2/{kind}/{identifier}/"
        one = {
            **json.loads(json.dumps(FIELDS[kind])),
            "id": identifier,
            "url": url,
            "type": UNIFIED.get(kind, kind.removesuffix("s")),
            "related": {"survey_spec": f"{url}survey_spec/"} if "survey_enabled" in FIELDS[kind] else {},
            "summary_fields": {},
        }
        if kind in ("job_templates", "inventory_sources"):
            one["organization"] = None  # read only: that of the project, or of the inventory
        if kind == "projects":
            one["scm_revision"] = "0" * 40
        self._write(kind, one, given)
        self.objects[kind][identifier] = one
        return one

    def change(self, kind: str, identifier: int, given: Mapping[str, Any]) -> Object:
        """Change an object; raises Rejected where AWX would."""
        one = self.find(kind, identifier)
        self._write(kind, one, given)
        return one

    def _write(self, kind: str, one: Object, given: Mapping[str, Any]) -> None:
        self.ignored.setdefault(kind, set()).update(set(given) - set(FIELDS[kind]))
        wanted = {key: value for key, value in given.items() if key in FIELDS[kind]}
        for key, value in wanted.items():
            default = FIELDS[kind][key]
            if default is not None and value is not None and not isinstance(value, type(default)):
                raise Rejected(f"{kind}: {key} is to be a {type(default).__name__}, not {value!r}")
            if key in REFERENCES and value is not None:
                self.find(REFERENCES[key], value)
        name = "identifier" if kind == "workflow_job_template_nodes" else "name"
        if not (wanted.get(name) or one[name]):
            raise Rejected(f"{kind}: {name} is required")
        scope = {"workflow_job_template_nodes": "workflow_job_template", "inventory_sources": "inventory"}.get(kind)
        for other in self.objects[kind].values():
            same = other[name] == wanted.get(name) and (scope is None or other[scope] == wanted.get(scope))
            if same and other is not one:
                raise Rejected(f"{kind} with this {name} already exists")
        if kind == "schedules" and "rrule" in wanted:
            check_rrule(wanted["rrule"])
        if kind == "credentials":
            wanted = self._without_secrets(one, wanted)
        one.update(wanted)
        for source, target in (("project", "projects"), ("inventory", "inventories")):
            if kind in ("job_templates", "inventory_sources") and one.get(source):
                one["organization"] = self.find(target, one[source])["organization"]

    def _without_secrets(self, one: Object, wanted: Object) -> Object:
        kind = self.find("credential_types", wanted.get("credential_type") or one["credential_type"])
        fields = {field["id"]: field.get("secret", False) for field in kind["inputs"].get("fields", [])}
        if unknown := set(wanted.get("inputs", {})) - set(fields):
            raise Rejected(f"{kind['name']} has no input {', '.join(sorted(unknown))}")
        self.secrets[one["id"]] = {**self.secrets.get(one["id"], {}), **wanted.get("inputs", {})}
        shown = {key: HIDDEN if fields[key] else value for key, value in wanted.get("inputs", {}).items()}
        return {**wanted, "inputs": shown} if "inputs" in wanted else wanted

    def survey(self, kind: str, identifier: int, spec: Object) -> Object:
        """Take a survey, and answer nothing; raises Rejected where AWX would."""
        self.find(kind, identifier)
        check_survey(spec)
        self.surveys[identifier] = spec
        return {}

    def approval(self, identifier: int, given: Mapping[str, Any]) -> Object:
        """Make the approval that a node of a workflow waits for."""
        node = self.find("workflow_job_template_nodes", identifier)
        made = self.add("workflow_approval_templates", given)
        node["unified_job_template"] = made["id"]
        node["related"]["unified_job_template"] = made["url"]
        return made

    def associated(self, kind: str, identifier: int, relation: str) -> Object:
        """What is associated with an object; raises KeyError where nothing can be."""
        others = self.related.get((identifier, _relation(kind, relation)), [])
        return {"count": len(others), "next": None, "results": [{"id": one} for one in others]}

    def associate(self, kind: str, identifier: int, relation: str, given: Mapping[str, Any]) -> None:
        """Associate an object with another, or part them; raises Rejected where that does not exist."""
        self.find(_kind_of(_relation(kind, relation)), given["id"])
        others = self.related.setdefault((identifier, relation), [])
        if given.get("disassociate"):
            others.remove(given["id"])
        elif given["id"] not in others:
            others.append(given["id"])

    def answer(self, method: str, path: str, query: Mapping[str, str], given: Object) -> tuple[int, Any]:
        """One request; returns the status and what is in the answer."""
        parts = path.removeprefix("/api/v2/").strip("/").split("/")
        kind, identifier, relation = parts[0], int(parts[1]) if len(parts) > 1 else 0, "".join(parts[2:])
        if method != "GET":
            self.writes.append(f"{method} {path}")
        handlers: dict[tuple[str, bool, str], Callable[[], tuple[int, Any]]] = {
            ("GET", False, ""): lambda: (200, self.list(kind, query)),
            ("POST", False, ""): lambda: (201, self.add(kind, given)),
            ("GET", True, ""): lambda: (200, self.find(kind, identifier)),
            ("PATCH", True, ""): lambda: (200, self.change(kind, identifier, given)),
            ("GET", True, "survey_spec"): lambda: (200, self.surveys.get(identifier, {})),
            ("POST", True, "survey_spec"): lambda: (200, self.survey(kind, identifier, given)),
            ("POST", True, "create_approval_template"): lambda: (201, self.approval(identifier, given)),
        }
        handler = handlers.get((method, identifier > 0, relation))
        if handler is not None:
            return handler()
        if method == "GET":
            return 200, self.associated(kind, identifier, relation)
        self.associate(kind, identifier, relation, given)
        return 204, None


@contextlib.contextmanager
def controller() -> Iterator[Controller]:
    """An AWX that listens on loopback, until the end of the block."""
    awx, lock = Controller(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            given = json.loads(self.rfile.read(length) or b"{}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self._send(401, {"detail": "Authentication credentials were not provided."})
                return
            try:
                with lock:
                    status, content = awx.answer(self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), given)
                    text = b"" if content is None else json.dumps(content).encode()
            except Rejected as rejected:
                self._send(400, {"error": str(rejected), "detail": str(rejected)})
            except KeyError as missing:
                self._send(404, {"detail": f"Not found: {missing}"})
            else:
                self._send(status, text)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

        def _send(self, status: int, content: object) -> None:
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", VERSION)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    awx.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield awx
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
