"""What Pulumi's Python host leaves out of a dynamic provider: room for many waits, cancelling, time limits, words.

The host (`python -m pulumi.dynamic`) runs four calls at a time, does nothing on Cancel, hands on neither the resource's
URN nor its custom timeouts, shows every error as a traceback, and forgets what a failed create has begun. All of that
can be had back from inside, by reaching for names that are private to pulumi and grpc. This is the only module that
does; each name that is missing one day costs one warning, which says what is lost, and leaves plain Pulumi behind.

Nothing here knows of offers.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import FrameType
from typing import Any, Literal, NoReturn

import grpc
import pulumi

from providers.azure_marketplace.text import harmless

__all__ = ["Call", "Failed", "Incomplete", "Severity", "current_call", "install", "keys_of", "watched"]

Severity = Literal["debug", "info", "warning", "error"]

WIDTH = 1024
"""Calls that may be under way at once. Threads are made as they are needed; the engine says how many it sends."""

_LOG_TIMEOUT = 5.0
_ENGINE_GONE_AFTER = 6.0
_LAST_ANSWERS = 8.0
"""Seconds that calls have to answer after a signal: they end within one, and the engine kills a host after five."""

_UNKNOWN_ERROR = grpc.StatusCode.UNKNOWN  # the only code with which the engine looks for partial state
_CARRIED = "grpc-status-details-bin"


class Failed(Exception):
    """A call failed and there is nothing to record. The message is all that the user sees."""


class Incomplete(Exception):
    """A create or update failed halfway: the engine records `id` and `outputs`, and shows `reasons`.

    inputs: the resource's inputs as they are to be recorded; None leaves them to the engine.
    """

    def __init__(
        self,
        id_: str,
        outputs: Mapping[str, Any],
        reasons: Sequence[str],
        *,
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(" ".join(reasons))
        self.id = id_
        self.outputs = outputs
        self.reasons = reasons
        self.inputs = inputs


class Call:
    """One call of the engine's.

    urn: the resource's; None when it is not known. timeout: the custom timeout of this operation in seconds, None
    without one. cancelled: set when the run is cancelled, by ^C say; it is the same event for all calls.
    """

    def __init__(self, urn: str | None = None, timeout: float | None = None) -> None:
        self.urn = urn
        self.timeout = timeout
        self.cancelled = _host.cancelled

    def status(self, message: str) -> None:
        """Show `message` on the resource's own row, in place of the one before; it leaves no trace."""
        _host.engine.log("info", message, self.urn, ephemeral=True)

    def log(self, message: str, severity: Severity) -> None:
        """Tell `message` under the resource, to stay."""
        _host.engine.log(severity, message, self.urn)


def keys_of(config: object) -> tuple[str, ...]:
    """All keys of a provider's configuration, with their namespaces; none where this SDK keeps them elsewhere."""
    return tuple(map(str, getattr(config, "_props", None) or ()))


def current_call() -> Call:
    """The call that this thread is answering."""
    call = _call.get()
    if call is None:
        # The call that made the host load the provider, and those that came beside it, began before `install`.
        call = _early_call()
        _call.set(call)
    return call


def install(logger: str = "") -> None:
    """Give the host what it lacks; to be called from a provider's `configure`. Again and again does no harm.

    logger: the name of Python's logger whose records from INFO upwards the engine is told.
    """
    with _host.lock:
        if not _host.installed:
            _host.installed = True
            _host.install()
            if logger:
                logging.getLogger(logger).addHandler(_ToEngine(logging.INFO))
                logging.getLogger(logger).setLevel(logging.INFO)


class _ToEngine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        severity: Severity = "info" if record.levelno < logging.WARNING else "warning"
        _host.engine.log(severity, record.getMessage())


@functools.lru_cache(maxsize=1)
def watched() -> bool:
    """Whether Pulumi writes to a terminal, where a row is drawn anew; anywhere else every status is a new line.

    The host's own output is a pipe, so it is the engine's that is looked at: by its process where the system has
    /proc, else by whether there is a terminal at all.
    """
    if any(os.environ.get(name) for name in ("CI", "TF_BUILD", "BUILD_NUMBER")):
        return False
    try:
        descriptor = os.open(_engine_output(), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _engine_output() -> str:
    """Where the engine's output goes: a path. A shell script stands between it and this process. Raises OSError."""
    if not os.path.isdir("/proc/self"):
        return "/dev/tty"
    process = os.getppid()
    for _ in range(5):
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
        if name == "pulumi":
            return f"/proc/{process}/fd/1"
        process = int(rest.split()[1])
    raise ProcessLookupError("none of the processes above is Pulumi")


class _Engine:
    """The engine's own log, which the host is handed the address of."""

    def __init__(self) -> None:
        self._channel: Any = None
        self._stub: Any = None
        self._requests: Any = None
        self.gone_since: float | None = None
        self._seen = False
        self._lock = threading.Lock()

    def connect(self) -> None:
        """Raises whatever a changed name raises."""
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

        # Kept: a channel that nobody holds takes its subscribers along.
        self._channel = grpc.insecure_channel(sys.argv[1])
        self._requests = engine_pb2
        self._stub = engine_pb2_grpc.EngineStub(self._channel)
        self._channel.subscribe(self._state_changed, try_to_connect=True)

    def log(self, severity: Severity, message: str, urn: str | None = None, *, ephemeral: bool = False) -> None:
        """Never raises: a log that cannot be written fails no launch."""
        if self._stub is None:
            if not ephemeral:
                _plainly(severity, message)
            return
        try:
            request = self._requests.LogRequest(
                severity=getattr(self._requests, severity.upper()),
                message=harmless(message),
                urn=urn or "",
                streamId=0,
                ephemeral=ephemeral,
            )
            self._stub.Log(request, timeout=_LOG_TIMEOUT)
            with self._lock:
                self._seen = True  # the channel's states are told late, and a short one not at all
        except Exception:  # whatever it is, the launch goes on
            if not ephemeral:
                _plainly(severity, message)

    def _state_changed(self, state: grpc.ChannelConnectivity) -> None:
        with self._lock:
            if state is grpc.ChannelConnectivity.READY:
                self._seen = True
                self.gone_since = None
            elif self.gone_since is None and self._seen:
                self.gone_since = time.monotonic()


class _Host:
    """This process, once for all providers in it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.installed = False
        self.cancelled = threading.Event()
        self.engine = _Engine()
        self._parent = os.getppid()
        self._server: Any = None
        self._under_way = 0
        self._changed = threading.Condition()
        self._stop: Callable[..., Any] | None = None
        self._held = False

    def install(self) -> None:
        parts: tuple[tuple[Callable[[], None], str], ...] = (
            (self.engine.connect, "progress is not shown on the resources' own rows"),
            (self._find_server, "everything that this provider adds to the host: at most four offers wait at once"),
            (self._widen, "at most four offers wait at once, and the others queue behind them"),
            (
                self._intercept,
                "^C does not end the waits, custom timeouts are not known, errors come with a traceback, and a run "
                "that is interrupted leaves the running operation to the next `pulumi up` to find",
            ),
            (self._hold_main_thread, "a SIGTERM ends this process without recording the running operations"),
            (self._watch_engine, "this process does not notice when Pulumi is gone"),
        )
        for part, lost in parts:
            try:
                part()
            except _NotWanted:
                continue
            except Exception as error:  # any kind: these are other people's private names
                name = type(error).__name__
                self.engine.log(
                    "warning",
                    f"OfferGoLive and this version of Pulumi's Python SDK do not fully fit together. Lost: {lost}. "
                    f"({name}: {error}.) Launches are still never submitted twice.",
                )
                if part == self._find_server:
                    return

    def _find_server(self) -> None:
        frame: FrameType | None = sys._current_frames().get(threading.main_thread().ident or 0)
        while frame is not None:
            server = frame.f_locals.get("server")
            if isinstance(server, grpc.Server):
                self._server = server
                return
            frame = frame.f_back
        raise LookupError("the host keeps its server somewhere else")

    def _widen(self) -> None:
        pool = self._server._state.thread_pool
        if not isinstance(pool._max_workers, int):
            raise TypeError("the width of the thread pool is no number")
        pool._max_workers = max(pool._max_workers, WIDTH)

    def _intercept(self) -> None:
        # Imported here: a missing name is to cost a warning, not the provider.
        from grpc._interceptor import service_pipeline

        state = self._server._state
        before = state.interceptor_pipeline
        pipeline = service_pipeline([_Interceptor(self)])
        # What others put there (tracing, say) stays, behind this one.
        if before is not None:
            pipeline = service_pipeline([_Interceptor(self), *before.interceptors])
        state.interceptor_pipeline = pipeline

    def answer(self, call: Call, behaviour: Callable[[Any, Any], Any], request: Any, context: Any) -> Any:
        """One call, whatever its behaviour raises."""
        _call.set(call)
        with self._changed:
            self._under_way += 1
        try:
            return behaviour(request, _Context(context))
        except BaseException as error:
            _abort(error, request, context)
        finally:
            _call.set(None)
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    # Signals. Only the main thread may set handlers, and it sleeps in the host's `main` until a KeyboardInterrupt.
    # One is sent to it, once; what `main` does then is to call `server.stop`, which is ours by now: from there on the
    # main thread waits here, for signals that mean it.

    def _hold_main_thread(self) -> None:
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            raise _NotWanted
        main = threading.main_thread()
        frame = sys._current_frames().get(main.ident or 0)
        names = []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        if names[:3] != ["wait", "wait", "main"]:
            raise LookupError("the main thread is not waiting where it used to")
        self._stop = self._server.stop
        self._server.stop = self._stopped
        signal.pthread_kill(main.ident or 0, signal.SIGINT)

    def _stopped(self, grace: float | None) -> Any:
        """In place of `server.stop`; on the main thread."""
        assert self._stop is not None  # nosec B101
        if self._held or threading.current_thread() is not threading.main_thread():
            return self._stop(grace)
        self._held = True
        told = threading.Event()

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self.cancelled.set()
            told.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, on_signal)
        told.wait()
        return self._last_answers()

    def _last_answers(self) -> NoReturn:
        """Let the calls that are under way answer, and end: waiting threads of others shall not hold this process."""
        give_up = time.monotonic() + _LAST_ANSWERS
        with self._changed:
            while self._under_way and time.monotonic() < give_up:
                self._changed.wait(0.2)
        if self._stop is not None:
            self._stop(1.0).wait(2.0)
        os._exit(0)

    def _watch_engine(self) -> None:
        threading.Thread(target=self._until_engine_is_gone, name="engine-watch", daemon=True).start()

    def _until_engine_is_gone(self) -> None:
        while True:
            time.sleep(1.0)
            gone = self.engine.gone_since
            lost = gone is not None and time.monotonic() - gone > _ENGINE_GONE_AFTER
            if lost or os.getppid() != self._parent:
                self.cancelled.set()
                with self._changed:
                    self._changed.wait_for(lambda: not self._under_way, timeout=3.0)
                os._exit(1)


class _NotWanted(Exception):
    """A part that has no place here, such as handlers for signals that somebody had ignored."""


class _Interceptor(grpc.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """In front of every call: who is asked for, and what becomes of errors."""

    def __init__(self, host: _Host) -> None:
        self._host = host

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = handler_call_details.method.rsplit("/", 1)[-1]
        behaviour = handler.unary_unary

        def answered(request: Any, context: Any) -> Any:
            if method == "Cancel":
                self._host.cancelled.set()
            return self._host.answer(_call_of(request), behaviour, request, context)

        return grpc.unary_unary_rpc_method_handler(
            answered,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class _Context:
    """The call's context, but for `abort`: newer SDKs turn every error into a traceback with it."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def abort(self, code: Any, details: str) -> NoReturn:
        error = sys.exc_info()[1]
        if error is not None:
            raise error
        self._context.abort(code, details)
        raise AssertionError("abort always raises")


def _abort(error: BaseException, request: Any, context: Any) -> NoReturn:
    """Answer with `error`: always, since a call without an answer keeps the engine waiting for ever."""
    message = harmless(str(error))
    if isinstance(error, Incomplete):
        try:
            context.set_trailing_metadata(((_CARRIED, _partial_state(error, request)),))
        except Exception:  # the message says what to do; that the state has nothing is borne by the next run
            message = f"{message} (The state could not take it in: {traceback.format_exc(limit=1).splitlines()[-1]})"
    elif not isinstance(error, Failed):
        message = harmless("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    context.abort(_UNKNOWN_ERROR, message)
    raise AssertionError("abort always raises")


def _partial_state(error: Incomplete, request: Any) -> bytes:
    """google.rpc.Status with the details that the engine records as a resource whose initialisation failed."""
    from google.protobuf.any_pb2 import Any as Packed
    from pulumi.runtime.proto import provider_pb2, status_pb2

    given = request.properties if "properties" in request.DESCRIPTOR.fields_by_name else request.news
    details = provider_pb2.ErrorResourceInitFailed(
        id=error.id,
        properties=_serialised(error.outputs, given),
        reasons=[harmless(reason) for reason in error.reasons],
        inputs=None if error.inputs is None else _serialised(error.inputs, given),
    )
    packed = Packed()
    packed.Pack(details)
    status = status_pb2.Status(code=2, message=harmless(str(error)), details=[packed])
    serialised: bytes = status.SerializeToString()
    return serialised


def _serialised(properties: Mapping[str, Any], given: Any) -> Any:
    """As the host serialises results, with the pickled provider, without which the resource cannot be found again."""
    from pulumi.runtime import rpc

    loop = asyncio.new_event_loop()
    try:
        serialised = loop.run_until_complete(rpc.serialize_properties(dict(properties), {}))
    finally:
        loop.close()
    serialised.fields["__provider"].CopyFrom(given.fields["__provider"])
    return serialised


def _call_of(request: Any) -> Call:
    """What a request says about itself: not every kind has a urn or a timeout."""
    return Call(getattr(request, "urn", None) or None, getattr(request, "timeout", None) or None)


def _early_call() -> Call:
    """The call of this thread by the frames below it: the host's own method has the request and the context."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        request: Any = frame.f_locals.get("request")
        context: Any = frame.f_locals.get("context")
        if hasattr(request, "urn") and hasattr(context, "abort"):
            if not isinstance(context, _Context):
                abort = type(context).abort
                context.abort = functools.partial(_abort_early, context, abort, request)
            return _call_of(request)
        frame = frame.f_back
    return Call()


def _abort_early(context: Any, abort: Callable[..., NoReturn], request: Any, code: Any, details: str) -> NoReturn:
    error = sys.exc_info()[1]
    del context.abort
    if isinstance(error, (Failed, Incomplete)):
        _abort(error, request, context)
    abort(context, code, details)


def _plainly(severity: Severity, message: str) -> None:
    """As any Pulumi program logs, without a row to stand on."""
    log = {"debug": pulumi.log.debug, "info": pulumi.log.info, "warning": pulumi.log.warn, "error": pulumi.log.error}
    try:
        log[severity](message)
    except Exception:
        sys.stderr.write(f"{message}\n")


_call: ContextVar[Call | None] = ContextVar("call", default=None)
_host = _Host()
