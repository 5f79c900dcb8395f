// The tutorial and the WebSocket example, as a reader types them: a first sale, a worker and Redis
// killed, and the guarantees checked at the end.
import { afterEach, expect, test } from "bun:test";
import { LONG_PAGES } from "./doc-commands-run.ts";
import { endUps, runPage, up } from "./running-up.ts";
import { testDir } from "./services.ts";

const TIMEOUT_MS = 600_000;
afterEach(endUps);

test(
  "every command of the longer pages succeeds beside an up",
  async () => {
    const dir = testDir("tutorial");
    const started = await up(dir, {}, "--http-port", "0");
    for (const page of LONG_PAGES) await runPage(page, dir, started.gateways.eu as string);
    started.process.kill("SIGTERM");
    expect(await started.process.exited).toBe(0);
  },
  TIMEOUT_MS,
);
