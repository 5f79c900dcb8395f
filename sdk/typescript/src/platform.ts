// The one file that uses the platform's clocks, timers and randomness.

/** Unix time of this machine, which may be wrong: ServerClock corrects it. */
export const wallMs = (): number => Date.now();

/** For durations: never jumps. */
export const monotonicMs = (): number => performance.now();

/** From 0 up to 1; for spreading retries, not for ids. */
export const random = (): number => Math.random();

export const randomBytes = (count: number): Uint8Array =>
  crypto.getRandomValues(new Uint8Array(count));

export type Timer = ReturnType<typeof setTimeout>;

/** The longest time that a timer accepts. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const startTimer = (run: () => void, ms: number): Timer =>
  setTimeout(run, Math.min(Math.max(ms, 0), MAX_TIMER_MS));

export const stopTimer = (timer: Timer | undefined): void => clearTimeout(timer);

/** Waits; ends early, without an error, when the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = (): void => {
      stopTimer(timer);
      forget();
      resolve();
    };
    const timer = startTimer(end, ms);
    const forget = onAbort(signal, end);
  });
}

/** What waits for each signal. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `run` once when the signal aborts; not if it has aborted already. Returns what cancels it.
 * A signal has one listener however many wait for it: Node warns of a leak from the eleventh on.
 */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  if (!signal || signal.aborted) return () => undefined;
  const call = () => run(); // the same function may wait twice
  const calls = waiting.get(signal) ?? listenTo(signal);
  calls.add(call);
  return () => void calls.delete(call);
}

/** The listener stays as long as the signal does: one function, which holds nothing. */
function listenTo(signal: AbortSignal): Set<() => void> {
  const calls = new Set<() => void>();
  waiting.set(signal, calls);
  const all = () => {
    for (const call of [...calls]) call();
    calls.clear();
  };
  signal.addEventListener("abort", all, { once: true });
  return calls;
}
