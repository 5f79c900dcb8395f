// Shows a role's report to everybody, once a second, on the list of living roles in Redis. A role
// without Redis is shown by its metrics alone.
import type { RoleReport } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { Members } from "../../core/stores/members.ts";
import { RedisStore } from "../../core/stores/redis.ts";

const EVERY_MS = 1_000;
/** A role that ended without a word is on the list for so long. */
const TTL_MS = 5_000;

export class Board {
  private readonly timer: Timer;
  private id = "";

  constructor(
    private readonly runtime: Runtime,
    private readonly members: Members,
    private readonly report: () => RoleReport,
    /** Hears each time whether somebody has paused this role by hand, and who. */
    private readonly onHand?: (by: string | undefined) => void,
  ) {
    this.timer = this.runtime.startInterval(() => this.show(), EVERY_MS);
    this.show();
  }

  async stop(): Promise<void> {
    this.runtime.stopTimer(this.timer);
    await ignore(this.members.hide(this.id), "release");
  }

  private show(): void {
    const report = this.report();
    this.id = report.id;
    void ignore(
      this.members
        .show(report.id, TTL_MS, JSON.stringify(report))
        .then((pausedBy) => this.onHand?.(pausedBy)),
      "report_show",
    );
  }
}

/** For a role that needs Redis for nothing else; it goes on without. */
export async function openBoard(
  runtime: Runtime,
  { redisUrl }: Settings,
  report: () => RoleReport,
  onHand?: (by: string | undefined) => void,
): Promise<{ stop(): Promise<void> }> {
  if (redisUrl === "") return { stop: async () => undefined };
  const redis = new RedisStore({ runtime, url: redisUrl });
  await ignore(redis.client.connect(), "redis_connect");
  const board = new Board(runtime, new Members(redis), report, onHand);
  return {
    stop: async () => {
      await board.stop();
      await redis.close();
    },
  };
}
