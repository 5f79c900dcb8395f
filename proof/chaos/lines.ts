// The lines between parts. With proxies, each kind of role reaches each store, each broker and the
// provider through a proxy of its own, and clients reach each gateway through one.
import type { Role } from "../../services/fleet.ts";
import type { Env } from "../demo/stack.ts";
import type { Target } from "../load/lane.ts";
import type { Link } from "./system.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const BROKERS = ["SLUICE_REGIONS", "SLUICE_OPERATOR_REGIONS"] as const;
const DIALLING = ["gateway", "worker", "payments", "rates", "fulfil"] as const;

export class Lines {
  readonly links: Link[] = [];

  private constructor(private readonly on: boolean) {}

  /** Opens a proxy for each address in the variables of each kind of role. */
  static async open(on: boolean, envOf: (kind: Role["kind"]) => Env): Promise<Lines> {
    const lines = new Lines(on);
    if (!on) return lines;
    for (const kind of DIALLING)
      for (const { to, url } of addressesIn(envOf(kind))) await lines.line(kind, to, url);
    return lines;
  }

  /** A kind of role's variables with the proxies' addresses. */
  reroute(kind: Role["kind"], env: Env): Env {
    if (!this.on || kind === "provider") return env;
    const changed: Record<string, string> = { ...env };
    for (const { to, url, variable } of addressesIn(env)) {
      const link = this.links.find((known) => known.name === nameOf(kind, to));
      if (link) changed[variable] = (changed[variable] ?? "").replace(url, link.proxy.through(url));
    }
    return changed;
  }

  async rerouteUrl(line: "provider" | "webhook", url: string): Promise<string> {
    if (!this.on) return url;
    return line === "provider"
      ? this.line("payments", "provider", url)
      : this.line("provider", "gateway", url);
  }

  async targets(gateways: readonly Target[]): Promise<Target[]> {
    if (!this.on) return [...gateways];
    return Promise.all(
      gateways.map(async ({ url, region }) => ({
        region,
        url: await this.line("client", `gateway ${region}`, url),
      })),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.links.map(({ proxy }) => proxy.close()));
  }

  /** The URL through the proxy of this line. */
  private async line(from: Link["from"], to: string, url: string): Promise<string> {
    const name = nameOf(from, to);
    const known = this.links.find((link) => link.name === name);
    const proxy = known?.proxy ?? (await TcpProxy.to(url));
    if (!known) this.links.push({ name, from, to, proxy });
    return proxy.through(url).replace(/\/$/, "");
  }
}

function nameOf(from: Link["from"], to: string): string {
  return `${from} → ${to}`;
}

interface Address {
  readonly variable: string;
  readonly to: string;
  readonly url: string;
}

function addressesIn(env: Env): Address[] {
  const { SLUICE_REDIS_URL: redis, SLUICE_LEDGER_URL: ledger } = env;
  const found: Address[] = [];
  if (redis) found.push({ variable: "SLUICE_REDIS_URL", to: "redis", url: redis });
  if (ledger?.startsWith("postgres"))
    found.push({ variable: "SLUICE_LEDGER_URL", to: "ledger", url: ledger });
  for (const variable of BROKERS)
    for (const part of (env[variable] ?? "").split(",").filter((text) => text !== "")) {
      const at = part.indexOf("=");
      const region = part.slice(0, at);
      found.push({ variable, to: `broker ${region}`, url: part.slice(at + 1) });
    }
  return found;
}
