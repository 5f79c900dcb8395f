// The words of a changed route.
import { expect, test } from "bun:test";
import { routeWords } from "./routes.ts";

const to = (service: string, region = "") => ({ category: "art", region, service });

test("a region's route that is unset says where its parts go now", () => {
  const unset = to("", "us");
  expect(routeWords([to("depot")], unset)).toBe(
    "art of region us has no route of its own any more: it goes to depot, as in all regions",
  );
  expect(routeWords([to("depot", "eu")], unset)).toBe("art of region us no longer has a route");
  const other = { category: "home", region: "", service: "depot" };
  expect(routeWords([other], unset)).toBe("art of region us no longer has a route");
});

test("a route for all regions that is unset names the regions that keep their own", () => {
  expect(routeWords([], to(""))).toBe("art no longer has a route");
  expect(routeWords([to("depot", "eu"), to("annex", "us")], to(""))).toBe(
    "art no longer has a route, but for depot in eu and annex in us",
  );
  expect(routeWords([], to("depot", "us"))).toBe("art of region us goes to depot");
});
