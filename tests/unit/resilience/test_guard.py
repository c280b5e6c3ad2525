# SPDX-License-Identifier: Apache-2.0
"""The order of S23 around one call, in virtual time."""

import asyncio
import time

import pytest
from aiohttp import ClientSession, web

from dictamesh.connectors.sdk.errors import HARMLESS, Fault, SourceError, Terminal, Transient
from dictamesh.runtime.resilience import (
    Breaker,
    Bulkhead,
    CallRefused,
    CircuitOpen,
    Clock,
    Guard,
    Listeners,
    RateLimit,
    RateLimited,
    Retry,
    Saturated,
    Settings,
    State,
)
from tests.unit.resilience.virtual_time import run, settle


class Source:
    """Answers by a script of errors and values, the last of which repeats; `latency` in seconds."""

    def __init__(self, *script: object, latency: float = 0.0) -> None:
        self.script = list(script)
        self.latency = latency
        self.calls = 0

    async def __call__(self) -> object:
        answer = self.script[min(self.calls, len(self.script) - 1)]
        self.calls += 1
        await asyncio.sleep(self.latency)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def outcomes(guard: Guard, source: Source, calls: int) -> list[str]:
    seen = []
    for _ in range(calls):
        try:
            seen.append(str(await guard.call(source)))
        except (SourceError, CallRefused) as error:
            seen.append(str(getattr(error, "fault", getattr(error, "reason", ""))))
    return seen


ONE_TRY = Retry(attempts=1)


def test_a_dead_source_gives_five_errors_then_five_refusals_and_recovers():
    async def main(clock: Clock) -> None:
        states: list[tuple[str, State]] = []
        guard = Guard("cms", clock=clock, listeners=Listeners(on_state=lambda n, s: states.append((n, s))))
        dead = Source(Transient(Fault.CONNECTION_FAILED))
        assert await outcomes(guard, dead, 10) == ["connection_failed"] * 5 + ["circuit_open"] * 5
        assert dead.calls == 25  # five attempts each, one count per call
        assert guard.state is State.OPEN
        opened = guard.opened_at
        await clock.sleep(29.9 - (clock.now() - opened))
        with pytest.raises(CircuitOpen) as refused:
            await guard.call(dead)
        assert refused.value.retry_in == pytest.approx(0.1)
        assert refused.value.name == "cms"
        await clock.sleep(0.2)
        assert await outcomes(guard, Source("row"), 10) == ["row"] * 10
        assert guard.opened_at is None
        assert states == [("cms", State.OPEN), ("cms", State.HALF_OPEN), ("cms", State.CLOSED)]

    run(main)


def test_failures_must_follow_one_another_to_open():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(retry=ONE_TRY), clock=clock)
        dead = Source(Terminal(Fault.INVALID_RESPONSE))
        for _ in range(4):
            await outcomes(guard, dead, 4)
            await guard.call(Source("row"))
        assert guard.state is State.CLOSED
        await outcomes(guard, dead, 5)
        assert guard.state is State.OPEN

    run(main)


@pytest.mark.parametrize("fault", sorted(Fault))
def test_only_faults_of_the_source_open_the_breaker(fault: Fault):
    async def main(clock: Clock) -> State:
        guard = Guard("cms", Settings(retry=ONE_TRY), clock=clock)
        await outcomes(guard, Source(Terminal(fault)), 20)
        return guard.state

    assert run(main) is (State.CLOSED if fault in HARMLESS else State.OPEN)


def test_a_foreign_exception_counts_and_is_not_retried():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", clock=clock)
        broken = Source(RuntimeError("a defect of a connector"))
        for _ in range(5):
            with pytest.raises(RuntimeError):
                await guard.call(broken)
        assert broken.calls == 5
        assert guard.state is State.OPEN

    run(main)


@pytest.mark.parametrize(("answer", "final"), [("row", State.CLOSED), (Terminal(Fault.SERVER_ERROR), State.OPEN)])
def test_half_open_lets_three_of_fifty_concurrent_calls_through(answer: object, final: State):
    async def main(clock: Clock) -> None:
        settings = Settings(retry=ONE_TRY, bulkhead=Bulkhead(max_concurrent=50))
        guard = Guard("cms", settings, clock=clock)
        await outcomes(guard, Source(Terminal(Fault.SERVER_ERROR)), 5)
        await clock.sleep(31)
        source = Source(answer, latency=0.1)
        results = await asyncio.gather(*(guard.call(source) for _ in range(50)), return_exceptions=True)
        assert source.calls == 3
        assert sum(isinstance(r, CircuitOpen) for r in results) == 47
        assert guard.state is final

    run(main)


def test_a_cancelled_trial_counts_for_nothing_and_frees_its_place():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(retry=ONE_TRY), clock=clock)
        await outcomes(guard, Source(Terminal(Fault.SERVER_ERROR)), 5)
        await clock.sleep(31)
        hanging = Source("row", latency=1.0)
        for _ in range(4):  # more than there are trials
            task = asyncio.create_task(guard.call(hanging))
            await settle()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert guard.state is State.HALF_OPEN
        assert hanging.calls == 4
        assert await outcomes(guard, Source("row"), 3) == ["row"] * 3
        assert guard.state is State.CLOSED

    run(main)


def test_cancelled_calls_never_open_the_breaker():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", clock=clock)
        await outcomes(guard, Source(Terminal(Fault.SERVER_ERROR)), 4)
        for _ in range(20):
            task = asyncio.create_task(guard.call(Source("row", latency=1.0)))
            await settle()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert guard.state is State.CLOSED
        await outcomes(guard, Source(Terminal(Fault.SERVER_ERROR)), 1)
        assert guard.state is State.OPEN  # the cancelled ones were no successes either

    run(main)


def test_a_call_from_before_the_opening_says_nothing_about_later_states():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(retry=ONE_TRY, attempt_timeout=100, breaker=Breaker(open_for=1)), clock=clock)
        late = [
            asyncio.create_task(guard.call(Source(answer, latency=3))) for answer in ("row", Terminal(Fault.UNKNOWN))
        ]
        await settle()
        await outcomes(guard, Source(Terminal(Fault.SERVER_ERROR)), 5)
        opened = guard.opened_at
        await clock.sleep(2)
        trial = asyncio.create_task(guard.call(Source("row", latency=2)))
        await settle()
        assert guard.state is State.HALF_OPEN
        await asyncio.gather(*late, return_exceptions=True)
        assert guard.state is State.HALF_OPEN
        assert guard.opened_at == opened
        await trial

    run(main)


def test_a_transient_error_is_retried_with_growing_waits_and_a_terminal_one_is_not():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(retry=Retry(attempts=4)), clock=clock, draw=lambda: 1.0)
        flaky = Source(*[Transient(Fault.SERVER_ERROR)] * 3, "row")
        assert await guard.call(flaky) == "row"
        assert clock.now() == pytest.approx(0.1 + 0.2 + 0.4)
        terminal = Source(Terminal(Fault.SERVER_ERROR))
        await outcomes(guard, terminal, 1)
        assert terminal.calls == 1

    run(main)


def test_jitter_halves_a_wait_at_most():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(retry=Retry(attempts=2)), clock=clock, draw=lambda: 0.0)
        await guard.call(Source(Transient(Fault.SERVER_ERROR), "row"))
        assert clock.now() == pytest.approx(0.05)

    run(main)


@pytest.mark.parametrize(("wish", "calls", "elapsed"), [(3.0, 2, 3.0), (0.001, 2, 0.1), (5.0, 1, 0.0), (1e9, 1, 0.0)])
def test_retry_after_is_honoured_within_the_budget(wish: float, calls: int, elapsed: float):
    async def main(clock: Clock) -> None:
        guard = Guard("cms", clock=clock, draw=lambda: 1.0)
        source = Source(Transient(Fault.RATE_LIMITED, retry_after=wish), "row")
        await outcomes(guard, source, 1)
        assert source.calls == calls
        assert clock.now() == pytest.approx(elapsed)

    run(main)


def test_a_slow_attempt_is_cut_and_all_of_them_within_the_budget():
    async def main(clock: Clock) -> None:
        attempts: list[tuple[str, str, float]] = []
        guard = Guard(
            "cms", clock=clock, listeners=Listeners(on_attempt=lambda *a: attempts.append(a)), draw=lambda: 1.0
        )
        with pytest.raises(Transient) as error:
            await guard.call(Source("row", latency=60))
        assert error.value.fault is Fault.TIMEOUT
        assert clock.now() == pytest.approx(5.0)
        assert [(name, outcome) for name, outcome, _ in attempts] == [("cms", "timeout")] * 3
        assert [round(seconds, 6) for *_, seconds in attempts] == [2.0, 2.0, 0.7]

    run(main)


def test_a_timeout_error_of_the_callee_is_not_taken_for_ours():
    async def main(clock: Clock) -> None:
        with pytest.raises(TimeoutError) as error:
            await Guard("cms", clock=clock).call(Source(TimeoutError()))
        assert not isinstance(error.value, SourceError)

    run(main)


def test_cancellation_ends_a_wait_between_attempts():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(retry=Retry(initial=4)), clock=clock)
        source = Source(Transient(Fault.SERVER_ERROR))
        task = asyncio.create_task(guard.call(source))
        await clock.sleep(1)
        assert guard.running == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await clock.sleep(10)
        assert source.calls == 1
        assert (guard.running, guard.waiting) == (0, 0)

    run(main)


def test_attempts_are_reported_by_outcome():
    async def main(clock: Clock) -> list[str]:
        seen: list[str] = []
        guard = Guard("cms", clock=clock, listeners=Listeners(on_attempt=lambda _n, outcome, _s: seen.append(outcome)))
        await guard.call(Source(Transient(Fault.SERVER_ERROR), "row"))
        with pytest.raises(ZeroDivisionError):
            await guard.call(Source(ZeroDivisionError()))
        task = asyncio.create_task(guard.call(Source("row", latency=1)))
        await settle()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return seen

    assert run(main) == ["server_error", "ok", "error", "cancelled"]


def test_the_bulkhead_caps_running_calls_and_its_queue():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(bulkhead=Bulkhead(max_concurrent=3, queue=4)), clock=clock)
        source = Source("row", latency=1)
        tasks = [asyncio.create_task(guard.call(source)) for _ in range(10)]
        await settle()
        assert (guard.running, guard.waiting, source.calls) == (3, 4, 3)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(r, Saturated) for r in results] == [False] * 7 + [True] * 3
        assert clock.now() == pytest.approx(3)
        assert guard.state is State.CLOSED

    run(main)


def test_a_call_waits_for_a_slot_only_so_long():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(bulkhead=Bulkhead(max_concurrent=1, max_wait=1.5)), clock=clock)
        first = asyncio.create_task(guard.call(Source("row", latency=1.9)))
        await settle()
        with pytest.raises(Saturated):
            await guard.call(Source("row"))
        assert clock.now() == pytest.approx(1.5)
        assert await first == "row"
        assert await guard.call(Source("row")) == "row"

    run(main)


def test_a_slot_freed_in_the_moment_of_a_cancellation_goes_to_the_next():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(bulkhead=Bulkhead(max_concurrent=1)), clock=clock)
        gate: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def held() -> str:
            return await gate

        first = asyncio.create_task(guard.call(held))
        await settle()
        second, third = (asyncio.create_task(guard.call(Source("row"))) for _ in range(2))
        await settle()
        gate.set_result("row")
        await first
        second.cancel()
        assert await third == "row"
        assert (guard.running, guard.waiting) == (0, 0)

    run(main)


def test_the_rate_limit_spaces_calls_behind_the_burst():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(rate_limit=RateLimit(per_minute=120, burst=2, max_wait=5)), clock=clock)
        at: list[float] = []

        async def source() -> None:
            at.append(clock.now())

        await asyncio.gather(*(guard.call(source) for _ in range(5)))
        assert at == pytest.approx([0, 0, 0.5, 1.0, 1.5])

    run(main)


def test_a_turn_too_far_away_is_refused_at_once():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(rate_limit=RateLimit(per_second=1, burst=1, max_wait=2)), clock=clock)
        results = await asyncio.gather(*(guard.call(Source("row")) for _ in range(5)), return_exceptions=True)
        assert [isinstance(r, RateLimited) for r in results] == [False] * 3 + [True] * 2
        assert results[3].retry_in == pytest.approx(1)
        fail = Guard("cms", Settings(rate_limit=RateLimit(per_second=3, burst=1, max_wait=0)), clock=clock)
        assert await outcomes(fail, Source("row"), 2) == ["row", "rate_limited"]
        await clock.sleep(1 / 3)
        assert await outcomes(fail, Source("row"), 2) == ["row", "rate_limited"]

    run(main)


def test_a_cancelled_wait_for_the_rate_spends_nothing():
    async def main(clock: Clock) -> None:
        guard = Guard("cms", Settings(rate_limit=RateLimit(per_second=1, burst=1, max_wait=10)), clock=clock)
        await guard.call(Source("row"))
        waiting = [asyncio.create_task(guard.call(Source("row"))) for _ in range(3)]
        await settle()
        assert guard.waiting == 3
        waiting[0].cancel()
        waiting[1].cancel()
        await waiting[2]
        assert clock.now() == pytest.approx(1)
        assert guard.waiting == 0

    run(main)


def test_the_rate_limit_stands_before_the_bulkhead_and_that_before_the_breaker():
    async def main(clock: Clock) -> None:
        settings = Settings(
            rate_limit=RateLimit(per_second=1, burst=7, max_wait=0),
            bulkhead=Bulkhead(max_concurrent=1, queue=0),
            retry=ONE_TRY,
        )
        guard = Guard("cms", settings, clock=clock)
        hanging = asyncio.create_task(guard.call(Source("row", latency=1.9)))
        await settle()
        assert await outcomes(guard, Source("row"), 1) == ["saturated"]  # the breaker is closed and was not asked
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert (
            await outcomes(guard, Source(Terminal(Fault.SERVER_ERROR)), 7)
            == ["server_error"] * 5 + ["rate_limited"] * 2
        )
        await clock.sleep(1)
        assert await outcomes(guard, Source("row"), 2) == ["circuit_open", "rate_limited"]

    run(main)


async def test_a_real_server_that_hangs_is_left_after_the_attempt_timeout():
    entered = asyncio.Event()
    left = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        entered.set()
        try:
            await asyncio.sleep(60)
        finally:
            left.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", hang)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    guard = Guard("cms", Settings(retry=ONE_TRY, attempt_timeout=0.05))
    async with ClientSession() as session:

        async def get() -> int:
            async with session.get(f"http://127.0.0.1:{port}/") as answer:
                return answer.status

        with pytest.raises(Transient) as error:
            await guard.call(get)
    assert error.value.fault is Fault.TIMEOUT
    assert entered.is_set()
    await asyncio.wait_for(left.wait(), 10)
    await runner.cleanup()


def test_the_default_clock_is_monotonic():
    assert Guard("cms")._clock.now is time.monotonic


def test_what_runs_beside_leaves_the_breaker_alone():
    async def main(clock: Clock) -> None:
        moved: list[str] = []
        tried: list[str] = []
        heard = Listeners(
            on_state=lambda _, state: moved.append(state), on_attempt=lambda _, outcome, __: tried.append(outcome)
        )
        guard = Guard("erp", Settings(retry=ONE_TRY), clock=clock, listeners=heard)
        other = guard.beside()
        seen = await outcomes(other, Source(Terminal(Fault.TIMEOUT)), 6)
        assert seen[-1] == "circuit_open", "it has a breaker of its own"
        assert (guard.state, moved) == (State.CLOSED, [])
        assert len(tried) == 5, "attempts are told"
        assert await outcomes(guard, Source("fine"), 1) == ["fine"]

    run(main)


def test_what_runs_beside_has_its_own_slots_and_the_same_rate():
    async def main(clock: Clock) -> None:
        rate = RateLimit(per_second=1, burst=2, max_wait=0)
        guard = Guard("erp", Settings(rate_limit=rate, bulkhead=Bulkhead(max_concurrent=5)), clock=clock)
        other = guard.beside()
        assert other.settings.bulkhead.max_concurrent == 1
        assert await outcomes(guard, Source("fine"), 1) == ["fine"]
        assert await outcomes(other, Source("fine"), 2) == ["fine", "rate_limited"]

    run(main)
