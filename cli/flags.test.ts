import { expect, test } from "bun:test";
import { takeSettingFlags } from "./flags.ts";

test("a setting's flag is its variable, with the value after a space or an equals sign", () => {
  expect(
    takeSettingFlags(["worker", "--gap-timeout", "10s", "--regions=eu=amqp://a/b?c=d", "--json"]),
  ).toEqual({
    settings: { SLUICE_GAP_TIMEOUT: "10s", SLUICE_REGIONS: "eu=amqp://a/b?c=d" },
    rest: ["worker", "--json"],
  });
});

test("a flag without its value is an error that names the setting", () => {
  expect(() => takeSettingFlags(["up", "--http-port"])).toThrow(
    "--http-port needs a value (SLUICE_HTTP_PORT)",
  );
  expect(() => takeSettingFlags(["up", "--http-port", "--json"])).toThrow(
    "--http-port needs a value",
  );
});

test("a flag that the command has itself is not taken for the setting of that name", () => {
  const words = ["routes", "set", "art", "depot", "--region", "us", "--gap-timeout", "10s"];
  expect(takeSettingFlags(words, new Set(["--region"]))).toEqual({
    settings: { SLUICE_GAP_TIMEOUT: "10s" },
    rest: ["routes", "set", "art", "depot", "--region", "us"],
  });
});
