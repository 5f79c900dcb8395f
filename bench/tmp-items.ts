import { realRuntime } from "../core/runtime/runtime.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { startOn } from "./bench-ledger.ts";
import { benchFlood } from "./intake/websocket.ts";
import { recorded } from "./intake/settled.ts";
import { salesOver } from "./scale/workload.ts";
const items = Number(process.argv[2]);
const SETTINGS = { SLUICE_GOVERNOR_CPU:"off", SLUICE_SOLD_OUT_AT_GATE: "no", SLUICE_TARGET_WAIT: "1m", SLUICE_STALL_ORDERS: "1000000", SLUICE_USER_RATE: "100000", SLUICE_USER_BURST: "1000000", SLUICE_SHARDS: "2" };
const { SQLITE: ledger } = await import("./bench-ledger.ts");
const stack = await startOn(ledger, { dir: "/tmp/i100/"+Date.now(), workers: 1, gateways: 1, env: SETTINGS } as any);
const redis = new RedisStore({ runtime: realRuntime, url: stack.redisUrl });
try {
  await redis.client.connect();
  const t0 = performance.now();
  for (const sale of salesOver(items, Date.now())) await stack.createSale(sale);
  console.log("created", performance.now() - t0);
  for (let k = 0; k < 2; k++) {
    const r = await benchFlood(stack, redis, { sockets: 16, window: k === 0 ? 2000 : 30000, allReserved: false, items, users: 20000, more: [], seconds: 4, drain: false } as any, (x: any) => console.log(JSON.stringify(x)));
    console.log(JSON.stringify({ ...r, moments: undefined, latency: undefined }));
    const t = await (await fetch(stack.gateways[0].url + "/metrics")).text().catch(() => "");
    console.log(t.split("\n").filter((l) => /admis|wait|lag|loop|redis_|governor|paus|sync/.test(l) && !l.startsWith("#")).join("\n"));
    await recorded(stack, redis);
  }
} finally { await redis.close(); await stack.stop(); process.exit(0); }
