import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "../../test/services.ts";
import { maskedUrl, withoutSecrets } from "../domain/masked.ts";
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

test.each([
  ["redis://:p/w?x#y@z@h:6379/0", "redis://…@h:6379/0"],
  ["amqp://user:a@b@h/v", "amqp://…@h/v"],
  ["postgres://h/db?user=u&password=p#f", "postgres://h/db?user=…&password=…"],
  ["https://h/v1/KEY/latest?access_key=k", "https://h/…?access_key=…"],
  ["https://u:p@h/", "https://…@h/"],
  ["sqlite:/data/ledger.db", "sqlite:/data/ledger.db"],
  ["file:/etc/rates.json", "file:/etc/rates.json"],
  ["no address: p@ss", "…"],
])("an address with any characters in its secrets is shown without them: %s", (address, shown) => {
  expect(maskedUrl(address)).toBe(shown);
  if (address.includes("//")) expect(withoutSecrets(`it: "${address}"`)).toBe(`it: "${shown}"`);
});

test("an address to link to has no user, query or fragment, and loses its last slash", () => {
  const of = (grafana: string) => readSettings({ SLUICE_GRAFANA_URL: grafana }).grafanaUrl;
  expect(of("https://grafana.example/")).toBe("https://grafana.example");
  expect(of("http://h:3000/grafana")).toBe("http://h:3000/grafana");
  const wrong = ["grafana", "javascript:alert(1)", "https://u:p@h", "https://h/?x", "https://h/#x"];
  for (const address of wrong)
    expect(() => of(address)).toThrow("SLUICE_GRAFANA_URL must be an address like");
});

test("a mistaken address is not repeated in its error", () => {
  const named = () => readSettings({ SLUICE_REGIONS: "amqp://user:pass@h/v" });
  expect(named).toThrow("'amqp://…@h/v' is not a region name");
});

test("a secret is read from a file, without its line end; both, or no file, is an error", () => {
  const file = join(testDir("secrets"), "redis-url");
  writeFileSync(file, "redis://:secret@h\n");
  expect(readSettings({ SLUICE_REDIS_URL_FILE: file }).redisUrl).toBe("redis://:secret@h");
  const both = { SLUICE_REDIS_URL_FILE: file, SLUICE_REDIS_URL: "redis://h" };
  expect(() => readSettings(both)).toThrow("SLUICE_REDIS_URL and SLUICE_REDIS_URL_FILE are both");
  expect(() => readSettings({ SLUICE_JWT_SECRET_FILE: "/none" })).toThrow(
    "SLUICE_JWT_SECRET_FILE: '/none' cannot be read",
  );
  expect(() => readSettings({ SLUICE_SHARDS_FILE: file })).toThrow(
    "SLUICE_SHARDS_FILE is not a Sluice setting",
  );
  // A mount that is still empty is no default.
  writeFileSync(file, "\n");
  expect(() => readSettings({ SLUICE_REDIS_URL_FILE: file })).toThrow("must have 1 to");
});

test("what is shown of a setting can be set, and means the same", () => {
  const given = {
    SLUICE_GAP_TIMEOUT: "10000",
    SLUICE_RETRY_DELAYS: "500ms,4s,16s",
    SLUICE_GOVERNOR_LOOP: "750,2m",
    SLUICE_GOVERNOR_CPU: "off",
    SLUICE_ORIGINS: "https://a.example,https://b.example",
    SLUICE_PUBLISHERS: "gateway=gateway,service-*=service,van=service:depot",
  };
  for (const env of [{}, given]) {
    const settings = readSettings(env);
    const shown = describeSettings(settings).map(({ variable, value }) => [variable, value]);
    expect(readSettings(Object.fromEntries(shown))).toEqual(settings);
  }
  const texts = describeSettings(readSettings(given)).map(({ value }) => value);
  expect(texts).toContain("500ms,4s,16s");
  expect(texts).toContain("750ms,2m");
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
