// Which secrets docker-compose.yml gives to each role.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { secretVariables } from "../core/settings/secret-files.ts";
import { readCompose } from "./compose.ts";

const TEXT = await Bun.file(join(import.meta.dir, "..", "docker-compose.yml")).text();
const { services } = readCompose(TEXT, {
  SLUICE_JWT_SECRET: "0123456789abcdef0123456789abcdef",
  SLUICE_WEBHOOK_SECRET: "hookword-hookword",
});
const ROLES = Object.keys(services).filter((name) => services[name]?.build !== undefined);

const STORES = ["SLUICE_LEDGER_URL", "SLUICE_REDIS_URL", "SLUICE_REGIONS"];
const BOARD = ["SLUICE_REDIS_URL", "SLUICE_REGIONS"];
const GATEWAY = [
  ...STORES,
  "SLUICE_JWT_SECRET",
  "SLUICE_OPERATOR_REGIONS",
  "SLUICE_WEBHOOK_SECRET",
];

test("each role gets the secrets that it needs, and no others", () => {
  const given = ROLES.map((name) => {
    const variables = secretVariables().filter((variable) => services[name]?.environment[variable]);
    return [name, variables.sort()];
  });
  expect(Object.fromEntries(given)).toEqual({
    "gateway-eu": [...GATEWAY].sort(),
    "gateway-us": [...GATEWAY].sort(),
    "worker-1": STORES,
    "worker-2": STORES,
    payments: ["SLUICE_PROVIDER_URL", ...BOARD],
    rates: ["SLUICE_RATES_SOURCE", ...BOARD].sort(),
    warehouse: BOARD,
    provider: ["SLUICE_PROVIDER_URL", "SLUICE_WEBHOOK_SECRET"],
  });
});

test("a role without stores reaches Redis as a user that may only report it", () => {
  for (const name of ["payments", "rates", "warehouse"])
    expect(services[name]?.environment.SLUICE_REDIS_URL).toBe("redis://board:board@redis:6379");
  const { command = [] } = services.redis ?? {};
  const rules = command.slice(command.indexOf("board") + 1, command.indexOf("--requirepass"));
  expect(rules.filter((rule) => /^(~|%RW|allkeys|\+@|allcommands)/.test(rule))).toEqual([
    "~{members}:roles",
    "~{members}:paused",
  ]);
});
