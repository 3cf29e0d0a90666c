"""Alpaca's answers to requests that it does not take."""

from __future__ import annotations

from algo_pipeline.sandbox.orders import Refusal
from algo_pipeline.sandbox.wire import Reply, json_reply

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE, TOO_MANY = 400, 401, 403, 404, 422, 429
MALFORMED, BAD_PARAMETER, UNKNOWN, RATE_LIMIT, BAD_ORDER = 40010000, 40010001, 40410000, 42910000, 42210000


def refused(refusal: Refusal) -> Reply:
    """The venue's no as Alpaca words it."""
    return json_reply({"code": refusal.code, "message": refusal.message, **refusal.details}, refusal.status)


def bad_parameter(message: str) -> Refusal:
    """A parameter that Alpaca does not recognise."""
    return Refusal(UNPROCESSABLE, BAD_PARAMETER, message)


def unknown(message: str) -> Refusal:
    """Something that Alpaca says does not exist."""
    return Refusal(NOT_FOUND, UNKNOWN, message)


def unauthorized() -> Reply:
    """Keys are missing."""
    return json_reply({"message": "unauthorized"}, UNAUTHORIZED)


def forbidden() -> Reply:
    """Keys are wrong."""
    return json_reply({"message": "forbidden."}, FORBIDDEN)


def too_many(retry_after_s: int) -> Reply:
    """More requests in a minute than allowed."""
    body = {"code": RATE_LIMIT, "message": "rate limit exceeded"}
    return json_reply(body, TOO_MANY, {"Retry-After": str(retry_after_s)})
