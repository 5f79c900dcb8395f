import { realRuntime } from "../../../core/runtime/runtime.ts";

const LOOK_MS = 20;
const DEFAULT_TIMEOUT_MS = 30_000;

/** Waits until a condition holds; fails with its name if it does not within the time. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<void> {
  const end = realRuntime.monotonicMs() + timeoutMs;
  while (!(await holds())) {
    if (realRuntime.monotonicMs() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await realRuntime.sleep(LOOK_MS);
  }
}
