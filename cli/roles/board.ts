// Publishes a role's report once a second to the list of running roles in Redis. Without Redis, a
// role is visible only through its metrics.
import type { RoleReport } from "../../core/domain/report.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { Members } from "../../core/stores/members.ts";
import { RedisStore } from "../../core/stores/redis.ts";

const EVERY_MS = 1_000;
/** How long a crashed role stays on the list. */
const TTL_MS = 5_000;

export class Board {
  private readonly timer: ReturnType<typeof setInterval>;
  private id = "";

  constructor(
    private readonly members: Members,
    private readonly report: () => RoleReport,
    /** Receives who paused this role manually, or undefined, after every report. */
    private readonly onHand?: (by: string | undefined) => void,
  ) {
    this.timer = setInterval(() => this.show(), EVERY_MS);
    this.show();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.members.hide(this.id).catch(() => undefined);
  }

  private show(): void {
    const report = this.report();
    this.id = report.id;
    this.members.show(report.id, TTL_MS, JSON.stringify(report)).then(
      (pausedBy) => this.onHand?.(pausedBy),
      () => undefined, // the last report stands
    );
  }
}

/** For a role that needs Redis for nothing else and runs without it too. */
export async function openBoard(
  { redisUrl }: Settings,
  report: () => RoleReport,
  onHand?: (by: string | undefined) => void,
): Promise<{ stop(): Promise<void> }> {
  if (redisUrl === "") return { stop: async () => undefined };
  const redis = new RedisStore({ url: redisUrl });
  await redis.client.connect().catch(() => undefined);
  const board = new Board(new Members(redis), report, onHand);
  return {
    stop: async () => {
      await board.stop();
      await redis.close();
    },
  };
}
