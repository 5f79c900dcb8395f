import { expect, test } from "bun:test";
import { ClientAddress } from "./client-address.ts";

const addresses = new ClientAddress(["10.0.0.0/8", "::1", "fd00::/8"]);

test("a header from an untrusted peer is ignored", () => {
  expect(addresses.of("203.0.113.9", "198.51.100.1")).toBe("203.0.113.9");
});

test("behind trusted proxies the client is the last address that is not a proxy", () => {
  expect(addresses.of("10.1.1.1", "198.51.100.1")).toBe("198.51.100.1");
  expect(addresses.of("::1", "6.6.6.6, 198.51.100.1, 10.2.2.2")).toBe("198.51.100.1");
  expect(addresses.of("fd00::1", "2001:db8::7")).toBe("2001:db8::7");
  expect(addresses.of("10.1.1.1", undefined)).toBe("10.1.1.1");
});

test("anything but an address ends the chain", () => {
  expect(addresses.of("10.1.1.1", "198.51.100.1, <script>, 10.2.2.2")).toBe("10.2.2.2");
});

test("an invalid address in the setting is named", () => {
  expect(() => new ClientAddress(["proxy.example"])).toThrow("proxy.example");
  expect(() => new ClientAddress(["10.0.0.0/99"])).toThrow();
});
