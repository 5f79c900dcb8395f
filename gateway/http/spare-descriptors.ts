// Turns clients away while file descriptors run short (gateway/access/descriptors.ts).
import { messageOf } from "../../core/domain/message-of.ts";
import type { DescriptorState, GatewayReport } from "../../core/domain/report.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { DescriptorWatch } from "../access/descriptors.ts";
import type { Counters } from "../intake/counters.ts";
import type { Listener } from "./listener.ts";

export interface SpareDescriptorsOptions {
  readonly runtime: Runtime;
  readonly listener: Pick<Listener<never>, "listening" | "pause" | "resume" | "closeIdle">;
  readonly counters: Pick<Counters, "turnedAway">;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export class SpareDescriptors {
  private readonly watch: DescriptorWatch;

  constructor(private readonly options: SpareDescriptorsOptions) {
    this.watch = new DescriptorWatch(options.runtime, this.act);
  }

  /** Whether there is room for another WebSocket; counts those without. */
  readonly room = (): boolean => {
    const free = this.watch.state === "free";
    if (!free) this.options.counters.turnedAway.sockets++;
    return free;
  };

  report(): Pick<GatewayReport, "descriptors"> {
    const { seen, state } = this.watch;
    return seen ? { descriptors: { state, ...seen } } : {};
  }

  stop(): void {
    this.watch.stop();
  }

  private readonly act = (state: DescriptorState, changed: boolean): void => {
    const { listener, counters, log } = this.options;
    if (changed) log("descriptors", { state, ...this.watch.seen });
    if (state !== "free") counters.turnedAway.idle += listener.closeIdle();
    if (state === "out" && listener.listening) {
      counters.turnedAway.pauses++;
      listener.pause();
    }
    if (state !== "out" && !listener.listening) this.resume();
  };

  /** If another process has the port by now, the next look tries again. */
  private resume(): void {
    try {
      this.options.listener.resume();
    } catch (error) {
      this.options.log("descriptors", { state: "port taken", error: messageOf(error) });
    }
  }
}
