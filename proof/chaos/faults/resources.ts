// What a process runs out of: file descriptors, memory, processor time.
import { ignore } from "../../../core/runtime/ignored.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { withBroker } from "../broker-client.ts";
import { between, type Fault, oneOf } from "../fault.ts";
import { processState } from "../process-state.ts";
import type { ChaosBroker, ChaosSystem, RoleKind, Victim } from "../system.ts";
import { until, within } from "../within.ts";
import { descriptorsOf, limitDescriptors, MemoryGroup, openStalled, unanswered } from "./kernel.ts";

const SHOWN_MS = 15_000;
const RECOVERY_MS = 15_000;
const STORE_RECOVERY_MS = 30_000;
const lasts = (random: () => number) => between(random, 5_000, 15_000);
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

interface Server {
  readonly victim: Victim;
  readonly port: number;
  /** The first bytes of a client, which the server answers. */
  readonly hello: string;
  /** Whether it does its work. Default: it answers. */
  readonly works?: () => Promise<boolean>;
}

const HTTP_HELLO = "GET /healthz HTTP/1.1\r\nhost: chaos\r\n\r\n";
const AMQP_HELLO = "AMQP\0\0\x09\x01";
/** A store that could answer, but has not for this long, is restarted. */
const STUCK_MS = 10_000;
const LOOK_MS = 500;
/** More connections than descriptors are left. */
const STALLED = 64;

const SERVERS: Readonly<Record<string, (system: ChaosSystem, random: () => number) => Server>> = {
  gateway: (system, random) => {
    const victim = oneOf(random, system.rolesOf("gateway"));
    return { victim, port: Number(new URL(victim.url ?? "").port), hello: HTTP_HELLO };
  },
  redis: ({ redis }) => ({ victim: redis, port: redis.port, hello: "PING\r\n" }),
  broker: ({ brokers }, random) => {
    const broker = oneOf(random, brokers);
    const port = Number(new URL(broker.url("worker")).port);
    const works = () => declares(broker);
    return { victim: oneOf(random, broker.nodes), port, hello: AMQP_HELLO, works };
  },
};

/** Whether it declares a queue for somebody. */
async function declares(broker: ChaosBroker): Promise<boolean> {
  const queue = `rates.look-${realRuntime.uuid()}`;
  const declared = withBroker(broker, "worker", async ({ model }) => {
    const channel = await model.createChannel();
    channel.on("error", () => undefined); // the call rejects as well
    await channel.assertQueue(queue, { exclusive: true, durable: false, autoDelete: true });
    return true;
  });
  return (await ignore(within(declared, SHOWN_MS, queue), "not_ready_yet")) ?? false;
}

function descriptors(kind: string, find: (typeof SERVERS)[string]): Fault {
  const store = kind !== "gateway";
  return {
    name: `no-descriptors-${kind}`,
    what: `A ${kind} process has no file descriptor left for 5 to 15 s.`,
    seen: store ? "nothing, as long as no connection breaks" : "new connections get no answer",
    needs: ["root"],
    touches: [kind],
    recoveryMs: store ? STORE_RECOVERY_MS : RECOVERY_MS,
    inject: async (system, random) => {
      const server = find(system, random);
      const { victim, port, hello } = server;
      const pid = victim.pid();
      const limit = descriptorsOf(pid);
      const before = limitDescriptors(pid, limit);
      const stalled = await openStalled(port, STALLED, hello);
      const lastsMs = lasts(random);
      return {
        lastsMs,
        detail: `${victim.name}: ${limit} of ${before} for ${seconds(lastsMs)}`,
        evidence: async () => {
          await until("a connection without an answer", () => unanswered(port, hello), SHOWN_MS);
          return `${descriptorsOf(pid)} open; a new connection got no answer`;
        },
        heal: async () => {
          for (const socket of stalled) socket.destroy();
          if (processState(pid) !== "gone") limitDescriptors(pid, before);
          if (store) await restartedIfStuck(server);
        },
      };
    },
  };
}

/**
 * RabbitMQ's own database may stop for good when it gets no descriptor, while its process stays and
 * closes each connection; or only its memory monitor stops, and no queue can be declared any more.
 * Whatever supervises such a node restarts it.
 */
async function restartedIfStuck({ victim, port, hello, works }: Server): Promise<void> {
  const serves = works ?? (async () => !(await unanswered(port, hello)));
  const endMs = realRuntime.monotonicMs() + STUCK_MS;
  while (!(await serves())) {
    if (realRuntime.monotonicMs() < endMs) {
      await realRuntime.sleep(LOOK_MS);
      continue;
    }
    await victim.kill();
    return victim.start();
  }
}

const KILOBYTE = 1024;
let groups = 0;

function memory(kind: RoleKind): Fault {
  return {
    name: `memory-${kind}`,
    what: `A ${kind} process may take 0.2 to 2 MB more memory; beyond that the kernel kills it.`,
    seen: "as when it is killed",
    needs: ["memory-groups"],
    touches: [kind],
    recoveryMs: RECOVERY_MS,
    inject: async (system, random) => {
      const role = oneOf(random, system.rolesOf(kind));
      // At rest a process uses the pages that it has, which count for its old group.
      const limit = Math.round(between(random, 200, 2_000));
      const group = new MemoryGroup(`sluice-${process.pid}-${++groups}`, limit * KILOBYTE);
      const pid = role.pid();
      group.take(pid);
      const lastsMs = lasts(random);
      return {
        lastsMs,
        detail: `${role.name}: ${limit} kB for ${seconds(lastsMs)}`,
        evidence: async () => {
          await until("a refusal of memory", () => group.refusals > 0, SHOWN_MS);
          return `memory refused ${group.refusals} times; process ${pid} ${processState(pid)}`;
        },
        heal: () => group.end(),
      };
    },
  };
}

const STARVED: Readonly<Record<string, (system: ChaosSystem) => readonly Victim[]>> = {
  gateway: (system) => system.rolesOf("gateway"),
  worker: (system) => system.rolesOf("worker"),
  redis: ({ redis }) => [redis],
  broker: ({ brokers }) => brokers.flatMap(({ nodes }) => nodes),
};

function starved(kind: string, find: (typeof STARVED)[string]): Fault {
  return {
    name: `starved-${kind}`,
    what: `A ${kind} process gets 5 to 30% of the processor's time, in slices of 100 to 500 ms.`,
    seen: "orders take longer; 503 `shed` beyond the target wait",
    touches: [kind],
    recoveryMs: RECOVERY_MS,
    inject: async (system, random) => {
      const victim = oneOf(random, find(system));
      const [percent, sliceMs] = [between(random, 5, 30), between(random, 100, 500)];
      const lastsMs = lasts(random);
      const slices = new Slices(victim, (sliceMs * percent) / 100, sliceMs);
      return {
        lastsMs,
        detail: `${victim.name}: ${percent}% of each ${sliceMs} ms for ${seconds(lastsMs)}`,
        evidence: async () => {
          await until("stopped slices", () => slices.stopped >= 3, SHOWN_MS);
          return `stopped ${slices.stopped} times, ${Math.round(slices.stoppedMs)} ms in all`;
        },
        heal: () => slices.end(),
      };
    },
  };
}

/** Lets a process run for a part of each slice. */
class Slices {
  stopped = 0;
  stoppedMs = 0;
  private readonly over = new AbortController();
  private readonly loop: Promise<void>;

  constructor(
    private readonly victim: Victim,
    runsMs: number,
    sliceMs: number,
  ) {
    this.loop = this.turns(runsMs, sliceMs - runsMs);
  }

  async end(): Promise<void> {
    this.over.abort();
    await this.loop;
  }

  private async turns(runsMs: number, restsMs: number): Promise<void> {
    const { signal } = this.over;
    while (!signal.aborted) {
      const sinceMs = realRuntime.monotonicMs();
      this.victim.freeze();
      if (this.victim.state() === "frozen") this.stopped++;
      await realRuntime.sleep(restsMs, signal);
      this.victim.resume();
      this.stoppedMs += realRuntime.monotonicMs() - sinceMs;
      await realRuntime.sleep(runsMs, signal);
    }
  }
}

export const RESOURCE_FAULTS: readonly Fault[] = [
  ...Object.entries(SERVERS).map(([kind, find]) => descriptors(kind, find)),
  ...(["gateway", "worker", "payments"] as const).map(memory),
  ...Object.entries(STARVED).map(([kind, find]) => starved(kind, find)),
];
