// What starts each step of a trace, and what a worker must do then.
import type { Flaw } from "../call.ts";
import { at } from "../world-state.ts";
import { chargeActs } from "./charge-acts.ts";
import { faultActs } from "./fault-acts.ts";
import type { Follower, Step } from "./follower.ts";
import { ownerActs } from "./owner-acts.ts";
import { rebuildActs } from "./rebuild-acts.ts";
import { regionActs } from "./region-acts.ts";
import { more, type SpecCopy, shardOfOrder } from "./seen.ts";

export type Acts = Readonly<Record<string, (step: Step) => Promise<Flaw>>>;

export function makeActs(follower: Follower): Acts {
  return {
    ...outsideActs(follower),
    ...ownerActs(follower),
    ...rebuildActs(follower),
    ...chargeActs(follower),
    ...faultActs(follower),
    ...regionActs(follower),
  };
}

/** Clients, gateways and their ways to a broker are not real here: only what arrives is. */
function outsideActs({ stage, names, times, texts }: Follower): Acts {
  const nothing = async () => undefined;
  return {
    submit: async ({ after }) => {
      await stage.settle();
      times.set(more(after).now, Math.floor(stage.scheduler.nowMs()));
      return undefined;
    },
    ...{ send: nothing, confirm: nothing, failover: nothing, giveUp: nothing, cut: nothing },
    arrive: async ({ args: [g = "", region = ""], before }) => {
      const [copy] = wireIn(before, g, region);
      if (!copy) return "nothing is on its way";
      const row = names.rowOf(copy.row);
      const shard = shardOfOrder(copy.row.order);
      const text = await stage.publish(region, shard, row, times.get(copy.at) ?? 0);
      names.learnMessage(text, copy.row.order);
      texts.set(copy.tag, text);
      return undefined;
    },
  };
}

const wireIn = (state: Step["before"], g: string, region: string): readonly SpecCopy[] =>
  at(more(state).wires, g, region);
