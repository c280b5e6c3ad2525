# SPDX-License-Identifier: Apache-2.0
"""What the text of a policy says of one field to one principal, by the policy's engine (GV-10); what fails denies."""

import logging
from dataclasses import dataclass

from dictamesh.runtime.governance.principal import Principal
from dictamesh.specs.engines.protocol import Caller, Compiled, Verdict
from dictamesh.specs.engines.registry import compiled
from dictamesh.specs.rules import Effect, EngineRules

LONGEST = 128  # characters of a rule's name
FAILED = "engine-failed"
"""The rule that decides where an engine fails."""

log = logging.getLogger("dictamesh.governance")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, None for silence; `failure` says why the engine gave none of its own."""

    verdict: Verdict | None
    failure: str | None = None


def judge(rules: EngineRules, principal: Principal) -> Judgement:
    """Ask the engine; one that raises, or gives what is no verdict, denies."""
    try:
        made = compiled(rules.engine, rules.text, rules.scope)
        if not isinstance(made, Compiled):
            return _failed(rules, "it refuses the text")
        said: object = made.judge(_caller(principal), rules.resource)  # of a stranger
    except Exception as error:  # noqa: BLE001  (a stranger's engine may raise anything)
        return _failed(rules, type(error).__name__)
    if said is None:
        return Judgement(None)
    if not isinstance(said, Verdict) or said.effect not in {Effect.ALLOW, Effect.DENY} or not is_name(said.rule):
        return _failed(rules, "what it says is neither allow nor deny")
    return Judgement(said)


def _caller(principal: Principal) -> Caller:
    return Caller(principal.authenticated, principal.roles, principal.purpose, principal.claims)


def is_name(rule: object) -> bool:
    """Whether a rule may be named so in answers, in the audit and in the log."""
    return isinstance(rule, str) and 0 < len(rule) <= LONGEST and rule.isprintable()


def _failed(rules: EngineRules, why: str) -> Judgement:
    log.error("a policy engine failed, and denies", extra={"engine": rules.engine, "reason": why})
    return Judgement(Verdict(Effect.DENY, FAILED), f"the engine '{rules.engine}' failed: {why}")
