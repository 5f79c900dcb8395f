// Time, timers, randomness and ids. Each role receives a runtime where it is wired and passes it
// on, so that a simulator can run several workers in one process, each on clocks of its own.
//
// Every member is a plain function without `this`: a part that needs only a clock takes
// `runtime.monotonicMs`.

/** A timer that has been started. Only `stopTimer` knows what is in it. */
export interface Timer {
  /** The process may end while this timer is still waiting. */
  unref(): unknown;
}

export interface Runtime {
  /** Unix ms of this machine. It may jump, back as well: for stamps, never for durations. */
  readonly wallMs: () => number;
  /** Ms since some moment of this process, with fractions; never goes back. For durations. */
  readonly monotonicMs: () => number;
  /** Settles after `ms`, or as soon as the signal aborts. Never rejects: ask the signal. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Calls once, after `ms`. */
  readonly startTimer: (call: () => void, ms: number) => Timer;
  /** Calls every `ms`. */
  readonly startInterval: (call: () => void, ms: number) => Timer;
  /** Stops a timer of either kind; stopping it twice, or undefined, does nothing. */
  readonly stopTimer: (timer: Timer | undefined) => void;
  /** Calls once this turn of the event loop, and the I/O that came in with it, is done. */
  readonly nextTurn: (call: () => void) => void;
  /** Aborts after `ms`. */
  readonly abortAfter: (ms: number) => AbortSignal;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** A random UUID (version 4). */
  readonly uuid: () => string;
  /** A UUID that begins with the wall clock (version 7), as orders have it. */
  readonly uuidV7: () => string;
}

/**
 * The clocks, timers and randomness of this process. A call costs what the direct call costs:
 * docs/decisions/0015-runtime.md.
 */
export const realRuntime: Runtime = {
  wallMs: Date.now,
  monotonicMs: () => performance.now(), // bound it costs 4 to 10 ns more a call
  sleep: (ms, signal) => (signal === undefined ? Bun.sleep(ms) : sleepUnlessAborted(ms, signal)),
  startTimer: setTimeout,
  startInterval: setInterval,
  stopTimer: clearTimeout as Runtime["stopTimer"],
  nextTurn: setImmediate,
  abortAfter: (ms) => AbortSignal.timeout(ms),
  random: Math.random,
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  uuid: () => crypto.randomUUID(),
  uuidV7: () => Bun.randomUUIDv7(),
};

function sleepUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
    resolve();
  };
  const timer = setTimeout(wake, ms);
  signal.addEventListener("abort", wake);
  return promise;
}
