# SPDX-License-Identifier: Apache-2.0
"""Arithmetic with the meaning of PostgreSQL's integer, bigint, numeric and double precision (S5)."""

import math
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any

from dictamesh.specs.expressions.problems import ExpressionFailed
from dictamesh.specs.types import Kind

INTEGER_RANGE = {Kind.INT: (-(2**31), 2**31 - 1), Kind.LONG: (-(2**63), 2**63 - 1)}

# Results of + - * are exact; the precision only has to exceed what 4 kB of text can build.
_EXACT = Context(prec=100_000, Emin=-999_999, Emax=999_999, traps=[InvalidOperation, DivisionByZero, Overflow])
_ZERO = Decimal(0)


def within(kind: Kind, value: int) -> int:
    """Return `value`; raises ExpressionFailed when it does not fit INT or LONG."""
    low, high = INTEGER_RANGE[kind]
    if low <= value <= high:
        return value
    raise ExpressionFailed(f"a value is out of range for {kind}")


def finite(value: float, *, zero_is_underflow: bool = False) -> float:
    """Return `value`; raises ExpressionFailed when it is infinite, not a number, or has underflowed."""
    if math.isfinite(value) and not (zero_is_underflow and value == 0):
        return value
    raise ExpressionFailed("a value is out of range for float")


def plain(value: Decimal) -> Decimal:
    """Return `value` as PostgreSQL holds it: no positive exponent, no negative zero."""
    _, _, exponent = value.as_tuple()
    if isinstance(exponent, int) and exponent > 0:
        value = value.quantize(Decimal(1), context=_EXACT)
    return value or abs(value)


def scale_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def rescale(value: Decimal, scale: int) -> Decimal:
    """Round half away from zero to `scale` digits after the point; a negative scale rounds before it."""
    if scale >= 0:
        return plain(value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP, context=_EXACT))
    return plain(value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP, context=_EXACT))


def integer_operation(name: str, kind: Kind) -> Callable[..., int]:
    """Return the implementation of an arithmetic operator on INT or LONG."""

    def add(a: int, b: int) -> int:
        return within(kind, a + b)

    def sub(a: int, b: int) -> int:
        return within(kind, a - b)

    def mul(a: int, b: int) -> int:
        return within(kind, a * b)

    def div(a: int, b: int) -> int:
        quotient: int = abs(a) // abs(_divisor(b))
        return within(kind, quotient if (a < 0) == (b < 0) else -quotient)

    def mod(a: int, b: int) -> int:
        rest: int = abs(a) % abs(_divisor(b))
        return -rest if a < 0 else rest

    def neg(a: int) -> int:
        return within(kind, -a)

    def absolute(a: int) -> int:
        return within(kind, abs(a))

    operations: dict[str, Callable[..., int]] = {"add": add, "sub": sub, "mul": mul, "div": div, "mod": mod}
    return (operations | {"neg": neg, "abs": absolute})[name]


def _divisor(value: Any) -> Any:
    if value == 0:
        raise ExpressionFailed("division by zero")
    return value


def _decimal_add(a: Decimal, b: Decimal) -> Decimal:
    return plain(_EXACT.add(a, b))


def _decimal_sub(a: Decimal, b: Decimal) -> Decimal:
    return plain(_EXACT.subtract(a, b))


def _decimal_mul(a: Decimal, b: Decimal) -> Decimal:
    product = plain(_EXACT.multiply(a, b))
    return rescale(product, _MAX_SCALE) if scale_of(product) > _MAX_SCALE else product


_MIN_DIGITS, _MAX_SCALE = 16, 1000


def _weight(value: Decimal) -> tuple[int, int]:
    """Return weight and value of the first base-10000 digit, as PostgreSQL stores a numeric."""
    if not value:
        return 0, 0
    weight = value.adjusted() // 4
    return weight, int(abs(value).scaleb(-4 * weight, context=_EXACT).to_integral_value(rounding=ROUND_DOWN))


def _decimal_div(a: Decimal, b: Decimal) -> Decimal:
    _divisor(b)
    (weight_a, first_a), (weight_b, first_b) = _weight(a), _weight(b)
    weight = weight_a - weight_b - (first_a <= first_b)
    scale = min(max(_MIN_DIGITS - weight * 4, scale_of(a), scale_of(b), 0), _MAX_SCALE)
    top = int(a.scaleb(scale_of(a), context=_EXACT)) * 10 ** (scale + scale_of(b))
    bottom = int(b.scaleb(scale_of(b), context=_EXACT)) * 10 ** scale_of(a)
    quotient = (2 * abs(top) + abs(bottom)) // (2 * abs(bottom))
    signed = quotient if (top < 0) == (bottom < 0) else -quotient
    return plain(Decimal(signed).scaleb(-scale, context=_EXACT))


def _decimal_mod(a: Decimal, b: Decimal) -> Decimal:
    return plain(rescale(_EXACT.remainder(a, _divisor(b)), max(scale_of(a), scale_of(b))))


def decimal_sqrt(value: Decimal) -> Decimal:
    """Return the square root with the scale that PostgreSQL gives it."""
    if value < 0:
        raise ExpressionFailed("cannot take square root of a negative number")
    weight = ((_weight(value)[0] + 1) * 4) // 2 - 1 if value else -1
    scale = min(max(_MIN_DIGITS - weight, scale_of(value), 0), _MAX_SCALE)
    if not value:
        return rescale(_ZERO, max(_MIN_DIGITS - 1, scale_of(value)))
    radicand = int(value.scaleb(2 * (scale + 1), context=_EXACT).to_integral_value(rounding=ROUND_DOWN))
    root = math.isqrt(radicand)
    return rescale(Decimal(root).scaleb(-scale - 1, context=_EXACT), scale)


DECIMAL_OPERATIONS: dict[str, Callable[..., Decimal]] = {
    "add": _decimal_add,
    "sub": _decimal_sub,
    "mul": _decimal_mul,
    "div": _decimal_div,
    "mod": _decimal_mod,
    "neg": lambda a: plain(-a if a else a),
    "abs": lambda a: plain(a.copy_abs()),
}


def _float_add(a: float, b: float) -> float:
    return finite(a + b)


def _float_sub(a: float, b: float) -> float:
    return finite(a - b)


def _float_mul(a: float, b: float) -> float:
    return finite(a * b, zero_is_underflow=a != 0 and b != 0)


def _float_div(a: float, b: float) -> float:
    return finite(a / _divisor(b), zero_is_underflow=a != 0)


FLOAT_OPERATIONS: dict[str, Callable[..., float]] = {
    "add": _float_add,
    "sub": _float_sub,
    "mul": _float_mul,
    "div": _float_div,
    "neg": lambda a: -a,
    "abs": abs,
}


def float_sqrt(value: float) -> float:
    if value < 0:
        raise ExpressionFailed("cannot take square root of a negative number")
    return math.sqrt(value)


def float_power(base: float, exponent: float) -> float:
    """Raise to a power as PostgreSQL's dpow does; raises ExpressionFailed outside its domain and range."""
    if base == 0 and exponent < 0:
        raise ExpressionFailed("zero raised to a negative power is undefined")
    if base < 0 and exponent != math.floor(exponent):
        raise ExpressionFailed("a negative number raised to a non-integer power yields a complex result")
    try:
        return finite(math.pow(base, exponent), zero_is_underflow=base != 0)
    except OverflowError:
        raise ExpressionFailed("a value is out of range for float") from None


def float_round(value: float) -> float:
    """Round half to even, as PostgreSQL does for double precision; the sign of zero is kept."""
    return math.copysign(float(round(value)), value)


def float_trunc(value: float) -> float:
    return math.copysign(float(math.trunc(value)), value)


def float_ceil(value: float) -> float:
    return math.copysign(float(math.ceil(value)), value)


def float_floor(value: float) -> float:
    return math.copysign(float(math.floor(value)), value)


def float_sign(value: float) -> float:
    return float((value > 0) - (value < 0))


def decimal_trunc(value: Decimal, digits: int) -> Decimal:
    """Cut towards zero after `digits` digits."""
    digits = min(max(digits, -_MAX_SCALE), _MAX_SCALE)
    cut = value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_DOWN, context=_EXACT)
    return plain(cut)


def decimal_round(value: Decimal, digits: int) -> Decimal:
    return rescale(value, min(max(digits, -_MAX_SCALE), _MAX_SCALE))


def decimal_floor(value: Decimal) -> Decimal:
    return plain(Decimal(math.floor(value)))


def decimal_ceil(value: Decimal) -> Decimal:
    return plain(Decimal(math.ceil(value)))


def decimal_sign(value: Decimal) -> Decimal:
    return Decimal((value > 0) - (value < 0))


def arithmetic(name: str, kind: Kind) -> Callable[..., Any]:
    """Return the implementation of add, sub, mul, div, mod, neg or abs on a numeric kind."""
    if kind is Kind.DECIMAL:
        return DECIMAL_OPERATIONS[name]
    if kind is Kind.FLOAT:
        return FLOAT_OPERATIONS[name]
    return integer_operation(name, kind)
