// For tests in a browser: what keeps people from using a page.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";

const AXE = readFileSync(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir), "utf8");

/** What axe finds, each with its place and what to do. */
export async function axeOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    type Found = { id: string; nodes: { target: string[]; failureSummary: string }[] };
    const { axe } = globalThis as unknown as {
      axe: { run(options: object): Promise<{ violations: Found[] }> };
    };
    const { violations } = await axe.run({ resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target.join(" ")} ${failureSummary}`),
    );
  });
}

const SIZES = [
  [390, 844],
  [2_560, 1_440],
  [1_440, 900],
] as const;

/** Everything that is cut off on a phone, a laptop or a wide screen. */
export async function clippedIn(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    found.push(...(await page.evaluate(clipped)).map((e) => `at ${width}: ${e}`));
  }
  return found;
}

/** In the page: what reaches beyond its right edge, or is cut off inside. */
function clipped(): string[] {
  const { clientWidth } = document.documentElement;
  return [...document.querySelectorAll("main *")]
    .filter((e) => {
      const { right, width } = e.getBoundingClientRect();
      if (width === 0 || right <= clientWidth + 1) return false;
      return !e.closest(".hidden, thead, svg, pre, select, .uplot");
    })
    .map((e) => `${e.tagName} ${e.className} ${e.textContent?.slice(0, 40)}`)
    .slice(0, 3);
}
