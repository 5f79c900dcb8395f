// Network faults: every trouble of tcp-proxy.ts on every kind of line. Evidence comes from both
// sides: the proxy counts what it did, and the role that dials through it, or the client, shows
// that it noticed.
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { between, type Fault, type Injected, type Need, oneOf } from "../fault.ts";
import type { ChaosSystem, Link } from "../system.ts";
import type { Direction, TcpProxy } from "../tcp-proxy.ts";
import { until } from "../within.ts";
import { type Noticed, noticed } from "./net-noticed.ts";

/** A trouble that has begun on one line. */
interface Begun {
  readonly detail: string;
  readonly lastsMs: number;
  /** What the proxy counted since; undefined while nothing happened. */
  counted(): string | undefined;
  heal(): void | Promise<void>;
}

interface Trouble {
  readonly what: string;
  readonly seen: string;
  readonly recoveryMs: number;
  /** Whether connections break, so that somebody must notice. */
  readonly breaks: boolean;
  begin(proxy: TcpProxy, random: () => number): Begun;
}

/** Connections of a stalled line end only by the deadlines of their users. */
const SILENT_RECOVERY_MS = 20_000;
const RECOVERY_MS = 10_000;
/** A client of a silent line gives up within this time. */
const SHOWN_MS = 25_000;
const MAX_BEFORE_RESET = 800;
const FLAP_MIN_MS = 200;
const FLAP_MAX_MS = 1_500;

const lasts = (random: () => number) => between(random, 4_000, 15_000);
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

function stalled(proxy: TcpProxy, random: () => number, ...directions: Direction[]): Begun {
  const before = { ...proxy.counts.dropped };
  const dropped = () => directions.map((d) => proxy.counts.dropped[d] - before[d]);
  proxy.stall(...directions);
  const lastsMs = lasts(random);
  return {
    detail: `no ${directions.join(", no ")} for ${seconds(lastsMs)}`,
    lastsMs,
    counted: () =>
      dropped().some((bytes) => bytes > 0)
        ? `${dropped().join(" and ")} bytes of ${directions.join(" and ")} lost`
        : undefined,
    heal: () => proxy.renew(),
  };
}

function slowed(
  proxy: TcpProxy,
  random: () => number,
  shape: { delayMs?: number; jitterMs?: number; bytesPerS?: number },
  detail: string,
): Begun {
  const before = proxy.counts.delayed;
  proxy.slow({ ...shape, random });
  const lastsMs = lasts(random);
  return {
    detail: `${detail} for ${seconds(lastsMs)}`,
    lastsMs,
    counted: () => {
      const delayed = proxy.counts.delayed - before;
      return delayed > 0 ? `${delayed} pieces held back` : undefined;
    },
    heal: () => proxy.renew(),
  };
}

/** Repeats something at random intervals until it is healed. */
function again(random: () => number, work: () => void): () => void {
  const controller = new AbortController();
  const loop = async () => {
    while (!controller.signal.aborted) {
      work();
      await realRuntime.sleep(between(random, FLAP_MIN_MS, FLAP_MAX_MS), controller.signal);
    }
  };
  void loop();
  return () => controller.abort();
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  delay: {
    what: "every piece arrives 20 to 200 ms late, with jitter",
    seen: "orders take longer",
    recoveryMs: RECOVERY_MS,
    breaks: false,
    begin: (proxy, random) => {
      const [delayMs, jitterMs] = [between(random, 20, 200), between(random, 0, 100)];
      return slowed(proxy, random, { delayMs, jitterMs }, `${delayMs} ms + ${jitterMs} ms`);
    },
  },
  narrow: {
    what: "each connection carries 30 to 300 kB a second",
    seen: "orders take longer; beyond the line's rate 503 `shed`",
    recoveryMs: RECOVERY_MS,
    breaks: false,
    begin: (proxy, random) => {
      const bytesPerS = between(random, 30, 300) * 1_000;
      return slowed(proxy, random, { bytesPerS }, `${bytesPerS / 1_000} kB/s`);
    },
  },
  flap: {
    what: "all connections are cut, again and again",
    seen: "some answers are lost, 503 `unconfirmed` or `unavailable`",
    recoveryMs: RECOVERY_MS,
    breaks: true,
    begin: (proxy, random) => {
      const before = proxy.counts.cut;
      const heal = again(random, () => proxy.cut());
      const lastsMs = lasts(random);
      const cut = () => proxy.counts.cut - before;
      const counted = () => (cut() > 0 ? `${cut()} connections cut` : undefined);
      return { detail: `for ${seconds(lastsMs)}`, lastsMs, counted, heal };
    },
  },
  "half-open-requests": {
    what: "requests no longer arrive, answers do, and nothing is closed",
    seen: "orders wait, or get 503, until the client of the line gives it up",
    recoveryMs: SILENT_RECOVERY_MS,
    breaks: true,
    begin: (proxy, random) => stalled(proxy, random, "requests"),
  },
  "half-open-answers": {
    what: "requests arrive, answers no longer do, and nothing is closed",
    seen: "orders wait, or get 503 `unconfirmed` although some took effect",
    recoveryMs: SILENT_RECOVERY_MS,
    breaks: true,
    begin: (proxy, random) => stalled(proxy, random, "answers"),
  },
  silent: {
    what: "connections are accepted and stay open, and nothing arrives either way",
    seen: "orders wait, or get 503, until the client of the line gives it up",
    recoveryMs: SILENT_RECOVERY_MS,
    breaks: true,
    begin: (proxy, random) => stalled(proxy, random, "requests", "answers"),
  },
  reset: {
    what: "connections are reset in the middle of a frame, again and again",
    seen: "some answers are lost or 503 `unconfirmed`",
    recoveryMs: RECOVERY_MS,
    breaks: true,
    begin: (proxy, random) => {
      const before = proxy.counts.resets;
      // On a quiet line only heartbeats pass.
      const set = () => {
        const direction = oneOf(random, ["requests", "answers"] as const);
        if (!proxy.trapped) proxy.resetAfter(direction, between(random, 1, MAX_BEFORE_RESET));
      };
      const stop = again(random, set);
      const heal = () => {
        stop();
        proxy.renew();
      };
      const lastsMs = lasts(random);
      const resets = () => proxy.counts.resets - before;
      const counted = () => (resets() > 0 ? `${resets()} resets` : undefined);
      return { detail: `for ${seconds(lastsMs)}`, lastsMs, counted, heal };
    },
  },
  refuse: {
    what: "all connections are cut, and the kernel refuses new ones",
    seen: "503 until the line is back",
    recoveryMs: RECOVERY_MS,
    breaks: true,
    begin: (proxy, random) => {
      const [before, open] = [proxy.counts.cut, proxy.connected];
      proxy.refuse();
      proxy.cut();
      const lastsMs = lasts(random);
      const cut = () => proxy.counts.cut - before;
      // Between two calls a line may have no connection; then its near end alone shows the fault.
      const counted = () =>
        proxy.connected === 0 && (cut() > 0 || open === 0)
          ? `${cut()} connections cut, none came back`
          : undefined;
      return { detail: `for ${seconds(lastsMs)}`, lastsMs, counted, heal: () => proxy.serve() };
    },
  },
};

/** The far ends of lines, by the names that faults give them. */
const TARGETS: Readonly<Record<string, { readonly of: string; readonly needs: readonly Need[] }>> =
  {
    broker: { of: "a role and its broker", needs: ["proxies"] },
    redis: { of: "a role and Redis", needs: ["proxies"] },
    ledger: { of: "a role and Postgres", needs: ["proxies", "postgres"] },
    provider: { of: "payment workers and the provider", needs: ["proxies"] },
    gateway: { of: "clients and a gateway", needs: ["proxies"] },
  };

export const NET_FAULTS: readonly Fault[] = Object.entries(TROUBLES).flatMap(([name, trouble]) =>
  Object.entries(TARGETS).map(
    ([target, { of, needs }]): Fault => ({
      name: `net-${name}-${target}`,
      what: `Between ${of}, ${trouble.what}.`,
      seen: trouble.seen,
      needs,
      touches: ["network"],
      // Nothing passes on a line whose end is frozen, so nothing would show the trouble.
      apartFrom: [target],
      recoveryMs: trouble.recoveryMs,
      inject: async (system, random) => begun(system, target, trouble, random),
    }),
  ),
);

/** Some roles know an address that they never dial: nothing would happen on that line. */
function dialled({ accepted }: TcpProxy): boolean {
  return accepted > 0;
}

async function begun(
  system: ChaosSystem,
  target: string,
  trouble: Trouble,
  random: () => number,
): Promise<Injected> {
  const lines = system.links.filter(
    ({ to, proxy }) => (to === target || to.startsWith(`${target} `)) && dialled(proxy),
  );
  const link = oneOf(random, lines);
  const before = await noticed(system, link);
  const { detail, lastsMs, counted, heal } = trouble.begin(link.proxy, random);
  return {
    detail: `${link.name}: ${detail}`,
    lastsMs,
    evidence: () => evidence(system, link, trouble, before, counted),
    heal: async () => heal(),
  };
}

async function evidence(
  system: ChaosSystem,
  link: Link,
  { breaks }: Trouble,
  before: Noticed,
  counted: () => string | undefined,
): Promise<string> {
  const proxy = await until(`what the proxy of ${link.name} counts`, counted, SHOWN_MS);
  const now = () => noticed(system, link);
  if (!breaks) return `${proxy}; ${(await now()).slowerThan(before) ?? "no figure of the role"}`;
  const look = async () => (await now()).newSince(before);
  return `${proxy}; ${await until(`${link.from} notices`, look, SHOWN_MS)}`;
}
