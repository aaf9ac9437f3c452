# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
name: replication_groups
version_added: 0.1.0
short_description: ElastiCache replication groups of many regions and accounts as hosts
description:
  - Makes a host of every ElastiCache replication group, with its access control, the evidence for that, the age of its
    token and more as variables. The playbooks of this collection take such hosts.
  - The file that configures it has a name that ends in C(elasticache.yml) or C(elasticache.yaml).
  - No node is asked and no token is read. Where API and record leave several states open, C(elasticache_mode) is null
    and C(elasticache_possible_states) lists them.
  - All hosts of replication groups are in the group C(elasticache_replication_groups), those of serverless caches in
    C(elasticache_serverless). A fleet report wants both, a rotation the former.
author:
  - elasticache.auth contributors (@elasticache-auth)
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [elasticache.auth.replication_groups]
  regions:
    description:
      - The regions to look at; V(all) stands for every region that is enabled in the account.
      - Without it, the region of O(region), of the environment or of the profile.
    type: list
    elements: str
    default: []
  assume_role_arns:
    description:
      - The ARNs of roles, each of which is assumed to look at the account that it belongs to.
      - The credentials' own account is then looked at only with O(include_own_account=true), since the account that may
        assume the roles often has no caches, or no permission to list them.
    type: list
    elements: str
    default: []
    aliases: [assume_role_arn, iam_role_arn]
  include_own_account:
    description:
      - Whether to look at the account of the credentials themselves.
      - Without it, just where there are no O(assume_role_arns).
    type: bool
  filters:
    description:
      - Which groups become hosts. A dictionary, all of whose conditions a group has to meet; or a list of such
        dictionaries, one of which has to be met.
      - C(ids), C(status), C(engine), C(mode) and C(transit_encryption_mode) take a text or a list of texts, one of
        which has to match. C(ids) and C(status) take shell patterns.
      - C(mode) is one of V(open), V(optional), V(required), V(rotating), V(rbac), or V(unknown) for those whose mode
        the evidence leaves open or that are being changed.
      - C(tags) is a dictionary. A tag's value is a shell pattern, or a list of patterns; V(*) stands for any value.
      - C(min_token_age_days) and C(max_token_age_days) are numbers. What has no token meets neither, nor does
        a secondary of a global datastore, whose token is changed at its primary.
    type: raw
    default: {}
  exclude_filters:
    description: Which groups don't become hosts, in the same form as O(filters).
    type: raw
    default: {}
  serverless:
    description: Whether serverless caches become hosts too.
    type: bool
    default: true
  record:
    description:
      - Read the tags, and in them the record that M(elasticache.auth.replication_group_auth) left.
      - Without it, a group with a token has no mode, and C(elasticache_tags) is null.
    type: bool
    default: true
  engine_versions:
    description:
      - Read the engines' versions. Only the cache clusters have them, a call for every hundred nodes.
      - Without it, C(elasticache_engine_version) is null for replication groups.
    type: bool
    default: true
  hostname:
    description:
      - A Jinja2 expression over the host's variables that names it, for example V(replication_group_id).
      - Without it, a host is named C(<id>.<region>.<account>), and a serverless cache
        C(<id>.serverless.<region>.<account>).
      - Ids are unique in one region of one account only. So this name never collides; and, unlike one that is only as
        long as it has to be, it doesn't change when another region gets a group of the same id, which would break
        C(--limit), retry files, host_vars and the history in AWX. C(--limit 'sessions.*') finds the group all the same.
      - Characters that AWS does not take in a tag become C(_), so that no name can be a template. It takes letters,
        digits, spaces and C(_.:/=+-@).
      - Two hosts that get the same name are an error.
    type: str
  on_failure:
    description:
      - What to do where a region or an account can't be looked at, whatever the reason.
      - V(fail) makes an error of it.
      - V(report) warns, and goes on with the rest. The group variable C(elasticache_inventory_failures) of C(all)
        lists what is missing, with C(region) (null for a whole account), C(account_id), C(assume_role_arn) and
        C(error). Where nothing at all can be looked at, that is an error all the same. An incomplete result is not
        cached.
    type: str
    choices: [fail, report]
    default: fail
notes:
  - "Needs C(elasticache:DescribeReplicationGroups); with O(engine_versions) C(elasticache:DescribeCacheClusters); with
    O(serverless) C(elasticache:DescribeServerlessCaches); with O(record) C(tag:GetResources) and
    C(elasticache:ListTagsForResource); with O(regions=all) C(ec2:DescribeRegions); with O(assume_role_arns)
    C(sts:AssumeRole)."
  - "Ansible only warns of an inventory that can't be read, and goes on without it. To make an error of it, set
    C(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true). The playbooks and roles of this collection fail in any case."
  - All is read by the page, a hundred at a time, all regions at once. Groups whose token was changed within the last
    minutes cost a call each where their tags, as the Resource Groups Tagging API has them, seem to be behind.
  - With O(cache), the cache is used for what was asked under the same options and access key. O(filters) and the
    tokens' ages are applied to what is cached, so that ages grow.
seealso:
  - module: elasticache.auth.replication_group_info
extends_documentation_fragment:
  - elasticache.auth.requirements
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
  - constructed
  - inventory_cache
"""

EXAMPLES = r"""
# fleet.elasticache.yml: all groups of the credentials' account in one region
plugin: elasticache.auth.replication_groups
regions: [eu-central-1]

---
# Two accounts besides one's own, all of their regions; groups by mode, engine, tag and for what is due
plugin: elasticache.auth.replication_groups
regions: all
assume_role_arns:
  - arn:aws:iam::210987654321:role/elasticache-fleet
  - arn:aws:iam::321098765432:role/elasticache-fleet
include_own_account: true
keyed_groups:
  - key: elasticache_mode | default('unknown', true)
    prefix: elasticache_mode
  - key: elasticache_engine
    prefix: elasticache_engine
  - key: elasticache_tags.env | default('none')
    prefix: env
groups:
  due: (elasticache_auth_token_age_days or 0) > 90
compose:
  rotate_token_soak: 7200 if elasticache_tags.env == 'prod' else 0

---
# Production groups with a token older than 90 days, without those that someone else rotates; fails where incomplete
plugin: elasticache.auth.replication_groups
regions: [eu-central-1, us-east-1]
filters:
  tags:
    env: prod*
  min_token_age_days: 90
exclude_filters:
  - ids: ["legacy-*", sandbox]
  - tags:
      rotated-by: "*"
on_failure: report

---
# Short names, for a fleet whose ids are unique; cached for ten minutes
plugin: elasticache.auth.replication_groups
hostname: replication_group_id
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/elasticache-inventory
cache_timeout: 600
"""

import dataclasses
import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible_collections.amazon.aws.plugins.plugin_utils.inventory import AWSInventoryBase

from ansible_collections.elasticache.auth.plugins.module_utils._aws.accounts import account_of_role
from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients
from ansible_collections.elasticache.auth.plugins.module_utils._core.errors import AuthError
from ansible_collections.elasticache.auth.plugins.module_utils._core.lists import texts_for_lists
from ansible_collections.elasticache.auth.plugins.module_utils._core.one_line import one_line
from ansible_collections.elasticache.auth.plugins.module_utils._fleet.selection import Selection, parse_selection
from ansible_collections.elasticache.auth.plugins.module_utils._fleet.survey import (
    ALL_REGIONS,
    Facts,
    Failure,
    Scope,
    check_regions,
    survey_fleet,
    token_age_days,
)
from ansible_collections.elasticache.auth.plugins.plugin_utils import _sources
from ansible_collections.elasticache.auth.plugins.plugin_utils._untrusted import MARKS_TRUST, untrusted

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19, where every text is trusted that isn't marked as unsafe
    trust_as_template = str  # type: ignore[assignment]

#: Part of the cache's key: another form of what is cached gets another one.
_CACHED_FORM = 1
#: What a host's name can't have: what AWS takes in no tag, from delimiters of templates to what moves a cursor.
_NOT_IN_NAMES = re.compile(r"[^\w .:/=+@-]")
#: The groups of hosts that there always are.
GROUPS = "elasticache_replication_groups"
SERVERLESS = "elasticache_serverless"
FAILURES = "elasticache_inventory_failures"
_SHOWN_FAILURES = 5
#: Characters of an error that the playbooks tell again.
_MOST = 2000


class InventoryModule(AWSInventoryBase):
    """Hosts from a survey of the fleet."""

    NAME = _sources.NAME
    INVENTORY_FILE_SUFFIXES = _sources.SUFFIXES

    class TemplatedOptions(AWSInventoryBase.TemplatedOptions):
        """Options in which templates are allowed."""

        TEMPLATABLE_OPTIONS = (  # type: ignore[assignment]
            *AWSInventoryBase.TemplatedOptions.TEMPLATABLE_OPTIONS,
            "assume_role_arns",
            "exclude_filters",
        )

        def get(self, *args: Any) -> Any:
            """Return an option. amazon.aws's way to do this is deprecated since ansible-core 2.19, and says so."""
            value = self.original_options.get(*args)
            if not value or not self.templar or args[0] not in self.TEMPLATABLE_OPTIONS:
                return value
            return self.templar.template(value)

    def __init__(self) -> None:
        super().__init__()
        self._asked: list[Any] = []

    def verify_file(self, path: str) -> bool:
        """Whether to read the file. Raises ``AnsibleParserError`` for one of the plugin's own with another name.

        Ansible tells of the error where the file names the plugin, and takes it for a no where it only asks.
        """
        if super().verify_file(path):
            return True
        if BaseInventoryPlugin.verify_file(self, path) and _sources.is_ours(path):
            raise AnsibleParserError(f"{path}: {_sources.misnamed(path)}")
        return False

    def parse(  # type: ignore[override]
        self, inventory: Any, loader: Any, path: str, cache: bool = True
    ) -> None:
        """Fill ``inventory``. Raises ``AnsibleParserError``."""
        try:
            self._parse(inventory, loader, path, cache)
        except Exception as error:
            _sources.note(path, one_line(str(error), _MOST))
            raise
        _sources.note(path)

    def _parse(self, inventory: Any, loader: Any, path: str, cache: bool) -> None:
        # Not amazon.aws's parse, which assumes a role of its own before a cache is looked at.
        BaseInventoryPlugin.parse(self, inventory, loader, path, cache)
        self.require_aws_sdk()
        self._check_options(self._read_config_data(path))
        try:
            selection = parse_selection(self.get_option("filters"), self.get_option("exclude_filters"))
            facts, failures = self._look(path, cache, selection)
        except AuthError as error:
            raise AnsibleParserError(str(error)) from None
        self._populate(facts, failures, selection)

    def _check_options(self, config: Mapping[str, Any]) -> None:
        """Refuse an option that there is not, and what is no boolean: Ansible would pass over it, or make it false."""
        known = {
            alias
            for name, definition in self.option_definitions.items()
            for alias in (name, *(definition.get("aliases") or ()))
        }
        for name in config:
            if name not in known:
                close = difflib.get_close_matches(str(name), sorted(known), 1)
                meant = f" Did you mean {close[0]}?" if close else ""
                raise AnsibleParserError(
                    f"There is no option '{name}'.{meant} See ansible-doc -t inventory {self.NAME}."
                )

        # Ansible would split a text at its commas.
        for problem in texts_for_lists(self.option_definitions, config):
            raise AnsibleParserError(problem.message)
        for name in config:
            if (self.option_definitions.get(name) or {}).get("type") in ("bool", "boolean"):
                try:
                    boolean(config[name])
                except TypeError:
                    raise AnsibleParserError(f"{name}: '{config[name]}' is neither true nor false.") from None

    def _look(self, path: str, cache: bool, selection: Selection) -> tuple[Sequence[Facts], Sequence[Failure]]:
        """Return the facts, cached or fresh, and what is missing. Raises :class:`AuthError`."""
        regions, roles = self._regions(), self._roles()
        scope = Scope(
            ids=selection.ids,
            record=self.get_option("record"),
            engine_versions=self.get_option("engine_versions"),
            serverless=self.get_option("serverless"),
        )
        if selection.needs_tags and not scope.record:
            raise AuthError("filters: tags can't be filtered by with record: false, which leaves them unread.")
        own_account = self.get_option("include_own_account")
        if own_account is None:
            own_account = not roles
        if not own_account and not roles:
            raise AuthError("include_own_account: false leaves no account to look at. Name roles in assume_role_arns.")
        self._asked = [_CACHED_FORM, regions, roles, own_account, *dataclasses.astuple(scope)]
        self._asked += [self.get_option(name) for name in ("profile", "access_key", "endpoint_url", "region")]

        cached, facts = self.get_cached_result(path, cache)
        if cached:
            return facts, ()
        named = [region for region in regions if region != ALL_REGIONS]
        home = Clients(self, region=self.region or (named[0] if named else "us-east-1"))
        check_regions(home, regions)
        fleet = survey_fleet(home, regions, roles, own_account=own_account, scope=scope)
        failures = fleet.failures
        if failures and (self.get_option("on_failure") == "fail" or len(failures) >= self._tried(fleet)):
            raise AuthError(_refusal(failures, len(failures) >= self._tried(fleet)))
        for failure in failures:
            self.display.warning(f"The inventory is incomplete. {_told(failure)}")
        if not failures:
            self.update_cached_result(path, cache, list(fleet.facts))
        return fleet.facts, failures

    @staticmethod
    def _tried(fleet: Any) -> int:
        """How many regions and accounts were looked at, or could not be."""
        return len(fleet.places) + sum(failure.region is None for failure in fleet.failures)

    def _regions(self) -> list[str]:
        regions = [str(region).strip() for region in self.get_option("regions") or () if str(region).strip()]
        if not regions and not self.region:
            raise AuthError("There is no region. Set regions, AWS_REGION, or a profile that has one.")
        return list(dict.fromkeys(regions)) or [str(self.region)]

    def _roles(self) -> list[str]:
        roles = [str(role).strip() for role in self.get_option("assume_role_arns") or ()]
        for role in roles:
            if account_of_role(role) is None:
                raise AuthError(
                    f"assume_role_arns: '{role}' is not the ARN of a role, which looks like "
                    "arn:aws:iam::123456789012:role/name."
                )
        return list(dict.fromkeys(roles))

    def get_cache_key(self, path: str) -> str:
        """Return the cache's key for what is asked, by the file and the options; it gives none of them away."""
        asked = hashlib.sha256(json.dumps([path, *self._asked], default=str).encode()).hexdigest()
        return f"{self.NAME}_{asked[:32]}"

    def _populate(self, facts: Sequence[Facts], failures: Sequence[Failure], selection: Selection) -> None:
        if self.inventory is None:  # parse() has set it
            return
        for group in (GROUPS, SERVERLESS):
            self.inventory.add_group(group)
        known = self.inventory.groups["all"].get_vars().get(FAILURES) or []
        self.inventory.set_variable("all", FAILURES, [*known, *(untrusted(failure.as_dict()) for failure in failures)])
        # All are named before the first one is added: Ansible keeps what was there before an error.
        arns: dict[str, str] = {}
        hosts = []
        for found in facts:
            found_facts = {**found, "auth_token_age_days": token_age_days(found)}
            if selection.includes(found_facts):
                variables = host_variables(found_facts)
                host = self._name(found_facts, variables)
                if host in arns:
                    raise AnsibleParserError(
                        f"hostname: {arns[host]} and {found_facts['arn']} would both be the host {host}. Leave "
                        "hostname out, or put elasticache_region and elasticache_account_id into it."
                    )
                arns[host] = found_facts["arn"]
                hosts.append((host, SERVERLESS if found_facts["serverless"] else GROUPS, variables))
        for host, group, variables in hosts:
            self._add(host, group, variables)

    def _name(self, facts: Facts, variables: Mapping[str, Any]) -> str:
        template = self.get_option("hostname")
        if not template:
            return default_name(facts)
        try:
            name = self._compose(template, variables)
        except Exception as error:
            raise AnsibleParserError(f"hostname: {template} can't name {facts['arn']}: {error}") from None
        if not isinstance(name, str) or not name.strip():
            raise AnsibleParserError(f"hostname: {template} gives no name for {facts['arn']}, but {name!r}.")
        return _NOT_IN_NAMES.sub("_", name.strip())

    def _compose(self, template: Any, variables: Mapping[str, Any], *dummy: Any) -> Any:
        """Return what an expression gives; a text stays one, also where it looks like a list or a boolean.

        Before ansible-core 2.19 the latter became what it looks like, so that a tag with the value C(True) was no name
        for a group any more, and the inventory failed.
        """
        if not MARKS_TRUST:
            alone = super()._compose(f"[({template}) | ansible.builtin.mandatory]", variables)
            if isinstance(alone, list):  # else there is no literal for what it gives
                return "" if alone[0] is None else alone[0]  # as Ansible has it there
        return super()._compose(template, variables)

    def _add(self, host: str, group: str, variables: Mapping[str, Any]) -> None:
        if self.inventory is None:  # parse() has set it
            return
        self.inventory.add_host(host, group=group)
        for name, value in variables.items():
            self.inventory.set_variable(host, name, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def default_name(facts: Facts) -> str:
    """Return the host's name that no other cache can have, now or later: no id has a dot in it."""
    kind = ("serverless",) if facts["serverless"] else ()
    return ".".join((facts["replication_group_id"], *kind, facts["region"], facts["account_id"]))


def host_variables(facts: Facts) -> dict[str, Any]:
    """Return the variables of a host with these facts: what connects to it, and the facts with their prefix."""
    found = dict(facts)
    return {
        # Ours, and so trusted.
        "ansible_connection": trust_as_template("local"),
        "ansible_python_interpreter": trust_as_template("{{ ansible_playbook_python }}"),
        # Not ours: whoever may describe or tag a group must not run anything here.
        "replication_group_id": untrusted(found.pop("replication_group_id")),
        **{f"elasticache_{name}": untrusted(value) for name, value in found.items()},
    }


def _told(failure: Failure) -> str:
    return f"As {failure.role_arn}: {failure.error}" if failure.role_arn and failure.region else failure.error


def _refusal(failures: Sequence[Failure], nothing_left: bool) -> str:
    told = " ".join(_told(failure) for failure in failures[:_SHOWN_FAILURES])
    more = f" (and {len(failures) - _SHOWN_FAILURES} more)" if len(failures) > _SHOWN_FAILURES else ""
    if nothing_left:
        return f"Nothing could be looked at. {told}{more}"
    return f"The inventory would be incomplete. {told}{more} Repair it, or go on with the rest by on_failure: report."
