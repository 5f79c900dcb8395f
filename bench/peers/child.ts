// A part of a peer in a process of its own, so that its CPU is measured apart. It answers commands
// of its parent, and ends with it.
//
//   bun bench/peers/child.ts <peer> front|back <JSON of Places>
import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type DriveOptions, Driver } from "./driver.ts";
import { loadPeer, type PeerName } from "./list.ts";
import type { Peer, Places } from "./peer.ts";
import { serve } from "./serve.ts";

export type Command =
  | ({ readonly do: "drive" } & DriveOptions)
  | { readonly do: "again" | "cost" | "serve" | "submitted" | "stop" }
  | { readonly do: "heard"; readonly recorded: number };

export interface Asked {
  readonly number: number;
  readonly command: Command;
}

export type Told =
  | { readonly ready: true }
  | { readonly recorded: number }
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly error: string };

/** How often the number of recorded orders is reported. */
const REPORT_MS = 50;

if (import.meta.main) {
  const [, , name, part, places] = process.argv;
  process.on("disconnect", () => process.exit(1));
  const peer = await loadPeer(name as PeerName);
  const run = part === "front" ? runFront : runBack;
  await run(peer, JSON.parse(places ?? "{}") as Places);
  tell({ ready: true });
}

function tell(told: Told): void {
  process.send?.(told);
}

async function runFront(peer: Peer, places: Places): Promise<void> {
  let count = 0;
  const report = reporting();
  const front = await peer.front(places, (orders) => {
    count += orders;
    driver.heard(count);
    report(count);
  });
  const driver = new Driver(front, peer);
  let served: (() => number) | undefined;
  answer(async (command) => {
    switch (command.do) {
      case "heard":
        return driver.heard(command.recorded);
      case "drive":
        return driver.drive(command);
      case "again":
        return driver.again();
      case "cost":
        return driver.costOfAnOrder();
      case "serve": {
        const { port, taken } = serve(front);
        served = taken;
        return port;
      }
      case "submitted":
        return served?.() ?? driver.submitted;
      case "stop":
        return front.close();
    }
  });
}

async function runBack(peer: Peer, places: Places): Promise<void> {
  let count = 0;
  const report = reporting();
  const back = await peer.back?.(places, (orders) => {
    count += orders;
    report(count);
  });
  answer(async () => back?.close());
}

/** Reports the latest count, at most once per REPORT_MS. */
function reporting(): (count: number) => void {
  let latest = 0;
  let waiting = false;
  return (count) => {
    latest = count;
    if (waiting) return;
    waiting = true;
    realRuntime.startTimer(() => {
      waiting = false;
      tell({ recorded: latest });
    }, REPORT_MS);
  };
}

function answer(work: (command: Command) => Promise<unknown>): void {
  process.on("message", async ({ number, command }: Asked) => {
    try {
      tell({ number, value: await work(command) });
    } catch (error) {
      tell({ number, error: messageOf(error) });
    }
    if (command.do === "stop") process.exit(0);
  });
}
