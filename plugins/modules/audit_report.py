# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
version_added: 0.1.0
short_description: Report on the access control of ElastiCache replication groups as a page, JSON, CSV, ASFF and SARIF
description:
  - Reports from facts what is wrong with the access control of replication groups, how bad that is, and what mends it.
    Unauthenticated access, optional tokens, incomplete rotations, old tokens and missing encryption are examples.
  - Writes it as one self-contained HTML page, as JSON and as CSV, as findings for AWS Security Hub (ASFF) and as
    SARIF, and fails where a condition of O(fail_on) is met.
  - A finding names the controls of AWS Security Hub, AWS Config and the CIS AWS Database Services Benchmark that judge
    the same. They see whether a group has a token, and not whether it asks for it, so they may pass where the audit has
    a finding. AWS does not say whether its two rules on authentication look at Valkey.
  - It calls nothing. The role P(elasticache.auth.audit#role) gathers the facts.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  groups:
    description:
      - "The facts of each group: the C(elasticache_*) variables of its inventory host with C(replication_group_id), or
        an entry of RV(elasticache.auth.replication_group_info#module:replication_groups)."
      - Of a group that is given twice, by account, region and id, the later facts count as far as they are known.
      - A list of dictionaries, or a text that is such a list as JSON. With a thousand groups Ansible passes the text at
        once, and the list in seconds.
    type: raw
    required: true
  users:
    description:
      - The users of the accounts and regions whose RBAC shall be judged, as RV(elasticache.auth.user_info#module:users)
        has them. Where they are missing it is not known whether a user needs no password.
    type: list
    elements: dict
    default: []
  html_path:
    description: Where to write the page. Its folder must exist.
    type: path
  json_path:
    description:
      - Where to write the report as JSON. Its folder must exist.
      - The file is an object; C(schema_version) is raised when a reader of the one before would stumble. RV(report)
        tells what is in it.
    type: path
  csv_path:
    description:
      - Where to write the report as CSV, a line a group. Its folder must exist.
      - A text that a spreadsheet would take for a formula has an apostrophe before it.
    type: path
  asff_path:
    description:
      - Where to write the findings in the AWS Security Finding Format. Its folder must exist.
      - The file is a list of findings as C(BatchImportFindings) of AWS Security Hub takes them, 100 in a call and only
        those of its own account and region. A finding has the same id in each audit.
      - Findings of groups whose account or region is not known are left out; RV(files[].left_out) counts them.
    type: path
    version_added: 0.1.0
  sarif_path:
    description:
      - Where to write the findings as SARIF 2.1.0. Its folder must exist.
      - The path of a result is C(elasticache/ACCOUNT/REGION/ID). There is no such file, but viewers of code need one.
    type: path
    version_added: 0.1.0
  fail_on:
    description:
      - Fail, after the files were written, where a group meets one of these conditions.
      - The conditions are V(open), V(optional), V(no_password_users), V(tls_off), V(drift), V(unknown), V(rotating),
        V(tls_preferred), V(engine_too_old), V(create_failed), V(not_available), V(token_age>DAYS) with a number for
        DAYS, and V(incomplete), which is met where O(incomplete) has an entry.
      - V(optional) is what is known to be optional. A group that may be is V(unknown).
    type: list
    elements: str
    default: []
  title:
    description: The title of the page and of the JSON file.
    type: str
    default: ElastiCache access audit
  max_token_age_days:
    description: A token that is older, in days, is a finding.
    type: float
    default: 90
  incomplete:
    description: What could not be looked at, in words. The report says so.
    type: list
    elements: str
    default: []
  mode:
    description:
      - The permissions of the files. The report tells attackers where to begin, so nobody else may read it by default.
    default: "0600"
extends_documentation_fragment:
  - ansible.builtin.files
  - elasticache.auth.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: It shows a line a group, and not the markup of the files.
  idempotent:
    support: partial
    details:
      - Ages are in whole days. A file that would be the same but for the moment of the audit is left alone, so it is
        written anew when the facts change, and else once a day.
seealso:
  - module: elasticache.auth.replication_group_info
  - module: elasticache.auth.user_info
"""

EXAMPLES = r"""
- name: Look at every group of a region
  elasticache.auth.replication_group_info:
    region: eu-central-1
  register: fleet

- name: Look at the users, for groups with RBAC
  elasticache.auth.user_info:
    region: eu-central-1
    include_tags: false
  register: rbac

- name: Report, and fail where unauthenticated access is allowed or a token is older than a quarter
  elasticache.auth.audit_report:
    groups: "{{ fleet.replication_groups }}"
    users: "{{ rbac.users }}"
    html_path: /srv/reports/elasticache.html
    json_path: /srv/reports/elasticache.json
    fail_on: [open, optional, token_age>90]
"""

RETURN = r"""
counts:
  description: How many groups there are of each kind; every mode, finding and severity is there, with 0 too.
  returned: always
  type: dict
  contains:
    groups:
      description: How many there are at all.
      type: int
      returned: always
    unauthenticated_access:
      description: How many are known to allow unauthenticated access.
      type: int
      returned: always
    by_mode:
      description: By mode; V(unknown) where it is not known.
      type: dict
      returned: always
    by_finding:
      description: By finding. A group may have several.
      type: dict
      returned: always
    by_severity:
      description: By the worst finding, V(critical), V(warning) or V(notice); V(fine) without one.
      type: dict
      returned: always
failed_conditions:
  description: The conditions of O(fail_on) that are met.
  returned: always
  type: list
  elements: dict
  contains:
    condition:
      description: The condition.
      type: str
      returned: always
    count:
      description: How many groups meet it, or how much could not be looked at.
      type: int
      returned: always
    groups:
      description: Those groups, with C(replication_group_id), C(region) and C(account_id).
      type: list
      elements: dict
      returned: always
    msg:
      description: The condition with the first few of the groups.
      type: str
      returned: always
files:
  description: The files.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: Where it is.
      type: str
      returned: always
    changed:
      description: Whether it was written, or its permissions were changed.
      type: bool
      returned: always
    size:
      description: Its size in bytes.
      type: int
      returned: always
    left_out:
      description: How many findings it can't have, since the account or the region of their group is not known.
      type: int
      returned: for O(asff_path)
report:
  description: What the JSON file has.
  returned: when no file is asked for
  type: dict
  contains:
    schema_version:
      description: V(1).
      type: int
      returned: always
    title:
      description: O(title).
      type: str
      returned: always
    generated_at:
      description: When this was.
      type: str
      returned: always
      sample: "2026-11-22T15:04:05+00:00"
    max_token_age_days:
      description: O(max_token_age_days).
      type: float
      returned: always
    counts:
      description: As RV(counts).
      type: dict
      returned: always
    incomplete:
      description: O(incomplete).
      type: list
      elements: str
      returned: always
    failed_conditions:
      description: As RV(failed_conditions).
      type: list
      elements: dict
      returned: always
    groups:
      description:
        - Every group in the order of account, region and id. What is not known is null.
        - "C(findings) are the worst first, each with C(finding), C(severity), C(text), C(next_step), C(controls), and
          with C(since) and C(days) where it is known since when. C(days) and C(auth_token_age_days) are whole days."
        - "C(client_connections) of a rotation half-way whose nodes were asked has C(connections), C(predating) (those
          that predate the new token), C(clients) (at most 50 of those), C(clients_omitted), C(nodes),
          C(nodes_answered), C(summary) in words, and C(error) where not all is known. What is not known
          is null and never 0."
      type: list
      elements: dict
      returned: always
      sample:
        - replication_group_id: sessions
          account_id: "123456789012"
          region: eu-central-1
          arn: arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:sessions
          console_url: https://eu-central-1.console.aws.amazon.com/elasticache/home?region=eu-central-1#/valkey/sessions
          description: Sessions of the shop
          serverless: false
          status: available
          pending: null
          engine: valkey
          engine_version: 8.1.0
          node_count: 2
          cluster_enabled: false
          global_role: null
          endpoints: {primary: "master.sessions.example.com:6379"}
          tags: {team: shop}
          transit_encryption_mode: required
          mode: optional
          possible_states: [optional (an unknown token)]
          evidence: [api, nodes]
          drift: false
          unauthenticated_access: true
          auth_token_enabled: true
          auth_token_last_modified_date: "2026-11-10T15:04:05+00:00"
          auth_token_age_days: 12
          recorded_at: null
          user_group_ids: []
          no_password_users: null
          client_connections: null
          severity: critical
          findings:
            - finding: optional
              severity: critical
              text: "Unauthenticated access is allowed, for 12 days: it has a token and does not ask for it."
              next_step: >-
                elasticache.auth.enable_auth finishes it: once every client has the token, it alone is accepted.
              since: "2026-11-10T15:04:05+00:00"
              days: 12
              controls:
                - AWS Config elasticache-rbac-auth-enabled
                - CIS AWS Database Services Benchmark v1.0.0 5.8
"""

import datetime
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.elasticache.auth.plugins.module_utils._core import posture
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._report import asff, document, page, sarif


@dataclass(frozen=True)
class Format:
    """A kind of file: how it is written, and the line of each group in Ansible's diff."""

    option: str
    write: Callable[[document.Report], str]
    lines: Callable[[str], str]
    stamp: Callable[[datetime.datetime], str] = document.stamp


def json_lines(text: str) -> str:
    """Return a line a group; nothing of a file that is no report."""
    try:
        return document.lines(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def html_lines(text: str) -> str:
    """Return a line a group; nothing of a file that is no page of ours."""
    try:
        return page.lines(page.data_of(text) or {"groups": ()})
    except (KeyError, TypeError, AttributeError):
        return ""


def asff_lines(text: str) -> str:
    """Return a line a finding; nothing of a file that is no list of findings."""
    try:
        return asff.lines(text)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


def sarif_lines(text: str) -> str:
    """Return a line a finding; nothing of a file that is no SARIF."""
    try:
        return sarif.lines(text)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""


FORMATS = (
    Format("html_path", page.page, html_lines),
    Format("json_path", document.json_text, json_lines),
    Format("csv_path", document.csv_text, str),
    Format("asff_path", asff.asff_text, asff_lines, document.zulu),
    Format("sarif_path", sarif.sarif_text, sarif_lines, document.zulu),
)


def same_but_for_the_moment(old: str, new: str, moment: str) -> bool:
    """Whether two files differ in nothing but the moment of the audit; all moments of a kind have the same length."""
    if len(old) != len(new):
        return False
    place = 0
    for part in new.split(f'"{moment}"'):
        if not old.startswith(part, place):
            return False
        place += len(part) + len(moment) + 2
    return True


def read(path: str) -> str:
    """Return what is in a file, nothing where there is none. Raises AuthError."""
    try:
        return Path(path).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise AuthError(f"{path}: it can't be read: {error.strerror}.") from error


def check_paths(params: dict[str, Any]) -> None:
    """Raise AuthError where a file can't be written, before anything is."""
    paths = [params[form.option] for form in FORMATS if params[form.option]]
    for path in paths:
        if paths.count(path) > 1:
            raise AuthError(f"{path}: it is named for two files. Give each a path of its own.")
        folder = Path(path).parent
        if Path(path).is_dir() or not folder.is_dir():
            what = "it is a folder" if Path(path).is_dir() else f"there is no folder {folder}"
            raise AuthError(f"{path}: {what}. Name a file in a folder that exists.")


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Put the text there at once, as a whole, and for nobody else to read meanwhile. Raises AuthError."""
    temporary = ""
    umask = os.umask(0o077)
    try:
        handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        module.atomic_move(temporary, path)
    except OSError as error:
        raise AuthError(f"{path}: it can't be written: {error.strerror}. Free space, or name another path.") from error
    finally:
        os.umask(umask)
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def groups_in(given: Any) -> list[dict[str, Any]]:
    """Return the groups in O(groups), which may be JSON. Raises AuthError."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError as error:
            raise AuthError(f"groups: the text is not JSON: {error}.") from error
    if not isinstance(given, list) or not all(isinstance(group, dict) for group in given):
        raise AuthError("groups: it is not a list of dictionaries. Give one for each group, with its facts.")
    return given


def report_on(params: dict[str, Any], now: datetime.datetime) -> document.Report:
    """Return the report. Raises AuthError."""
    conditions = [posture.parse_condition(text) for text in params["fail_on"]]
    if params["max_token_age_days"] < 0:
        raise AuthError(f"max_token_age_days: {params['max_token_age_days']:g} is negative. Give a number of days.")
    users = posture.read_users(params["users"])
    audited = posture.audit(posture.read_all(groups_in(params["groups"])), now, params["max_token_age_days"], users)
    return document.Report(
        title=params["title"],
        moment=now,
        max_token_age_days=params["max_token_age_days"],
        audited=audited,
        counts=posture.count(audited),
        incomplete=params["incomplete"],
        failed=posture.check(conditions, audited, params["incomplete"]),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "groups": {"type": "raw", "required": True},
            "users": {"type": "list", "elements": "dict", "default": []},
            **{form.option: {"type": "path"} for form in FORMATS},
            "fail_on": {"type": "list", "elements": "str", "default": []},
            "title": {"type": "str", "default": "ElastiCache access audit"},
            "max_token_age_days": {"type": "float", "default": 90, "no_log": False},
            "incomplete": {"type": "list", "elements": "str", "default": []},
            "mode": {"type": "raw", "default": "0600"},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    params = module.params
    files: list[dict[str, Any]] = []
    diff: list[dict[str, str]] = []
    try:
        check_paths(params)
        report = report_on(params, datetime.datetime.now(datetime.timezone.utc))
        for form in FORMATS:
            if not (path := params[form.option]):
                continue
            old, new = read(path), form.write(report)
            changed = not same_but_for_the_moment(old, new, form.stamp(report.moment))
            if changed:
                diff.append(
                    {"before_header": path, "after_header": path, "before": form.lines(old), "after": form.lines(new)}
                )
                if not module.check_mode:
                    write(module, path, new)
            if Path(path).exists():
                arguments = module.load_file_common_arguments(params, path)
                changed = module.set_fs_attributes_if_different(arguments, changed)
            file = {"path": path, "changed": changed, "size": len(new.encode())}
            if form.option == "asff_path":
                file["left_out"] = sum(len(group.findings) for group in report.audited if not asff.has_place(group))
            files.append(file)
    except AuthError as error:
        module.fail_json(msg=str(error))

    failed = [document.failed_condition(condition) for condition in report.failed]
    result: dict[str, Any] = {
        "changed": any(file["changed"] for file in files),
        "counts": document.counts(report.counts),
        "failed_conditions": failed,
        "files": files,
        # The facts of a fleet are not sent back to where they came from.
        "invocation": {
            "module_args": {name: value for name, value in params.items() if name not in ("groups", "users")}
        },
    }
    if not files:
        result["report"] = document.document(report)
    if module._diff:  # pylint: disable=protected-access
        result["diff"] = diff
    if failed:
        written = " The files tell all of it." if files else ""
        many = f"{len(report.audited)} group{'s' * (len(report.audited) != 1)}"
        told = "; ".join(condition["msg"] for condition in failed)
        module.fail_json(msg=f"The audit of {many} fails on {told}.{written}", **result)
    module.exit_json(msg=summary(report), **result)


def summary(report: document.Report) -> str:
    """Return the result in a sentence, and another where nodes of rotations half-way were asked who is connected."""
    found = report.counts
    if not found.groups:
        return "There is no group."
    said = ", ".join(f"{number} {name}" for name, number in found.by_mode.items() if number)
    groups = f"{found.groups} group{'s' * (found.groups != 1)}"
    return f"{groups}: {said}; {found.by_severity['critical']} critical.{predating(report)}"


def predating(report: document.Report) -> str:
    """Return how many connections predate the new token in the rotations that are half-way; empty: none was asked."""
    asked = [group.facts.half_way for group in report.audited if group.facts.half_way]
    if not asked:
        return ""
    number = sum(half_way.predating or 0 for half_way in asked)
    words = f" {number} connection{'s' * (number != 1)} of {len(asked)} half-way rotation{'s' * (len(asked) != 1)}"
    words += f" predate{'s' * (number == 1)} the new token"
    unknown = sum(bool(half_way.error) or half_way.predating is None for half_way in asked)
    return words + (f"; of {unknown} of them not all is known." if unknown else ".")


if __name__ == "__main__":
    main()
