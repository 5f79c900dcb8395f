// A fresh, private system for a sale: Redis, a broker with two regions, a gateway in each, two
// workers and a SQLite ledger. It runs on free ports in its own folder and is supervised as in
// `sluice up`.
import { join } from "node:path";
import type { Sale } from "../../core/domain/sale.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { Fleet, type Role } from "../../services/fleet.ts";
import { type LocalServices, startLocalServices } from "../../services/local.ts";
import { PackingList, readPackingList } from "../../stubs/fulfil/packing-list.ts";
import type { HistoryRules } from "../history-file.ts";
import type { Target } from "../load/lane.ts";
import { mintToken, type TokenIssuer } from "../load/tokens.ts";
import type { CaptureRecord } from "../verify/checks/charges.ts";
import type { PackedRecord } from "../verify/checks/parts.ts";
import type { TimeRules } from "../verify/checks/times.ts";

export interface StackOptions {
  readonly dir: string;
  readonly workers?: number;
  /** Number of gateways, one per region, starting with the first; default: every region. */
  readonly gateways?: number;
  /** Additional settings of gateways and workers; they take precedence. */
  readonly env?: Readonly<Record<string, string>>;
  readonly say?: (line: string) => void;
  /**
   * Shares of the stub provider's misbehaviours; it comes with payment workers. Without it nothing
   * is charged.
   */
  readonly charging?: { readonly shares: string; readonly seed: number };
  /** Publishes exchange rates; charging always does. */
  readonly rates?: boolean;
  /** Fulfilment services and the categories of each; they need charging. */
  readonly services?: Readonly<Record<string, readonly string[]>>;
  /** Receives the stack before its roles start, so that a caller can stop it at any moment. */
  readonly onStack?: (stack: Stack) => void;
  /** Stores that run already and keep running when the stack stops. Default: new ones. */
  readonly stores?: LocalServices;
  /** The command line client of another release. */
  readonly cli?: string | undefined;
  /** Changes a kind of role's variables, for example so that a proxy stands before its stores. */
  readonly reroute?: (kind: Role["kind"], env: Env) => Env;
  /** The same for the address of the payment provider and for the webhooks' target. */
  readonly rerouteUrl?: (line: "provider" | "webhook", url: string) => Promise<string>;
}

export type Env = Readonly<Record<string, string>>;

const SALE_TIMEOUT_MS = 30_000;
const DEFAULT_WORKERS = 2;
const PAYMENT_WORKERS = 2;

export class Stack {
  private started = 0;
  private chargers = 0;
  private provider: Role | undefined;
  /** Where payment workers reach it. */
  private providerUrl = "";
  /** Processes that belong to it but that it did not start, such as its ledger's: name → id. */
  readonly beside = new Map<string, number>();
  private readonly lists = new Map<string, string>();

  private constructor(
    readonly services: LocalServices,
    readonly fleet: Fleet,
    readonly issuer: TokenIssuer,
    readonly ledgerUrl: string,
    readonly redisUrl: string,
    readonly regions: readonly { readonly name: string; readonly url: string }[],
    readonly shards: number,
    /** Time settings of its workers, for verify and for the independent checker. */
    readonly rules: TimeRules & HistoryRules,
    private readonly rerouteUrl: NonNullable<StackOptions["rerouteUrl"]>,
    private readonly ownsStores: boolean,
    /** Variables that lead an operator's commands to it. */
    readonly env: Env,
  ) {}

  static async start(options: StackOptions): Promise<Stack> {
    const {
      dir,
      workers = DEFAULT_WORKERS,
      gateways,
      env = {},
      say = () => undefined,
      onStack,
      charging,
      services: fulfilment = {},
      stores,
      cli,
      reroute = (_, own) => own,
      rerouteUrl = async (_, url) => url,
    } = options;
    const services =
      stores ??
      (await startLocalServices({
        settings: readSettings({
          ...{ SLUICE_BROKERS: process.env.SLUICE_BROKERS, ...env },
          SLUICE_DATA: dir,
        }),
        say: () => undefined,
        processing: Object.keys(fulfilment),
      }));
    const webhookSecret = { SLUICE_WEBHOOK_SECRET: realRuntime.uuid() };
    const all = {
      ...services.env,
      ...webhookSecret,
      ...env,
      SLUICE_JWT_ALGORITHM: "HS256",
      SLUICE_JWT_ISSUER: "sluice",
      SLUICE_JWT_AUDIENCE: "sluice",
    };
    const settings = readSettings(all);
    const { jwtSecret: secret, ledgerUrl, redisUrl, regions, shards } = settings;
    const roleEnv = (kind: Role["kind"], service?: string) =>
      reroute(kind, { ...all, ...services.roleEnv(kind, service) });
    const fleet = new Fleet({ dir: join(dir, "roles"), env: all, roleEnv, say, cli });
    const issuer = { secret, issuer: "sluice", audience: "sluice" };
    const stack = new Stack(
      ...([services, fleet, issuer, ledgerUrl, redisUrl, regions, shards, settings] as const),
      ...([rerouteUrl, stores === undefined, all] as const),
    );
    onStack?.(stack);
    try {
      for (let i = 0; i < workers; i++) stack.startWorker();
      await Promise.all(regions.slice(0, gateways).map(({ name }) => fleet.gateway(name, 0)));
      if (charging) await stack.charge(dir, charging);
      if (charging || options.rates) fleet.rates("rates");
      await stack.fulfil(dir, fulfilment);
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  get gateways(): Target[] {
    return this.fleet.roles.flatMap(({ url, region }) => (url && region ? [{ url, region }] : []));
  }

  /** Starts another worker. */
  startWorker(): Role {
    return this.fleet.worker(`worker-${++this.started}`);
  }

  /** SIGKILL, so nothing is flushed. Returns the name of the worker it killed. */
  async killWorker(kind: "worker" | "payments" = "worker"): Promise<string> {
    const worker = this.fleet.roles.find((role) => role.kind === kind);
    if (!worker) throw new Error("no worker to kill");
    await worker.kill();
    return worker.name;
  }

  /** Starts another payment worker. */
  startPayments(): Role {
    return this.fleet.payments(`payments-${++this.chargers}`, this.providerUrl);
  }

  /** The provider's record of its captures and refunds. */
  async captures(): Promise<CaptureRecord[]> {
    const text = await (await fetch(`${this.provider?.url}/v1/records`, answerWithin())).text();
    return text
      .split("\n")
      .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as CaptureRecord]));
  }

  /** Whether the provider has no more charges to settle or webhooks to send. */
  async providerQuiet(): Promise<boolean> {
    if (!this.provider) return true;
    const response = await fetch(`${this.provider.url}/healthz`);
    return ((await response.json()) as { open: number }).open === 0;
  }

  /** The services' own records of what they packed. */
  async packed(): Promise<PackedRecord[]> {
    return [...this.lists].flatMap(([service, file]) =>
      readPackingList(file).map((line) => ({ service, ...line })),
    );
  }

  /** Names of the fulfilment services. */
  get processing(): string[] {
    return [...this.lists.keys()];
  }

  private async fulfil(
    dir: string,
    fulfilment: Readonly<Record<string, readonly string[]>>,
  ): Promise<void> {
    for (const [service, categories] of Object.entries(fulfilment)) {
      const file = join(dir, `packed-${service}.db`);
      new PackingList(realRuntime, file).close();
      this.lists.set(service, file);
      this.fleet.fulfil(service, service, file);
      // A service may still be starting.
      for (const category of categories)
        await this.admin("PUT", `routes/${category}`, { service, new: true });
    }
  }

  private async charge(
    dir: string,
    { shares, seed }: NonNullable<StackOptions["charging"]>,
  ): Promise<void> {
    const gateway = await this.rerouteUrl("webhook", this.gateways[0]?.url ?? "");
    const webhookUrl = `${gateway}/v1/payments/webhook`;
    this.provider = await this.fleet.provider({
      port: 0,
      file: join(dir, "provider.jsonl"),
      shares,
      seed,
      webhookUrl,
    });
    this.providerUrl = await this.rerouteUrl("provider", this.provider.url ?? "");
    for (let i = 0; i < PAYMENT_WORKERS; i++) this.startPayments();
  }

  /** Creates a sale as an operator would, and waits until Redis has it and sells from it. */
  async createSale(sale: Sale): Promise<void> {
    const { opensAtMs, closesAtMs, ...rest } = sale;
    const form = {
      ...rest,
      opensAt: new Date(opensAtMs).toISOString(),
      closesAt: new Date(closesAtMs).toISOString(),
    };
    const headers = await this.operator();
    const end = realRuntime.monotonicMs() + SALE_TIMEOUT_MS;
    // Every gateway gets it, so that each has it in its catalogue.
    for (const { url } of this.gateways) {
      while (true) {
        const response = await fetch(`${url}/v1/admin/sales`, {
          method: "POST",
          headers,
          body: JSON.stringify(form),
          ...answerWithin(),
        });
        const text = await response.text();
        if (response.ok && (JSON.parse(text) as { applied?: boolean }).applied) break;
        if (response.status < 500 && !response.ok) throw new Error(`the sale was refused: ${text}`);
        if (realRuntime.monotonicMs() > end)
          throw new Error(`the sale did not reach Redis: ${text}`);
        await realRuntime.sleep(50);
      }
    }
  }

  private async operator(): Promise<Record<string, string>> {
    const authorization = `Bearer ${await mintToken(this.issuer, "operator", "operator")}`;
    return { "content-type": "application/json", authorization };
  }

  private async admin(method: string, path: string, body: unknown): Promise<void> {
    const url = `${this.gateways[0]?.url}/v1/admin/${path}`;
    const response = await fetch(url, {
      method,
      headers: await this.operator(),
      body: JSON.stringify(body),
      ...answerWithin(),
    });
    if (!response.ok) throw new Error(`${method} ${path} was refused: ${await response.text()}`);
  }

  /** Its roles finish what is in flight. Its own stores are killed: nobody will read them again. */
  async stop(): Promise<void> {
    await this.fleet.stop();
    if (this.ownsStores) await this.services.kill();
  }

  /** Ends at once, whatever is in flight. */
  async kill(): Promise<void> {
    await this.fleet.kill();
    if (this.ownsStores) await this.services.kill();
  }
}

const ANSWER_TIMEOUT_MS = 30_000;

function answerWithin(): { signal: AbortSignal } {
  return { signal: realRuntime.abortAfter(ANSWER_TIMEOUT_MS) };
}
