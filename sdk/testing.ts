// A shop for the SDKs' tests: the running product, with a line to a gateway that can be broken.
import { makeLog } from "../cli/log.ts";
import { startGatewayRole } from "../cli/roles/gateway.ts";
import { mintToken } from "../cli/token.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { TcpProxy } from "../proof/chaos/tcp-proxy.ts";
import { Stack, type StackOptions } from "../test/stack.ts";

const OWN = {
  SLUICE_JWT_SECRET: "a secret that is long enough for HS256",
  SLUICE_HTTP_PORT: "0",
  SLUICE_METRICS_PORT: "off",
  SLUICE_DRAIN_NOTICE: "0s",
};

export class Shop {
  private readonly ends: (() => Promise<unknown>)[] = [];
  private gateways = 0;

  private constructor(readonly stack: Stack) {}

  /** Redis, a broker, a ledger, a worker, payments, and the sale `demo`. */
  static async open(
    items: Record<string, number>,
    options: StackOptions & { categories?: Record<string, string> } = {},
  ): Promise<Shop> {
    const stack = await Stack.start({ ...options, env: { ...OWN, ...options.env } });
    const shop = new Shop(stack);
    const { categories = {} } = options;
    await stack.sale(items, { id: "demo", categories });
    await Promise.all([stack.worker("w1"), stack.payments()]);
    return shop;
  }

  /** A gateway of its own port; returns its address. */
  async gateway(env: Record<string, string> = {}): Promise<string> {
    const settings = readSettings({ ...this.stack.env, ...env });
    const log = makeLog("gateway", (line) => process.env.SHOW_LOG && process.stderr.write(line));
    const role = await startGatewayRole(realRuntime, settings, `g${++this.gateways}`, log);
    this.ends.push(role.stop);
    return role.gateway.url;
  }

  /** A line to a gateway. */
  async line(url: string): Promise<{ line: TcpProxy; url: string }> {
    const line = await TcpProxy.to(url);
    this.ends.push(() => line.close());
    return { line, url: line.through(url).replace(/\/$/, "") };
  }

  token(user: string, scope = ""): Promise<string> {
    return mintToken(this.stack.settings, { user, scope, hours: 1 });
  }

  /** What the ledger has of a user's orders. */
  async orders(user: string) {
    return this.stack.ledger.ordersOf(user, { limit: 500 });
  }

  /** Units of an item that orders hold or have bought. */
  async taken(sku: string): Promise<number> {
    const stock = await this.stack.ledger.stock("demo");
    const { held, sold } = stock.find((of) => of.sku === sku) ?? { held: -1, sold: 0 };
    return held + sold;
  }

  async close(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
    await this.stack.stop();
  }
}
