import { expect, test } from "bun:test";
import { messageOf } from "../domain/message-of.ts";
import { describeSettings, readSettings, SettingError } from "./settings.ts";

test("an unset setting has its default, and the object is frozen", () => {
  const settings = readSettings({});
  expect(settings).toMatchObject({
    shards: 2,
    httpPort: 8080,
    gapTimeoutMs: 30_000,
    jwtAlgorithm: "HS256",
  });
  expect(Object.isFrozen(settings)).toBe(true);
});

test("durations, lists and regions are read", () => {
  const settings = readSettings({
    SLUICE_GAP_TIMEOUT: "2s",
    SLUICE_ORIGINS: "https://a.example, https://b.example",
    SLUICE_REGIONS: "eu=amqp://u:p@h1/v|amqp://u:p@h3/v,us=amqps://h2",
  });
  expect(settings.gapTimeoutMs).toBe(2_000);
  expect(settings.origins).toEqual(["https://a.example", "https://b.example"]);
  expect(settings.regions).toEqual([
    { name: "eu", url: "amqp://u:p@h1/v", others: ["amqp://u:p@h3/v"] },
    { name: "us", url: "amqps://h2" },
  ]);
});

test.each([
  ["SLUICE_SHARDS", "0"],
  ["SLUICE_SHARDS", "1.5"],
  ["SLUICE_HTTP_PORT", "http"],
  ["SLUICE_GAP_TIMEOUT", "soon"],
  ["SLUICE_JWT_ALGORITHM", "none"],
  ["SLUICE_REDIS_URL", "http://x"],
  ["SLUICE_LEDGER_URL", "mysql://x"],
  ["SLUICE_REGIONS", "eu"],
  ["SLUICE_REGIONS", "eu=amqp://a,eu=amqp://b"],
  ["SLUICE_REGIONS", "eu=amqp://u:p@a/v|amqp://w:p@b/v"],
  ["SLUICE_REGIONS", "eu=amqp://u:p@a/v|amqp://u:p@b/w"],
  ["SLUICE_TYPO", "1"],
])("%s=%s is refused by name", (variable, value) => {
  const error = (() => {
    try {
      readSettings({ [variable]: value });
    } catch (e) {
      return e;
    }
  })();
  expect(error).toBeInstanceOf(SettingError);
  expect(messageOf(error)).toContain(variable);
});

test("a gateway that would never leave a slow broker is refused; the error names both", () => {
  const two = { SLUICE_REGIONS: "eu=amqp://a,us=amqp://b" };
  const slow = { SLUICE_FAILOVER_AFTER: "10s" };
  const both = /SLUICE_FAILOVER_AFTER.*SLUICE_CONFIRM_TIMEOUT/;
  for (const env of [slow, { SLUICE_CONFIRM_TIMEOUT: "1s" }])
    for (const regions of [{}, two]) {
      expect(() => readSettings({ ...env, ...regions })).toThrow(SettingError);
      expect(() => readSettings({ ...env, ...regions })).toThrow(both);
    }
  readSettings({ ...two, SLUICE_FAILOVER_AFTER: "9s" });
  readSettings({ ...two, ...slow, SLUICE_FAILOVER: "no" });
  readSettings({ ...slow, SLUICE_REGIONS: "eu=amqp://a" });
});

test("webhooks may be signed with several secrets; a broken one is refused, not echoed", () => {
  const set = (value: string) => readSettings({ SLUICE_WEBHOOK_SECRET: value });
  const secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "plain text"];
  const settings = set(secrets.join(", "));
  expect(settings.webhookSecrets).toEqual(secrets);
  const shown = describeSettings(settings).find((s) => s.variable === "SLUICE_WEBHOOK_SECRET");
  expect(shown?.value).toBe("…,…");
  for (const broken of ["whsec_hush!", "hush,hush,hush,hush,hush"]) {
    expect(() => set(broken)).toThrow(SettingError);
    expect(() => set(broken)).not.toThrow("hush");
  }
});

test("secrets are masked when settings are shown", () => {
  const shown = JSON.stringify(
    describeSettings(
      readSettings({
        SLUICE_REDIS_URL: "redis://u:hush@h/0",
        SLUICE_JWT_SECRET: "hush",
        SLUICE_REGIONS: "eu=amqp://u:hush@h/v",
      }),
    ),
  );
  expect(shown).not.toContain("hush");
  expect(shown).toContain("redis://…@h/0");
});
