import { expect, test } from "bun:test";
import { eventDetail, eventDetailText } from "./event-detail.ts";

test.each([
  ["paid", "", undefined, ""],
  [
    "claimed",
    '{"generation":1,"attempt":1,"detail":"2 3 depot"}',
    { generation: 1, part: 2, parts: 3, service: "depot" },
    "part 2 of 3, depot",
  ],
  [
    "charge_failed",
    '{"generation":1,"attempt":2,"detail":"card declined"}',
    { generation: 1, attempt: 2, detail: "card declined" },
    "attempt 2: card declined",
  ],
  [
    "refund",
    '{"generation":1,"attempt":1,"detail":""}',
    { generation: 1, attempt: 1, detail: "" },
    "attempt 1",
  ],
  [
    "conflict",
    '{"fingerprint":"506d","state":"paid"}',
    { fingerprint: "506d", state: "paid" },
    '{"fingerprint":"506d","state":"paid"}',
  ],
])("the detail of %s is read by names", (event, text, detail, line) => {
  expect(eventDetail(event, text)).toEqual(detail);
  expect(eventDetailText(event, text)).toBe(line);
});
