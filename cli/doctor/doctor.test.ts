import { expect, test } from "bun:test";
import { readSettings } from "../../core/settings/settings.ts";
import { testDir, testRabbit, testRedis } from "../../test/services.ts";
import { checkMachine } from "./machine.ts";
import { checkServices } from "./services.ts";

test("each unreachable service is named with its setting", async () => {
  const found = await checkServices(
    readSettings({
      SLUICE_REDIS_URL: "redis://127.0.0.1:1",
      SLUICE_REGIONS: "eu=amqp://127.0.0.1:1",
      SLUICE_LEDGER_URL: "sqlite:/proc/none",
    }),
  );
  expect(found.map(({ what, state }) => [what, state])).toEqual([
    ["Redis", "fail"],
    ["broker eu", "fail"],
    ["ledger", "fail"],
  ]);
  expect(found.map(({ mend }) => mend).join()).toMatch(
    /SLUICE_REDIS_URL.*SLUICE_REGIONS.*SLUICE_LEDGER_URL/,
  );
});

test("a broker without queues is inspected and not changed", async () => {
  const url = await (await testRabbit()).freshVhost();
  const settings = readSettings({
    SLUICE_REDIS_URL: (await testRedis()).url,
    SLUICE_REGIONS: `eu=${url}`,
  });
  for (let look = 0; look < 2; look++) {
    const found = await checkServices(settings);
    expect(found.find(({ what }) => what === "broker eu")?.detail).toContain("queues do not exist");
    // The tests' Redis keeps nothing on disk, and need not.
    const redis = found.filter(({ what }) => what === "Redis").map(({ detail }) => detail);
    expect(redis.join()).not.toContain("disk");
  }
}, 60_000);

test("an impossible data folder is named with its setting", async () => {
  const dir = testDir("doctor");
  await Bun.write(`${dir}/file`, "");
  const look = (path: string) =>
    checkMachine(readSettings({ SLUICE_DATA: path })).find(({ what }) => what === "data folder");
  expect(look(`${dir}/file`)).toMatchObject({
    state: "fail",
    mend: "choose another with SLUICE_DATA",
  });
  expect(look(`${dir}/not/yet/there`)?.state).not.toBe("fail");
});
