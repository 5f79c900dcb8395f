// sluice up as a user runs it: the folder it claims, the ports it uses, what a crash leaves behind.
import { afterEach, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, generateKeyPair } from "jose";
import { Receiver } from "../consumers/webhooks/testing.ts";
import { UP_PAGES } from "./doc-commands-run.ts";
import { outputOf } from "./output-of.ts";
import { endUps, processesOf, run, runPage, told, up } from "./running-up.ts";
import { testDir } from "./services.ts";
import { until } from "./until.ts";

const ROOT = join(import.meta.dir, "..");
/** Nothing may listen on port 1. */
const NO_PROVIDER = "http://127.0.0.1:1";
/** The demo sale's price, in cents. */
const LAMP = 3_900;
const TIMEOUT_MS = 300_000;
afterEach(endUps);

/** The load of other tests must not pause its workers. */
const ENV = { SLUICE_GOVERNOR_CPU: "off", SLUICE_GOVERNOR_LOOP: "off" };

async function placeOrder(dir: string, gateway: string): Promise<string> {
  const [id, token] = await Promise.all([told(dir, "id"), told(dir, "token", "--user", "ann")]);
  const response = await fetch(`${gateway}/v1/orders`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ id, saleId: "demo", currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] }),
  });
  expect(response.status).toBe(202);
  return id;
}

/** Settings of an identity provider whose tokens nobody here can sign. */
async function issuer(dir: string): Promise<Record<string, string>> {
  const { publicKey } = await generateKeyPair("RS256");
  const keys = [{ ...(await exportJWK(publicKey)), kid: "one", alg: "RS256", use: "sig" }];
  const SLUICE_JWKS = `${dir}-keys.json`;
  await Bun.write(SLUICE_JWKS, JSON.stringify({ keys }));
  return { SLUICE_JWT_ALGORITHM: "RS256", SLUICE_JWKS, SLUICE_JWT_ISSUER: "https://id.example" };
}

async function untilDispatched(dir: string, id: string): Promise<boolean> {
  for (let i = 0; i < 50; i++) {
    const { orders } = JSON.parse(await told(dir, "orders", "--user", "ann", "--json")) as {
      orders: { id: string; status: string }[];
    };
    if (orders.some((order) => order.id === id && order.status === "dispatched")) return true;
    await Bun.sleep(100);
  }
  return false;
}

test(
  "two copies run side by side, a folder holds one, and a start stops what a crash left",
  async () => {
    const [dir, otherDir] = [testDir("up"), testDir("up")];
    const first = await up(dir, ENV, "--http-port", "0");
    expect(Object.keys(first.gateways)).toEqual(["eu", "us"]);
    const receiver = new Receiver();
    receiver.start();
    const added = await told(dir, "webhooks", "add", receiver.url, "--types", "order.dispatched");
    receiver.secret = added.trim().split("\n").at(-1) ?? "";
    const id = await placeOrder(dir, first.gateways.eu as string);
    expect(await untilDispatched(dir, id)).toBe(true);
    await until("its webhook", () => receiver.taken().length === 1);
    expect(receiver.taken()).toMatchObject([{ type: "order.dispatched", subject: `ann/${id}` }]);
    await receiver.stop();

    const doctor = await told(dir, "doctor");
    expect(doctor).toContain(`sluice up: running as process ${first.process.pid}`);
    expect(doctor).toContain("broker us: reachable, every shard has a worker");
    expect(doctor).not.toContain("fail");

    // The documents' commands, as a reader types them.
    for (const page of UP_PAGES) await runPage(page, dir, first.gateways.eu as string);

    const second = await up(dir);
    expect(await second.process.exited).toBe(1);
    expect(second.said).toContain(`already runs here (process ${first.process.pid})`);

    const other = await up(otherDir, { ...ENV, ...(await issuer(otherDir)) }, "--http-port", "0");
    expect(other.said).toContain("Tokens: https://id.example signs them, for the audience sluice.");
    expect(Object.keys(other.gateways)).toEqual(["eu", "us"]);
    expect(JSON.parse(await told(otherDir, "orders", "--user", "ann", "--json"))).toEqual({
      orders: [],
    });

    first.process.kill("SIGKILL");
    await first.process.exited;
    expect(processesOf(dir)).not.toEqual([]);
    const killed = await outputOf([process.execPath, "cli/cli.ts", "doctor"], {
      env: { ...process.env, SLUICE_DATA: dir },
    });
    expect(killed.code).toBe(1);
    expect(killed.out).toContain("fail  sluice up: a killed 'up' has left processes");
    const again = await up(dir, ENV, "--http-port", String(new URL(first.gateways.eu ?? "").port));
    expect(again.said).toContain("stopped processes left by an earlier run");
    expect(await untilDispatched(dir, id)).toBe(true);
    const later = await placeOrder(dir, again.gateways.us as string);
    expect(await untilDispatched(dir, later)).toBe(true);

    expect(await told(dir, "verify", "--partial")).toContain("✓ I6");

    // As when its terminal is closed.
    again.process.kill("SIGHUP");
    expect(await told(otherDir, "down")).toContain(
      `ending 'sluice up' (process ${other.process.pid})`,
    );
    expect(await Promise.all([again.process.exited, other.process.exited])).toEqual([0, 0]);
    expect([...processesOf(dir), ...processesOf(otherDir)]).toEqual([]);
    expect(existsSync(join(dir, "current.json"))).toBe(false);
  },
  TIMEOUT_MS,
);

test(
  "a provider that is not there is reported at once, with one order; a signed webhook settles it",
  async () => {
    const dir = testDir("up");
    const { gateways, said } = await up(
      dir,
      { ...ENV, SLUICE_PROVIDER_URL: NO_PROVIDER },
      ...["--http-port", "0"],
    );
    expect(said).toContain(`Payments: ${NO_PROVIDER} (SLUICE_PROVIDER_URL), and no stub`);
    expect(said).toContain("WARNING: payment provider: the provider cannot be reached");
    const id = await placeOrder(dir, gateways.eu as string);
    const cause = "the provider cannot be reached: connection refused";
    // It fails, since the provider does.
    const doctor = () => new Response(run(dir, ["doctor"]).stdout).text();
    let found = "";
    await until("the verdict", async () => {
      found = await doctor();
      return found.includes("provider failing: the last ");
    });
    expect(found).toContain(`payment provider: ${cause}`);
    expect(await told(dir, "orders", id)).toMatch(
      /1\/1 +\S+ EUR +started +the provider cannot be reached: connection refused/,
    );
    const log = readFileSync(join(dir, "roles", "payments-1.log"), "utf8");
    expect(log.split("\n").filter((line) => line.includes('"provider fails"'))).toHaveLength(1);
    const { out, err } = await webhookOfPage(dir, gateways.eu as string, `ann/${id}/1/1`);
    expect({ out: out.trim(), err }).toEqual({ out: "taken", err: "" });
    expect(await untilDispatched(dir, id)).toBe(true);
  },
  TIMEOUT_MS,
);

/** What an integrator writes, by the page: Python's own HMAC, and the secret that `up` made. */
async function webhookOfPage(dir: string, gateway: string, key: string) {
  const page = readFileSync(join(ROOT, "docs/howto/payment-provider.md"), "utf8");
  const [, script = ""] = /^```python\n([\s\S]*?)^```$/m.exec(page) ?? [];
  const event = { key, amount: LAMP, currency: "EUR", status: "captured" };
  const text = script
    .replace(".sluice/webhook-secret", `${dir}/webhook-secret`)
    .replace("http://127.0.0.1:8080", gateway);
  return outputOf(
    ["python3", "-c", `${text}\nprint(report(${JSON.stringify(event)})["outcome"])`],
    {},
  );
}

test(
  "a configured port that is taken is named before anything starts",
  async () => {
    const dir = testDir("up");
    using taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const refused = await up(dir, { SLUICE_HTTP_PORT: String(taken.port) });
    expect(await refused.process.exited).toBe(1);
    expect(refused.said).toContain(`SLUICE_HTTP_PORT: port ${taken.port} of 127.0.0.1 is taken`);
    expect(existsSync(join(dir, "redis"))).toBe(false);
  },
  TIMEOUT_MS,
);
