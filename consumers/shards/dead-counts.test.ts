// What a broker that went away had, as the worker counted it last.
import { afterEach, expect, test } from "bun:test";
import { serviceQueueName } from "../../broker/topology.ts";
import { makeLog } from "../../cli/log.ts";
import { closeRegions, openRegion } from "../../cli/roles/parts.ts";
import { at } from "../../core/domain/at.ts";
import { type Runtime, realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { testRabbit } from "../../test/services.ts";
import type { RegionLink } from "../orders/relay.ts";
import { DeadCounts } from "./dead-counts.ts";

const TIMEOUT_MS = 120_000;
const open: RegionLink[] = [];
afterEach(async () => closeRegions(open.splice(0)), TIMEOUT_MS);

test(
  "a part that waits for a service is still reported while its broker is away",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const settings = readSettings({ SLUICE_REGIONS: `eu=${url}`, SLUICE_SHARDS: "1" });
    const log = makeLog("test", () => undefined);
    const link = await openRegion(realRuntime, at(settings.regions, 0), settings, log);
    open.push(link);
    const queue = serviceQueueName("shoemaker");
    const channel = await link.consuming.model?.createConfirmChannel();
    await channel?.assertQueue(queue, { durable: true });
    channel?.sendToQueue(queue, Buffer.from("[]"));
    await channel?.waitForConfirms();
    let nowMs = 0;
    const runtime: Runtime = { ...realRuntime, monotonicMs: () => nowMs };
    const routes = async () => [{ region: "", category: "shoes", service: "shoemaker" }];
    const asked = { regions: [link], ledger: { routes }, givenUpIn: () => undefined };
    const counts = new DeadCounts({ runtime, ...asked, now: () => 0 });
    const counted = async () => {
      nowMs += 10_000;
      await counts.refresh();
      return counts.report().services;
    };
    const waits = [{ service: "shoemaker", region: "eu", messages: 1, consumers: 0 }];
    expect(await counted()).toEqual(waits);
    await closeRegions(open.splice(0));
    expect(link.consuming.up).toBe(false);
    expect(await counted()).toEqual(waits);
  },
  TIMEOUT_MS,
);
