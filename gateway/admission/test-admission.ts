// What the tests of admission share.
import { type Runtime, realRuntime } from "../../core/runtime/runtime.ts";
import type { TestGateway } from "../testing.ts";

/** A clock set by hand, and no jitter. */
export const runtimeAt = (monotonicMs: () => number): Runtime => ({
  ...realRuntime,
  monotonicMs,
  random: () => 0,
});

export const orders = (t: TestGateway) => `${t.gateway.url}/v1/orders`;

export const body = async (response: Response) =>
  (await response.json()) as Record<string, unknown> & { code: string };
