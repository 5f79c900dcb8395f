// Faults of workers and stores.

import type { RedisCopy } from "../../simulate/world/redis.ts";
import type { Acts } from "./acts.ts";
import type { Follower } from "./follower.ts";

export function faultActs(follower: Follower): Acts {
  const { stage } = follower;
  const { redis, ledger } = stage.world.parts;
  return {
    crash: async ({ args: [worker = ""] }) => {
      const seat = follower.seat(worker);
      seat.wanted = new Set();
      seat.crash();
      const boots = await stage.until(() => seat.worker !== undefined);
      return boots ? undefined : "the worker does not start again";
    },
    losesTail: async ({ after }) => {
      await redis.become(follower.pasts[after.past.length] as RedisCopy);
      follower.pasts.length = after.past.length;
      return undefined;
    },
    losesAll: async () => {
      await redis.wipe();
      follower.pasts = [];
      return undefined;
    },
    backup: async () => {
      follower.backup = ledger.backup();
      return undefined;
    },
    ledgerGoesBack: async () => {
      if (!follower.backup) return "there is no backup";
      await ledger.goBack(follower.backup);
      return undefined;
    },
  };
}
