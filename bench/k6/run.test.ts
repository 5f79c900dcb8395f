import { expect, test } from "bun:test";
import { k6Command } from "./run.ts";

const ENV = { SLUICE_K6_URL: "http://127.0.0.1:8080", SLUICE_K6_TOKEN: "secret" };

test("k6 from the PATH runs the script where it is", () => {
  expect(
    k6Command({ kind: "binary", path: "/bin/k6" }, "/s/steady.ts", "/o/summary.json", ENV),
  ).toEqual({
    command: ["/bin/k6", "run", "--quiet", "--summary-export", "/o/summary.json", "/s/steady.ts"],
    env: ENV,
  });
});

test("a container gets mounted scripts and summary, and no secret on its command line", () => {
  const { command, env } = k6Command(
    { kind: "docker", path: "/bin/docker" },
    "/s/steady.ts",
    "/o/summary.json",
    ENV,
  );
  expect(command.join(" ")).toMatch(
    new RegExp(
      "^/bin/docker run --rm --network host --user \\d+ --volume /s:/scripts:ro " +
        "--volume /o:/out --env SLUICE_K6_URL --env SLUICE_K6_TOKEN grafana/k6 run --quiet " +
        "--summary-export /out/summary\\.json /scripts/steady\\.ts$",
    ),
  );
  expect(env).toEqual(ENV);
});
