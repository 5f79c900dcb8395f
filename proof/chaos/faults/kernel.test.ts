// The kernel refuses a process descriptors and memory, and grants them again.
import { afterEach, expect, test } from "bun:test";
import { until } from "../../../test/until.ts";
import {
  descriptorsOf,
  hasMemoryGroups,
  limitDescriptors,
  MemoryGroup,
  openStalled,
  unanswered,
} from "./kernel.ts";

/** Serves HTTP, and takes 16 MB more memory for each line on its standard input. */
const CHILD = `
const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("here") });
console.log(server.port);
const held = [];
for await (const _ of console) {
  held.push(Buffer.alloc(16 * 1024 * 1024, 1));
  console.log(held.length);
}`;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

async function child() {
  const made = Bun.spawn([process.execPath, "-e", CHILD], { stdin: "pipe", stdout: "pipe" });
  ends.push(() => made.kill("SIGKILL"));
  const lines: string[] = [];
  void (async () => {
    for await (const bytes of made.stdout)
      lines.push(...new TextDecoder().decode(bytes).trim().split("\n"));
  })();
  await until("its port", () => lines.length > 0);
  return { made, port: Number(lines[0]), lines };
}

const HELLO = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

test("without descriptors new connections get no answer; with them they do", async () => {
  const { made, port } = await child();
  expect(await unanswered(port, HELLO)).toBe(false);
  const before = limitDescriptors(made.pid, descriptorsOf(made.pid));
  const stalled = await openStalled(port, 8, HELLO);
  expect(await unanswered(port, HELLO)).toBe(true);
  for (const socket of stalled) socket.destroy();
  expect(limitDescriptors(made.pid, before)).toBeLessThan(before);
  await until("an answer", async () => !(await unanswered(port, HELLO)), 5_000);
});

test.if(hasMemoryGroups())(
  "beyond its memory a process is killed, and the group ends",
  async () => {
    const { made, lines } = await child();
    const group = new MemoryGroup(`sluice-test-${process.pid}`, 40 * 1024 * 1024);
    group.take(made.pid);
    for (let taken = 0; taken < 8 && made.exitCode === null && !made.killed; taken++) {
      made.stdin.write("\n");
      made.stdin.flush();
      const next = () => lines.length > taken + 1 || made.signalCode !== null;
      await until("16 MB more, or its end", next, 5_000);
    }
    expect([made.signalCode, group.refusals > 0]).toEqual(["SIGKILL", true]);
    await group.end();
  },
);
