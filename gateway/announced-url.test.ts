import { expect, test } from "bun:test";
import type { NetworkInterfaceInfo } from "node:os";
import { announcedUrl } from "./announced-url.ts";

const at = (address: string, internal = false) =>
  ({ address, internal, family: address.includes(":") ? "IPv6" : "IPv4" }) as NetworkInterfaceInfo;
const lo = [at("127.0.0.1", true), at("::1", true)];

test.each([
  ["a name or an address stays", "http://10.0.0.7:8080", { lo }, "http://10.0.0.7:8080"],
  [
    "in a container: the address that others reach",
    "http://0.0.0.0:8080",
    { lo, eth0: [at("fe80::1"), at("fd00::5"), at("172.18.0.5")] },
    "http://172.18.0.5:8080",
  ],
  ["IPv6 alone", "http://[::]:8080", { lo, eth0: [at("fd00::5")] }, "http://[fd00::5]:8080"],
  ["a machine without a network", "http://0.0.0.0:8080", { lo }, "http://127.0.0.1:8080"],
])("%s", (_, listens, interfaces, announced) => {
  expect(announcedUrl(listens, interfaces)).toBe(announced);
});
