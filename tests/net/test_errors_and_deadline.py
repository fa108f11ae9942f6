"""The sentence of an error, and the clock."""

from __future__ import annotations

import math
import pickle
import threading
import time

import pytest

from cortex_grow.net import errors
from cortex_grow.net.deadline import Deadline


def test_the_whole_sentence() -> None:
    error = errors.QuotaError(
        "VirusTotal",
        "too many requests",
        host="vt.example",
        status=429,
        said="Quota exceeded.",
        advice="Wait",
        retry_at=0.0,
    )
    assert str(error) == (
        "VirusTotal: too many requests (429 from vt.example): Quota exceeded. "
        "Come back after 1970-01-01 00:00:00 UTC (in 0 s). Wait."
    )
    assert (
        str(errors.UnreachableError("X", "no answer from h.example", host="h.example"))
        == "X: no answer from h.example."
    )
    assert str(errors.RefusedError("X", "no", host="h.example")) == "X: no (h.example)."
    assert str(errors.SettingsError("", "`a` is wrong")) == "`a` is wrong."
    assert errors.when(1e30) == "much later"


def test_every_kind_is_told_apart() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SourceError)]
    names = [kind.kind for kind in kinds]
    assert len(set(names)) == len(names) >= 9
    counted = {kind.kind for kind in kinds if kind("X", "y").breaks}
    assert counted == {"credential", "unreachable", "not-an-answer"}
    assert issubclass(errors.SettingsError, ValueError)


def test_an_error_survives_another_process() -> None:
    error = errors.BlockedError("X", "left alone", host="h", status=503, said="why", retry_at=5.0, advice="a")
    error.attempts = 3
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.BlockedError and str(copy) == str(error)
    assert (copy.until, copy.why, copy.attempts, copy.host) == (5.0, "why", 3, "h")


def test_a_deadline_passes() -> None:
    deadline = Deadline(0.05)
    assert 0 < deadline.left() <= 0.05
    deadline.check("X")
    time.sleep(0.06)
    assert deadline.left() == 0.0
    with pytest.raises(
        errors.DeadlineError, match=r"^X: the time of 0\.05 s is over while asking \(api\.example\)\. .*`deadline`"
    ):
        deadline.check("X", "asking", "api.example")


def test_no_end() -> None:
    assert Deadline(None).left() == math.inf
    Deadline(None).check()
    for wrong in (-1, math.nan):
        with pytest.raises(ValueError, match="number of seconds"):
            Deadline(wrong)


def test_a_part_is_never_longer() -> None:
    whole = Deadline(100)
    assert whole.within(5).left() <= 5
    assert Deadline(1).within(5).left() <= 1
    assert Deadline(None).within(5).left() <= 5
    with pytest.raises(errors.DeadlineError, match="100 s"):
        whole.within(0).check()


def test_cancelling_wakes_every_sleeper() -> None:
    whole = Deadline(None)
    threading.Timer(0.1, whole.cancel).start()
    began = time.monotonic()
    whole.within(30).sleep(30)
    whole.sleep(30)
    assert time.monotonic() - began < 5
    with pytest.raises(errors.DeadlineError, match="cancelled"):
        whole.check()


def test_sleep_ends_with_the_deadline() -> None:
    began = time.monotonic()
    Deadline(0.1).sleep(10)
    Deadline(10).sleep(-1)
    assert time.monotonic() - began < 2
