# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What must hold at every step of the model: nobody is refused or accepted unasked, and no accepted token is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.elasticache.auth.plugins.module_utils._aws import records
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation, Step
from emulator.access import Access, TlsMode
from emulator.data_plane.credentials import Credential, Unsettled, Verdict, is_open_to_all, judge

from .model_aws import Aws
from .scenes import BRIDGE, CURRENT, GROUP, KEY, MARK, OWN, SECRET, Scene

#: What counts whatever a run could know, and what the rest is called of a run that could not know better.
ALWAYS, OVERLOOKED = ("crash", "leak"), "overlooked"
#: So many calls, with the one that changes something, may have been made since the look that this one is right by.
_RACE = 4
#: No credentials; also what a secret says that holds no token.
NONE = ""
OURS, OUTSIDE = "run", "somebody else"


@dataclass(frozen=True)
class Violation:
    """A promise that was broken: its ``kind``, and what happened, in words without a token."""

    kind: str
    words: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}"


def serves(access: Access, credential: str) -> bool:
    """Whether a client that presents ``credential`` is served: a token alone, or :data:`NONE`."""
    if credential == NONE:
        return is_open_to_all(access)
    # A client that sends a token where none is needed is told of an error, and libraries give up then.
    return judge(access, Credential(credential.encode()), Unsettled()) is Verdict.ACCEPTED


def stored_tokens(aws: Aws, scene: Scene) -> dict[str, str]:
    """Return the tokens in the secret by staging label, by value; :data:`NONE` where it says that there is none."""
    secret = aws.secrets.secrets.get(SECRET)
    found = {}
    for version in secret.versions.values() if secret else ():
        for stage in version["version_stages"]:
            found[stage] = token_in(version.get("secret_string") or "", scene)
    return found


def all_tokens(aws: Aws, scene: Scene) -> set[str]:
    """Return the tokens in all versions of the secret, by value."""
    secret = aws.secrets.secrets.get(SECRET)
    versions = secret.versions.values() if secret else ()
    return {token_in(version.get("secret_string") or "", scene) for version in versions if version.get("secret_string")}


def token_in(text: str, scene: Scene) -> str:
    """Return the token in a secret's text."""
    return str(json.loads(text)[KEY]) if scene.keyed else text


@dataclass
class Watch:
    """Looks at the model after each call and each change, and takes note of promises that are broken.

    ``clients``: the credentials that clients present: those of the start, and since then what AWSCURRENT came to say.
    ``plain``: some connect without TLS. ``elsewhere``: tokens that are not ours to keep. ``changed_at``: the
    number of calls when somebody else has changed something. ``slipped``: his
    change of the group was not described while it was under way, or began while the run was ``waiting`` for one of its
    own; where no node answers, it can't be told from that. ``overlooked``: the run began when a token was accepted that
    has no staging label. That the secret has all tokens is taken for granted where neither the record nor a node says
    otherwise, so that what comes of it is told apart. ``labels_moved``: somebody else has moved a staging label.
    ``opened``: unauthenticated access is allowed by the operation's own doing.
    """

    aws: Aws
    scene: Scene
    clients: set[str] = field(default_factory=set)
    plain: bool = False
    elsewhere: set[str] = field(default_factory=set)
    violations: list[Violation] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    was_open: bool = False
    truth: str | None = None
    changed_at: int | None = None
    outside_changed: bool = False
    waiting: bool = False
    slipped: bool = False
    overlooked: bool = False
    labels_moved: bool = False
    opened: bool = False
    _truth_is_ours: bool = True
    _labels: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Take what there is for what is in order, whoever is served now having to be served on."""
        access = self.access
        for name in ("a", "b", "x", "z", "theirs", "app", "foreign"):
            self.names[self.scene.token(name)] = name
        tokens = {slot for slot in access.slots if slot}
        for user in access.users or ():
            if user.name == "default":
                tokens |= set(user.passwords)
        self.was_open = is_open_to_all(access)
        self.clients = {*tokens, *({NONE} if self.was_open else ())}
        if self.scene.mode == "theirs":
            # Whom nobody could ask about is told of as one who stops working, and the caller consents to that.
            self.clients &= {self.scene.token(name) for name in self.scene.names if self.scene.heard}
        self.plain = self.aws.nodes.tls(self.group_key) is not TlsMode.REQUIRED
        stored = self._labels = stored_tokens(self.aws, self.scene)
        self.truth = stored.get(CURRENT)
        self.elsewhere = tokens - set(stored.values()) | {self.scene.token("foreign")}

    def begin_run(self) -> None:
        """Hear that a run begins, or that somebody else has moved a label."""
        group, stored = self.aws.group(GROUP), stored_tokens(self.aws, self.scene)
        kept = {token for stage, token in stored.items() if stage != MARK}
        coming = group.change.access.after.slots if group.change and group.change.access else ()
        self.overlooked = any(slot not in kept for slot in (*self.access.slots, *coming) if slot)
        # Where a call is on record, and no node answers, any later date passes for that call's.
        entry = records.entry_in(group.tags)
        if entry and entry.call and self.outside_changed and not self.scene.heard:
            self.overlooked = True

    @property
    def group_key(self) -> str:
        """The group's name on the data plane."""
        return self.aws.group(GROUP).key

    @property
    def access(self) -> Access:
        """Who is accepted by the nodes."""
        return self.aws.nodes.access(self.group_key)

    @property
    def is_open(self) -> bool:
        """Whether a client without credentials is served."""
        return is_open_to_all(self.access)

    def name(self, token: str) -> str:
        """Return the name of a token, for words that anybody may read."""
        return self.names.setdefault(token, f"new{sum(name.startswith('new') for name in self.names.values()) + 1}")

    def look(self) -> None:
        """Hear that something may have changed, by the doing of the model's actor."""
        self.steps += 1
        ours = self.aws.actor == OURS
        access, stored = self.access, stored_tokens(self.aws, self.scene)
        self.labels_moved = self.labels_moved or (not ours and stored != self._labels)
        self._labels = stored
        self._take_restarts(stored, access, ours=ours)
        self._judge_clients(access, ours=ours)
        self._judge_unauthenticated_access(access, ours=ours)
        self._judge_tokens(access, stored, ours=ours)
        self._judge_record()

    def broken(self, kind: str, words: str) -> None:
        """Take note of a broken promise."""
        where = f"{words} | the group is {self.state_words()}, the secret {self.secret_words()}"
        overlooked = self.overlooked or (self.slipped and not self.scene.heard)
        self.violations.append(Violation(OVERLOOKED if overlooked and kind not in ALWAYS else kind, where))

    def _take_restarts(self, stored: Mapping[str, str], access: Access, *, ours: bool) -> None:
        """Some clients start anew whenever AWSCURRENT says something else, and take it at once."""
        truth = stored.get(CURRENT)
        if truth == self.truth:
            return
        before, self.truth, self._truth_is_ours = self.truth, truth, ours
        if not ours and self.scene.mode == "theirs":
            self.clients &= {truth}  # users with another token than the one to migrate to stop working, by consent
        if before is None or truth is None:
            return  # a secret that has just been made has no readers yet
        # Who was refused before, whatever he did, is no worse off.
        if serves(access, truth) or (ours and not self._is_race and serves(access, before)):
            self.clients.add(truth)
        change = self.aws.group(GROUP).change
        coming = Access(change.access.after.slots) if change and change.access else access
        if ours and not self._is_race and serves(coming, before) and not serves(coming, truth):
            self.broken("lockout", "AWSCURRENT is changed to what a change under way is about to refuse")

    @property
    def _is_race(self) -> bool:
        """Whether somebody else's change is so recent that a look before it was right: no call is conditional."""
        return self.changed_at is not None and self.aws.calls - self.changed_at <= _RACE

    def _judge_clients(self, access: Access, *, ours: bool) -> None:
        refused = {client for client in self.clients if not serves(access, client)}
        if self.plain and self.aws.nodes.tls(self.group_key) is TlsMode.REQUIRED:
            self.plain = False
            if ours:
                self.broken("lockout", "clients without TLS are refused")
        self.clients -= refused  # each is told of once
        for client in sorted(refused) if ours else ():
            who = f"clients with the token {self.name(client)}" if client else "clients without a token"
            self.broken("lockout", f"{who} are refused")

    def _judge_unauthenticated_access(self, access: Access, *, ours: bool) -> None:
        unauthenticated = is_open_to_all(access)
        opened, self.was_open = unauthenticated and not self.was_open, unauthenticated
        self.opened = unauthenticated and (self.opened or (opened and ours))
        if opened and ours and not self.scene.opens:
            self.broken("open", "unauthenticated access is allowed")

    def _judge_tokens(self, access: Access, stored: Mapping[str, str], *, ours: bool) -> None:
        in_force = {slot for slot in access.slots if slot}
        if OWN in self.aws.group(GROUP).access.user_group_ids:
            in_force |= {
                password for user in access.users or () if user.name == "default" for password in user.passwords
            }
        bridge = self.aws.store.users.get(BRIDGE)
        decide = self.aws.group(GROUP).access.user_group_ids
        if bridge and any(BRIDGE in self.aws.store.user_groups[key].user_ids for key in decide):
            in_force |= set(bridge.passwords)
        kept = set(stored.values())
        if self.labels_moved:
            kept = all_tokens(self.aws, self.scene)  # whose label somebody else has taken
        lost = in_force - kept - self.elsewhere
        self.elsewhere |= lost  # each is told of once
        for token in sorted(lost) if ours else ():
            self.broken("lost token", f"the token {self.name(token)} is accepted, and at no staging label")

    def _judge_record(self) -> None:
        for tag in self.aws.group(GROUP).tags.values():
            if any(token in tag for token in self.names if token):
                self.broken("leak", "a token is in a tag")

    def cut_over(self, step: Step) -> None:
        """Have the clients do what a client cutover asks of them."""
        inherent = self.scene.operation is Operation.DISABLE_ACCESS_CONTROL or self.scene.direct
        if self.opened and self.is_open and not inherent:
            self.broken("open", f"{step.value} while unauthenticated access is allowed")
        if step is Step.CLIENT_CUTOVER_TLS:
            self.plain = False
        elif step is Step.CLIENT_CUTOVER_USERS:
            return
        elif self.scene.operation is Operation.DISABLE_ACCESS_CONTROL and step is Step.CLIENT_CUTOVER:
            # Nothing leads from users of whom nothing is known to open access without a gap.
            self.clients = {NONE} if self.access.users is None else set()
        else:
            before, self.clients = self.clients, {self.truth or NONE}
            if not serves(self.access, self.truth or NONE) and not (before and self._truth_is_ours):
                self.clients = set()  # somebody else has moved them, or has had them refused before
        self._judge_clients(self.access, ours=True)

    # --- In words

    def state_words(self) -> str:
        """Return the hidden state, tokens by name."""
        group, access = self.aws.group(GROUP), self.access
        tokens = [self.name(slot) if slot else "none" for slot in access.slots]
        if access.users is not None:
            passwords = [self.name(one) for user in access.users if user.name == "default" for one in user.passwords]
            tokens = [*group.access.user_group_ids, *passwords]
        busy = "" if group.status == "available" else f", {group.status}"
        tls = self.aws.nodes.tls(group.key)
        return (
            f"{group.access.mode} ({', '.join(tokens)}){'' if tls is TlsMode.REQUIRED else f', TLS {tls.value}'}{busy}"
        )

    def secret_words(self) -> str:
        """Return what is at which staging label, tokens by name."""
        stored = stored_tokens(self.aws, self.scene)
        return (
            ", ".join(f"{stage}={self.name(token) if token else 'no token'}" for stage, token in sorted(stored.items()))
            or "-"
        )
