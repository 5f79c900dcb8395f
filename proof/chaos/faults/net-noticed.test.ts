// What counts as a role having noticed trouble on its line.
import { afterAll, expect, test } from "bun:test";
import type { Link } from "../system.ts";
import { TcpProxy } from "../tcp-proxy.ts";
import { Noticed } from "./net-noticed.ts";

const proxy = await TcpProxy.to("tcp://127.0.0.1:1");
afterAll(() => proxy.close());

function dialledAgain(from: Link["from"], to: string): string | undefined {
  const link = { name: `${from} → ${to}`, from, to, proxy };
  const look = (dialled: number) => new Noticed(link, new Map(), dialled, 0, undefined);
  return look(5).newSince(look(3));
}

test("a new connection shows trouble only where connections last", () => {
  expect(dialledAgain("worker", "redis")).toBe("worker dialled again 2 times");
  expect(dialledAgain("gateway", "broker eu")).toBe("gateway dialled again 2 times");
  // HTTP opens connections whenever it needs more.
  expect(dialledAgain("payments", "provider")).toBeUndefined();
  expect(dialledAgain("client", "gateway eu")).toBeUndefined();
});
