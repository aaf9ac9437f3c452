# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The states of access control, on one group that is made open: tokens, then user groups, then open once more.

Each change leads to a state of which the next questions are asked, whichever way the one before turned out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from emulator.control.refusals import Refusal

from .endpoint import Answer, NoAnswerError
from .groups import Change, Group, Scene
from .made import TAG, Kind
from .nodes import CLOSED, SERVED, Line
from .rows import BAD_TOKEN, NO_PASSWORD, NOAUTH, WRONGPASS
from .user_groups import USER_GROUP, ask_user_groups

ENGINE = "valkey"
NODE_TYPE = "cache.t4g.micro"
ACCESS = "access"
_UNCERTAIN = ("no-op", "slot-lost")
_COMMANDS = ("CLIENT LIST", "CLIENT INFO", "ACL LOG", "ACL WHOAMI")
_ERRORS = ("ERR", "NOPERM", "NOAUTH", CLOSED)
_DATE = "AuthTokenLastModifiedDate"


class Access:
    """The questions, in order; what one leaves for the next ones is kept here."""

    def __init__(self, scene: Scene, bridge_token: str) -> None:
        """``bridge_token``: the password of the user group's user named ``default``; it becomes the token."""
        self.scene = scene
        self.answers = scene.answers
        self.bridge_token = bridge_token
        self.group = Group(scene, ACCESS)
        self.looks: dict[str, Mapping[str, Any]] = {}
        self.dates: set[str] = set()
        self.held: dict[str, str] = {}  #: what became of connections: "ROTATE" and "SET", kept or dropped

    def token(self, suffix: str = "") -> str:
        """A new one."""
        return self.scene.endpoint.hidden.make(suffix=suffix)

    def run(self) -> None:
        """Ask all of it; raises where it can't go on."""
        self._created()
        self._open()
        first = self.token()
        self._optional(first)
        older, newer = self._rotating(first)
        self._set(self._rotated_again(older, newer))
        self._without_strategy()
        ask_refused_while_token(self.group)
        self._user_groups()

    # --- Tokens -----------------------------------------------------------------------------------------------------

    def _created(self) -> None:
        change = self.group.create(Engine=ENGINE, CacheNodeType=NODE_TYPE, TransitEncryptionEnabled=True)
        if change.answer.refused:
            raise NoAnswerError(f"the group was not made: {change.answer}")
        self.answers.value("at-rest-valkey", "on" if change.after.get("AtRestEncryptionEnabled") else "off")
        clusters = self.scene.endpoint.ask("describe_cache_clusters", CacheClusterId=change.after["MemberClusters"][0])
        shown = {"ReplicationGroup": change.after, "CacheCluster": (clusters.result.get("CacheClusters") or [{}])[0]}
        found = [name for name, members in shown.items() if members.get("EngineVersion")]
        self.answers.value("engine-version", ", ".join(found) or "neither", clusters.seconds)

    def _open(self) -> None:
        refused = self.group.modify(AuthToken=self.token(), AuthTokenUpdateStrategy="SET")
        self.answers.refusal("set-on-open", refused)
        with self.answers.asking("open-unauthenticated", "open-auth", "open-auth-default"):
            self.answers.value("open-unauthenticated", self.unauthenticated())
            self.answers.value("open-auth", self.once("AUTH", self.token()))
            named = (
                self.once("AUTH", "default", self.token()),
                self.once("HELLO", "3", "AUTH", "default", self.token()),
            )
            ok = [answer in ("OK", "(data)") for answer in named]
            value = "ok" if all(ok) else "error" if set(named) == {NO_PASSWORD} else " / ".join(named)
            self.answers.value("open-auth-default", value)

    def _optional(self, token: str) -> None:
        """ROTATE on open, and what is asked while it is in flight."""
        asked = ("modify-in-flight", "tags-listed-in-flight", "tags-written-in-flight", "status-rotating")
        change = self.group.rotate(token, self._in_flight)
        for name in asked:
            self.answers.not_asked(name, f"ROTATE was over after {change.seconds:.1f} s, before it could be asked")
        self.answers.value("modify-answer", change.answer.result["ReplicationGroup"]["Status"])
        self.answers.value("status-afterwards", ", ".join(change.after.get("PendingModifiedValues") or []) or "empty")
        self._date(change)
        self.looks["optional"] = change.after
        with self.answers.asking("rotate-open", *(f"optional-{what}" for what in ("unauthenticated", "token"))):
            unauthenticated, accepted = self.unauthenticated(), self.once("AUTH", token)
            self.answers.value("optional-unauthenticated", unauthenticated)
            self.answers.value("optional-token", accepted)
            self.answers.value("rotate-open", self.state({token: accepted == "OK"}, unauthenticated))
        with self.answers.asking("optional-wrong-token"):
            wrong = self.once("AUTH", self.token())
            known = {WRONGPASS: "wrongpass", "OK": "ok", NO_PASSWORD: "error"}
            self.answers.value("optional-wrong-token", known.get(wrong, wrong))

    def _in_flight(self, shown: Mapping[str, Any]) -> None:
        self.answers.value("status-rotating", str(shown["PendingModifiedValues"].get("AuthTokenStatus")))
        made, endpoint = self.scene.made, self.scene.endpoint
        # Each is harmless where the change is over before it comes: then it is not counted.
        questions: Mapping[str, Callable[[], Answer]] = {
            "modify-in-flight": lambda: made.change(
                Kind.GROUP, ACCESS, "modify_replication_group", ApplyImmediately=True
            ),
            "tags-listed-in-flight": lambda: endpoint.ask("list_tags_for_resource", ResourceName=shown["ARN"]),
            "tags-written-in-flight": lambda: made.change_tags(Kind.GROUP, ACCESS, f"{TAG}-asked"),
        }
        for name, question in questions.items():
            with self.answers.asking(name):
                answer = question()
                if self.group.in_flight():
                    self.answers.refusal(name, answer)

    def _rotating(self, first: str) -> tuple[str, str]:
        """ROTATE on optional, then the same ROTATE again; returns the two tokens in force, the older first."""
        second = self.token()
        change = self.group.rotate(second)
        self._date(change)
        self.looks["rotating"] = change.after
        with self.answers.asking("rotate-optional", "rotating-unauthenticated", "rotating-tokens"):
            unauthenticated = self.unauthenticated()
            accepted = {token: self.once("AUTH", token) for token in (first, second)}
            self.answers.value("rotating-unauthenticated", unauthenticated)
            self.answers.value("rotating-tokens", "OK" if set(accepted.values()) == {"OK"} else "refused")
            state = self.state({token: answer == "OK" for token, answer in accepted.items()}, unauthenticated)
            self.answers.value("rotate-optional", state)
        again = self.group.change(AuthToken=second, AuthTokenUpdateStrategy="ROTATE").answer
        with self.answers.asking("rotate-same-twice"):
            self._outcome("rotate-same-twice", again, lambda: "no-op" if self.accepts(first) else "slot-lost")
        if again.refused:
            return first, second
        third = self.token()
        self.group.rotate(third)
        return second, third

    def _rotated_again(self, older: str, newer: str) -> str:
        """ROTATE of the older token that is live; which one another ROTATE then locks out tells what it has done.

        Returns the token that is accepted beside the newest one.
        """
        remaining = newer
        live = self.group.change(AuthToken=older, AuthTokenUpdateStrategy="ROTATE").answer
        if live.refused:
            self.answers.choice("rotate-live-token", "refused", live)
        else:
            self.answers.part("rotate-live-token", _UNCERTAIN, live)
        newest = self.bridge_token
        lines = {token: self._connected(token) for token in (older, newer)}
        self.group.rotate(newest)
        with self.answers.asking("rotate-rotating"):
            accepted = [self.accepts(token) for token in (older, newer, newest)]
            outcomes = {(False, True, True): "no-op", (True, False, True): "slot-lost"}
            found = outcomes.get((accepted[0], accepted[1], accepted[2]))
            if not live.refused:
                self.answers.choice("rotate-live-token", found or "neither no-op nor slot-lost", live)
            words = [name for name, yes in zip(("a", "b", "new"), accepted, strict=True) if yes]
            last_out = found == "no-op" or (found == "slot-lost" and not live.refused)
            value = "a refused, b and new accepted" if last_out else f"accepted: {', '.join(words) or 'none'}"
            self.answers.value("rotate-rotating", value)
            if found == "slot-lost":
                remaining = older
            self._held("ROTATE", lines[newer if found == "slot-lost" else older])
        return remaining

    def _set(self, before: str) -> None:
        newest = self.bridge_token
        other = self.group.modify(AuthToken=self.token(), AuthTokenUpdateStrategy="SET")
        known = {Refusal.SET_NOT_ROTATED.value[1]: "not-rotated", BAD_TOKEN: "invalid-token"}
        value = known.get(other.words, "other words") if other.refused else "accepted"
        self.answers.choice("set-other-value", value, other)
        line = self._connected(before)
        seen: list[str] = []
        change = self.group.change(
            lambda shown: seen.append(str(shown["PendingModifiedValues"].get("AuthTokenStatus"))),
            AuthToken=newest,
            AuthTokenUpdateStrategy="SET",
        )
        if seen:
            self.answers.value("status-setting", seen[0])
        self.answers.not_asked("status-setting", f"SET was over after {change.seconds:.1f} s: {change.answer}")
        self._date(change)
        self._held("SET", line)
        self.looks["required"] = change.after
        self._finish_looks()
        with self.answers.asking("set-newest", *(f"required-{w}" for w in ("unauthenticated", "token", "wrong-token"))):
            unauthenticated = self.unauthenticated()
            named = {self.once("AUTH", newest), self.once("AUTH", "default", newest)}
            self.answers.value("required-unauthenticated", unauthenticated)
            self.answers.value("required-token", " / ".join(sorted(named)))
            self.answers.value("required-wrong-token", self.once("AUTH", self.token()))
            tokens = {newest: self.accepts(newest), before: self.accepts(before)}
            self.answers.value("set-newest", self.state(tokens, unauthenticated))
        self._commands(newest)
        again = self.group.change(AuthToken=newest, AuthTokenUpdateStrategy="SET").answer
        with self.answers.asking("set-on-required"):
            self._outcome("set-on-required", again, lambda: "no-op" if self.accepts(newest) else "slot-lost")

    def _commands(self, token: str) -> None:
        """The commands by which clients can be told apart."""
        with self.answers.asking("connection-commands"):
            line = self.scene.nodes.open(self.group.address())
            line.authenticate(token)
            asked = {name: line.ask(*name.split()) for name in _COMMANDS}
            line.close()
            refused = [f"{name}: {told}" for name, told in asked.items() if told.startswith(_ERRORS)]
            self.answers.value("connection-commands", "; ".join(refused) or "answered")

    def _without_strategy(self) -> None:
        """AuthToken alone, with a character that only the modify page allows."""
        current = self.bridge_token
        seen = self.answers.seen["set-on-required"]
        if not seen.code and seen.value != "no-op":
            # It may be lost. Where it is not, this is a ROTATE of a live token, which may be refused.
            self.group.change(AuthToken=current, AuthTokenUpdateStrategy="ROTATE")
        wide = self.token("_")
        change = self.group.change(AuthToken=wide)
        refused = change.answer.refused
        self.answers.choice("modify-wider-token", "refused" if refused else "accepted", change.answer)
        added = wide
        if refused:
            added = self.token()
            change = self.group.change(AuthToken=added)
        with self.answers.asking("no-strategy"):
            if change.answer.refused:
                self.answers.value("no-strategy", str(change.answer))
            else:
                state = self.state({token: self.accepts(token) for token in (current, added)}, self.unauthenticated())
                self.answers.value("no-strategy", "ROTATE" if state == "rotating" else f"it led to {state}")

    # --- User groups ------------------------------------------------------------------------------------------------

    def _user_groups(self) -> None:
        """DELETE + attach, what is asked of rbac, and the ways out of it."""
        token, user_group = self.bridge_token, self.scene.made.identifier(USER_GROUP)
        with self.answers.asking("group-while-token"):
            self.answers.refusal("group-while-token", self.group.modify(UserGroupIdsToAdd=[user_group]))
        line = self._connected(token)
        pending: list[str] = []
        change = self.group.change(
            lambda shown: pending.extend(
                name for name, ids in (shown["PendingModifiedValues"].get("UserGroups") or {}).items() if ids
            ),
            AuthTokenUpdateStrategy="DELETE",
            UserGroupIdsToAdd=[user_group],
        )
        if change.answer.refused:
            self.answers.value("delete-and-attach", str(change.answer))
            return
        if pending:
            self.answers.value("pending-user-groups", ", ".join(pending))
        self.answers.not_asked("pending-user-groups", f"it was over after {change.seconds:.1f} s")
        rbac = change.after.get("UserGroupIds") == [user_group] and not change.after.get("AuthTokenEnabled")
        shown = {name: change.after.get(name) for name in ("AuthTokenEnabled", "UserGroupIds")}
        self.answers.value("delete-and-attach", "rbac" if rbac else str(shown), change.seconds)
        with self.answers.asking("rbac-bridge", "rbac-unauthenticated", "rbac-attach-connections"):
            self.answers.value("rbac-bridge", self.once("AUTH", token))
            self.answers.value("rbac-unauthenticated", self.unauthenticated())
            self.answers.value("rbac-attach-connections", _kept(line))
        with self.answers.asking("tls-while-group"):
            self.answers.refusal("tls-while-group", self.group.modify(TransitEncryptionEnabled=True))
        with self.answers.asking("token-while-group"):
            asked = self.group.modify(AuthToken=self.token(), AuthTokenUpdateStrategy="ROTATE")
            self.answers.refusal("token-while-group", asked)
        ask_user_groups(self.scene, self.group, token)
        self._out_of_rbac(user_group)

    def _out_of_rbac(self, user_group: str) -> None:
        token = self.token()
        change = self.group.change(RemoveUserGroups=True, AuthToken=token, AuthTokenUpdateStrategy="ROTATE")
        if change.answer.refused:
            self.answers.value("rbac-to-token", str(change.answer))
        else:
            with self.answers.asking("rbac-to-token"):
                state = self.state({token: self.accepts(token)}, self.unauthenticated())
                self.answers.value("rbac-to-token", state, change.seconds)
            self.group.change(AuthTokenUpdateStrategy="DELETE", UserGroupIdsToAdd=[user_group])
        change = self.group.change(UserGroupIdsToRemove=[user_group])
        with self.answers.asking("rbac-to-open"):
            if change.answer.refused:
                self.answers.value("rbac-to-open", str(change.answer))
                return
            controlled = change.after.get("AuthTokenEnabled") or change.after.get("UserGroupIds")
            unauthenticated = self.unauthenticated()
            is_open = unauthenticated == SERVED and not controlled
            self.answers.value("rbac-to-open", "open" if is_open else unauthenticated, change.seconds)

    # --- What is used above -----------------------------------------------------------------------------------------

    def once(self, *command: str) -> str:
        """The answer on a connection of its own."""
        return self.scene.nodes.once(self.group.address(), *command)

    def unauthenticated(self) -> str:
        """What a client without a token is answered."""
        return self.scene.nodes.unauthenticated(self.group.address())

    def accepts(self, token: str) -> bool:
        """Whether that token is accepted."""
        return self.scene.nodes.accepts(self.group.address(), token)

    @staticmethod
    def state(accepted: Mapping[str, bool], unauthenticated: str) -> str:
        """The state's name in elasticache-facts §1, by what nodes answer."""
        tokens = sum(accepted.values())
        if unauthenticated == SERVED:
            return {0: "open", 1: "optional"}.get(tokens, f"{SERVED} without a token, {tokens} accepted")
        if unauthenticated != NOAUTH:
            return unauthenticated
        return {1: "required", 2: "rotating"}.get(tokens, "closed")

    def _outcome(self, name: str, answer: Answer, effect: Any) -> None:
        """Refused, or what the nodes show of its effect, or only that it was not refused."""
        if answer.refused:
            self.answers.choice(name, "refused", answer)
            return
        self.answers.part(name, _UNCERTAIN, answer)
        self.answers.choice(name, effect(), answer)

    def _connected(self, token: str) -> Line | None:
        with self.answers.asking():
            line = self.scene.nodes.open(self.group.address())
            if line.authenticate(token) == "OK":
                return line
            line.close()
        return None

    def _held(self, change: str, line: Line | None) -> None:
        """What became of the connection whose token the change has ended."""
        if line is None:
            self.answers.not_asked("existing-connections", "there was no connection with the token that ended")
            return
        self.held[change] = "keep" if _kept(line) == "kept" else "drop"
        line.close()
        if len(self.held) == 2:
            same = len(set(self.held.values())) == 1
            told = ", ".join(f"{what} across {how}" for how, what in self.held.items())
            self.answers.value("existing-connections", next(iter(self.held.values())) if same else told)

    def _date(self, change: Change) -> None:
        if not change.in_flight or change.answer.refused:
            self.answers.not_asked("date-moves", "the change was over before it could be looked at")
            return
        dates = [shown.get(_DATE) for shown in (change.before, change.in_flight, change.after)]
        moved = "start" if dates[0] != dates[1] else "end" if dates[1] != dates[2] else "never"
        self.dates.add(moved)
        self.answers.value("date-moves", " and ".join(sorted(self.dates)))

    def _finish_looks(self) -> None:
        names = {name for look in self.looks.values() for name in look} - {_DATE}
        differing = [name for name in names if len({repr(look.get(name)) for look in self.looks.values()}) > 1]
        self.answers.value("looks", f"differ in {', '.join(sorted(differing))}" if differing else "identical")


def _kept(line: Line | None) -> str:
    if line is None:
        return "there was no connection"
    answer = line.ping()
    return "kept" if answer == SERVED else answer


def ask_refused_while_token(group: Group) -> None:
    """What is refused while a token is on."""
    answers = group.scene.answers
    calls: Mapping[str, Mapping[str, Any]] = {
        "tls-while-token": {"TransitEncryptionEnabled": True},
        "token-empty": {"AuthToken": "", "AuthTokenUpdateStrategy": "ROTATE"},
        "nothing-to-change": {},
        "delete-without-group": {"AuthTokenUpdateStrategy": "DELETE"},
    }
    for name, members in calls.items():
        with answers.asking(name):
            answers.refusal(name, group.modify(**members))
