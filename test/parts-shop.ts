// For tests of parts over HTTP: services, an item that only each of them gets, and a gateway.
import type { Part } from "../core/domain/part.ts";
import { Shop } from "../sdk/testing.ts";
import { makeOrder, userOf } from "./stack.ts";
import { until } from "./until.ts";

const PAID_WITHIN_MS = 60_000;

export interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly field?: string;
  readonly leaseUntil?: string;
  readonly outcome?: string;
  readonly parts: readonly (Part & { key: string })[];
}

export interface Made {
  readonly user: string;
  readonly id: string;
}

export class PartsShop {
  private users = 0;

  private constructor(
    readonly shop: Shop,
    /** Of the gateway. */
    readonly url: string,
  ) {}

  static async open(services: readonly string[]): Promise<PartsShop> {
    const items = Object.fromEntries(services.map((name) => [name, 100]));
    const categories = Object.fromEntries(services.map((name) => [name, `for-${name}`]));
    const shop = await Shop.open(items, { categories });
    for (const name of services) await shop.stack.route(`for-${name}`, name);
    return new PartsShop(shop, await shop.gateway());
  }

  close(): Promise<void> {
    return this.shop.close();
  }

  /** Calls a gateway as a service. */
  readonly call = async (
    service: string,
    path: "claim" | "done",
    body: Record<string, unknown>,
    at = this.url,
  ): Promise<Answer> => {
    const response = await fetch(`${at}/v1/parts/${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await this.shop.token(service, "service")}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
    return { parts: [], ...((await response.json()) as object), status: response.status };
  };

  /** Paid orders of the service's item. */
  readonly paid = async (service: string, count: number): Promise<Made[]> => {
    const made = [];
    for (let n = 0; n < count; n++) {
      const user = userOf(n % 2, this.users++);
      const { order, row } = makeOrder(user, { [service]: 1 }, { saleId: "demo" });
      await this.shop.stack.publish(n % 2, [row], 0, "eu.gw");
      made.push({ user, id: order.id });
    }
    // A payment worker slows down on a busy machine.
    for (const { user, id } of made)
      await until(`order ${id} to be paid`, () => this.isPaid(user, id), PAID_WITHIN_MS);
    return made;
  };

  private async isPaid(user: string, id: string): Promise<boolean> {
    return (await this.shop.stack.ledger.order(user, id))?.state === "paid";
  }
}
