// Runs roles as child processes for `sluice up` and the demo. A role that exits on its own is
// restarted after a short delay; one that was killed on purpose stays down.
import { join } from "node:path";
import { localUrl } from "../core/domain/local-url.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { ignore } from "../core/runtime/ignored.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freePorts } from "./ports.ts";
import { type Child, spawnRecorded } from "./processes.ts";

export interface Role {
  readonly name: string;
  readonly kind: "gateway" | "worker" | "payments" | "provider" | "fulfil" | "rates" | "sender";
  /** Gateways and providers only. */
  readonly url?: string;
  /** Gateways only. */
  readonly region?: string;
  pid(): number;
  /** SIGKILL; the role is not restarted. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Starts the role after kill() or stop(), at the same address; otherwise does nothing. */
  again(launch?: Launch): void;
}

/** How a role that is started again differs from its first start. */
export interface Launch {
  /** Variables besides its own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command line client of another release. */
  readonly cli?: string;
}

export interface FleetOptions {
  /** Folder of the roles' process records and logs. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Extra variables for a kind of role; `service` names the one that a fulfilment role runs. */
  readonly roleEnv?: (kind: Role["kind"], service?: string) => Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
  /** The command line client that runs the roles; default: this one. */
  readonly cli?: string | undefined;
}

const READY_TIMEOUT_MS = 60_000;
const RESTART_MIN_MS = 200;
const RESTART_MAX_MS = 5_000;
const STOP_GRACE_MS = 15_000;
const CLI = join(import.meta.dir, "..", "cli", "cli.ts");

export class Fleet {
  readonly roles: Role[] = [];
  private stopping = false;

  constructor(private readonly options: FleetOptions) {}

  /** Where each role writes the address of its metrics. */
  get metricsDir(): string {
    return join(this.options.dir, "..", "prometheus");
  }

  /**
   * Starts a gateway of a region; resolves when it accepts orders. Port 0 picks a free one. `host`:
   * the address that it listens on, by its settings.
   */
  async gateway(
    region: string,
    port: number,
    name = `gateway-${region}`,
    host = "127.0.0.1",
  ): Promise<Role> {
    const [free] = await freePorts(1);
    const listens = port === 0 ? (free as number) : port;
    const env = { SLUICE_REGION: region, SLUICE_HTTP_PORT: String(listens) };
    const url = localUrl(host, listens);
    const role = this.start("gateway", name, env, { url, region });
    await untilReady(`${url}/readyz`, role.ended, join(this.options.dir, `${name}.log`));
    return role;
  }

  worker(name: string): Role {
    return this.start("worker", name, {}, {});
  }

  /** Starts a stub payment provider; resolves when it answers. */
  async provider(options: {
    port: number;
    file: string;
    shares: string;
    seed: number;
    webhookUrl: string;
  }): Promise<Role> {
    const [free] = await freePorts(1);
    const port = options.port === 0 ? (free as number) : options.port;
    const url = `http://127.0.0.1:${port}`;
    const { file, shares, seed, webhookUrl } = options;
    const args = [
      "--port",
      String(port),
      "--file",
      file,
      "--shares",
      shares,
      "--seed",
      String(seed),
      "--webhook",
      webhookUrl,
    ];
    const role = this.start("provider", "provider", {}, { url }, args);
    await untilReady(`${url}/v1/records`, role.ended, join(this.options.dir, "provider.log"));
    return role;
  }

  /** Starts a fulfilment service with its packing list. */
  fulfil(name: string, service: string, file: string): Role {
    const env = this.options.roleEnv?.("fulfil", service) ?? {};
    return this.start("fulfil", name, env, {}, ["--service", service, "--file", file]);
  }

  rates(name: string): Role {
    return this.start("rates", name, {}, {});
  }

  sender(name: string): Role {
    return this.start("sender", name, {}, {});
  }

  payments(name: string, providerUrl: string): Role {
    return this.start("payments", name, { SLUICE_PROVIDER_URL: providerUrl }, {});
  }

  /**
   * Stops the gateways first, so that no new orders arrive, then the payment workers, then the
   * workers, which finish what is in flight.
   */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.roles.filter((r) => r.kind === "gateway").map((r) => r.stop()));
    await Promise.all(
      this.roles
        .filter((r) => ["payments", "fulfil", "rates", "sender"].includes(r.kind))
        .map((r) => r.stop()),
    );
    await Promise.all(this.roles.filter((r) => r.kind === "worker").map((r) => r.stop()));
    await Promise.all(this.roles.filter((r) => r.kind === "provider").map((r) => r.stop()));
  }

  /** Ends every role at once, whatever is in flight: for a system that is thrown away. */
  async kill(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.roles.map((role) => role.kill()));
  }

  private start(
    kind: Role["kind"],
    name: string,
    env: Record<string, string>,
    more: { url?: string; region?: string },
    args: string[] = [],
  ) {
    let over = false;
    let starts = 0;
    let launch: Launch = {};
    const ended = Promise.withResolvers<number>();
    const spawn = () =>
      this.spawn({ kind, name, args, cli: launch.cli, env: { ...env, ...launch.env } });
    let child = spawn();
    const watch = async (attempt: number, start = starts): Promise<void> => {
      const idle = () => over || this.stopping || start !== starts;
      const startedMs = realRuntime.monotonicMs();
      const code = await child.exited;
      if (idle()) return;
      if (attempt === 0 && realRuntime.monotonicMs() - startedMs < RESTART_MAX_MS)
        ended.resolve(code);
      this.options.say(
        `${name} exited with code ${code}; restarting it ` +
          `(log: ${join(this.options.dir, `${name}.log`)})`,
      );
      const steady = realRuntime.monotonicMs() - startedMs > RESTART_MAX_MS * 2;
      const tries = await respawn(steady ? 0 : attempt, idle);
      if (tries !== undefined) void watch(tries, start);
    };
    /** The next attempt's number; undefined: nobody wants it any more. */
    const respawn = async (from: number, idle: () => boolean): Promise<number | undefined> => {
      for (let attempt = from; ; attempt++) {
        await realRuntime.sleep(Math.min(RESTART_MAX_MS, RESTART_MIN_MS * 2 ** attempt));
        if (idle()) return undefined;
        try {
          child = spawn();
          return attempt + 1;
        } catch (error) {
          // A full disk, for one: it may have room again.
          this.options.say(`${name} did not start; it is tried again: ${messageOf(error)}`);
        }
      }
    };
    void watch(0);
    const role = {
      name,
      kind,
      ...more,
      ended: ended.promise,
      pid: () => child.pid,
      kill: () => {
        over = true;
        return child.kill();
      },
      stop: () => {
        over = true;
        return child.stop("SIGTERM", STOP_GRACE_MS);
      },
      again: (next: Launch = {}) => {
        if (!over || this.stopping) return;
        over = false;
        starts++;
        launch = next;
        child = spawn();
        void watch(0);
      },
    };
    this.roles.push(role);
    return role;
  }

  private spawn(what: {
    kind: Role["kind"];
    name: string;
    env: Readonly<Record<string, string>>;
    args: readonly string[];
    cli?: string | undefined;
  }): Child {
    const { dir } = this.options;
    const { kind, name, env, args, cli = this.options.cli ?? CLI } = what;
    return spawnRecorded({
      name,
      command: [process.execPath, cli, kind, ...args],
      recordDir: join(dir, "run"),
      env: {
        ...this.options.env,
        ...(kind === "fulfil" || kind === "provider" ? {} : this.options.roleEnv?.(kind)),
        ...env,
        SLUICE_ID: name,
        SLUICE_STARTER: String(process.pid),
        SLUICE_METRICS_DIR: this.metricsDir,
      },
      logFile: join(dir, `${name}.log`),
    });
  }
}

async function untilReady(url: string, ended: Promise<number>, log: string): Promise<void> {
  let code: number | undefined;
  void ended.then((c) => {
    code = c;
  });
  const end = realRuntime.monotonicMs() + READY_TIMEOUT_MS;
  while (realRuntime.monotonicMs() < end) {
    if (code !== undefined)
      throw new Error(`the gateway exited with code ${code}: ${await lastLines(log)}`);
    const answer = fetch(url, { signal: realRuntime.abortAfter(1_000) });
    const response = await ignore(answer, "not_ready_yet");
    if (response?.ok) return;
    await realRuntime.sleep(50);
  }
  throw new Error(
    `${url} was not ready within ${READY_TIMEOUT_MS / 1000} s: ${await lastLines(log)}`,
  );
}

async function lastLines(file: string): Promise<string> {
  const text = await Bun.file(file)
    .text()
    .catch(() => "");
  const lines = text.trim().split("\n");
  const said = lines.findLastIndex((line) => line.startsWith("sluice: "));
  return lines.slice(said < 0 ? -3 : said).join("\n");
}
