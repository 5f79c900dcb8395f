import { expect, test } from "bun:test";
import { VirtualRuntime } from "../core/runtime/testing.ts";
import { Preference } from "./preference.ts";

test("a region that left a message unconfirmed comes last for a while", async () => {
  const runtime = new VirtualRuntime();
  const preference = new Preference(runtime, ["eu", "us", "ap"]);
  expect(preference.inOrder).toEqual(["eu", "us", "ap"]);
  preference.doubt("eu");
  expect(preference.inOrder).toEqual(["us", "ap", "eu"]);
  preference.trust("eu");
  expect(preference.inOrder).toEqual(["eu", "us", "ap"]);
  preference.doubt("us");
  await runtime.advance(20_000);
  expect(preference.inOrder).toEqual(["eu", "us", "ap"]);
});
