// Roles and servers as victims of faults.
import { existsSync, readFileSync } from "node:fs";
import { ignore } from "../../core/runtime/ignored.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Launch, Role } from "../../services/fleet.ts";
import type { Child } from "../../services/processes.ts";
import { type ProcessState, processState, signalFamily } from "./process-state.ts";
import type { ChaosRole, Victim } from "./system.ts";

const READY_TIMEOUT_MS = 90_000;
const LOOK_MS = 50;
const ANSWER_TIMEOUT_MS = 2_000;

abstract class Process implements Victim {
  abstract readonly name: string;
  abstract pid(): number;
  abstract stop(): Promise<void>;
  abstract start(env?: Readonly<Record<string, string>>): Promise<void>;
  protected abstract end(): Promise<void>;

  state(): ProcessState {
    return processState(this.pid());
  }

  async kill(): Promise<void> {
    if (this.state() !== "gone") signalFamily(this.pid(), "SIGKILL");
    await this.end();
  }

  freeze(): void {
    signalFamily(this.pid(), "SIGSTOP");
  }

  resume(): void {
    signalFamily(this.pid(), "SIGCONT");
  }
}

/** A server that is started again on its port and folder. */
export class Server extends Process {
  constructor(
    readonly name: string,
    private child: Child,
    private readonly again: (env: Readonly<Record<string, string>>) => Promise<Child>,
  ) {
    super();
  }

  pid(): number {
    return this.child.pid;
  }

  async stop(): Promise<void> {
    await this.child.stop();
  }

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.state() === "gone") this.child = await this.again(env);
  }

  protected end(): Promise<void> {
    return this.child.kill();
  }
}

export class RoleVictim extends Process implements ChaosRole {
  readonly name: string;
  readonly kind: Role["kind"];

  constructor(
    protected readonly role: Role,
    private readonly logFile: string,
    /** Answers 200 while the role serves; undefined while it has no address. */
    private readonly readyUrl: () => string | undefined,
  ) {
    super();
    this.name = role.name;
    this.kind = role.kind;
  }

  get url(): string {
    return this.role.url ?? "";
  }

  get region(): string {
    return this.role.region ?? "";
  }

  pid(): number {
    return this.role.pid();
  }

  stop(): Promise<void> {
    return this.role.stop();
  }

  start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    return this.launch({ env });
  }

  startFrom(cli: string): Promise<void> {
    return this.launch({ cli });
  }

  async events(event: string): Promise<readonly Record<string, unknown>[]> {
    const text = existsSync(this.logFile) ? readFileSync(this.logFile, "utf8") : "";
    return text.split("\n").flatMap((line) => {
      if (!line.includes(`"event":"${event}"`)) return [];
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return []; // cut off by a kill
      }
    });
  }

  protected end(): Promise<void> {
    return this.role.kill();
  }

  private async launch(launch: Launch): Promise<void> {
    this.role.again(launch);
    const end = realRuntime.monotonicMs() + READY_TIMEOUT_MS;
    while (realRuntime.monotonicMs() < end) {
      const url = this.readyUrl();
      const asked = url && fetch(url, { signal: realRuntime.abortAfter(ANSWER_TIMEOUT_MS) });
      if (asked && (await ignore(asked, "not_ready_yet"))?.ok) return;
      await realRuntime.sleep(LOOK_MS);
    }
    throw new Error(`${this.name} did not serve within ${READY_TIMEOUT_MS / 1_000} s`);
  }
}
