// The operations page as the console shows it: what findings link to is there.
import { expect, test } from "bun:test";
import { anchorOf, FINDINGS, type FindingCode } from "../../core/domain/finding.ts";
import { guidePage } from "./guide.ts";

test("every finding has its section on the page", () => {
  const page = guidePage();
  const missing = (Object.keys(FINDINGS) as FindingCode[])
    .map(anchorOf)
    .filter((anchor) => !page.includes(`id="${anchor}"`));
  expect(missing).toEqual([]);
});

test("the page has no scripts of its own, and no link to a file that is not served", () => {
  const page = guidePage();
  expect(page).not.toMatch(/<script(?! type="module" src="\/console\/)/);
  const elsewhere = [...page.matchAll(/href="([^"]*)"/g)].map(([, to]) => to);
  expect(elsewhere.filter((to) => !/^(#|https?:|data:,|\/console)/.test(to ?? ""))).toEqual([]);
});
