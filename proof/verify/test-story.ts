// A true story for the checker's tests. Each test adds one lie, which must be the only finding.
import { testDir } from "../../test/services.ts";
import type { TimeRules } from "./checks/times.ts";
import type { Invariant } from "./findings.ts";
import { body, row, skipRow, World } from "./world.ts";

const dir = testDir("verify");
const worlds: World[] = [];
export async function closeWorlds(): Promise<void> {
  for (const world of worlds.splice(0)) await world.close();
}

export async function emptyWorld(url?: string, shards?: number): Promise<World> {
  const world = await World.make(dir, url, shards);
  worlds.push(world);
  return world;
}

export interface Story {
  readonly world: World;
  readonly ann: string;
  readonly second: string;
  readonly one: string;
  readonly two: string;
  readonly four: string;
}

/**
 * Ann sends twice and once altered; Ben sends 2 before 1, gives 3 up and sends 4; Cid is refused.
 */
export async function trueStory(url?: string): Promise<Story> {
  const world = await emptyWorld(url);
  const [ann, second, one, two, four, cid] = Array.from({ length: 6 }, () => world.id()) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  world.sent("ann", ann, body("mug", 2), { at: 0 });
  world.sent("ann", ann, body("mug", 2), { at: 100, region: "us" });
  world.sent("ann", ann, body("mug", 1), { at: 200 });
  world.sent("ann", second, body("mug", 2), { at: 300 });
  world.sent("ben", two, body("cap", 1, 2), { at: 0 });
  world.sent("ben", one, body("mug", 1, 1), { at: 20 });
  world.sent("ben", four, body("cap", 1, 4), { at: 60 });
  world.sent("cid", cid, body("mug", 1), { at: 70, result: "fail", status: 429 });
  await world.entry(
    [row("ann", ann, body("mug", 2)), row("ben", two, body("cap", 1, 2))],
    "reserved,parked",
  );
  await world.entry(
    [row("ann", ann, body("mug", 2)), row("ann", ann, body("mug", 1))],
    "=reserved,!reserved",
  );
  const ones = [row("ben", one, body("mug", 1, 1)), row("ann", second, body("mug", 2))];
  await world.entry(ones, "reserved,reserved", [[row("ben", two, body("cap", 1, 2)), "reserved"]]);
  await world.entry([skipRow("ben", 3), row("ben", four, body("cap", 1, 4))], "skipped,over_limit");
  await world.pay();
  await world.dispatch();
  world.told("ben", two, "parked");
  world.told("ben", two, "reserved");
  return { world, ann, second, one, two, four };
}

/** One lie in the true story, with the finding it must cause. */
export type Lie = readonly [what: string, invariant: Invariant, lie: (story: Story) => unknown];

/** The findings for the true story with a lie in it. */
export async function foundAfter(lie: (story: Story) => unknown): Promise<string[]> {
  const story = await trueStory();
  await lie(story);
  return foundIn(story.world);
}

export async function foundIn(world: World, rules?: TimeRules): Promise<string[]> {
  const { violations } = await world.verify({ history: world.lines.length > 0, rules });
  return violations.map((v) => `${v.invariant} ${v.what}`);
}

/** SQL that replaces a text in the steps of every entry. */
export function replaceInSteps(from: string, to: string): string {
  return `UPDATE entries SET steps = replace(steps, '${from}', '${to}')`;
}
