"""How an offer behaves: how its operations advance, and every point on which the facts are silent.

Each field that stands for an unknown names the source of its default: [D] documented, [O] observed, [I]
inferred from a client, [G] a guess. The fields are data only; `world` and `wire` carry out what they mean.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Mode = Literal["at once", "by time", "by polls", "held"]
Ending = Literal["succeeded", "failed", "canceled"]
StepId = Literal[
    "displaydummycertify", "displaycertify", "displayprovision", "displaypackage", "publisher-signoff", "live"
]

CERTIFICATION_FAILURE = (
    "<p>Certification <b>failed</b> for plan <i>contoso</i>:</p><ul>"
    "<li>No virtual machine image was found for the plan contoso.</li>"
    "<li>The VHD&#39;s footer cookie is missing &amp; the size is not a whole number of MiB. See "
    '<a href="https://docs.microsoft.com/azure/marketplace/">the requirements</a>.</li></ul>'
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Progress(_Strict):
    """How an operation advances, and how it ends. It is taken when the operation is accepted."""

    mode: Mode = "by time"
    seconds: float = Field(default=6.0, ge=0)  # by time: from acceptance to the end
    step_seconds: float | None = Field(default=None, ge=0)  # by time: instead, this long for each step
    polls: int = Field(default=3, ge=1)  # by polls: the poll that first shows the end
    ends: Ending = "succeeded"
    fails_at: StepId = "displaycertify"
    failure: str = CERTIFICATION_FAILURE  # HTML, as messageHtml is [D]
    blocked_at: StepId | None = None  # this step shows "blocked" with an error while the operation runs [D]

    @field_validator("mode", mode="before")
    @classmethod
    def _mode_spelling(cls, value: object) -> object:
        return value.lower().replace("_", " ").replace("-", " ") if isinstance(value, str) else value


class Behaviour(_Strict):
    """The switches of one offer. Keys of `Progress` given here directly mean `golive`."""

    golive: Progress = Progress()
    publish: Progress = Progress(mode="at once")

    # The answer to an accepted call: five sources, four forms (ORIG/go-live, NEW/go-live, PUB, MASH).
    accept_code: Literal[200, 202] = 202  # [D]; clients accept 200 too
    location_header: Literal["Location", "Operation-Location", "both", "none"] = "Location"  # [O/I]
    location_form: Literal["relative", "absolute"] = "relative"  # [D-new]
    location_api_version: bool = True  # [D-new]; ORIG/go-live shows it without
    location_id: Literal["guid", "dollar"] = "guid"  # dollar: {publisher}${offer}${version}${slot} [D]
    location_slot: str = "preview"  # last word of a dollar id; the docs say preview on all pages
    location_host: str | None = None  # a hostile portal: the scheme and host that the header names

    # Words.
    operation_shape: Literal["object", "array"] = "object"  # [I]; the docs' sample is an array
    word_not_started: str = "not started"  # [D]
    word_running: str = "running"  # [D]
    word_succeeded: str = "completed"  # [D]; clients wait for complete and succeeded
    word_failed: str = "failed"  # [D]
    word_canceled: str = "canceled"  # [O]
    word_step_complete: str = "complete"  # [D sample]
    word_step_failed: str = "failed"  # [D-new]
    not_started_reads: int = Field(default=0, ge=0)  # reads that show "not started" before "running"
    signoff_step_name: str = "Publisher signoff"  # [D]; observed: publisher-signoff
    submission_type_golive: str = "goLive"  # [G]
    submission_type_publish: str = "publish"  # [D]
    slot_golive: str = "production"  # [G]
    slot_publish: str = "staging"  # [D]

    # Refusals.
    conflict: Literal[202, 400, 409, 422] = 409  # [G]; 202: the operation that runs already
    golive_without_preview: Literal[400, 404] = 400  # [G]
    golive_unchanged: Literal[202, 400, 409] = 202  # production equals preview [G]
    publish_needs_emails: bool = False  # [I]

    # What a GET leaves out or adds.
    migrated: bool = False  # pcMigrationStatus; without notificationEmails, changedTime of the short form [D/O]
    changed_time_zone: bool | None = None  # None: as migrated says [O]
    etag_on_get: bool = True  # [D]; later missing [I]
    extra_fields: bool = False

    # Reads that lag behind.
    listing_order: Literal["newest", "oldest"] = "newest"  # [I]
    listing_lag_seconds: float = Field(default=0.0, ge=0)
    listing_lag_reads: int = Field(default=0, ge=0)
    fresh_404_reads: int = Field(default=0, ge=0)  # a new operation is unknown for so many reads [G]
    fresh_404_seconds: float = Field(default=0.0, ge=0)

    # Cancelling, signing off, numbering.
    cancel_golive: Literal["ineffective", "refused", "effective"] = "ineffective"  # [D REVIEW]
    cancel_seconds: float = Field(default=60.0, ge=0)  # one to three minutes [O]
    publish_awaits_signoff: bool = False  # the publish stays running until the go-live [O]
    status_awaiting_golive: str = "running"  # overall status of an offer with a new preview [O]
    golive_bumps_version: bool = False  # production gets a number of its own [G]
    preview_after_golive: Literal["kept", "dropped"] = "kept"  # [G]

    @model_validator(mode="before")
    @classmethod
    def _progress_shorthand(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        short = {key: value for key, value in data.items() if key in Progress.model_fields}
        if not short:
            return data
        golive = data.get("golive", {})
        golive = golive.model_dump() if isinstance(golive, Progress) else golive
        rest = {key: value for key, value in data.items() if key not in short}
        return {**rest, "golive": {**golive, **short}}

    @field_validator("location_header", mode="before")
    @classmethod
    def _header_spelling(cls, value: object) -> object:
        known = {"location": "Location", "operation-location": "Operation-Location"}
        return known.get(value.lower(), value.lower()) if isinstance(value, str) else value

    def changed(self, changes: dict[str, Any]) -> Behaviour:
        """This behaviour with `changes` merged in, one level into `golive` and `publish`."""
        merged = self.model_dump()
        for key, value in changes.items():
            if key in ("golive", "publish") and isinstance(value, dict):
                merged[key] = {**merged[key], **value}
            elif key in Progress.model_fields:
                merged["golive"] = {**merged["golive"], key: value}
            else:
                merged[key] = value
        return Behaviour.model_validate(merged)


def explain(error: ValidationError) -> str:
    """The first complaint of a validation in one sentence that names the key."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = error.error_count() - 1
    message = "is not a known key" if first["type"] == "extra_forbidden" else first["msg"]
    message = message.removeprefix("Value error, ")
    return (f"{where}: " if where else "") + message + (f" (and {more} more)" if more else "")
