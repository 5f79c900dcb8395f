// Channels and regions: a connection breaks, a region's broker ends, a worker hands a shard over.
import { REGIONS } from "../../simulate/system.ts";
import { SHARDS } from "../stores.ts";
import { sessionOf } from "../world-state.ts";
import type { Acts } from "./acts.ts";
import type { Follower } from "./follower.ts";
import { downIn, WORKERS } from "./seen.ts";

/** Connections are dialled again after seconds at most. */
const RECONNECT_MS = 8_000;
/** A worker that hands a shard over looks for follow-ups once more. */
const HAND_OVER_MS = 3_000;
/** The next heartbeat tells it. */
const BEAT_MS = 400;

export function regionActs(follower: Follower): Acts {
  const { stage } = follower;
  const broker = (region: string) => stage.world.parts.brokers[REGIONS.indexOf(region)];
  return {
    dropped: async ({ args: [worker = "", sh, region = ""] }) => {
      const queue = stage.queue(region, Number(sh));
      broker(region)?.reset(follower.seat(worker).name);
      await stage.settle();
      const back = () => queue.consumers.some(({ cancelled }) => !cancelled);
      return (await stage.until(back, RECONNECT_MS)) ? undefined : "it does not consume again";
    },
    regionDown: async ({ args: [region = ""] }) => {
      broker(region)?.crash();
      await stage.settle();
      return undefined;
    },
    regionUp: async ({ args: [region = ""], after }) => {
      broker(region)?.start();
      const owned = SHARDS.filter((sh) =>
        WORKERS.some((worker) => sessionOf(after, worker, sh).pc === "running"),
      );
      const back = () =>
        stage.reaches(region) &&
        owned.every((sh) => stage.queue(region, sh).consumers.some(({ cancelled }) => !cancelled));
      if (downIn(after, region)) return "the region is still down";
      return (await stage.until(back, RECONNECT_MS)) ? undefined : "nobody consumes again";
    },
    resubscribe: async () => undefined, // it has done so by itself, which is compared
    quiet: async ({ args: [worker = "", sh] }) => {
      const seat = follower.seat(worker);
      seat.wanted = new Set([...seat.wanted].filter((one) => one !== Number(sh)));
      await stage.until(() => false, BEAT_MS);
      return undefined;
    },
    close: async ({ args: [worker = "", sh] }) => {
      const seat = follower.seat(worker);
      const closed = () => !seat.shards.includes(Number(sh));
      return (await stage.until(closed, HAND_OVER_MS)) ? undefined : "it keeps the shard";
    },
  };
}
