# SPDX-License-Identifier: Apache-2.0
"""Breaker and cache against models, retry against its budget, cancellation against the counters; in virtual time."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dictamesh.connectors.sdk.errors import Fault, SourceError, Terminal, Transient
from dictamesh.runtime.resilience import (
    L1,
    Breaker,
    Bulkhead,
    CallRefused,
    CircuitOpen,
    Clock,
    Guard,
    Listeners,
    RateLimit,
    Retry,
    Settings,
    State,
    cache_key,
    namespace,
)
from tests.unit.resilience.virtual_time import VirtualLoop, cancel_rest, run, settle


@dataclass
class Pending:
    task: asyncio.Task[str]
    gate: asyncio.Future[str]
    period: int


@dataclass
class Model:
    """The breaker as S23 words it."""

    state: State = State.CLOSED
    row: int = 0
    opened_at: float | None = None
    trials: int = 0  # under way
    successes: int = 0
    period: int = 0
    moves: list[State] = field(default_factory=list)

    def move(self, state: State, now: float) -> None:
        self.state, self.row, self.trials, self.successes = state, 0, 0, 0
        self.period += 1
        self.moves.append(state)
        if state is State.OPEN:
            self.opened_at = now
        elif state is State.CLOSED:
            self.opened_at = None

    def begin(self, now: float) -> bool:
        if self.state is State.OPEN and now - (self.opened_at or 0) >= 30:
            self.move(State.HALF_OPEN, now)
        if self.state is State.HALF_OPEN and self.trials + self.successes < 3:
            self.trials += 1
            return True
        return self.state is State.CLOSED

    def end(self, period: int, failed: bool | None, now: float) -> None:
        if period != self.period:
            return
        if self.state is State.HALF_OPEN:
            self.trials -= 1
        if failed is None:
            return
        if not failed:
            self.row = 0
            self.successes += 1
            if self.state is State.HALF_OPEN and self.successes == 3:
                self.move(State.CLOSED, now)
            return
        self.row += 1
        if self.state is State.HALF_OPEN or self.row == 5:
            self.move(State.OPEN, now)


class BreakerMachine(RuleBasedStateMachine):
    """Calls overlap, end in any order and way, and time passes between them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.model = Model()
        self.pending: list[Pending] = []
        self.moves: list[State] = []
        self.guard = Guard(
            "cms",
            Settings(retry=Retry(attempts=1, total=1e6), bulkhead=Bulkhead(max_concurrent=1000), attempt_timeout=1e6),
            clock=self.loop.clock,
            listeners=Listeners(on_state=lambda _, state: self.moves.append(state)),
        )

    def teardown(self) -> None:
        self.loop.run_until_complete(cancel_rest())
        self.loop.close()

    def result(self, call: Pending) -> object:
        self.loop.run_until_complete(asyncio.wait([call.task]))
        return asyncio.CancelledError() if call.task.cancelled() else call.task.exception() or call.task.result()

    @rule()
    def begin(self) -> None:
        gate: asyncio.Future[str] = self.loop.create_future()

        async def source() -> str:
            return await gate

        task = self.loop.create_task(self.guard.call(source))
        self.loop.run_until_complete(settle())
        if self.model.begin(self.loop.time()):
            assert not task.done()
            self.pending.append(Pending(task, gate, self.model.period))
        else:
            error = task.exception()
            assert isinstance(error, CircuitOpen)
            left = 30 - (self.loop.time() - (self.model.opened_at or 0)) if self.model.state is State.OPEN else 0
            assert abs(error.retry_in - left) < 1e-6

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), how=st.sampled_from(["row", "failure", "failure", "failure", "harmless", "cancel"]))
    def end(self, data: st.DataObject, how: str) -> None:
        call = self.pending.pop(data.draw(st.integers(0, len(self.pending) - 1)))
        match how:
            case "row":
                call.gate.set_result("row")
            case "failure":
                call.gate.set_exception(Transient(Fault.SERVER_ERROR))
            case "harmless":
                call.gate.set_exception(Terminal(Fault.NOT_FOUND))
            case "cancel":
                call.task.cancel()
        result = self.result(call)
        assert isinstance(result, {"row": str, "cancel": asyncio.CancelledError}.get(how, SourceError))
        self.model.end(call.period, None if how == "cancel" else how == "failure", self.loop.time())

    @rule(calls=st.integers(5, 7))
    def fail_in_a_row(self, calls: int) -> None:
        for _ in range(calls):
            self.begin()
            if self.pending and not self.pending[-1].gate.done():
                call = self.pending.pop()
                call.gate.set_exception(Transient(Fault.TIMEOUT))
                assert isinstance(self.result(call), Transient)
                self.model.end(call.period, True, self.loop.time())

    @rule(seconds=st.sampled_from([1, 29, 30, 31, 100]))
    def wait(self, seconds: int) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @invariant()
    def agrees(self) -> None:
        assert self.guard.state is self.model.state
        assert self.guard.opened_at == self.model.opened_at
        assert self.moves == self.model.moves
        assert (self.guard.running, self.guard.waiting) == (len(self.pending), 0)


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

KEYS = [cache_key(mesh, entity, "h", key) for mesh in "ab" for entity in ("C", "CD") for key in ("1", "12")]


class CacheMachine(RuleBasedStateMachine):
    """The model is a list in order of last use, searched from end to end."""

    SIZE, STALE_FOR = 5, 50

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.cache = L1(self.SIZE, stale_for=self.STALE_FOR, clock=Clock(now=lambda: self.now))
        self.model: list[tuple[str, int, int, int]] = []  # key, value, put at, expires at
        self.values = 0

    @rule(key=st.sampled_from(KEYS), ttl=st.integers(1, 30))
    def put(self, key: str, ttl: int) -> None:
        self.values += 1
        self.cache.put(key, self.values, ttl)
        kept = [entry for entry in self.model if entry[0] != key]
        if len(kept) == len(self.model) == self.SIZE:
            kept = [entry for entry in kept if entry[3] > self.now][-(self.SIZE - 1) :]
        self.model = [*kept, (key, self.values, self.now, self.now + ttl)]

    @rule(key=st.sampled_from(KEYS), stale_ok=st.booleans())
    def get(self, key: str, stale_ok: bool) -> None:
        hit = self.cache.get(key, stale_ok=stale_ok)
        expected = None
        for entry in self.model:
            if entry[0] == key and self.now < entry[3] + (self.STALE_FOR if stale_ok else 0):
                expected = entry
        if expected is None:
            assert hit is None
        else:
            assert (hit.value, hit.age, hit.stale) == (expected[1], self.now - expected[2], self.now >= expected[3])
            self.model = [*(e for e in self.model if e is not expected), expected]
        self.model = [e for e in self.model if e[0] != key or self.now < e[3] + self.STALE_FOR]

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        assert self.cache.delete(key) == any(entry[0] == key for entry in self.model)
        self.model = [entry for entry in self.model if entry[0] != key]

    @rule(key=st.sampled_from(KEYS))
    def expire(self, key: str) -> None:
        fresh = [entry for entry in self.model if entry[0] == key and self.now < entry[3]]
        assert self.cache.expire(key) == bool(fresh)
        self.model = [(*entry[:3], self.now) if entry in fresh else entry for entry in self.model]

    @rule(prefix=st.sampled_from([namespace("a"), namespace("b", "C")]), odd=st.booleans())
    def expire_prefix(self, prefix: str, odd: bool) -> None:
        fresh = [e for e in self.model if e[0].startswith(prefix) and self.now < e[3] and e[1] % 2 == odd]
        assert self.cache.expire_prefix(prefix, lambda value: value % 2 == odd) == len(fresh)
        self.model = [(*entry[:3], self.now) if entry in fresh else entry for entry in self.model]

    @rule(prefix=st.sampled_from([namespace("a"), namespace("b", "C"), namespace("a", "CD", "h"), KEYS[0]]))
    def delete_prefix(self, prefix: str) -> None:
        left = [entry for entry in self.model if not entry[0].startswith(prefix)]
        assert self.cache.delete_prefix(prefix) == len(self.model) - len(left)
        self.model = left

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def agrees(self) -> None:
        assert len(self.cache) == len(self.model) <= self.SIZE


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)

seconds = st.floats(0, 8, allow_nan=False).map(lambda s: round(s, 3))
attempt = st.tuples(seconds, st.one_of(st.none(), seconds, st.just(float("nan")), st.just(float("inf"))))


@settings(max_examples=300, deadline=None)
@given(
    script=st.lists(attempt, min_size=1, max_size=12),
    retry=st.builds(
        Retry,
        attempts=st.integers(1, 12),
        initial=st.floats(0, 2),
        multiplier=st.floats(1, 10),
        max_interval=st.floats(0, 5),
        total=st.floats(0.01, 20),
    ),
    timeout=st.floats(0.01, 10),
    draw=st.floats(0, 1, exclude_max=True),
)
@example(script=[(8.0, None)], retry=Retry(), timeout=2.0, draw=0.0)
def test_a_call_never_outlasts_its_budget(script, retry: Retry, timeout: float, draw: float):
    async def main(clock: Clock) -> None:
        spans: list[float] = []
        guard = Guard(
            "cms",
            Settings(retry=retry, attempt_timeout=timeout),
            clock=clock,
            listeners=Listeners(on_attempt=lambda _n, _o, took: spans.append(took)),
            draw=lambda: draw,
        )
        calls = 0

        async def source() -> None:
            nonlocal calls
            latency, retry_after = script[min(calls, len(script) - 1)]
            calls += 1
            await asyncio.sleep(latency)
            raise Transient(Fault.SERVER_ERROR, retry_after=retry_after)

        error = (await asyncio.gather(guard.call(source), return_exceptions=True))[0]
        assert isinstance(error, Transient)
        assert clock.now() <= retry.total + 1e-6
        assert 1 <= calls == len(spans) <= retry.attempts
        assert max(spans) <= timeout + 1e-6

    run(main)


call = st.tuples(
    st.floats(0, 3),  # starts at
    st.floats(0, 4),  # the source's latency
    st.sampled_from(["row", "transient", "terminal", "harmless"]),
    st.one_of(st.none(), st.floats(0, 6)),  # cancelled so long after the start
)


@settings(max_examples=200, deadline=None)
@given(
    calls=st.lists(call, min_size=1, max_size=25),
    open_first=st.booleans(),
    slots=st.integers(1, 4),
    rate=st.sampled_from([None, 2.0, 50.0]),
)
def test_cancellation_leaves_every_counter_as_it_was(calls, open_first: bool, slots: int, rate: float | None):
    errors = {
        "transient": Transient(Fault.TIMEOUT),
        "terminal": Terminal(Fault.UNKNOWN),
        "harmless": Terminal(Fault.REFUSED),
    }

    async def main(clock: Clock) -> None:
        guard = Guard(
            "cms",
            Settings(
                rate_limit=RateLimit(per_second=rate, burst=2, max_wait=1),
                bulkhead=Bulkhead(max_concurrent=slots, queue=5, max_wait=1),
                breaker=Breaker(failures=3, open_for=1, half_open=2),
            ),
            clock=clock,
        )
        inside = 0
        most = 0

        async def source(latency: float, how: str) -> str:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            try:
                await asyncio.sleep(latency)
            finally:
                inside -= 1
            if how in errors:
                raise errors[how]
            return how

        async def client(start: float, latency: float, how: str, patience: float | None) -> str:
            await asyncio.sleep(start)
            async with asyncio.timeout(patience):
                return await guard.call(lambda: source(latency, how))

        if open_first:
            for _ in range(3):
                await asyncio.gather(guard.call(lambda: source(0, "terminal")), return_exceptions=True)
                await clock.sleep(1)
        results = await asyncio.gather(*(client(*c) for c in calls), return_exceptions=True)
        assert all(isinstance(r, str | TimeoutError | SourceError | CallRefused) for r in results)
        assert most <= slots
        assert (guard.running, guard.waiting, inside) == (0, 0, 0)
        await clock.sleep(10)
        for _ in range(2):  # trials, if any were left open: none may be lost to a cancelled call
            assert await guard.call(lambda: source(0, "row")) == "row"
            await clock.sleep(10)
        assert guard.state is State.CLOSED
        tasks = [asyncio.create_task(guard.call(lambda: source(1, "row"))) for _ in range(min(slots, 2))]
        await settle()
        assert inside == len(tasks)
        await asyncio.gather(*tasks)

    run(main)
