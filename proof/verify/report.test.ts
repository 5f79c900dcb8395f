import { afterAll, expect, test } from "bun:test";
import { paint, verdictLines } from "./report.ts";
import { closeWorlds, trueStory } from "./test-story.ts";

afterAll(closeWorlds);

const marks = (lines: readonly string[]) =>
  Object.fromEntries(
    lines.flatMap((l) => [...l.matchAll(/^ {2}(.) (I\d+) /g)].map((m) => [m[2], m[1]])),
  );

test("an invariant is ticked only if what it is about was compared", async () => {
  const { world } = await trueStory();
  const whole = verdictLines(await world.verify(), paint(false));
  expect(Object.values(marks(whole)).join("")).toBe("✓".repeat(11));
  expect(whole.at(-1)).toBe("  every invariant holds");

  // As on a production machine: no history, and a provider whose records nobody can read.
  const alone = await world.verify({ history: false, provider: false });
  expect(alone.compared).toMatchObject({ history: false, provider: false });
  const lines = verdictLines(alone, paint(false));
  expect(marks(lines)).toMatchObject({ I1: "○", I2: "○", I5: "✓", I6: "○", I10: "○" });
  expect(lines.join("\n")).toContain("the payment provider's record was not compared (--provider");
  expect(lines.at(-1)).toBe("  every invariant holds, as far as it was compared");
});
