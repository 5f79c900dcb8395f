import { expect, test } from "bun:test";
import type { WebhookEndpoint } from "../../core/domain/webhook-endpoint.ts";
import { webhookFindings } from "./webhooks.ts";

const NOW_MS = 1_795_900_000_000;
const ENDPOINT: WebhookEndpoint = {
  ...{ id: "we_1", url: "https://shop.example/", types: [], createdAtMs: 1, createdBy: "ops" },
  ...{ paused: undefined, failingSinceMs: 0, lastError: "", lastSuccessMs: 1, held: 0 },
};

test("a paused endpoint and a long-failing one each get a warning with what to do", () => {
  expect(webhookFindings([], NOW_MS)).toEqual([]);
  const brief = { ...ENDPOINT, failingSinceMs: NOW_MS - 1_000, lastError: "it answered 500" };
  expect(webhookFindings([ENDPOINT, brief], NOW_MS)).toMatchObject([{ state: "ok" }]);
  const paused = { atMs: NOW_MS, by: "sluice", why: "no delivery succeeded" };
  const long = { ...brief, id: "we_2", failingSinceMs: NOW_MS - 3_600_000 };
  const found = webhookFindings([{ ...ENDPOINT, paused }, long, brief], NOW_MS);
  expect(found).toMatchObject([
    { state: "warn", what: "webhook we_1", fix: expect.stringContaining("resume we_1") },
    { state: "warn", what: "webhook we_2", fix: expect.stringContaining("log we_2") },
  ]);
  expect(JSON.stringify(found)).toContain("it answered 500");
});
