import { expect, test } from "bun:test";
import { isRefusal } from "./connection.ts";

const error = (message: string, code?: unknown) => Object.assign(new Error(message), { code });

test.each([
  error('Handshake terminated by server: 403 (ACCESS-REFUSED) with message "ACCESS_REFUSED"'),
  error('Handshake terminated by server: 530 (NOT-ALLOWED) with message "vhost not found"'),
  error("Connection closed: 530", 530),
  error("Channel closed by server", 403),
])("what the broker refuses is a refusal: %s", (refusal) => {
  expect(isRefusal(refusal)).toBe(true);
});

test.each([
  error("connect ECONNREFUSED 127.0.0.1:40353", "ECONNREFUSED"),
  error("connect ECONNREFUSED 10.53.0.1:5672", "ECONNREFUSED"),
  error("getaddrinfo ENOTFOUND access-refused.example", "ENOTFOUND"),
  error('Handshake terminated by server: 541 (INTERNAL-ERROR) with message "403 NOT_ALLOWED"'),
  error("Socket closed abruptly during opening handshake"),
])("a broker that is away, or fails, is none: %s", (failure) => {
  expect(isRefusal(failure)).toBe(false);
});
