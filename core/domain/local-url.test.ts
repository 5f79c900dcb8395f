import { expect, test } from "bun:test";
import { localUrl } from "./local-url.ts";

test.each([
  ["127.0.0.1", "http://127.0.0.1:80"],
  ["0.0.0.0", "http://127.0.0.1:80"],
  ["::1", "http://[::1]:80"],
  ["::", "http://[::1]:80"],
  ["gateway.internal", "http://gateway.internal:80"],
])("a server that listens on %s is asked at %s", (host, url) => {
  expect(localUrl(host, 80)).toBe(url);
});
