"""The resource as the engine sees it: check, diff, create, read, update, delete. It translates, and decides nothing.

The dotted path of this module and the name of the class stand, pickled, in every user's state: renaming either needs
an alias left behind. For the same reason the provider has no attributes of its own when it is pickled, and this module
creates nothing and reads no configuration when it is imported. What only an offer that is asked about needs is imported
then: most runs of most stacks change nothing.
"""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.output import Unknown

from providers.azure_marketplace import dynamic_host, preflight
from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    Interrupted,
    InvalidInput,
    LaunchError,
    LaunchRefused,
    NotSent,
    OfferGoLiveError,
    SeveralOffers,
    SignInFailed,
    Unanswered,
    Unauthorized,
    UnknownOffer,
    WrongApi,
)
from providers.azure_marketplace.inputs import INPUT_NAMES, failures_of, normalised
from providers.azure_marketplace.launch import OUTPUT_NAMES, Launch
from providers.azure_marketplace.publishing import OfferKey
from providers.azure_marketplace.request import Request, asked_anew
from providers.azure_marketplace.settings import KEYS as SETTINGS_KEYS
from providers.azure_marketplace.settings import NAMESPACE, misspelt_variable, read_settings, unknown_key
from providers.azure_marketplace.sight import stands

if TYPE_CHECKING:
    from providers.azure_marketplace.going_live import GoingLive
    from providers.azure_marketplace.session import Session
    from providers.azure_marketplace.watching import Limits

__all__ = ["OfferGoLiveProvider"]

DAY = 24 * 3600.0
"""How long a create or update waits when its resource sets no custom timeout, in seconds."""

_IDENTITY = ("publisher_id", "offer_id")
_STALE = (
    "A refresh takes its configuration from what the last `pulumi up` recorded, before the environment; with "
    "`--run-program` it takes the present one."
)
_UNKNOWN_TRIGGERS = "(Its triggers are not known yet: if they turn out to be the same, they ask for nothing.)"
_PREVIEW_PATIENCE = 4.0
"""Seconds that a preview bears a portal which answers with errors: it warns, and a person is waiting."""
_PREVIEW_REQUEST = 10.0
"""Seconds that a preview waits for one answer."""
_SHORTEST_REQUEST = 5.0
"""Seconds that one answer is waited for, however short the custom timeout is."""
_FAILED_BEFORE = "(Where that was asked for already, and failed, it is not: resubmitFailed is false.)"


class OfferGoLiveProvider(ResourceProvider):
    """Translates between the engine and the rule of going live."""

    # Nothing secret is pickled: the state stays readable, and so does a diff of it.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        dynamic_host.install(logger="providers.azure_marketplace")
        from providers.azure_marketplace.credentials import KEYS as SIGN_IN_KEYS

        known = (*SETTINGS_KEYS, *SIGN_IN_KEYS)
        self._problem: InvalidInput | None = unknown_key(dynamic_host.keys_of(req.config), known) or misspelt_variable(
            os.environ, known
        )
        self._configured = lambda key: req.config.get(f"{NAMESPACE}:{key}")
        self._made: Session | None = None
        self._making = threading.Lock()
        self._doing = False
        self._silent: dict[str, str] = {}
        try:
            self._settings = read_settings(self._configured, os.environ)
        except InvalidInput as error:
            # Told by each call in its own way: an exception here would reach the user as a traceback.
            self._problem = self._problem or error

    @property
    def _session(self) -> Session:
        """Made when the portal is first to be asked: a stack that is unchanged needs neither HTTP nor a sign-in."""
        with self._making:
            if self._made is None:
                from providers.azure_marketplace.session import Session

                self._made = Session(self._configured, os.environ)
            return self._made

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        given = _given(news)
        unknown = {name for name, value in given.items() if _is_unknown(value)}
        failures = failures_of({name: given[name] for name in given if name not in unknown}, unknown=unknown)
        problem = self._problem
        if problem and not any(name == problem.name for name, _ in failures):
            failures.append((problem.name, str(problem)))
        if failures:
            return CheckResult(news, [CheckFailure(name, why) for name, why in failures])
        known = normalised({name: given[name] for name in given if name not in unknown})
        inputs = {**known, **{name: given[name] for name in unknown}}
        asked_for = {**known, **{name: given[name] for name in unknown & {"triggers"}}}
        refusal = None if unknown & {*_IDENTITY, "offer_version"} else self._preflight(_given(_olds), asked_for)
        return CheckResult(inputs, [refusal] if refusal else [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        old, new = _given(_olds), _given(_news)
        replaces = [name for name in _IDENTITY if _differ(old, new, name)]
        changed = any(_differ(old, new, name) for name in ("offer_version", "triggers", "api"))
        recorded = Launch.from_outputs(_olds)
        moved = recorded is not None and self._moved(recorded, old, new)
        as_wanted = recorded is not None and not moved and stands(recorded, old.get("offer_version"))
        if recorded and replaces and recorded.is_open:
            dynamic_host.current_call().log(
                f"{_id} is to be replaced. {preflight.goes_on(recorded)} What takes its place looks its offer up "
                "first, and submits where that shows no go-live.",
                "warning",
            )
        if recorded and not replaces:
            # Check is not shown the record, and an unchanged resource asks nothing: what it says is told here.
            waits = new.get("wait") is not False
            pin, again = old.get("offer_version"), self._resubmits
            told = preflight.outstanding(_id, recorded, pin, changed=changed, moved=moved, wait=waits, resubmit=again)
            if told:
                dynamic_host.current_call().log(told, "info")
        return DiffResult(changes=bool(replaces) or changed or not as_wanted, replaces=replaces)

    def create(self, props: dict[str, Any]) -> CreateResult:
        self._doing = True
        inputs = normalised(_given(props))
        request = self._request(inputs)
        launch = self._bring_about(inputs, None, request)
        return CreateResult(str(request.offer), self._outputs(inputs, launch))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        self._doing = True
        old, inputs = _given(_olds), normalised(_given(_news))
        recorded = Launch.from_outputs(_olds)
        other_pin, other_triggers = (_differ(old, inputs, name) for name in ("offer_version", "triggers"))
        changed, triggered = asked_anew(recorded, other_pin=other_pin, other_triggers=other_triggers)
        request = self._request(
            inputs,
            changed=changed,
            triggered=triggered,
            moved=recorded is not None and self._moved(recorded, old, inputs),
        )
        launch = self._bring_about(inputs, recorded, request)
        return UpdateResult(self._outputs(inputs, launch))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        inputs = {name: value for name, value in _given(props).items() if value is not None}
        recorded = Launch.from_outputs(props)
        if recorded is None or not all(name in inputs for name in _IDENTITY):
            return ReadResult(id_, props)
        offer = _offer(inputs)
        try:
            rule, _ = self._rule(inputs)
            moved = self._moved(recorded, inputs, inputs)
            launch = rule.refreshed(offer, recorded, pin=inputs.get("offer_version"), moved=moved)
        except OfferGoLiveError as error:
            # Pulumi configures a provider for a refresh with what the last `up` recorded in the state.
            stale = isinstance(error, (Unauthorized, SignInFailed))
            why = f" {_STALE}" if stale else ""
            raise dynamic_host.Failed(f"{offer} could not be refreshed. {error}{why}") from None
        if launch is None:
            return ReadResult("", {})
        # What may be running through another API is of that one still.
        return _read_result(id_, self._outputs(inputs, launch, through=launch.through), inputs)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        recorded = Launch.from_outputs(_props)
        goes_on = f" {preflight.goes_on(recorded)}" if recorded and recorded.is_open else ""
        dynamic_host.current_call().log(
            f"{_id} leaves this stack, and what is live stays live: the API knows no way back.{goes_on} "
            "To stop selling it, do so in Partner Center.",
            "info",
        )

    def _bring_about(self, inputs: Mapping[str, Any], recorded: Launch | None, request: Request) -> Launch:
        from providers.azure_marketplace.watching import Limits

        timeout = dynamic_host.current_call().timeout or DAY
        try:
            # One answer is not waited for longer than all of it may take.
            rule, clock = self._rule(inputs, limits=Limits(request=max(timeout, _SHORTEST_REQUEST)))
            return rule.bring_about(request, recorded, deadline=clock.monotonic() + timeout)
        except LaunchError as error:
            if error.launch is None:
                raise dynamic_host.Failed(str(error)) from None
            raise dynamic_host.Incomplete(
                str(request.offer), self._outputs(inputs, error.launch), [str(error)], inputs=dict(inputs)
            ) from None
        except Interrupted:
            raise dynamic_host.Failed(
                f"The run was cancelled before {request.offer} was submitted. Run `pulumi up` again."
            ) from None
        except OfferGoLiveError as error:
            raise dynamic_host.Failed(str(error)) from None

    def _preflight(self, old: Mapping[str, Any], inputs: Mapping[str, Any]) -> CheckFailure | None:
        """What `up` would do, told; or why it would refuse. Sends nothing for a resource that is unchanged."""
        mode = self._settings.preflight
        # Of the record, check is shown nothing: another default of the stack's is for `diff` to see.
        moved = bool(old) and self._api(old) != self._api(inputs)
        differing = [name for name in INPUT_NAMES if name not in ("wait", "api") and _differ(old, inputs, name)]
        # Once `up` is at work, each create looks its own offer up and refuses it in the same words, side by side with
        # the others; the engine checks one resource after another.
        if mode == "off" or self._doing or not (differing or moved):
            return None
        call = dynamic_host.current_call()
        api = self._api(inputs)
        if api in self._silent:
            # The engine checks one resource after another: a hundred time-outs would be added up.
            unasked = f"The portal was not asked, after this: {self._silent[api]}"
            call.log(_unchecked(_offer(inputs), unasked), "warning")
            return None
        request = self._request(
            inputs,
            changed=bool(old) and bool(differing),
            triggered=bool(old) and _differ(old, inputs, "triggers"),
            moved=moved,
        )
        from providers.azure_marketplace.watching import Limits

        try:
            rule, _ = self._rule(inputs, limits=Limits(patience=_PREVIEW_PATIENCE, request=_PREVIEW_REQUEST))
            told = preflight.told(request, rule.foresee(request))
            unless = _FAILED_BEFORE if old and not self._resubmits else ""
            unless = _UNKNOWN_TRIGGERS if old and _is_unknown(inputs.get("triggers")) else unless
            call.log(f"{told} {unless}".strip(), "info")
        except (LaunchRefused, WrongApi, SeveralOffers) as error:
            # Where nothing but the API changes, what is live as wanted stays: only that API itself can be wrong then.
            stays = bool(old) and not differing and not isinstance(error, (UnknownOffer, WrongApi, SeveralOffers))
            if mode == "fail" and not stays:
                return CheckFailure(error.about, str(error))
            call.log(str(error), "warning")
        except OfferGoLiveError as error:
            if isinstance(error, (NotSent, Unanswered, SignInFailed)):
                self._silent[api] = str(error)
            call.log(_unchecked(request.offer, str(error)), "warning")
        return None

    def _request(self, inputs: Mapping[str, Any], **differs: bool) -> Request:
        return Request(
            _offer(inputs),
            inputs.get("offer_version"),
            inputs.get("wait", True),
            resubmit=self._resubmits,
            **differs,
        )

    @property
    def _resubmits(self) -> bool:
        return self._problem is not None or self._settings.resubmit_failed

    def _api(self, inputs: Mapping[str, Any]) -> str:
        api = inputs.get("api")
        return api if isinstance(api, str) and api else self._settings.api

    def _moved(self, recorded: Launch, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether another API is chosen than the record is of; naming the stack's default is no other choice."""
        if self._problem or _is_unknown(new.get("api")):
            return False
        return (recorded.through or self._api(old)) != self._api(new)

    def _outputs(self, inputs: Mapping[str, Any], launch: Launch, *, through: str | None = None) -> dict[str, Any]:
        launch = replace(launch, through=through or self._api(inputs))
        return {**{name: inputs.get(name) for name in INPUT_NAMES}, **launch.to_outputs()}

    def _rule(self, inputs: Mapping[str, Any], *, limits: Limits | None = None) -> tuple[GoingLive, Clock]:
        if self._problem:
            raise self._problem
        from providers.azure_marketplace.progress import Narrator

        call = dynamic_host.current_call()
        narrator = Narrator(
            show=call.status,
            tell=lambda message: call.log(message, "info"),
            warn=lambda message: call.log(message, "warning"),
            live=dynamic_host.watched(),
        )
        return self._session.rule(inputs.get("api"), narrator, call.cancelled, limits=limits)


def _given(props: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs among the properties: neither outputs, nor the engine's own (`__provider`)."""
    return {name: value for name, value in props.items() if name not in OUTPUT_NAMES and not name.startswith("__")}


def _offer(inputs: Mapping[str, Any]) -> OfferKey:
    return OfferKey(inputs["publisher_id"], inputs["offer_id"])


def _unchecked(offer: OfferKey, why: str) -> str:
    return f"{offer} was not checked: whether it can go live shows in `pulumi up`. {why}"


def _differ(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> bool:
    """Absent and None are the same; what is not known yet differs from everything."""
    return bool(_is_unknown(new.get(name)) or old.get(name) != new.get(name))


def _is_unknown(value: Any) -> bool:
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(_is_unknown(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_is_unknown(item) for item in value)


def _read_result(id_: str, outputs: dict[str, Any], inputs: dict[str, Any]) -> ReadResult:
    # Newer SDKs take the inputs along; without them a refresh shows differences that are none.
    if "inputs" in inspect.signature(ReadResult.__init__).parameters:
        return ReadResult(id_, outputs, inputs=inputs)
    return ReadResult(id_, outputs)
