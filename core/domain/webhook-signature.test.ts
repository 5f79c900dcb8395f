import { expect, test } from "bun:test";
import {
  checkWebhook,
  ID_HEADER,
  isWebhookSecret,
  SIGNATURE_HEADER,
  signWebhook,
  TIMESTAMP_HEADER,
  webhookKey,
} from "./webhook-signature.ts";

const NOW_MS = 1_614_265_330_000;
const BODY = '{"test": 2432232314}';
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

function check(
  signature: string | undefined,
  secrets: readonly string[],
  { id = ID, body = BODY, nowMs = NOW_MS } = {},
) {
  const headers = { id, timestamp: String(NOW_MS / 1_000), signature };
  return checkWebhook(headers, body, secrets.map(webhookKey), nowMs);
}

test("the example that Standard Webhooks' libraries are tested with", () => {
  expect(signWebhook(ID, BODY, [SECRET], NOW_MS)).toEqual({
    [ID_HEADER]: ID,
    [TIMESTAMP_HEADER]: "1614265330",
    [SIGNATURE_HEADER]: SIGNATURE,
  });
  expect(check(SIGNATURE, [SECRET])).toBe("good");
});

test("one valid signature among several is enough, with any of the secrets", () => {
  const rolled = signWebhook(ID, BODY, ["the next one", SECRET], NOW_MS)[SIGNATURE_HEADER];
  expect(rolled?.split(" ").length).toBe(2);
  for (const secrets of [[SECRET], ["the next one"], ["an old one", "the next one"]])
    expect(check(rolled, secrets)).toBe("good");
  expect(check(rolled, ["an old one"])).toBe("forged");
  expect(check(`v1a,unknown v2,${"A".repeat(43)}= ${SIGNATURE}`, [SECRET])).toBe("good");
});

test("anything altered is forged; anything too old or too far ahead is late", () => {
  expect(check(SIGNATURE, [SECRET], { body: `${BODY} ` })).toBe("forged");
  expect(check(SIGNATURE, [SECRET], { id: "msg_other" })).toBe("forged");
  expect(check(SIGNATURE, [])).toBe("forged");
  for (const signature of [undefined, "", "v1,", "v1,AAAA", SIGNATURE.slice(3)])
    expect(check(signature, [SECRET])).toBe("forged");
  for (const ms of [-300_000, 300_000])
    expect(check(SIGNATURE, [SECRET], { nowMs: NOW_MS + ms })).toBe("good");
  for (const ms of [-301_000, 301_000])
    expect(check(SIGNATURE, [SECRET], { nowMs: NOW_MS + ms })).toBe("late");
});

test("a secret is base64 after its prefix, or any text", () => {
  expect([SECRET, "plain text", `${SECRET}==`].map(isWebhookSecret)).toEqual([true, true, true]);
  expect(["", "whsec_", "whsec_not base64!", "whsec_A"].map(isWebhookSecret)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});
