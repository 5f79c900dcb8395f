import { afterEach, expect, test } from "bun:test";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { freePort } from "../../services/ports.ts";
import { startProvider } from "../../stubs/provider/server.ts";
import { testDir } from "../../test/services.ts";
import { checkProvider } from "./provider.ts";

const closing: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0)) await one.stop();
});

async function look(url: string, timeout = "5s") {
  const SLUICE_PROVIDER_URL = url;
  const found = await checkProvider(
    readSettings({ SLUICE_PROVIDER_URL, SLUICE_PROVIDER_TIMEOUT: timeout }),
  );
  return found.map(({ state, detail }) => [state, detail]);
}

function serve(answer: () => Response | Promise<Response>): string {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  closing.push({ stop: () => server.stop(true) });
  return server.url.href;
}

test("a provider of the contract answers, and nothing is created there", async () => {
  const file = `${testDir("doctor")}/provider.jsonl`;
  const stub = await startProvider({
    ...{ runtime: realRuntime, file, port: 0, shares: {}, seed: 1, webhookSecrets: [] },
  });
  closing.push(stub);
  expect(await look(stub.url)).toEqual([["ok", "answers"]]);
  expect(stub.book.charges.size).toBe(0);
  stub.outage = true;
  expect(await look(stub.url)).toEqual([["fail", "the provider answers 503"]]);
});

test("nothing is asked where no provider is set", async () => {
  expect(await look("")).toEqual([]);
});

test("one that is not there, hangs, or answers something else is named", async () => {
  const gone = await look(`http://127.0.0.1:${await freePort()}`);
  expect(gone).toEqual([["fail", "the provider cannot be reached: connection refused"]]);
  const start = "the look-up of a charge that does not exist gets no valid answer:";
  const hangs = serve(() => new Promise<Response>(() => undefined));
  expect(await look(hangs, "200ms")).toEqual([["fail", `${start} no answer in time`]]);
  const page = serve(() => new Response("not found", { status: 404 }));
  const [[state, detail] = []] = await look(page);
  expect([state, detail]).toEqual(["fail", expect.stringContaining(`${start} the provider answe`)]);
  const echo = serve(() => Response.json({ status: "none" }, { status: 404 }));
  expect((await look(echo))[0]?.[0]).toBe("fail");
});
