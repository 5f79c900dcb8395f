import { expect, test } from "bun:test";
import { join } from "node:path";
import { SimulatedProcess } from "./process.ts";
import { Scheduler, START_MS } from "./scheduler.ts";

const after = (ms: number) => START_MS + ms;

test("events run by due time, those of one moment in an order that the seed picks", async () => {
  const order = async (seed: number) => {
    const scheduler = new Scheduler(seed);
    const ran: string[] = [];
    for (const name of ["c", "a", "b", "d", "e"])
      scheduler.event(name, () => void ran.push(name), 5);
    scheduler.event("first", () => void ran.push("first"), 1);
    await scheduler.run(after(10));
    return ran;
  };
  const orders = await Promise.all([1, 2, 3, 4, 5, 6].map(order));
  expect(orders.every(([first]) => first === "first")).toBe(true);
  expect(new Set(orders.map(String)).size).toBeGreaterThan(1);
  expect(await order(3)).toEqual(orders[2] as string[]);
});

test("an event begins after everything that the one before set off", async () => {
  const scheduler = new Scheduler(1);
  const ran: string[] = [];
  const late = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    ran.push("set off");
  };
  scheduler.event("first", () => void late(), 1);
  scheduler.event("second", () => void ran.push("second"), 2);
  await scheduler.run(after(5));
  expect(ran).toEqual(["set off", "second"]);
});

test("an event that waits for something outside is over before the next begins", async () => {
  const scheduler = new Scheduler(1);
  const ran: string[] = [];
  const late = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    ran.push("answered");
    await Promise.resolve();
    ran.push("set off");
  };
  scheduler.event("first", late, 1);
  scheduler.event("second", () => void ran.push("second"), 2);
  await scheduler.run(after(5));
  expect(ran).toEqual(["answered", "set off", "second"]);
});

test("a rejection without a handler at the end of its event counts, even if one follows", () => {
  const script = `
    import { Scheduler, START_MS } from ${JSON.stringify(join(import.meta.dir, "scheduler.ts"))};
    process.on("unhandledRejection", (error) => console.log(error.message));
    const scheduler = new Scheduler(1);
    let work;
    scheduler.event("first", () => void (work = Promise.reject(new Error("nobody")), 0), 1);
    scheduler.event("second", () => void work.catch(() => undefined), 2);
    await scheduler.run(START_MS + 5);`;
  const { stdout } = Bun.spawnSync([process.execPath, "-e", script]);
  expect(stdout.toString()).toBe("nobody\n");
});

test("an error that an event throws is kept, and the next event runs", async () => {
  const scheduler = new Scheduler(1);
  const process = new SimulatedProcess(scheduler, "worker");
  process.startTimer(() => {
    throw new Error("broken");
  }, 1);
  let ran = false;
  process.startTimer(() => {
    ran = true;
  }, 5);
  await scheduler.run(after(20));
  expect(scheduler.errors).toEqual(["worker: timer: broken"]);
  expect(ran).toBe(true);
});

test("a killed process runs nothing more", async () => {
  const scheduler = new Scheduler(1);
  const process = new SimulatedProcess(scheduler, "worker");
  let ran = 0;
  const count = () => void ran++;
  process.startInterval(count, 10);
  process.world.event("arrival", count, 30);
  void process.sleep(40).then(count);
  scheduler.event("kill", () => process.kill(), 25);
  await scheduler.run(after(100));
  expect(ran).toBe(2);
});

test("a frozen process gets everything late, in its order; its clock goes on", async () => {
  const scheduler = new Scheduler(1);
  const process = new SimulatedProcess(scheduler, "worker");
  const ran: string[] = [];
  for (const at of [10, 20, 30]) process.world.event("arrival", () => void ran.push(`${at}`), at);
  scheduler.event("freeze", () => process.freeze(), 15);
  await scheduler.run(after(50));
  expect(ran).toEqual(["10"]);
  expect(process.monotonicMs()).toBeCloseTo(50, 0);
  process.thaw();
  await scheduler.run(after(51));
  expect(ran).toEqual(["10", "20", "30"]);
});

test("the wall clock jumps alone, and stopped timers do not fire", async () => {
  const scheduler = new Scheduler(1);
  const process = new SimulatedProcess(scheduler, "worker");
  const wallMs = process.wallMs();
  process.jumpWall(-3_600_000);
  expect([process.monotonicMs(), process.wallMs() - wallMs]).toEqual([0, -3_600_000]);
  let ran = false;
  const timer = process.startInterval(() => {
    ran = true;
  }, 5);
  process.stopTimer(timer);
  await scheduler.run(after(50));
  expect(ran).toBe(false);
  expect(process.uuid()).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

test("stopped timers leave the queue, and all others fire in their order", async () => {
  const scheduler = new Scheduler(1);
  const process = new SimulatedProcess(scheduler, "a");
  const fired: number[] = [];
  const timers = Array.from({ length: 2_000 }, (_, i) =>
    process.startTimer(() => void fired.push(i), 5 * ((i * 7) % 2_000)),
  );
  for (const [i, timer] of timers.entries()) if (i % 8 > 0) process.stopTimer(timer);
  expect(scheduler.length).toBeLessThan(600);
  await scheduler.run(after(20_000));
  const left = Array.from({ length: 250 }, (_, i) => 8 * i);
  const dueMs = (i: number) => (i * 7) % 2_000;
  expect(fired).toEqual(left.sort((a, b) => dueMs(a) - dueMs(b)));
});
