# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""One seed: the operation undisturbed, then disturbed and taken up by the runs after it; and what all of that broke."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible_collections.elasticache.auth.plugins.module_utils._auth.tokens import is_reference, label
from ansible_collections.elasticache.auth.plugins.module_utils._core import record
from ansible_collections.elasticache.auth.plugins.module_utils._core.evidence import UNKNOWN_TOKENS
from ansible_collections.elasticache.auth.plugins.module_utils._core.explain import describe
from ansible_collections.elasticache.auth.plugins.module_utils._core.operations import Operation
from ansible_collections.elasticache.auth.plugins.module_utils._core.states import Mode, State
from ansible_collections.elasticache.auth.plugins.module_utils._operation.group_run import GroupRun

from . import disturbances as disturbing
from .disturbances import Disturbances, Disturber, Outside
from .model_aws import Aws
from .promises import Violation, Watch, stored_tokens, token_in
from .runs import Run, run
from .scenes import (
    ANYONE,
    BRIDGE,
    CURRENT,
    FOREIGN,
    FOREIGN_DEFAULT,
    GROUP,
    MARK,
    OWN,
    PENDING,
    SECRET,
    THEIR_DEFAULT,
    THEIRS,
    TRUE_RECORDS,
    Scene,
    draw,
    make,
)
from .virtual_time import Clock, start

#: Runs that nothing disturbs, after one that was.
_CLEAN_RUNS = 2
#: What somebody else may do without the operation having to stop for it.
_HARMLESS = (Outside.DELETE_RECORD, Outside.MAINTENANCE, Outside.OPERATION)


@dataclass
class Trial:
    """What a seed came to. ``arrived``: the operation's goal was reached; ``refused``: the last run says why not."""

    seed: int
    scene: Scene
    disturbances: Disturbances
    violations: list[Violation] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    steps: int = 0
    killed: int = 0
    struck: int = 0
    changed: int = 0
    arrived: bool = False
    refused: str = ""


def try_seed(seed: int, trace: Callable[[str], None] = lambda words: None) -> Trial:
    """Return what a seed came to. ``trace`` is told each step, in words without a token."""
    scene = draw(seed)
    undisturbed, trial = Simulation(scene, trace), Trial(seed, scene, Disturbances())
    trace(f"seed {seed}: {scene}")
    trace("--- undisturbed")
    first = undisturbed.run(Disturbances())
    trial.disturbances = disturbing.draw(seed, first.calls, first.changing)
    undisturbed.judge_undisturbed(first)
    undisturbed.judge_again(first)
    disturbed = Simulation(scene, trace)
    trace(f"--- disturbed: {trial.disturbances}")
    run_ = disturbed.run(trial.disturbances)
    for number in range(1, _CLEAN_RUNS + 1):
        disturbed.pause(trial.disturbances.gap)
        trace(f"--- run {number} after that")
        run_ = disturbed.run(Disturbances())
        if not run_.failed:
            break
    disturbed.judge_end(run_, undisturbed, first)
    disturbed.judge_again(run_)
    for one in (undisturbed, disturbed):
        trial.violations += one.watch.violations
        trial.runs += one.runs
        trial.steps += one.watch.steps
        trial.killed, trial.struck = trial.killed + one.killed, trial.struck + one.struck
        trial.changed += one.changed
    trial.arrived = arrived(disturbed.watch, scene)
    trial.refused = run_.error
    return trial


class Simulation:
    """One model, and the runs on it one after the other."""

    def __init__(self, scene: Scene, trace: Callable[[str], None] = lambda words: None) -> None:
        """Make what the scene tells of. ``trace`` is told each step."""
        self.scene, self.trace = scene, trace
        self.clock = Clock()
        start(self.clock)
        random.seed(scene.seed)  # the jitter of pauses
        self.aws = Aws(self.clock, scene.variants, scene.timing)
        make(self.aws, scene)
        self.watch = Watch(self.aws, scene)
        self.watch.begin()
        self.aws.observer = self.watch.look
        self.runs: list[Run] = []
        self.killed = self.struck = self.changed = 0
        self.outside: Outside | None = None
        self.start_state = self.watch.state_words()

    def run(self, disturbances: Disturbances) -> Run:
        """Run the operation, disturbed so, and judge what it tells."""
        start(self.clock)
        self.watch.begin_run()
        before = self.watch.state_words(), self.watch.secret_words()
        self.trace(f"  found: {before[0]}; secret: {before[1]}")
        stops: list[Callable[[], None]] = []

        def stop() -> None:
            stops[-1]()

        disturber = Disturber(self.aws, self.watch, disturbances, stop, self._as_somebody_else, self.trace)
        self.aws.interceptor = disturber
        done = run(self.aws, self.scene, self.watch, self.trace, stops.append)
        self.runs.append(done)
        self.killed += disturber.killed
        self.struck += disturber.struck
        self.changed += disturber.changed
        if disturber.changed and disturbances.outside:
            self.outside = disturbances.outside[1]
        ended = "killed" if done.killed else done.error or (done.group.msg if done.group else "")
        self.trace(f"  ended: {ended or done.surprise}")
        self.trace(f"  left: {self.watch.state_words()}; secret: {self.watch.secret_words()}")
        self._judge(done, disturber)
        return done

    def _as_somebody_else(self) -> None:
        done = run(self.aws, self.scene, self.watch, lambda words: self.trace(f"    {words}"), lambda stop: None)
        self.trace(f"    ended: {'killed' if done.killed else done.error or 'well'}")
        self.runs.append(done)
        self._judge_words(done)

    def pause(self, seconds: float) -> None:
        """Let time pass between two runs."""
        start(self.clock)
        self.clock.sleep(seconds)

    # --- Judgements

    def _judge(self, done: Run, disturber: Disturber) -> None:
        """Judge whether what a run tells is so, where nobody else has changed anything since it looked."""
        self._judge_words(done)
        group = done.group
        if group is None or done.killed or disturber.changed:
            return
        if not done.error:
            if not arrived(self.watch, self.scene) and any(one.step_plan.steps for one in done.groups):
                self.watch.broken("untrue", f"the run says that it did not fail: {group.msg}")
            if any(one.remaining_steps for one in done.groups[-1:]):
                self.watch.broken("untrue", f"steps are left of a run that did not fail: {group.remaining_steps}")
            if self.watch.is_open and not self._may_be_open():
                self.watch.broken("open", "unauthenticated access is left allowed")
        self._judge_stands(group, done)

    def _judge_stands(self, group: GroupRun, done: Run) -> None:
        """Judge whether the hidden state is among those that are told, in the words for its tokens."""
        if not group.current_state or self.aws.group(GROUP).change:
            return
        if group.current_state.removeprefix("unknown: ").startswith("encryption"):
            if self.aws.group(GROUP).tls.value not in group.current_state.split():
                self.watch.broken("untrue", f"it is told to be {group.current_state}")
            return
        told = group.after["possible_states"] if group.after else [group.current_state.removeprefix("unknown: ")]
        words = hidden_words(self.watch, group)
        if not words or "assumption" in group.evidence_summary:
            return
        if not any(word in possible for word in words for possible in told):
            self.watch.broken(
                "untrue", f"it is told to be {' or '.join(told)}, and is none of {sorted(words)} ({done.error})"
            )

    def _judge_words(self, done: Run) -> None:
        if done.surprise:
            self.watch.broken("crash", done.surprise)
        text = done.told()
        if "an error that it does not know" in text:
            self.watch.broken("crash", done.error)
        secrets = {token for token in self.watch.names if token} | set(stored_tokens(self.aws, self.scene).values())
        if any(token in text for token in secrets if token):
            self.watch.broken("leak", "a token is in what the run tells")

    def _may_be_open(self) -> bool:
        if self.scene.operation is Operation.DISABLE_ACCESS_CONTROL:
            return True
        # Whoever has nothing to do leaves the group as he found it.
        return (
            all(not one.step_plan.steps for one in self.runs[-1].groups) or self.scene.operation is Operation.ENABLE_TLS
        )

    def judge_undisturbed(self, first: Run) -> None:
        """Judge whether the operation gets from where it usually begins to its end, where all that it needs is told."""
        if self.scene.usual and self.scene.heard and self.scene.record in TRUE_RECORDS and first.failed:
            self.watch.broken("stuck", f"undisturbed it fails: {first.error or first.surprise}")

    def judge_end(self, last: Run, undisturbed: Simulation, first: Run) -> None:
        """Judge whether the operation has come to its end after a disturbance, as it does without one."""
        if first.failed or not first.certain or self.outside not in (None, *_HARMLESS):
            return
        if self.outside in (Outside.DELETE_RECORD, Outside.OPERATION) and "is not known" in last.error:
            return  # the record is gone, or was written over: tags can't be changed on a condition
        if last.failed:
            self.watch.broken("stuck", f"without the disturbance it arrives; now: {last.error or last.surprise}")
        elif arrived(undisturbed.watch, self.scene) and not arrived(self.watch, self.scene):
            self.watch.broken("stuck", "it does not fail, and does not arrive")

    def judge_again(self, last: Run) -> None:
        """Judge whether a run after one that did not fail has nothing to change."""
        if last.failed:
            return
        again = self.run(Disturbances())
        if again.failed and (self.outside not in (None, *_HARMLESS) or not last.certain):
            return
        if again.failed:
            self.watch.broken("not idempotent", f"a second run fails: {again.error or again.surprise}")
        elif self.watch.labels_moved or last.steps == ("promote",):
            return  # what is in AWSPREVIOUS is somebody else's; whether a rotation is due is found after a promotion
        elif again.changing:
            self.watch.broken(
                "not idempotent", f"a second run makes {again.changing} changing calls: {', '.join(again.steps)}"
            )


def arrived(watch: Watch, scene: Scene) -> bool:
    """Whether the hidden state is the operation's goal."""
    aws = watch.aws
    group, stored = aws.group(GROUP), stored_tokens(aws, scene)
    truth = stored.get(CURRENT)
    alone = bool(truth) and group.access.slots == (truth,)
    match scene.operation:
        case Operation.ENABLE_TLS:
            return group.tls.value == "required"
        case Operation.MIGRATE_AUTH_TO_RBAC:
            return group.access.user_group_ids == (OWN,)
        case Operation.DISABLE_ACCESS_CONTROL:
            return group.access.mode == "open" and not {OWN, ANYONE} & set(aws.store.user_groups)
        case Operation.ROLLBACK_TOKEN:
            return alone and MARK not in stored and OWN not in aws.store.user_groups
        case Operation.MIGRATE_RBAC_TO_AUTH if not restored(aws):
            return False
    return alone and (PENDING not in stored or stored[PENDING] != truth)


def restored(aws: Aws) -> bool:
    """Whether the user groups are as they were, and the bridge user is gone."""
    defaults = {THEIRS: THEIR_DEFAULT, FOREIGN: FOREIGN_DEFAULT}
    groups = aws.store.user_groups
    return BRIDGE not in aws.store.users and all(
        key not in groups or user in groups[key].user_ids for key, user in defaults.items()
    )


def hidden_words(watch: Watch, group: GroupRun) -> set[str]:
    """Return the words in which a result may tell of the hidden state, by the names that the run has for tokens.

    Nothing where nobody could know it.
    """
    access = watch.aws.group(GROUP).access
    if access.user_group_ids:
        return {describe(State(Mode.RBAC, user_groups=access.user_group_ids), label)}
    if not access.token_on:
        return {"open"}
    by_value = {value: name for name, value in group.kept.tokens.values.items()}
    belief = group.seen.belief if group.seen else None
    on_record = {token for state in belief.states for token in state.tokens if is_reference(token)} if belief else set()
    words: set[tuple[str, ...]] = {()}
    for slot in filter(None, access.slots):
        if slot in by_value:
            names = {by_value[slot]}
        elif watch.scene.heard or (belief and belief.recorded):
            versions = _versions(watch, slot)
            names = {*UNKNOWN_TOKENS, *(ref for ref in on_record if _is(ref, slot, versions))}
        else:
            return set()  # that the secret has all tokens in force is the caller's word
        words = {(*before, name) for before in words for name in names if name not in before}
    return {describe(State(Mode(access.mode), names), label) for names in words}


def _is(reference: str, token: str, versions: list[str]) -> bool:
    if reference.startswith("v."):
        return reference.removeprefix("v.") in versions
    return record.same_token(reference, token) is not False


def _versions(watch: Watch, token: str) -> list[str]:
    """Return the ids of the versions of the secret that hold a token, with a label or without."""
    secret = watch.aws.secrets.secrets.get(SECRET)
    found = secret.versions.items() if secret else ()
    return [key for key, one in found if token_in(one.get("secret_string") or "", watch.scene) == token]
