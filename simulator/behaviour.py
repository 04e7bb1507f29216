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


class ProductIngestion(_Strict):
    """What is not known of Graph's product ingestion; successor-apis section 2."""

    accepted_word: Literal["notStarted", "running"] = "notStarted"  # of the 202's body; both in samples [D]
    job_id_name: Literal["jobId", "jobID"] = "jobId"  # [O]; the docs of 2023 print jobID
    external_id_name: Literal["externalId", "externalID", "externalid"] = "externalId"  # [O]; docs of 2023: externalID
    words: Literal["camel", "pascal"] = "camel"  # [D samples]; the private offers' table is PascalCase
    dates: Literal["zone", "no zone", "date"] = "zone"  # 7 digits and Z, without Z, or the day alone [D]
    job_end_while_running: Literal["placeholder", "a time"] = "placeholder"  # a sample carries a real-looking one [D]
    schema_host: str = "https://schema.mp.microsoft.com"  # answers may still name the old host [O]
    version_required: bool = False  # "for all calls" [D]; running clients send none [O]
    deprecated_versions: tuple[str, ...] = ()  # of a resource's schema: 400 [O cloudpub, private offers]

    golive_without_id: Literal["reject", "accept"] = "reject"  # the docs demand it [D]; Microsoft's sample sends none
    refuses_by: Literal["job", "answer"] = "job"  # who tells of a conflict or a stale id: a job that fails [G], or HTTP
    refusal_code: str = "conflict"  # conflict, Conflict, invalidState, ...: not recorded [G]
    failure_shape: Literal["certification", "flat", "conflict", "unknown", "none"] = "certification"  # [O Red Hat]

    failed_detail: Literal[200, 404] = 404  # the detail of a failed job [O lansa]
    unfinished_detail: Literal[400, 404, 409] = 400  # "fails before completion" [D]; how is not said [G]
    resources_order: Literal["made", "turned"] = "made"  # of a resource tree: "not stable" [O cloudpub]
    warnings: bool = False  # a successful job's resources carry validations of the level warning [D schema]
    job_forgotten_after: float | None = Field(default=None, ge=0)  # seconds after its end: 404 for ever [G]
    job_404_after: float = Field(default=0.0, ge=0)  # from so many seconds after the acceptance on, the job is 404 ...
    job_404_seconds: float = Field(default=0.0, ge=0)  # ... for so long: the weather of 2026 [O, of the other API]
    job_min_interval: float = Field(default=0.0, ge=0)  # seconds between two status requests, else 429 [D: 60]

    live_entries: Literal["two", "newest"] = "two"  # beside a go-live that runs or failed, what was live [O suse]
    live_created: Literal["own", "preview's"] = "own"  # a live entry's creation date [G]
    failed_entry: Literal["kept", "dropped"] = "kept"  # of a go-live that failed [O suse]
    canceled_entry: Literal["failed", "cancelled", "dropped"] = "failed"  # the schema knows no cancelled [D]
    preview_listed_while_live_runs: bool = True  # [I cloudpub]; suse sees a running go-live only without it [I]
    draft_listed: bool = True  # [D sample]
    page_size: int | None = Field(default=None, ge=1)  # at most so many entries a page, whatever is asked for
    next_link: Literal["absolute", "relative"] = "absolute"  # [G]


class PartnerCenter(_Strict):
    """What is not known of Partner Center's ingestion API; successor-apis section 3."""

    promote_unready: Literal[200, 400, 409] = 409  # of what is not ReadyToPublish; 200: it is taken live again [G]
    promote_body: Literal["detail", "empty"] = "detail"  # the live push [D]
    after_failed_promote: Literal["failed", "ready"] = "failed"  # ready: may be promoted again [G]
    failed_state: Literal["InProgress", "Published"] = "InProgress"  # of a failed go-live: the table's [O], or [G]
    publishing_substate: Literal["Publishing", "Published", "ReadyToPublish"] = "Publishing"  # [G]
    deleted_submission: Literal["gone", "cancelled"] = "gone"  # after a DELETE [G]; Cancelled is xbox's word [O]
    delete_refused: Literal[400, 409] = 400  # of what is not in progress [G]

    submission_zero: bool = False  # an untouched "0" in the list [O ALOps#654]
    older_submissions: Literal["none", "as they were", "archived"] = "none"  # [G]; Archived is xbox's word [O]
    workflow_entries: int = Field(default=2, ge=0, le=4)  # [O]; clients give up on another count
    offer_id_name: Literal["AzureOfferId", "AzureOfferID"] = "AzureOfferId"  # [O]; the swagger's samples write ID
    next_link_name: Literal["nextLink", "@odata.nextLink"] = "nextLink"  # [O cassette]; the swagger: @odata [D]
    page_sizes: tuple[int, ...] = ()  # irregular pages, 1 or 4 items [O cassette]; repeated; (): all on one
    last_next_link_404: bool = False  # one nextLink too many, which is not found [O bcch#3151]
    published_time: Literal["zone", "no zone"] = "zone"  # the workflow's times never have one [O bcch help]
    published_from: Literal["preview", "live"] = "preview"  # [O bcch]; live: what the year 1601 suggests [I]
    error_form: Literal["json", "text"] = "json"  # text: JSON wrapped in a sentence [O AL-Go#2278]
    submission_code: Literal[201, 202] = 201  # of a POST of submissions [D]; azure-docs#93203: 202 [O]
    reseller_needed: bool = False  # a submission without that module fails, Resell-20007 [O azure-docs#93203]
    status_404_after: float = Field(default=0.0, ge=0)  # from so many seconds after the promote on, status is 404 ...
    status_404_seconds: float = Field(default=0.0, ge=0)  # ... for so long: the weather of 2026 [O]


class Behaviour(_Strict):
    """The switches of one offer. Keys of `Progress` given here directly mean `golive`; those of a sibling API, that."""

    golive: Progress = Progress()
    publish: Progress = Progress(mode="at once")
    edit: Progress = Progress(mode="at once")  # of a draft, by a configure call; seconds, in practice [O lansa]
    product_ingestion: ProductIngestion = ProductIngestion()
    partner_center: PartnerCenter = PartnerCenter()
    required_header: str = ""  # the siblings answer 400 to a call without it, as in June 2026 [O]

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
    listing_id: Literal["guid", "dollar"] = "guid"  # [D sample]; the pages disagree on what an id is
    slot_lag_seconds: float = Field(default=0.0, ge=0)  # production still shows what was live before [G]
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
    def _shorthand(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.keys() <= cls.model_fields.keys():
            return data
        return _merged({}, data)

    @field_validator("location_header", mode="before")
    @classmethod
    def _header_spelling(cls, value: object) -> object:
        known = {"location": "Location", "operation-location": "Operation-Location"}
        return known.get(value.lower(), value.lower()) if isinstance(value, str) else value

    def changed(self, changes: dict[str, Any]) -> Behaviour:
        """This behaviour with `changes` merged in, one level into the groups such as `golive`."""
        return Behaviour.model_validate(_merged(self.model_dump(), changes))


_GROUPS: dict[str, type[BaseModel]] = {
    "golive": Progress,
    "publish": Progress,
    "edit": Progress,
    "product_ingestion": ProductIngestion,
    "partner_center": PartnerCenter,
}
_SHORT = ("golive", "product_ingestion", "partner_center")  # the groups whose keys may stand alone


def is_switch(key: str) -> bool:
    """Whether a behaviour may be given this key."""
    return key in Behaviour.model_fields or any(key in _GROUPS[group].model_fields for group in _SHORT)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)

    def into(group: str, values: dict[str, Any]) -> None:
        present = merged.get(group, {})
        merged[group] = {**(present.model_dump() if isinstance(present, BaseModel) else present), **values}

    for key, value in changes.items():
        if key in _GROUPS and isinstance(value, dict):
            into(key, value)
        elif key in Behaviour.model_fields:
            merged[key] = value
    for key, value in changes.items():
        if key in Behaviour.model_fields:
            continue
        groups = [group for group in _SHORT if key in _GROUPS[group].model_fields]
        for group in groups:
            into(group, {key: value})
        if not groups:
            merged[key] = value  # refused, by its name
    return merged


def explain(error: ValidationError) -> str:
    """The first complaint of a validation in one sentence that names the key."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = error.error_count() - 1
    message = "is not a known key" if first["type"] == "extra_forbidden" else first["msg"]
    message = message.removeprefix("Value error, ")
    return (f"{where}: " if where else "") + message + (f" (and {more} more)" if more else "")
