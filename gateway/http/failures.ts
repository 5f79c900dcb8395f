// Logs requests that failed. A stranger may be able to make requests fail, so the lines are
// bounded, and the next one counts those left out.
import type { Runtime } from "../../core/runtime/runtime.ts";

const PER_SECOND = 10;
const MAX_PATH = 200;

export class Failures {
  private untilMs = 0;
  private logged = 0;
  private leftOut = 0;

  constructor(
    private readonly runtime: Pick<Runtime, "monotonicMs">,
    private readonly log: (event: string, detail: Record<string, unknown>) => void,
  ) {}

  note({ method, path, error }: { method?: string; path?: string; error: string }): void {
    const nowMs = this.runtime.monotonicMs();
    if (nowMs >= this.untilMs) {
      this.untilMs = nowMs + 1_000;
      this.logged = 0;
    }
    if (this.logged++ >= PER_SECOND) {
      this.leftOut++;
      return;
    }
    const more = this.leftOut > 0 ? { leftOut: this.leftOut } : {};
    this.leftOut = 0;
    const where = path === undefined ? {} : { method, path: path.slice(0, MAX_PATH) };
    this.log("request failed", { ...where, error, ...more });
  }
}
