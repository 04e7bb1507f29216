"""The rule: bring it about that what stands in an offer's preview is live, and never ask for it twice.

The publishing API, the clock and whoever watches are handed in; nothing of Pulumi, of HTTP or of one API's words is
known here. This is the only place that decides.

    1. An unfinished operation is recorded: ask for it, go on waiting.
    2. Look the offer up. A go-live that runs is adopted, never competed with; so is one that has ended and can only
       be this request's. A pinned version that is live is enough. What cannot go live is refused.
    3. Submit (`submitting.py`). Accepted: wait. Refused, at once or afterwards: say so, or adopt what runs already.
       Unknown: look until the answer settles, adopt what is found, send again only when nothing began, and leave the
       rest to the next run.
    4. Wait (`watching.py`) until the operation ends, the time is up, or the run is cancelled; the last two record it.
       One that the API does not know any more stays recorded, and nothing is submitted in its place by itself.

Where it cannot be told whether something that has ended was this request's, it is submitted: a launch that silently
did not happen is worse than the same content taken live again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from providers.azure_marketplace.clock import Clock
from providers.azure_marketplace.errors import (
    Interrupted,
    LaunchError,
    LaunchLost,
    LaunchRefused,
    LaunchUnknown,
    NotFound,
    PublishingError,
    RefusedAfterwards,
    SignInFailed,
    Unreadable,
)
from providers.azure_marketplace.launch import Launch
from providers.azure_marketplace.looking import Lookout, SideBySide, one_after_another
from providers.azure_marketplace.polling import Schedule, backoff
from providers.azure_marketplace.publishing import (
    Kind,
    OfferKey,
    Operation,
    PublishingApi,
    Status,
    same,
)
from providers.azure_marketplace.request import Action, Forecast, Request
from providers.azure_marketplace.sight import Sight, covers, is_recorded, launch_of, newer, since, stands
from providers.azure_marketplace.submitting import RUN_AGAIN, Submitter
from providers.azure_marketplace.verdicts import Verdicts, nowhere_else
from providers.azure_marketplace.watching import Limits, Observer, Watch, as_listed, not_earlier, seconds_since

__all__ = ["GoingLive", "Turns"]

RECENT = timedelta(minutes=10)
"""How long after something has happened a list may be suspected not to show it yet."""


class Turn:
    """One offer's. submitted: what this process submitted last, which a list that lags behind does not show yet.

    unanswered_at: when it last sent one whose answer is not known. nameless: what is to be said of one that was
    accepted, and not found since.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.submitted: Launch | None = None
        self.unanswered_at: datetime | None = None
        self.nameless: LaunchLost | None = None


class Turns:
    """One launch at a time for each offer within this process: two resources for one offer do not race."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._turns: dict[str, Turn] = {}

    def of(self, offer: OfferKey) -> Turn:
        with self._guard:
            return self._turns.setdefault(str(offer).lower(), Turn())


@dataclass(frozen=True, slots=True)
class _Past:
    """What is known from before of a request, where that does not answer it.

    left_behind: a launch that was submitted through another API, and not seen to end. in_the_way: what became of this
    very request, as far as that is known. With either, nothing is submitted.
    """

    recorded: Launch | None
    left_behind: Launch | None = None
    in_the_way: LaunchError | None = None


class GoingLive:
    """The rule, for one run. `turns` is shared by all that run in this process.

    elsewhere: which other API knows an offer that this one does not know, as the input `api` names it, if any does.
    """

    submitter = Submitter

    def __init__(
        self,
        api: PublishingApi,
        clock: Clock,
        observer: Observer,
        *,
        schedule: Schedule | None = None,
        limits: Limits | None = None,
        turns: Turns | None = None,
        side_by_side: SideBySide = one_after_another,
        elsewhere: Callable[[OfferKey], str | None] = nowhere_else,
    ) -> None:
        self._api = api
        self._clock = clock
        self._observer = observer
        self._limits = limits or Limits()
        self._watch = Watch(api, clock, observer, schedule=schedule or Schedule(), limits=self._limits)
        self._lookout = Lookout(api, clock, self._limits, side_by_side)
        self._submitter = self.submitter(api, clock, observer, lookout=self._lookout, limits=self._limits)
        self._turns = turns or Turns()
        self._verdicts = Verdicts(api, clock, self._lookout, elsewhere)

    def bring_about(self, request: Request, recorded: Launch | None, *, deadline: float) -> Launch:
        """Take the offer live, or find that it is; returns what is to be recorded.

        recorded: what the state holds from earlier runs. deadline: on the clock's monotonic scale.
        Raises `LaunchError` (with `launch` where the state has something to learn), `PublishingError`,
        `SignInFailed` or `Interrupted`; whichever it is, running it again is safe.
        """
        past = self._taken_up(request, recorded, deadline)
        if isinstance(past, Launch):
            return past
        rounds = 0
        while True:
            try:
                launch, fresh = self._begin(request, past, deadline)
            except Interrupted:
                if past.in_the_way:
                    raise past.in_the_way from None  # not that nothing was submitted
                raise
            if launch.operation_id is None:
                return launch
            ran, began = fresh, self._clock.monotonic()
            if not launch.status.ended and request.wait:
                try:
                    launch, was_running = self._watch.until_it_ends(request.offer, launch, deadline)
                except RefusedAfterwards as error:
                    past = _Past(past.recorded, in_the_way=error)
                    continue
                # Running, said a list that may lag behind, for as long as that is believed to be the case.
                ran = ran or (was_running and self._clock.monotonic() > began + self._limits.settle)
            if not launch.status.ended:
                return launch
            if self._is_the_last(request.offer, launch, ran, deadline):
                concluded = self._conclude(request, launch)
                if concluded:
                    return concluded
            # Another go-live came after it, or the preview has changed since it began: it is not what is wanted.
            past = _Past(launch)
            rounds += 1
            if rounds > 2:
                self._give_way(request.offer, rounds, deadline)

    def _give_way(self, offer: OfferKey, rounds: int, deadline: float) -> None:
        """Before a go-live that is not the wanted one is followed by yet another look: people are at work there."""
        if self._clock.monotonic() >= deadline:
            raise LaunchUnknown(
                f"One go-live of {offer} came after another, none of them the wanted one, and the time is up",
                next_step=RUN_AGAIN,
            )
        self._clock.sleep(backoff(rounds, chance=self._clock.chance()))

    def foresee(self, request: Request) -> Forecast:
        """What `bring_about` would do now, as far as it shows without the state; reads only.

        Raises `LaunchRefused` where it would refuse.
        """
        sight = self._lookout.look(request.offer, self._clock.monotonic() + self._limits.patience)
        try:
            action, operation = self._decide(request, None, sight)
        except LaunchRefused as error:
            if sight.cut_short:
                raise Unreadable(f"{error.what}; but its list breaks off with a page that is not found") from error
            raise
        if sight.cut_short:
            self._warn_of_a_part(request.offer)
        spent = sight.preview is not None and sight.preview.spent
        if request.triggered and not spent and action is Action.ADOPT and operation and operation.status.ended:
            # It may be the recorded one, which other triggers do not leave at that.
            action, operation = Action.SUBMIT, None
        return Forecast(action, sight.preview, sight.live, operation)

    def refreshed(
        self, offer: OfferKey, recorded: Launch, *, pin: str | None = None, moved: bool = False
    ) -> Launch | None:
        """The recorded launch with the API's present truth in it; None when the offer is gone. Reads only.

        moved: as in `Request`. What is kept as it is recorded, without a truth about it, is kept with its `through`.
        """
        deadline = self._clock.monotonic() + self._limits.patience
        sight = self._lookout.look(offer, deadline)
        if sight.preview is None and sight.live is None:
            exists = self._lookout.patiently(lambda: self._api.offer_exists(offer), deadline)
            if not exists:
                # What was submitted is not to be forgotten because nothing can be found for a moment.
                if not recorded.is_open:
                    return None
                self._observer.warn(f"{self._api.title} shows nothing of {offer}; what was submitted stays recorded.")
                return recorded
        if self._is_foreign(recorded, moved=moved):
            return self._renumbered(recorded, sight) if recorded.status.ended else recorded
        recorded = replace(recorded, through=None)
        launch = replace(recorded, live_version=sight.live_version, preview_version=sight.preview_version)
        if sight.contradicts(recorded):
            launch = recorded
        running = sight.running(recorded)
        if running and recorded.status.ended:
            # Started by hand in the portal, or by a run that died before it could record it. What was asked for
            # without a pin has gone live before: whatever this one takes live is then nobody's to ask for again.
            asked_for = pin is not None or not stands(recorded, pin)
            return launch_of(running, launch, sight, self._clock.now(), adopted=asked_for)
        if not recorded.operation_id or recorded.status.ended:
            if stands(recorded, pin) and recorded.confirmed_live_version is None:
                # The slot still showed what was live before when the operation ended.
                return replace(launch, confirmed_live_version=_confirmed(pin, recorded, sight))
            return launch
        try:
            operation_id = recorded.operation_id
            operation = self._lookout.patiently(lambda: self._api.operation(offer, operation_id), deadline)
        except PublishingError as error:
            listed = as_listed(sight.operations, recorded)
            left_alone = isinstance(error, NotFound) or error.status == 429  # a job may be asked once a minute
            if listed is None and not left_alone:
                raise
            if listed is None:
                return launch
            operation = listed
        elapsed = seconds_since(recorded.submitted_at, self._clock)
        operation = not_earlier(operation, recorded, elapsed, self._limits)
        seen = replace(launch, operation_id=operation.id).seen(operation, self._clock.now())
        if seen.status is Status.SUCCEEDED and not seen.adopted:
            before = replace(seen, live_version=recorded.live_version)
            return replace(seen, confirmed_live_version=_confirmed(pin, before, sight))
        return seen

    # Step 1: what is recorded

    def _taken_up(self, request: Request, recorded: Launch | None, deadline: float) -> Launch | _Past:
        """The launch that answers the request, or that goes on; else what is known from before."""
        if recorded and self._is_foreign(recorded, moved=request.moved):
            if not request.changed and stands(recorded, request.pin):
                return self._moved(request, recorded, deadline)
            if not recorded.is_open:
                return _Past(replace(recorded, operation_id=None) if recorded.status.ended else None)
            # What has been lost for long, or was never named or answered, is let go of where other inputs ask anew.
            lost_since = recorded.missing_since if recorded.operation_id else recorded.submitted_at
            lost_since = recorded.unanswered_at or lost_since
            long_ago = self._clock.now() - timedelta(seconds=self._limits.lost)
            let_go = request.changed and lost_since is not None and lost_since < long_ago
            return _Past(None, None if let_go else recorded)
        if recorded is None:
            return _Past(None)
        if recorded.operation_id and not recorded.status.ended:
            return self._resumed(request, recorded, deadline)
        if request.changed:
            named = self._named_since(request.offer, recorded, deadline)
            return self._resumed(request, named, deadline) if named else _Past(recorded)
        if recorded.status is Status.RUNNING:
            return _Past(recorded, in_the_way=self._submitter.nameless(request.offer, recorded))
        if stands(recorded, request.pin):
            return recorded
        if recorded.adopted and recorded.status is Status.SUCCEEDED:
            # A refresh saw the end of one that was begun for somebody else.
            return self._conclude(request, recorded) or _Past(recorded)
        if not request.resubmit and recorded.status.came_to_nothing:
            return _Past(recorded, in_the_way=self._verdicts.ended_badly(request, recorded))
        return _Past(recorded)

    def _named_since(self, offer: OfferKey, recorded: Launch, deadline: float) -> Launch | None:
        """A launch that was accepted without a name, with that of the first go-live that the list shows since."""
        if recorded.status is not Status.RUNNING or recorded.operation_id:
            return None
        shown = since(recorded.submitted_at, self._lookout.look(offer, deadline).go_lives)
        return replace(recorded, operation_id=shown[-1].id) if shown else None

    def _is_foreign(self, launch: Launch, *, moved: bool = False) -> bool:
        """Whether it is of another API; moved: what is known of one that names no operation."""
        return not self._api.owns(launch.operation_id) if launch.operation_id else moved

    def _moved(self, request: Request, recorded: Launch, deadline: float) -> Launch:
        """What is live as wanted stays as it is when another API is chosen; only its versions are read anew."""
        offer = request.offer
        self._observer.note(f"{offer} is live as wanted: nothing to submit. {self._api.title} is asked from now on.")
        sight = self._lookout.look(offer, min(deadline, self._clock.monotonic() + self._limits.patience))
        if sight.preview is None and sight.live is None:
            self._refuse_if_unknown(offer)
        if request.pin is not None and request.pin not in (sight.live_version, sight.preview_version):
            self._observer.warn(
                f"{offer} is pinned to version {request.pin}, and {self._api.title} counts differently: live is "
                f"version {sight.live_version}, preview holds version {sight.preview_version}. It stays as it is; "
                "set offer_version to a number of this API's before it is to go live again."
            )
        return self._renumbered(recorded, sight)

    def _renumbered(self, recorded: Launch, sight: Sight) -> Launch:
        """Another API counts differently: what is live now, by its count, is what was live by the other's."""
        drift = recorded.confirmed_live_version is not None and recorded.live_version != recorded.confirmed_live_version
        return replace(
            recorded,
            operation_id=None,
            through=None,
            live_version=sight.live_version,
            preview_version=sight.preview_version,
            confirmed_live_version=recorded.confirmed_live_version if drift else sight.live_version,
        )

    def _resumed(self, request: Request, recorded: Launch, deadline: float) -> Launch | _Past:
        """The recorded operation's end, or its present state when nobody waits."""
        offer = request.offer
        if request.changed:
            # Begun for other inputs. It is waited for all the same, unless what is wanted now cannot come of it.
            recorded = replace(recorded, adopted=True, superseded=True)
            sight = self._lookout.look(offer, deadline)
            try:
                self._decide(request, recorded, sight)
            except LaunchRefused:
                if not sight.cut_short and self._runs_still(offer, recorded, deadline):
                    raise
        self._observer.note(f"Asking for the go-live of {offer} that an earlier run submitted.")
        try:
            launch, was_running = self._watch.until_it_ends(offer, recorded, deadline, wait=request.wait)
        except RefusedAfterwards as error:
            # Nothing of it began: neither this run nor the state is to go by it any more.
            error.launch = replace(recorded, status=Status.NOT_STARTED, operation_id=None, submitted_at=None)
            return _Past(error.launch, in_the_way=None if request.changed else error)
        except LaunchLost as error:
            # Whether it went live may show all the same. Whoever wants it anew says so, by other inputs.
            lost = error.launch or recorded
            return _Past(lost, in_the_way=None if lost.superseded else error)
        if not launch.status.ended:
            return launch
        if recorded.superseded and not was_running:
            ended = f"ended as {launch.status.value}; it was for other inputs"
            self._observer.note(f"The earlier go-live of {offer} {ended}.")
            return _Past(launch)
        if not self._is_the_last(offer, launch, was_running or not launch.adopted, deadline):
            return _Past(launch)
        return self._conclude(request, launch) or _Past(launch)

    def _runs_still(self, offer: OfferKey, recorded: Launch, deadline: float) -> bool:
        operation_id = recorded.operation_id or ""
        try:
            operation = self._lookout.patiently(lambda: self._api.operation(offer, operation_id), deadline)
        except NotFound:
            return False
        elapsed = seconds_since(recorded.submitted_at, self._clock)
        return not not_earlier(operation, recorded, elapsed, self._limits).status.ended

    # Step 2: what the API shows

    def _begin(self, request: Request, past: _Past, deadline: float) -> tuple[Launch, bool]:
        """A launch that runs or has ended, and whether it is a fresh one that this call submitted."""
        recorded, in_the_way = past.recorded, past.in_the_way
        with self._turn(request.offer, deadline) as turn:
            if turn.unanswered_at:
                recorded = replace(recorded or Launch(Status.NOT_STARTED), unanswered_at=turn.unanswered_at)
            try:
                sight = self._look_before_sending(request, recorded, deadline, in_the_way)
                action, operation = self._decide(request, recorded, sight)
            except LaunchRefused:
                if in_the_way and not isinstance(in_the_way, RefusedAfterwards):
                    raise in_the_way from None  # it was submitted, and had begun
                if past.left_behind:
                    raise self._verdicts.left_behind(request.offer, past.left_behind) from None
                raise
            later = sight.preview.overtaken if sight.preview else None
            if later and (later.kind is Kind.UNKNOWN or action is not Action.SUBMIT):
                self._observer.warn(
                    f"The preview of {request.offer}, version {sight.preview_version}, may not be its latest any more: "
                    f"{self._verdicts.became_of(request.offer, later)}."
                )
            went_by_itself = recorded is not None and recorded.unanswered_at is not None
            is_spent = sight.preview is not None and sight.preview.spent
            if action is not Action.SUBMIT and request.triggered and is_spent and not went_by_itself:
                self._observer.warn(
                    f"What stands in the preview of {request.offer} (version {sight.preview_version}) is live already, "
                    f"and {self._verdicts.here} takes nothing live twice: nothing was submitted. Publish to preview "
                    "what is to go live, and change the triggers when it is ready."
                )
            if action is Action.NOTHING:
                version = sight.live_version or request.pin
                self._observer.note(f"Version {version} of {request.offer} is live already: nothing to submit.")
                return self._already(sight, recorded), False
            if operation:
                over = operation.status.ended
                found = f"The last go-live of {request.offer} {operation.status.value} already: nothing to submit."
                self._observer.note(found if over else f"Found a go-live of {request.offer} that is running: adopted.")
                return launch_of(operation, recorded, sight, self._clock.now(), adopted=True), False
            held_back = self._held_back(request, replace(past, recorded=recorded), sight, turn)
            if held_back:
                return held_back, False
            if recorded and request.triggered:
                recorded = replace(recorded, superseded=True)
            try:
                launch, fresh = self._submitter.submit(request.offer, recorded, sight, deadline)
            except LaunchLost as error:
                turn.nameless = copy(error)
                raise
            except LaunchUnknown as error:
                turn.unanswered_at = error.launch.unanswered_at if error.launch else None
                raise
            turn.submitted, turn.unanswered_at = launch, None
            return launch, fresh

    def _held_back(self, request: Request, past: _Past, sight: Sight, turn: Turn) -> Launch | None:
        """The launch that answers the request although the list does not show it; None where it is to be submitted.

        Raises what is known to be in the way.
        """
        offer, recorded, in_the_way = request.offer, past.recorded, past.in_the_way
        sent = recorded
        if recorded and recorded.unanswered_at:
            sent = replace(recorded, submitted_at=recorded.unanswered_at, preview_version=sight.preview_version)
        unsettled = isinstance(in_the_way, LaunchLost) or bool(recorded and recorded.unanswered_at)
        if sent and unsettled and sight.shows(sent):
            self._observer.note(f"Version {sight.live_version} of {offer} went live since.")
            return self._already(sight, recorded)
        if in_the_way:
            turn.submitted = None
            raise in_the_way
        if past.left_behind:
            raise self._verdicts.left_behind(offer, past.left_behind)
        earlier = turn.submitted
        if earlier and _is_unseen(earlier, recorded, sight):
            if self._is_foreign(earlier):
                raise LaunchRefused(
                    f"{offer} was submitted through another API by another resource of this program "
                    f"(operation {earlier.operation_id}): nothing was submitted",
                    next_step="Declare each offer once, with the api that it is published through.",
                    about="api",
                )
            self._observer.note(f"{offer} was submitted by another resource of this program: adopted.")
            return replace(earlier, adopted=True)
        if turn.nameless:
            raise copy(turn.nameless)
        return None

    @contextmanager
    def _turn(self, offer: OfferKey, deadline: float) -> Iterator[Turn]:
        """The offer's turn, as soon as no other resource of this program has it."""
        turn = self._turns.of(offer)
        while not turn.lock.acquire(blocking=False):
            if self._clock.monotonic() >= deadline:
                raise LaunchUnknown(
                    f"Another resource of this program is taking {offer} live, and the time is up", next_step=RUN_AGAIN
                )
            self._clock.sleep(0.1)
        try:
            yield turn
        finally:
            turn.lock.release()

    def _take_for_whole(self, offer: OfferKey, recorded: Launch | None, sight: Sight) -> None:
        """Go on with a list that breaks off for good; raises `LaunchUnknown` where it is more than a link too many."""
        if recorded and not self._is_foreign(recorded) and sight.contradicts(recorded):
            raise LaunchUnknown(
                f"{_in_part(offer)}, and lacks the go-live that is recorded (operation {recorded.operation_id}): "
                "nothing was submitted",
                next_step=RUN_AGAIN,
            )
        self._warn_of_a_part(offer)

    def _warn_of_a_part(self, offer: OfferKey) -> None:
        self._observer.warn(f"{_in_part(offer)}: what may stand on that page is not considered.")

    def _look_before_sending(
        self, request: Request, recorded: Launch | None, deadline: float, in_the_way: LaunchError | None
    ) -> Sight:
        """What is seen, for as long as it takes to be believed."""
        try:
            sight = self._lookout.look(request.offer, deadline)
        except PublishingError as error:
            error.next_step = error.next_step or "Nothing was submitted. Run `pulumi up` again."
            raise
        except SignInFailed as error:
            told = copy(error)  # others are told the same one
            told.next_step = f"Nothing was submitted. {error.next_step}".strip()
            raise told from error
        refused = isinstance(in_the_way, RefusedAfterwards)
        if refused or self._suspicious(request, recorded, sight):
            sight = self._second_look(request, recorded, sight, deadline, refused=refused)
        if sight.cut_short:
            self._take_for_whole(request.offer, recorded, sight)
        return sight

    def _suspicious(self, request: Request, recorded: Launch | None, sight: Sight, *, refused: bool = False) -> bool:
        """Whether a launch has just happened, as the slots or the state say, which the list does not show (yet)."""
        if sight.cut_short:
            return True
        if self._decide(request, recorded, sight)[0] is not Action.SUBMIT:
            return False
        if refused:
            return True
        if recorded and recorded.status.ended and sight.lags_behind(recorded):
            return True
        recently = self._clock.now() - RECENT
        if recorded and recorded.unanswered_at and recorded.unanswered_at > recently:
            return True
        if recorded and recorded.finished_at and recorded.finished_at > recently and sight.lacks(recorded):
            return True
        if sight.live is None:
            return False
        known = recorded.live_version if recorded else None
        if sight.live_version is not None and known != sight.live_version == sight.preview_version:
            return True
        changed = sight.live.changed_at
        if changed is None or changed < recently:
            return False
        # What is listed should explain it; where nothing is, a production younger than the preview tells of a launch.
        reasons = [item.changed_at for item in sight.go_lives if item.changed_at]
        if not reasons and sight.preview and sight.preview.changed_at:
            reasons = [sight.preview.changed_at]
        return bool(reasons) and changed > max(reasons) + timedelta(seconds=1)

    def _second_look(
        self,
        request: Request,
        recorded: Launch | None,
        sight: Sight,
        deadline: float,
        *,
        refused: bool,
    ) -> Sight:
        """A list may lag behind the slots, or a refusal, or break off: it is given time before it is believed."""
        until = min(self._clock.monotonic() + self._limits.settle, deadline)
        attempt = 0
        self._observer.note(
            f"Looking again for up to half a minute whether a go-live of {request.offer} has just begun."
        )
        while self._clock.monotonic() < until and self._suspicious(request, recorded, sight, refused=refused):
            attempt += 1
            self._clock.sleep(backoff(attempt, chance=self._clock.chance(), longest=5.0))
            sight = self._lookout.look(request.offer, deadline)
        if not refused and self._clock.monotonic() >= deadline and self._suspicious(request, recorded, sight):
            why = (
                f"What there is of {request.offer} could not be read to its end"
                if sight.cut_short
                else f"{request.offer} seems to have gone live just now, but its operations do not show it yet"
            )
            raise LaunchUnknown(f"{why}, and the time is up: nothing was submitted", next_step=RUN_AGAIN)
        return sight

    def _decide(self, request: Request, recorded: Launch | None, sight: Sight) -> tuple[Action, Operation | None]:
        """What to do about what is seen; pure. Raises `LaunchRefused`."""
        offer, pin = request.offer, request.pin
        wrong_preview = pin is not None and sight.preview is not None and sight.preview_version != pin
        running = sight.running(recorded)
        if running and (not wrong_preview or running.version in (pin, None)):
            # Whether it takes the pinned version live may show at its end alone.
            return Action.ADOPT, running
        if pin is not None and sight.live_version == pin and not request.triggered:
            return Action.NOTHING, None
        if wrong_preview:
            meanwhile = " A go-live of it is running, which nobody can stop." if running else ""
            raise LaunchRefused(
                f"{offer} is pinned to version {pin}, but its preview holds version "
                f"{sight.preview_version or 'unknown'}: nothing was submitted.{meanwhile}",
                next_step=f"Publish version {pin} to preview, or set offer_version to the version that is to go live.",
                about="offer_version",
            )
        overtaken = sight.preview.overtaken if sight.preview else None
        asked_first = recorded is None and not request.changed
        if overtaken and pin is None and (asked_first or overtaken.kind is Kind.UNKNOWN):
            # What is live may be what was wanted, or what is on its way to preview: nobody has said so yet.
            raise self._verdicts.overtaken(offer, sight, overtaken)
        ended = self._ended_since(recorded, sight)
        if ended is None and request.changed and not request.triggered:
            # Another pin, or none any more: it asks for nothing new where that very preview is what went live last.
            last = next(iter(sight.go_lives), None)
            ended = last if last and last.status is Status.SUCCEEDED and covers(last, sight) else None
        if ended:
            return Action.ADOPT, ended
        if sight.preview is None:
            if sight.live is None:
                self._refuse_if_unknown(offer)
            raise self._verdicts.without_preview(offer, sight)
        if overtaken and pin is None:
            raise self._verdicts.overtaken(offer, sight, overtaken)
        failed = sight.fell_back(recorded) if recorded and pin is None else None
        if failed:
            raise self._verdicts.overtaken(offer, sight, failed)
        if sight.preview.spent:
            return (Action.ADOPT, sight.spent_by) if sight.spent_by else (Action.NOTHING, None)
        return Action.SUBMIT, None

    def _refuse_if_unknown(self, offer: OfferKey) -> None:
        until = self._clock.monotonic() + self._limits.patience
        if not self._lookout.patiently(lambda: self._api.offer_exists(offer), until):
            raise self._verdicts.unknown(offer)

    def _ended_since(self, recorded: Launch | None, sight: Sight) -> Operation | None:
        """A go-live that has ended and can only be the answer to this request: one of a run that died, say."""
        newest = next(iter(newer(recorded, sight.go_lives)), None)
        if newest is None and recorded and not any(is_recorded(item, recorded) for item in sight.go_lives):
            # It is listed under another id, without dates: a number that preview did not hold then tells as well.
            last = next(iter(sight.go_lives), None)
            before = (recorded.preview_version, recorded.live_version)
            known = recorded.preview_version is not None and sight.preview_version not in before
            newest = last if last and known and last.version == sight.preview_version else None
        if newest is None or not newest.status.ended:
            return None
        covered = covers(newest, sight)
        nameless = recorded is not None and recorded.status is Status.RUNNING and recorded.submitted_at
        if recorded is None or not (recorded.operation_id or recorded.finished_at or nameless):
            # Nothing to compare it with: last year's launch looks the same, unless it took this very preview live.
            return newest if newest.status is Status.SUCCEEDED and covered else None
        return newest if covered is not False else None

    def _is_the_last(self, offer: OfferKey, launch: Launch, ran: bool, deadline: float) -> bool:
        """Whether no go-live came after one that has ended. ran: it is this request's own, or was seen to run.

        After an adopted one that had failed before it was looked at, one may have come that a list which lags behind
        does not show at once: a failure that is told in its place would be an old one.
        """
        if ran or launch.status is Status.SUCCEEDED:
            return True
        until = min(self._clock.monotonic() + self._limits.settle, deadline)
        attempt = 0
        while True:
            try:
                listed = self._api.operations(offer)
            except (PublishingError, SignInFailed):
                listed = ()
            if newer(launch, [item for item in listed if item.kind is Kind.GO_LIVE]):
                return False
            if self._clock.monotonic() >= until:
                return True
            attempt += 1
            self._clock.sleep(backoff(attempt, chance=self._clock.chance(), longest=5.0))

    # What is recorded

    def _already(self, sight: Sight, recorded: Launch | None) -> Launch:
        """What is live as wanted; with the operation that took it live, where the record is of that."""
        if recorded and recorded.operation_id and recorded.status is Status.SUCCEEDED:
            confirmed = recorded.confirmed_live_version
            if confirmed is not None and confirmed == sight.live_version and not recorded.unanswered_at:
                return _as_wanted(recorded, sight, confirmed)
        return Launch(
            status=Status.SUCCEEDED,
            operation_id=None,
            live_version=sight.live_version,
            preview_version=sight.preview_version,
            confirmed_live_version=sight.live_version,
            finished_at=self._clock.now(),
            live_links=recorded.live_links if recorded else (),
            preview_links=recorded.preview_links if recorded else (),
        )

    def _conclude(self, request: Request, launch: Launch) -> Launch | None:
        """An ended launch with what the slots show now; None when it took something else live than is wanted.

        A failure or a cancellation is raised, with the launch to record: it is told once, and not submitted again by
        itself. A success stays one even if the slots cannot be read any more.
        """
        if launch.status is not Status.SUCCEEDED:
            if launch.adopted and self._is_of_another(request, launch):
                return None
            raise self._verdicts.ended_badly(request, replace(launch, adopted=False, superseded=False))
        try:
            sight = self._look_at_the_end(request.offer, launch)
        except Interrupted:
            raise LaunchUnknown(
                f"{request.offer} went live (operation {launch.operation_id}), but the run was cancelled before its "
                "versions were read",
                next_step="Run `pulumi up` again: it reads them.",
                launch=replace(launch, status=Status.RUNNING, finished_at=None),
            ) from None
        except (PublishingError, SignInFailed) as error:
            self._observer.warn(f"{request.offer} went live, but its versions could not be read: {error}")
            return launch
        if sight.cut_short and sight.lacks(launch):
            self._observer.warn(f"{request.offer} went live, but its list breaks off: its versions could not be read")
            return launch
        if launch.adopted and not self._is_wanted(request.pin, launch, sight):
            return None
        self._refuse_another(request, launch, sight)
        return _as_wanted(launch, sight, _confirmed(request.pin, launch, sight))

    def _refuse_another(self, request: Request, launch: Launch, sight: Sight) -> None:
        """Raise where another version than the pinned one went live, as the operation and both slots say alike.

        An API that takes no version along takes live what stands in preview when the request comes in.
        """
        operation = sight.of(launch)
        pin, went = request.pin, operation.version if operation else None
        if pin is None or went in (None, pin) or not went == sight.live_version == sight.preview_version:
            return
        raise LaunchRefused(
            f"{request.offer} is pinned to version {pin}, but version {went} went live (operation "
            f"{launch.operation_id}): it was published to preview just before the go-live began",
            next_step=f"Publish version {pin} to preview again, or set offer_version to {went} if that may stay.",
            about="offer_version",
            launch=replace(launch, adopted=True, live_version=went, preview_version=went),
        )

    def _is_of_another(self, request: Request, launch: Launch) -> bool:
        """Whether a go-live that was begun for somebody else was surely not of what is wanted."""
        try:
            sight = self._lookout.look(request.offer, self._clock.monotonic() + self._limits.patience)
        except (PublishingError, SignInFailed, Interrupted):
            return False
        operation = sight.of(launch)
        if operation is None or (request.pin is not None and operation.version == request.pin):
            return False
        if sight.preview is None or sight.preview.spent:
            return False  # nothing else is there that could be wanted
        return covers(operation, sight) is False

    def _is_wanted(self, pin: str | None, launch: Launch, sight: Sight) -> bool:
        """Whether a go-live that was begun for somebody else took live what is wanted here."""
        operation = sight.of(launch)
        if pin is None:
            return operation is None or covers(operation, sight) is not False
        if pin == sight.live_version or (operation and pin == operation.version):
            return True
        if operation is None:
            return launch.preview_version == pin
        stood = sight.preview_version if sight.preview else launch.preview_version
        return stood == pin and covers(operation, sight) is not False

    def _look_at_the_end(self, offer: OfferKey, launch: Launch) -> Sight:
        """What the slots show once a list that lags behind shows the launch's end too, if it does in time."""
        until = self._clock.monotonic() + self._limits.settle
        attempt = 0
        while True:
            sight = self._lookout.look(offer, self._clock.monotonic() + self._limits.patience)
            shown = not launch.adopted or sight.of(launch) is not None
            behind = sight.lags_behind(launch) or sight.lacks(launch)
            if (shown and not behind) or self._clock.monotonic() >= until:
                return sight
            attempt += 1
            self._clock.sleep(backoff(attempt, chance=self._clock.chance(), longest=5.0))


def _in_part(offer: OfferKey) -> str:
    return f"The list of what there is of {offer} breaks off with a page that is not found"


def _as_wanted(launch: Launch, sight: Sight, confirmed: str | None) -> Launch:
    """A launch that took live what is wanted, with what the slots show now."""
    return replace(
        launch,
        adopted=False,
        superseded=False,
        live_version=sight.live_version,
        preview_version=sight.preview_version,
        confirmed_live_version=confirmed,
        unanswered_at=None,
    )


def _is_unseen(submitted: Launch, recorded: Launch | None, sight: Sight) -> bool:
    """Whether a go-live is neither listed (yet) nor the one that has just been looked at."""
    at = submitted.submitted_at
    known = [
        operation.id
        for operation in sight.operations
        # By an id that is given again, one that was over before is another one.
        if not (operation.recurring and operation.status.ended and not since(at, [operation]))
    ]
    if recorded and (at is None or recorded.submitted_at is None or recorded.submitted_at >= at):
        known += [recorded.operation_id or ""]
    return submitted.operation_id is not None and not any(same(submitted.operation_id, one) for one in known)


def _confirmed(pin: str | None, launch: Launch, sight: Sight) -> str | None:
    """What is live since a launch succeeded, by number; None while the slot may still show what was live before.

    launch: with what was live before. A slot that lags behind, taken at its word, would look like drift afterwards.
    """
    live = sight.live
    if sight.from_one_answer:
        # It lags behind as a whole, or not at all.
        return None if sight.lags_behind(launch) or sight.lacks(launch) else sight.live_version
    if live is None or live.version in (pin, None, launch.confirmed_live_version):
        return sight.live_version
    if live.version != launch.live_version:
        return live.version
    changed = bool(live.changed_at and launch.submitted_at and live.changed_at >= launch.submitted_at)
    return live.version if changed else None
