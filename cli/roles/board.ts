// Publishes a role's report once a second to the list of running roles in Redis. Without Redis, a
// role is visible only through its metrics.
import type { Governing } from "../../consumers/governor/governing.ts";
import { Installation } from "../../consumers/governor/installation.ts";
import type { RoleReport } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { Members } from "../../core/stores/members.ts";
import { RedisStore } from "../../core/stores/redis.ts";

const EVERY_MS = 1_000;
/** How long a crashed role stays on the list. */
const TTL_MS = 5_000;

export class Board {
  private readonly timer: Timer;
  private id = "";

  constructor(
    private readonly runtime: Runtime,
    private readonly members: Members,
    private readonly report: () => RoleReport,
    /** Receives who paused this role manually, or undefined, after every report. */
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

/** For a role that needs Redis for nothing else and runs without it too. */
export async function openBoard(
  runtime: Runtime,
  { redisUrl }: Settings,
  report: () => RoleReport,
  governing?: Governing,
): Promise<{ stop(): Promise<void> }> {
  if (redisUrl === "") return { stop: async () => undefined };
  const redis = new RedisStore({ runtime, url: redisUrl });
  await ignore(redis.client.connect(), "redis_connect");
  const members = new Members(redis);
  const installation = governing && new Installation(runtime, members, governing);
  const board = new Board(runtime, members, report, (by) => {
    governing?.byHand(by);
    if (installation) void ignore(installation.refresh(), "members_look");
  });
  return {
    stop: async () => {
      await board.stop();
      await redis.close();
    },
  };
}
