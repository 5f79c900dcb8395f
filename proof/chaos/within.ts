import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";

/** The result of the work; rejects once it has taken too long. The work itself continues. */
export async function within<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = realRuntime.startTimer(
    () => late.reject(new Error(`${what}: not within ${limitMs / 1_000} s`)),
    limitMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    realRuntime.stopTimer(timer);
  }
}

const LOOK_MS = 50;

/**
 * Looks until the answer is there; rejects once it has taken too long. Zero is no answer: a count
 * of nothing shows nothing.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs: number,
): Promise<T> {
  const end = realRuntime.monotonicMs() + limitMs;
  while (true) {
    const found = await look();
    if (found !== undefined && found !== false && found !== 0) return found;
    if (realRuntime.monotonicMs() > end)
      throw new Error(`${what}: not within ${limitMs / 1_000} s`);
    await realRuntime.sleep(LOOK_MS);
  }
}

/** The result of the work; if it fails or takes too long, undefined and one more error. */
export async function settled<T>(
  errors: string[],
  what: string,
  work: Promise<T>,
  limitMs: number,
): Promise<T | undefined> {
  try {
    return await within(work, limitMs, what);
  } catch (error) {
    errors.push(messageOf(error));
    return undefined;
  }
}
