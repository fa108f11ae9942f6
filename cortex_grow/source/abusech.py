"""What the APIs of abuse.ch have in common: one Auth-Key, and failures that come with status 200."""

from __future__ import annotations

from typing import Any, ClassVar

from cortex_grow.source.answer import Json
from cortex_grow.source.base import Source

_KEY = ("unknown_auth_key", "no_api_key", "unauthorized")


class AbuseCh(Source):
    """A source at abuse.ch (for example https://urlhaus-api.abuse.ch/): ``query_status`` says what an answer is."""

    not_found: ClassVar[tuple[str, ...]] = ("no_results",)

    def headers(self) -> dict[str, str]:
        """The Auth-Key, one for all of abuse.ch."""
        return {"Auth-Key": self.key or ""}

    def absent(self, body: Any) -> bool:
        """Not knowing is said with status 200."""
        return Json(body)["query_status"].text in self.not_found

    def check(self, body: Any) -> None:
        """Only ``ok`` is an answer. Raises a typed error for any other ``query_status``, and for a body without one."""
        status = Json(body)["query_status"].text or ""
        if status == "ok":
            return
        from cortex_grow.net.errors import CredentialError, NotAnAnswerError, RefusedError
        from cortex_grow.net.reply import clean

        said: dict[str, Any] = {"host": self.session.host, "said": self.session.redact(clean(status, 60))}
        if status in _KEY:
            advice = f"Check the key ({self.described().key}) in the configuration"
            raise CredentialError(self.name, "the credential was refused", advice=advice, **said)
        if status.startswith(("invalid_", "illegal_")) or status.endswith("_expected"):
            raise RefusedError(
                self.name, "the question was refused", advice="Check the value that was asked for", **said
            )
        what = "the answer has an unknown query_status" if status else "the answer has no query_status"
        raise NotAnAnswerError(self.name, what, advice="Check `url` in the settings", **said)
