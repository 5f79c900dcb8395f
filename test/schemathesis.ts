// Has schemathesis (PyPI) try every call of a gateway with good and bad input, by its description:
//
//   python3 -m venv /tmp/venv && /tmp/venv/bin/pip install schemathesis==4.32.5
//   SCHEMATHESIS=/tmp/venv/bin/schemathesis ./sluice test schemathesis      # two seeds
//   bun test/schemathesis.ts /tmp/venv/bin/schemathesis [more arguments]    # as you like
//
// Not part of CI: it takes minutes, and needs Python.
import { IDLE, startTestGateway, token } from "../gateway/testing.ts";
import { stopTestServices, testDir } from "./services.ts";

/** Longer than any call waits. */
const REQUEST_TIMEOUT_S = 40;

/** Its exit code; 0: it found nothing. What it found is on the standard output. */
export async function trySchemathesis(command: string, more: readonly string[]): Promise<number> {
  const t = await startTestGateway({
    ...IDLE,
    webhookPrivate: true,
    // Most of what it sends is refused.
    limits: { promptRefusals: { perSecond: 100_000, burst: 100_000 } },
    webhookSecrets: [`whsec_${btoa("a secret of the provider's")}`],
  });
  try {
    const bearer = await token("op", { scope: "operator service" });
    const { exited } = Bun.spawn(
      [
        ...[command, "--config-file", `${import.meta.dir}/schemathesis.toml`],
        ...["run", `${t.gateway.url}/openapi.json`, "--header", `Authorization: Bearer ${bearer}`],
        // A socket, and a stream without an end.
        ...["--exclude-path", "/v1/ws", "--exclude-path", "/v1/orders/{id}/events"],
        ...["--phases", "examples,coverage,fuzzing"],
        ...["--request-timeout", String(REQUEST_TIMEOUT_S), ...more],
      ],
      { cwd: testDir("schemathesis"), stdout: "inherit", stderr: "inherit" },
    );
    return await exited;
  } finally {
    await t.close();
  }
}

if (import.meta.main) {
  const [command = "schemathesis", ...more] = process.argv.slice(2);
  process.exitCode = await trySchemathesis(command, more);
  await stopTestServices();
}
