// Whether the provider serves one payment worker. The breaker only opens after many failures in a
// row, which a single order in need of a charge takes minutes to reach: this reports them before.
//
//   1. A failure is a turn that the provider did not serve: nothing arrived, or no valid answer.
//      Declined, pending and busy are served.
//   2. Each cause is logged at once, then at most once in LOG_AGAIN_MS, with the failures since.
import { withoutSecrets } from "../../core/domain/masked.ts";
import type { ProviderFailing } from "../../core/domain/report.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

const LOG_AGAIN_MS = 30_000;
/** Causes that are logged on their own: an answer's flaw has a text of the provider's. */
const MAX_CAUSES = 16;
const OTHER_CAUSE = "other causes";
/** A streak this long is worth a line when it ends. */
const LONG_STREAK_MS = 3_000;

interface Cause {
  loggedAtMs: number;
  /** Since it was logged. */
  failures: number;
}

export class ProviderHealth {
  private streak: ProviderFailing | undefined;
  private readonly causes = new Map<string, Cause>();

  constructor(
    private readonly runtime: Pick<Runtime, "wallMs" | "monotonicMs">,
    private readonly log: (event: string, detail: Record<string, unknown>) => void,
  ) {}

  /** The failures since the last turn that was served; undefined: none. */
  get failing(): ProviderFailing | undefined {
    return this.streak;
  }

  succeeded(): void {
    const { streak } = this;
    this.streak = undefined;
    if (!streak || streak.lastMs - streak.sinceMs < LONG_STREAK_MS) return;
    const { failures, sinceMs } = streak;
    this.log("provider answers", { failures, forMs: this.runtime.wallMs() - sinceMs });
  }

  failed(text: string): void {
    const why = withoutSecrets(text);
    const atMs = this.runtime.wallMs();
    const { sinceMs = atMs, failures = 0 } = this.streak ?? {};
    this.streak = { sinceMs, lastMs: atMs, failures: failures + 1, why };
    this.logCause(why); // 2
  }

  private logCause(why: string): void {
    const nowMs = this.runtime.monotonicMs();
    const known = this.causes.has(why) || this.causes.size < MAX_CAUSES;
    const name = known ? why : OTHER_CAUSE;
    const cause = this.causes.get(name) ?? { loggedAtMs: -LOG_AGAIN_MS, failures: 0 };
    this.causes.set(name, cause);
    cause.failures++;
    if (nowMs - cause.loggedAtMs < LOG_AGAIN_MS) return;
    const { failures } = cause;
    cause.loggedAtMs = nowMs;
    cause.failures = 0;
    this.log("provider fails", { error: why, failures, inARow: this.streak?.failures });
  }
}
