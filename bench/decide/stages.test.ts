// Every stage is a library that Redis takes, and that answers; a stage whose place in core/lua has
// gone stops the bench.
import { expect, test } from "bun:test";
import { buildLibrary } from "../../core/stores/library.ts";
import { freshBody, Scene } from "./scene.ts";
import { STAGES } from "./stages.ts";

test("each stage is cut where the library still has its place, and answers", async () => {
  const scene = await Scene.start(false);
  try {
    for (const patch of Object.values(STAGES))
      await scene.with(buildLibrary(patch), 1, (shard) => shard.decide(freshBody(2), false));
  } finally {
    await scene.stop();
  }
});

test("a place that is gone stops the bench", () => {
  for (const [name, patch] of Object.entries(STAGES))
    if (name !== "append the entry") expect(() => patch("return 1")).toThrow("no longer has");
});
