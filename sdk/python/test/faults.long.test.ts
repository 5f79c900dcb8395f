// Many orders from Python while gateways are killed and the broker restarts.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { trouble } from "../../test-faults.ts";
import { Shop } from "../../testing.ts";
import { pythonWithAiohttp } from "./test-python.ts";

const LIMIT_MS = 240_000;
const ORDERS = 300;
let shop: Shop | undefined;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await shop?.close();
  for (const end of ends.splice(0)) await end();
}, LIMIT_MS);

test.each(["http", "socket"])(
  "over %s: gateways killed mid-request and a broker restarted, one effect per order",
  async (way) => {
    const faults = await trouble(ends);
    const opened = await Shop.open({ lamp: 10_000 }, { env: faults.env });
    shop = opened;
    const gateways = await faults.gateways(opened.stack);
    const env = { GATEWAYS: gateways.join(","), TOKEN: await opened.token("ann") };
    const child = Bun.spawn([pythonWithAiohttp(), join(import.meta.dir, "buyers.py")], {
      env: { ...process.env, ...env, WAY: way, ORDERS: String(ORDERS) },
      stderr: "inherit",
    });
    ends.push(async () => child.kill());
    let text = "";
    const reading = (async () => {
      for await (const bytes of child.stdout) text += new TextDecoder().decode(bytes);
    })();
    const ids = () => [...text.matchAll(/^ORDER (\S+)$/gm)].map(([, id]) => id as string);
    await faults.strike(() => ids().length);
    await reading;
    expect([await child.exited, new Set(ids()).size]).toEqual([0, ORDERS]);
    expect(text).toMatch(/^OUTCOMES (paid|reserved|paid reserved)$/m);
    const stored = (await opened.orders("ann")).map(({ id }) => id);
    expect(stored.sort()).toEqual(ids().sort());
    expect(await opened.taken("lamp")).toBe(ORDERS);
  },
  LIMIT_MS,
);
