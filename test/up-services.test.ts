// `sluice up --services`: services that somebody else runs, and the address that they use.
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "amqplib";
import { endUps, up } from "./running-up.ts";
import { testDir } from "./services.ts";

const TIMEOUT_MS = 240_000;
afterAll(endUps);

test(
  "a service of your own has a user of the brokers, and its address serves after a restart too",
  async () => {
    const dir = testDir("up-services");
    const start = () => up(dir, { SLUICE_HTTP_PORT: "0" }, "--services", "warehouse,north");
    const { process: first } = await start();
    const text = (file: string) => readFileSync(join(dir, "rabbitmq", file), "utf8");
    const password = JSON.parse(text("passwords.json"))["service-north"];
    const url = `amqp://service-north:${password}@127.0.0.1:${text("port").trim()}/us`;
    await (await connect(url)).close();
    expect(readdirSync(join(dir, "roles"))).toContain("gallery.log");
    expect(readdirSync(join(dir, "roles"))).not.toContain("warehouse.log");
    first.kill("SIGTERM");
    await first.exited;
    const { process: second } = await start();
    await (await connect(url)).close();
    second.kill("SIGTERM");
    await second.exited;
  },
  TIMEOUT_MS,
);
